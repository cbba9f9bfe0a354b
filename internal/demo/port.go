package demo

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

// port is where pgchorus will listen.
type port struct {
	number   int
	reserved *localpg.Port // nil for a number that was asked for
}

// takePort finds a port when number is 0, else makes sure that nobody has it, before
// the slow part of the work.
func takePort(number int) (*port, error) {
	if number == 0 {
		reserved, err := localpg.ReservePort()
		if err != nil {
			return nil, err
		}
		return &port{reserved.Number, reserved}, nil
	}
	listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(number)))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("port %d is taken by another program: choose another with --port, or --port 0 for any that is free", number)
	case err != nil:
		return nil, fmt.Errorf("--port %d: %w", number, err)
	}
	return &port{number: number}, listener.Close()
}

func (p *port) release() error {
	if p.reserved == nil {
		return nil
	}
	return p.reserved.Release()
}
