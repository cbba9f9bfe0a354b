package session

import (
	"context"
	"strings"
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
	for len(s.settings.channels) > 0 && s.tx.status() == wire.TxIdle && s.main() != nil {
		if !s.listenOn(ctx, s.main()) {
			break
		}
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

// listenOn has the main node listen, which was another one when LISTEN was run. Where
// writes are replicated, all nodes listen from the first. false: the node was lost.
func (s *Session) listenOn(ctx context.Context, main *link) bool {
	if main.listens || !s.hasPrimary() {
		return true
	}
	for channel := range s.settings.channels {
		if _, err := main.ask("LISTEN " + quoteName(channel)); err != nil {
			s.lost(ctx, main, err)
			return false
		}
	}
	main.listens = true
	return true
}

// quoteName writes a name as SQL.
func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

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
