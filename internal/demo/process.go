package demo

import (
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

// process is a child of ours. It ends with us: the kernel sends it SIGQUIT.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once it has ended and was waited for
	err  error         // how it ended; to be read after done
}

// spawn starts cmd in a session of its own, so that a terminal's Ctrl-C is left to us.
func spawn(cmd *exec.Cmd) (*process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	p := &process{cmd: cmd, done: make(chan struct{})}
	err := localpg.StartChild(cmd, func(err error) {
		p.err = err
		close(p.done)
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// ending is how the process ended, to be called after that; never nil.
func (p *process) ending() error {
	if p.err == nil {
		return errors.New("with exit code 0")
	}
	return p.err
}

// stop signals the process, waits for its end, and kills it when that takes longer
// than patience. It is no error if it has ended already.
func (p *process) stop(signal syscall.Signal, patience time.Duration) error {
	_ = p.cmd.Process.Signal(signal) // it may have gone
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	}
	_ = p.cmd.Process.Kill()
	<-p.done
	return fmt.Errorf("process %d did not end within %v of %s and was killed", p.cmd.Process.Pid, patience, signal)
}
