package proxy

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

// process is one run of the server. The goroutine that started it owns it until it
// has ended, and then closes done.
type process struct {
	pid  int
	done chan struct{} // closed once the server has ended and was waited for
	err  error         // how it ended; to be read after done
	told bool          // we ended it or told it to end
}

// spawn runs the executable with its output going to log, and more in its environment. The
// kernel kills the server when we end (Pdeathsig).
func spawn(executable, log *os.File, env []string, args ...string) (*process, error) {
	cmd := command(executable, args...)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
	p := &process{done: make(chan struct{})}
	err := localpg.StartChild(cmd, func(err error) {
		p.err = err
		close(p.done)
	})
	if err != nil {
		return nil, fmt.Errorf("start pgchorus: %w", err)
	}
	p.pid = cmd.Process.Pid
	return p, nil
}

// command runs the open executable. GORACE and GOTRACEBACK make a report complete.
func command(executable *os.File, args ...string) *exec.Cmd {
	cmd := exec.Command(fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), executable.Fd()), args...)
	cmd.Args[0] = "pgchorus"
	cmd.Env = append(os.Environ(), "GORACE=halt_on_error=0", "GOTRACEBACK=all")
	return cmd
}

func (p *process) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signal does nothing to a server that has ended, whose number may be another's.
func (p *process) signal(s syscall.Signal) error {
	if !p.alive() {
		return nil
	}
	return syscall.Kill(p.pid, s)
}

// end sends the signal and waits. A server that does not end within patience is made
// to print its goroutines and killed.
func (p *process) end(s syscall.Signal) error {
	p.told = true
	if err := p.signal(s); err != nil {
		return err
	}
	if p.wait(stopPatience) {
		return nil
	}
	_ = p.signal(syscall.SIGABRT)
	if !p.wait(stopPatience) {
		_ = p.signal(syscall.SIGKILL)
		<-p.done
	}
	return fmt.Errorf("the server did not end within %v of %v", stopPatience, s)
}

func (p *process) wait(patience time.Duration) bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		return false
	}
}
