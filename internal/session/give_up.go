package session

import (
	"context"
	"slices"
	"time"

	"github.com/pgchorus/pgchorus/internal/backend"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/deadlock"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
	"github.com/pgchorus/pgchorus/replicator"
)

// What the search for deadlocks over several nodes (package deadlock) is told of the
// sessions, and what becomes of the one that it chooses.

// underWay is the statement that the session runs, as far as others may see it. Guarded by
// running.mu.
type underWay struct {
	number uint64
	since  time.Time
	ddl    bool
	writes int
	bare   bool // outside of any block
	// givenUp is why it was ended for others to go on; empty for none.
	givenUp string
	// owned are the session's connections, and since when, by node.
	owned []owned
}

type owned struct {
	conn  *backend.Conn
	since time.Time
}

// begin is the beginning of what a message of the frontend asks for.
func (u *underWay) begin() {
	u.number++
	u.since, u.givenUp = time.Now(), ""
	u.ddl, u.writes, u.bare = false, 0, false
}

// forgive is called before a statement that was given up is done again.
func (r *running) forgive() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.underWay.givenUp = ""
}

// own notes a connection in the place of the one before it.
func (r *running) own(conn *backend.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.underWay.own(conn, time.Now())
}

// own is for whoever has the lock.
func (u *underWay) own(conn *backend.Conn, now time.Time) {
	for int(conn.Node()) >= len(u.owned) {
		u.owned = append(u.owned, owned{})
	}
	u.owned[conn.Node()] = owned{conn, now}
}

// cancellable are the nodes where the statement may be cancelled. Guarded by mu.
func (r *running) cancellable() []*link {
	if !r.underWay.bare {
		return r.links
	}
	return slices.DeleteFunc(slices.Clone(r.links), func(l *link) bool { return !l.answers })
}

// whyGivenUp is empty where it was not.
func (r *running) whyGivenUp() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.underWay.givenUp
}

// noteUnderWay tells of a statement of all nodes.
// What is bare is cancelled on main only: another node alone without it would be fenced.
func (s *Session) noteUnderWay(bare bool) {
	s.tx.writes++
	s.tx.changesSchema = s.tx.changesSchema || s.workIsDDL()
	s.running.mu.Lock()
	defer s.running.mu.Unlock()
	s.running.underWay.ddl, s.running.underWay.writes = s.tx.changesSchema || bare, s.tx.writes
	s.running.underWay.bare = bare
}

func (s *Session) workIsDDL() bool {
	switch w := s.work.(type) {
	case *queryWork:
		return w.kind == parser.DDL
	case *segment:
		for _, st := range w.steps {
			if st.prepared != nil && st.prepared.kind() == parser.DDL {
				return true
			}
		}
	}
	return false
}

// Deadlocks shows the sessions to a deadlock.Detector, to whose goroutine it belongs.
type Deadlocks struct {
	Registry *Registry

	owners map[process]claim
}

type process struct {
	node config.NodeID
	pid  uint32
}

type claim struct {
	session uint32
	since   time.Time
}

var _ deadlock.Sessions = (*Deadlocks)(nil)

// Running implements deadlock.Sessions.
func (d *Deadlocks) Running() []deadlock.Statement {
	d.owners = map[process]claim{}
	var all []deadlock.Statement
	for _, s := range d.Registry.Sessions() {
		if it, runs := s.statement(d.owners); runs {
			all = append(all, it)
		}
	}
	return all
}

// Owner implements deadlock.Sessions, as of the last Running.
func (d *Deadlocks) Owner(node config.NodeID, pid uint32) (session uint32, ok bool) {
	it, ok := d.owners[process{node, pid}]
	return it.session, ok
}

// GiveUp implements deadlock.Sessions.
func (d *Deadlocks) GiveUp(ctx context.Context, victim deadlock.Statement, reason string) bool {
	for _, s := range d.Registry.Sessions() {
		if s.id == victim.Session {
			return s.giveUp(ctx, victim.Number, reason)
		}
	}
	return false
}

// statement is what the session has under way. It notes the session's processes; a number that
// two sessions have had is the later one's.
func (s *Session) statement(owners map[process]claim) (deadlock.Statement, bool) {
	s.running.mu.Lock()
	defer s.running.mu.Unlock()
	u := &s.running.underWay
	for _, it := range u.owned {
		if it.conn == nil || it.conn.WasCut() {
			continue
		}
		at := process{it.conn.Node(), it.conn.PID()}
		if owners[at].since.Before(it.since) {
			owners[at] = claim{s.id, it.since}
		}
	}
	return deadlock.Statement{Session: s.id, Number: u.number, Since: u.since, DDL: u.ddl, Writes: u.writes}, len(s.running.links) > 0
}

// giveUp cancels a statement where it runs, if it is the one that was meant. The lock keeps
// the session from its next one meanwhile.
func (s *Session) giveUp(ctx context.Context, number uint64, reason string) bool {
	ctx, stop := context.WithTimeout(ctx, cancelTimeout)
	defer stop()
	s.running.mu.Lock()
	defer s.running.mu.Unlock()
	links := s.running.cancellable()
	if s.running.underWay.number != number || len(links) == 0 {
		return false
	}
	s.running.underWay.givenUp = reason
	s.cancelOn(ctx, links)
	go s.cancelAgain(cancelTargets(links))
	return true
}

// deadlocked is the error of a statement that was given up, when it has ended with a cancel
// for that reason; nil if it has not. One that is alone in its transaction is done again,
// and nobody is told.
func (s *Session) deadlocked(cancelled bool) error {
	reason := ""
	if cancelled {
		reason = s.running.whyGivenUp()
	}
	if reason == "" {
		return nil
	}
	return pgerr.New(pgerr.DeadlockDetected, "deadlock detected").
		WithDetail("Over several nodes: %s.", reason).
		WithHint("The transaction might succeed if retried.")
}

// wasCancelledOn reports whether a node has answered that the statement was cancelled.
func wasCancelledOn(out *replicator.Outcome) bool {
	if out.Answer != nil && out.Answer.Code() == string(pgerr.QueryCanceled) {
		return true
	}
	for _, d := range out.Differ {
		if d.Code == string(pgerr.QueryCanceled) {
			return true
		}
	}
	return false
}

// letGo rolls the transaction back on all nodes, so that others get its locks before the
// frontend says that it is over.
func (s *Session) letGo(ctx context.Context) {
	s.ending = true
	s.rollbackNodes(ctx, s.begun())
	s.ending = false
}

// explainGivenUp tells the frontend of a read why it was cancelled, if that was not its own
// doing.
func (s *Session) explainGivenUp(ctx context.Context, answer *wire.Answer, mark wire.Mark) {
	if !answer.Failed() || !s.takesPlace(answer, mark) {
		return
	}
	s.letGo(ctx)
	s.replyError(s.deadlocked(true))
}

// takesPlace takes a node's word for the cancel back, if there is a better one.
func (s *Session) takesPlace(answer *wire.Answer, mark wire.Mark) bool {
	return s.deadlocked(answer.Code() == string(pgerr.QueryCanceled)) != nil && s.takeBack(mark)
}
