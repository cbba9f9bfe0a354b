package session

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
)

// awaitFrontend waits for the frontend's next message. A session that listens is
// woken by its main node as well, and passes on what that has to say.
func (s *Session) awaitFrontend(ctx context.Context) error {
	limit := s.config().Pool.ClientIdleLimit
	if limit > 0 {
		s.front.SetReadDeadline(time.Now().Add(limit))
		defer s.clearDeadline(ctx)
	}
	for s.settings.listening && s.tx.status() == wire.TxIdle && s.main() != nil {
		woken, err := s.waitForEither(ctx, s.main())
		if err != nil || !woken {
			return err
		}
		if err := s.relay(ctx); err != nil {
			return err
		}
	}
	if limit > 0 {
		_, _, err := s.front.Peek()
		return s.peekError(ctx, err)
	}
	return nil
}

// peekError leaves errors to the read that follows and has them again, but for a
// time-out, which is over once the deadline is cleared.
func (s *Session) peekError(ctx context.Context, err error) error {
	if err != nil && isTimeout(err) && ctx.Err() == nil {
		return errIdleLimit()
	}
	return nil
}

// clearDeadline removes the idle limit, unless the deadline is that of a server that
// stops.
func (s *Session) clearDeadline(ctx context.Context) {
	if ctx.Err() == nil {
		s.front.SetReadDeadline(time.Time{})
	}
}

// waitForEither waits until the frontend or a node has something to say; woken means
// the node. A goroutine watches the node's socket without reading from it; it has ended when
// this returns.
func (s *Session) waitForEither(ctx context.Context, node *link) (woken bool, err error) {
	var fired atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := node.conn.AwaitReadable(); !isTimeout(err) {
			fired.Store(true)
			s.front.SetReadDeadline(time.Unix(1, 0))
		}
	}()
	_, _, err = s.front.Peek()
	node.conn.SetReadDeadline(time.Unix(1, 0))
	<-ended
	node.conn.SetReadDeadline(time.Time{})
	if !fired.Load() {
		return false, s.peekError(ctx, err)
	}
	s.clearDeadline(ctx)
	return err != nil && isTimeout(err) && ctx.Err() == nil, nil
}

// relay passes on what main has said on its own, and drops what the others have: the
// frontend hears each notification once.
func (s *Session) relay(ctx context.Context) error {
	s.refreshView()
	for _, l := range s.links {
		if l == nil {
			continue
		}
		var err error
		if l == s.main() {
			err = l.conn.Idle(s)
		} else {
			err = l.conn.Idle(nil)
		}
		if err != nil {
			s.lost(ctx, l, err)
		}
	}
	if s.terminated != nil {
		return errTerminatedByNode
	}
	s.flush()
	return s.gone
}

// errIdleLimit is told to a frontend that was idle for longer than client_idle_limit.
func errIdleLimit() error {
	return pgerr.Fatal(pgerr.IdleSessionTimeout, "terminating connection due to client_idle_limit")
}
