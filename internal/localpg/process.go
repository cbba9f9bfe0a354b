package localpg

import (
	"os/exec"
	"runtime"
)

// process is a postmaster that we started. One goroutine owns it: the one that
// starts it, waits for it and then closes done.
type process struct {
	pid  int
	done chan struct{} // closed once the postmaster has ended and was waited for
	err  error         // how it ended; to be read after done
}

// alive is false for nil and for a process that was waited for.
func (p *process) alive() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// spawn starts cmd, a postmaster.
func spawn(cmd *exec.Cmd) (*process, error) {
	p := &process{done: make(chan struct{})}
	err := StartChild(cmd, func(err error) {
		p.err = err
		close(p.done)
	})
	if err != nil {
		return nil, err
	}
	p.pid = cmd.Process.Pid
	return p, nil
}

// StartChild starts cmd on a thread of its own, which stays until cmd has ended and
// then calls ended with what Wait gave. The kernel sends Pdeathsig when the thread that
// forked ends, and Go ends threads as it likes; this one is locked to a goroutine that
// sits in Wait.
func StartChild(cmd *exec.Cmd, ended func(error)) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended(cmd.Wait())
		}
	}()
	return <-started
}
