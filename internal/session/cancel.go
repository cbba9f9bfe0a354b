package session

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/backend"
)

// running is the set of nodes on which the session's statement runs. Its lock is
// held while a cancel is delivered: the session cannot send its next statement
// before, so a cancel never hits another statement than the one it was meant for.
type running struct {
	mu    sync.Mutex // guards the fields below
	links []*link
	// turns counts what was sent to links (link.turn).
	turns uint64
	// cancelled: a cancel was delivered to the statement that runs.
	cancelled bool
	// answered: the frontend has the statement's answer, so that no cancel is meant for it.
	answered bool
	// waiting ends a wait of ours, in which the statement runs nowhere; nil if there
	// is none.
	waiting context.CancelFunc
	// underWay is the statement as the search for deadlocks sees it.
	underWay underWay
}

// await returns a context that a cancel ends. stop ends the wait.
func (r *running) await(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	r.mu.Lock()
	r.waiting = cancel
	r.mu.Unlock()
	return ctx, func() {
		r.mu.Lock()
		r.waiting = nil
		r.mu.Unlock()
		cancel()
	}
}

func (r *running) add(l *link) {
	r.mu.Lock()
	r.turns++
	l.turn = r.turns
	r.links = append(r.links, l)
	r.mu.Unlock()
}

func (r *running) remove(l *link) {
	r.mu.Lock()
	for i, other := range r.links {
		if other == l {
			r.links = append(r.links[:i], r.links[i+1:]...)
			break
		}
	}
	r.mu.Unlock()
}

// begin forgets a cancel that came for the statement before.
func (r *running) begin() {
	r.mu.Lock()
	r.cancelled, r.answered = false, false
	r.underWay.begin()
	r.mu.Unlock()
}

// beginWork is the beginning of what a message of the frontend asks for.
func (s *Session) beginWork() {
	s.running.begin()
	s.unanswered = nil
}

func (r *running) wasCancelled() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cancelled
}

// cancelTimeout bounds the delivery of a cancel to a node, and with it how long a
// session can be kept from its next statement.
const cancelTimeout = 3 * time.Second

// Cancel cancels what the session runs, on the nodes where it runs; nothing if it
// runs nothing. It may be called from any goroutine.
func (s *Session) Cancel(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, cancelTimeout)
	defer stop()
	s.running.mu.Lock()
	defer s.running.mu.Unlock()
	if s.running.answered {
		return
	}
	if s.running.waiting != nil {
		s.running.cancelled = true
		s.running.waiting()
	}
	links := s.running.cancellable()
	if len(links) == 0 {
		return
	}
	s.running.cancelled = true
	s.cancelOn(ctx, links)
	go s.cancelAgain(cancelTargets(links))
}

// cancelTarget is what a link was running when a cancel was sent to it.
type cancelTarget struct {
	link *link
	turn uint64
}

// cancelTargets is for whoever has running.mu.
func cancelTargets(links []*link) []cancelTarget {
	targets := make([]cancelTarget, len(links))
	for i, l := range links {
		targets[i] = cancelTarget{l, l.turn}
	}
	return targets
}

// A cancel that meets a backend which has not read the statement yet does nothing. With one server that is the client's
// business; with several the others may have ended theirs, whose transactions wait for this one. So it is sent again to
// who is left: firstAgain after the first, then after twice as long each time, timesAgain times.
const (
	firstAgain = 50 * time.Millisecond
	timesAgain = 8
)

// cancelAgain sends a cancel to those that still run what they ran when others do not any more.
func (s *Session) cancelAgain(targets []cancelTarget) {
	if len(targets) == 1 {
		return
	}
	for n := range timesAgain {
		time.Sleep(firstAgain << n)
		if !s.cancelLeft(targets) {
			return
		}
	}
}

// cancelLeft is one turn of cancelAgain. It reports whether any are left.
func (s *Session) cancelLeft(targets []cancelTarget) bool {
	ctx, stop := context.WithTimeout(context.Background(), cancelTimeout)
	defer stop()
	s.running.mu.Lock()
	defer s.running.mu.Unlock()
	links := slices.DeleteFunc(slices.Clone(s.running.cancellable()), func(l *link) bool {
		return !slices.Contains(targets, cancelTarget{l, l.turn})
	})
	if len(links) < len(targets) {
		s.cancelOn(ctx, links)
	}
	return len(links) > 0
}

