package session

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/backend"
	"github.com/pgchorus/pgchorus/internal/logkey"
)

// A statement that main has done meets no lock on the others for long: whoever held one on
// main has ended there. If one waits nonetheless, two transactions may be waiting for each
// other on different nodes, which no server sees (after a change of main, for one). So the
// others are not waited for without end: the statement is cancelled there, and the
// transaction rolled back everywhere. If it had done nothing else, it is done again, and
// nobody is told.

// How long the others may take for what main has done, beside a multiple of the time that
// main took: less where the transaction is done again. So of two that wait for each other
// one that need not be told gives way.
const (
	othersPatience     = 10 * time.Second
	repeatablePatience = 2 * time.Second
	othersMultiple     = 4
)

// othersWait is how a session waits for the nodes that are not main.
type othersWait struct {
	// on: nodes are waited for with an end to it.
	on bool
	// patience is how long, beside the multiple.
	patience time.Duration
	timer    *time.Timer
	since    time.Time     // when main was sent the work
	took     time.Duration // how long main needed
	// waiting: one is waited for now. Guarded by running.mu, as is ended.
	waiting bool
	// ended: the others were not waited for any longer.
	ended bool
}

// beginOthers is called before main is sent work; bounded: the others shall not take for
// ever; repeatable: it can be done again if they do.
func (s *Session) beginOthers(bounded, repeatable bool) {
	s.running.mu.Lock()
	defer s.running.mu.Unlock()
	s.others.patience = othersPatience
	if repeatable {
		s.others.patience = repeatablePatience
	}
	s.others.on, s.others.since, s.others.took, s.others.ended = bounded, time.Now(), 0, false
}

// watchOthers begins to wait for a node that is not main, until doneWatching is called.
func (s *Session) watchOthers() {
	s.setWaiting(true)
	limit := s.others.patience + othersMultiple*s.others.took
	if s.others.timer == nil {
		s.others.timer = time.AfterFunc(limit, s.giveUpOthers)
	} else {
		s.others.timer.Reset(limit)
	}
}

func (s *Session) doneWatching() {
	s.others.timer.Stop()
	s.setWaiting(false)
}

func (s *Session) setWaiting(waiting bool) {
	s.running.mu.Lock()
	defer s.running.mu.Unlock()
	s.others.waiting = waiting
}

// gaveUpOthers reports whether the last wait has ended so.
func (s *Session) gaveUpOthers() bool {
	s.running.mu.Lock()
	defer s.running.mu.Unlock()
	return s.others.ended
}

// giveUpOthers cancels the session's statement where it still runs. Its lock keeps the
// session from its next statement meanwhile.
func (s *Session) giveUpOthers() {
	ctx, stop := context.WithTimeout(context.Background(), cancelTimeout)
	defer stop()
	s.running.mu.Lock()
	defer s.running.mu.Unlock()
	if !s.others.waiting {
		return
	}
	s.others.ended = true
	for _, l := range s.running.links {
		s.log.Warn("node takes too long for what main has done, and is told to stop", zap.Int(logkey.Node, int(l.ID())))
		if err := backend.Cancel(ctx, l.conn.Key()); err != nil {
			s.log.Warn("cancel not delivered", zap.Error(err))
		}
	}
}
