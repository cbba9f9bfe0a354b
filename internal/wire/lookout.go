package wire

import (
	"syscall"
	"unsafe"
)

// Lookout looks at many connections at once, with one system call. Its memory is used again.
type Lookout struct {
	fds   []pollFD
	spoke bool // one of them has, as is known without a look
}

// pollFD is poll(2)'s.
type pollFD struct {
	fd              int32
	events, revents int16
}

// pollIn is POLLIN.
const pollIn = 1

// Reset begins a look.
func (l *Lookout) Reset() { l.fds, l.spoke = l.fds[:0], false }

// Add has c looked at.
func (l *Lookout) Add(c *Conn) {
	if c.sock.fd < 0 {
		l.spoke = l.spoke || !c.Quiet()
		return
	}
	l.spoke = l.spoke || c.Buffered() > 0
	l.fds = append(l.fds, pollFD{fd: c.sock.fd, events: pollIn})
}

// Spoke reports, without waiting, whether a connection has brought something or has ended: one of
// them is not Quiet. What cannot be looked at has ended.
func (l *Lookout) Spoke() bool {
	if l.spoke || len(l.fds) == 0 {
		return l.spoke
	}
	var now syscall.Timespec
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(unsafe.SliceData(l.fds))), uintptr(len(l.fds)),
			uintptr(unsafe.Pointer(&now)), 0, 0, 0)
		if errno == syscall.EINTR {
			continue
		}
		return errno != 0 || n > 0
	}
}
