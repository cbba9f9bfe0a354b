package backend

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"github.com/pgchorus/pgchorus/internal/auth"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/wire"
)

// noDeadline removes a deadline from a socket.
var noDeadline time.Time

// Conn is one logged-in connection to a node.
type Conn struct {
	*wire.Conn

	node    config.NodeID
	address Address
	pid     uint32
	secret  []byte
	created time.Time
	opened  auth.Opened

	// cut is set when the node went out of service: the socket was closed under us.
	cut atomic.Bool

	// params is what ParameterStatus last reported, and changes how often it has.
	params  map[string]string
	changes uint64
	// Status is the transaction status of the last ReadyForQuery.
	Status wire.TxStatus
	// Skipping is set when the server ignores everything up to the next Sync.
	Skipping bool
	// Fatal is the body of an ErrorResponse with which the server ends the
	// connection; nil while it has not.
	Fatal []byte
	// Heard is called for each notification, by whoever reads from c; nil for nobody.
	// The frame is valid until it returns.
	Heard func(frame wire.Frame)
}

// Node is the node that c leads to.
func (c *Conn) Node() config.NodeID { return c.node }

// PID is the process number of the backend.
func (c *Conn) PID() uint32 { return c.pid }

// Key is what a CancelRequest for c needs.
func (c *Conn) Key() Key { return Key{Address: c.address, PID: c.pid, Secret: c.secret} }

// Opened says how the server was satisfied, and so to whom c may be lent.
func (c *Conn) Opened() auth.Opened { return c.opened }

// Created is the time of the log-in.
func (c *Conn) Created() time.Time { return c.created }

// Params is what the server reported by ParameterStatus. Nobody may change the map.
func (c *Conn) Params() map[string]string { return c.params }

// Changes counts what ParameterStatus has reported: while it is the same, Params is.
func (c *Conn) Changes() uint64 { return c.changes }

// terminateTimeout bounds the good-bye to a server that no longer reads.
const terminateTimeout = time.Second

// Terminate says good-bye, if it can still be said, and closes the connection.
func (c *Conn) Terminate() {
	c.SetDeadline(time.Now().Add(terminateTimeout))
	c.SetOutbox(wire.AppendTerminate(c.Outbox()))
	c.Flush() //nolint:errcheck // the server may be gone
	c.Conn.Close()
}

// Cut closes the socket, whoever uses the connection. It may be called from any
// goroutine.
func (c *Conn) Cut() {
	c.cut.Store(true)
	c.Conn.Close()
}

// WasCut reports whether Cut was called.
func (c *Conn) WasCut() bool { return c.cut.Load() }

// LogIn proves to a server who we are; it returns when AuthenticationOk has come.
// secured is the state of TLS, nil on a plain connection.
type LogIn func(ctx context.Context, conn wire.Login, secured *tls.ConnectionState) (auth.Opened, error)

// Connect dials a node, sends the start-up parameters, logs in and waits until
// the server is ready for queries. An *auth.BackendError holds what a server said that
// would not have us.
func Connect(ctx context.Context, node config.NodeID, a Address, params map[string]string, logIn LogIn) (*Conn, error) {
	conn, err := dial(ctx, a)
	if err != nil {
		return nil, err
	}
	c := &Conn{Conn: conn, node: node, address: a, created: time.Now()}
	release := bound(ctx, conn)
	if err := c.start(ctx, params, logIn); err != nil {
		conn.Close()
		return nil, err
	}
	release()
	return c, nil
}

func (c *Conn) start(ctx context.Context, params map[string]string, logIn LogIn) error {
	c.Append(wire.AppendStartup(nil, params))
	if err := c.Flush(); err != nil {
		return err
	}
	opened, err := logIn(ctx, wire.Login{Conn: c.Conn}, c.tlsState())
	if err != nil {
		return err
	}
	c.opened = opened
	return c.awaitReady()
}

// maxStartMessages bounds what a server may send between AuthenticationOk and
// the first ReadyForQuery; PostgreSQL 18 sends some twenty messages.
const maxStartMessages = 1000

// usualStart is what they take to tell of the parameters, in bytes.
const usualStart = 512

func (c *Conn) awaitReady() error {
	told := make([]byte, 0, usualStart) // of parameters
	for range maxStartMessages {
		frame, err := c.Next(wire.MaxLogin)
		if err != nil {
			return err
		}
		switch frame.Kind() {
		case wire.KindParameterStatus:
			told = append(told, frame...)
		case wire.KindBackendKeyData:
			if c.pid, c.secret, err = wire.DecodeKeyData(frame.Body()); err != nil {
				return fmt.Errorf("key data: %w", err)
			}
		case wire.KindErrorResponse:
			return &auth.BackendError{Body: bytes.Clone(frame.Body())}
		case wire.KindReadyForQuery:
			c.Status = wire.TxIdle
			c.params = shared.of(told)
			c.Rest()
			return nil
		case wire.KindNoticeResponse, wire.KindNegotiateProtocolVersion:
		default:
			return fmt.Errorf("unexpected message %q at start-up", frame.Kind())
		}
	}
	return fmt.Errorf("no ReadyForQuery within %d messages", maxStartMessages)
}

func (c *Conn) tlsState() *tls.ConnectionState {
	if secured, ok := c.NetConn().(*tls.Conn); ok {
		state := secured.ConnectionState()
		return &state
	}
	return nil
}

// changeParam follows a ParameterStatus behind the log-in.
func (c *Conn) changeParam(frame wire.Frame) {
	c.params = maps.Clone(c.params) // others may have it, too
	noteParam(c.params, frame)
	c.changes++
}

func noteParam(params map[string]string, frame wire.Frame) {
	if name, value, err := wire.DecodeParameterStatus(frame.Body()); err == nil {
		params[name] = value
	}
}