// cancelOn delivers a cancel to these nodes. running.mu is held, which keeps the session
// from its next statement meanwhile.
func (s *Session) cancelOn(ctx context.Context, links []*link) {
	var sent sync.WaitGroup
	for _, l := range links {
		key := l.conn.Key()
		sent.Go(func() {
			if err := backend.Cancel(ctx, key); err != nil {
				s.log.Warn("cancel not delivered", zap.Error(err))
			}
		})
	}
	sent.Wait()
}

// Registry knows the sessions by their numbers and by their cancel keys. Safe for
// concurrent use.
type Registry struct {
	mu       sync.Mutex // guards the fields below
	sessions map[uint32]*Session
	keys     map[uint32]*Session // by the process number that the frontend was told
	next     uint32
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{sessions: map[uint32]*Session{}, keys: map[uint32]*Session{}}
}

// secretSize is the length of our cancel keys for a protocol version: 4 bytes in
// 3.0, 32 in 3.2 (protocol chapter 55.2.9).
func secretSize(protocol uint32) int {
	if protocol&0xffff >= 2 {
		return 32
	}
	return 4
}

// Process is the number of the backend process that runs the statement of the session
// whose frontend was told a number, or of the one on its main node if none does; false if
// there is no such session, or it is connected to no node.
func (r *Registry) Process(number uint32) (pid uint32, ok bool) {
	r.mu.Lock()
	s := r.keys[number]
	r.mu.Unlock()
	if s == nil || s.loan.on {
		return 0, false // its connections may be another's before they are signalled
	}
	s.running.mu.Lock()
	defer s.running.mu.Unlock()
	if len(s.running.links) > 0 {
		return s.running.links[0].conn.PID(), true
	}
	pid = s.mainPID.Load()
	return pid, pid != 0
}

// End ends the session whose frontend was told a number, as the end of the server would;
// nothing if there is no such session.
func (r *Registry) End(number uint32) {
	r.mu.Lock()
	s := r.keys[number]
	r.mu.Unlock()
	if s != nil {
		s.stop()
	}
}

// add gives a session its number, its process number and its secret. process is that of
// the main node's backend, or 0.
func (r *Registry) add(s *Session, process uint32) {
	s.secret = make([]byte, secretSize(s.protocol))
	rand.Read(s.secret) // never fails (crypto/rand)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.number(s)
	s.process = process
	if process == 0 || r.keys[process] != nil {
		s.process = noProcess | s.id
	}
	r.keys[s.process] = s
}

// noProcess is a bit that no process number has: a system's largest is 1<<22 (proc(5),
// pid_max). It marks the number of a session that cannot be told its main backend's: the
// main node was another one when some other session was told the same.
const noProcess = 1 << 30

// number gives a session a number that no other has.
func (r *Registry) number(s *Session) {
	for {
		r.next++
		if r.next&(noProcess-1) == 0 {
			continue
		}
		if s.id = r.next & (noProcess - 1); r.sessions[s.id] == nil {
			break
		}
	}
	r.sessions[s.id] = s
}

func (r *Registry) remove(s *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sessions[s.id] == s {
		delete(r.sessions, s.id)
		delete(r.keys, s.process)
	}
}

// Cancel delivers a CancelRequest. A key that fits nobody does nothing, and the
// sender is not told (protocol chapter 55.2.9).
func (r *Registry) Cancel(ctx context.Context, process uint32, secret []byte) {
	r.mu.Lock()
	s := r.keys[process]
	r.mu.Unlock()
	if s != nil && subtle.ConstantTimeCompare(s.secret, secret) == 1 {
		s.Cancel(ctx)
	}
}

// Sessions returns the sessions that are logged in.
func (r *Registry) Sessions() []*Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*Session, 0, len(r.sessions))
	for _, s := range r.sessions {
		out = append(out, s)
	}
	return out
}
