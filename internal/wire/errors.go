package wire

import (
	"errors"
	"fmt"
)

// Side says which peer an error came from.
type Side uint8

// The two peers of a proxy.
const (
	Frontend Side = iota + 1
	Backend
)

func (s Side) String() string {
	if s == Frontend {
		return "frontend"
	}
	return "backend"
}

// PeerError is an error of a socket, marked at birth with its side.
type PeerError struct {
	Side Side
	Op   string // "read from" or "write to"
	Err  error
}

func (e *PeerError) Error() string { return fmt.Sprintf("%s %s: %v", e.Op, e.Side, e.Err) }

// Unwrap gives the socket's own error.
func (e *PeerError) Unwrap() error { return e.Err }

// IsFrontendGone reports whether err means that the frontend can no longer be
// spoken to.
func IsFrontendGone(err error) bool {
	var peer *PeerError
	return errors.As(err, &peer) && peer.Side == Frontend
}

// ErrTooLong is returned for a message longer than the bound in force.
var ErrTooLong = errors.New("message is too long")

// ErrBadLength is returned for a length word smaller than itself.
var ErrBadLength = errors.New("invalid message length")

// errNotPollable is returned for a connection that is no socket.
var errNotPollable = errors.New("connection cannot be polled")
