package session

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

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
	for len(s.settings.channels) > 0 && s.tx.status() == wire.TxIdle {
		s.listenAgain()
		woken, err := s.waitForNews(ctx)
		if err != nil || !woken {
			return err
		}
	}
	if limit > 0 {
		_, _, err := s.front.Peek()
		return s.peekError(ctx, err)
	}
	return nil
}

// listenAgain has the main node listen, if it was another one when LISTEN was run. Where
// writes are replicated, all nodes listen from the first.
func (s *Session) listenAgain() {
	main := s.main()
	if main == nil || main.listens || !s.hasPrimary() || s.tx.kind != txNone || main.unsynced {
		return
	}
	for channel := range s.settings.channels {
		if _, err := main.ask("LISTEN " + quoteName(channel)); err != nil {
			s.log.Warn("session does not listen on the next primary", zap.Error(err))
			return
		}
	}
	main.listens = true
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

// waitForNews waits for the frontend, and for what the main node says meanwhile, which it
// passes on. While there is no main node it waits for the next one.
func (s *Session) waitForNews(ctx context.Context) (woken bool, err error) {
	if main := s.main(); main != nil {
		if woken, err = s.waitForNode(ctx, main); err != nil || !woken {
			return woken, err
		}
		return true, s.relay(ctx)
	}
	if !s.hasPrimary() {
		return false, nil
	}
	changed := s.Cluster.Changed()
	if s.refreshView(); s.main() != nil {
		return true, nil
	}
	over := make(chan struct{})
	woken, err = s.waitForEither(ctx, func() bool {
		select {
		case <-changed:
			return true
		case <-over:
			return false
		}
	}, func() { close(over) })
	if s.refreshView(); err == nil && woken && s.mainID() != noNode && s.main() == nil {
		err = s.join(ctx, s.mainID())
	}
	return woken, err
}

// waitForNode waits until the frontend or a node has something to say; woken means the
// node. Its socket is watched, not read from.
func (s *Session) waitForNode(ctx context.Context, node *link) (woken bool, err error) {
	defer node.conn.SetReadDeadline(time.Time{})
	return s.waitForEither(ctx,
		func() bool { return !isTimeout(node.conn.AwaitReadable()) },
		func() { node.conn.SetReadDeadline(time.Unix(1, 0)) })
}

// waitForEither waits until the frontend has something to say, or watch has seen
// something; woken means that. A goroutine watches; it has ended when this returns, since
// stop makes watch return.
func (s *Session) waitForEither(ctx context.Context, watch func() bool, stop func()) (woken bool, err error) {
	var fired atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if watch() {
			fired.Store(true)
			s.front.SetReadDeadline(time.Unix(1, 0))
		}
	}()
	_, _, err = s.front.Peek()
	stop()
	<-ended
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
		if err := l.conn.Idle(s.sinkOf(l)); err != nil {
			s.lost(ctx, l, err)
		}
	}
	if s.terminated != nil {
		return errTerminatedByNode
	}
	s.tellHeard()
	s.flush()
	return s.gone
}

// errIdleLimit is told to a frontend that was idle for longer than client_idle_limit.
func errIdleLimit() error {
	return pgerr.Fatal(pgerr.IdleSessionTimeout, "terminating connection due to client_idle_limit")
}
