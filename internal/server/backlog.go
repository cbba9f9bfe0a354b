package server

import (
	"context"
	"net"
	"syscall"
)

// listenBacklog listens with a backlog of its own: the runtime's is the system's
// maximum, and frontends that have to wait for a place would all be let into it.
func listenBacklog(ctx context.Context, network, address string, backlog int) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	raw, err := l.(syscall.Conn).SyscallConn()
	if err != nil {
		l.Close()
		return nil, err
	}
	var listenErr error
	if err := raw.Control(func(fd uintptr) { listenErr = syscall.Listen(int(fd), backlog) }); err != nil {
		listenErr = err
	}
	if listenErr != nil {
		l.Close()
		return nil, listenErr
	}
	return l, nil
}
