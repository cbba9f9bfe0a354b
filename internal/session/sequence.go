package session

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/sequence"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// Values of sequences are taken from a lease that all sessions share, or drawn from main in
// the session's own transaction, and put into the statement like other values.

// leasesSequences reports whether the values of sequences are put into a statement. Where a
// function asks for currval, each node has to have drawn by itself.
func (s *Session) leasesSequences(stmt *parser.Statement) bool {
	if s.config().Replication.SequenceStrategy == "lock" || stmt.Kind == parser.CopyTo {
		return false // COPY (INSERT ...) is refused often, and then nothing is to be drawn
	}
	return len(stmt.Targets) == 0 && !callsSequence(stmt) || !s.habits().Remembers
}

// leases is what is known of the sequences of the session's database.
func (s *Session) leases() *sequence.Database {
	if s.drew.leases == nil {
		s.drew.leases = s.Leases.Database(s.login.Database)
	}
	return s.drew.leases
}

var (
	// errNoSequence: there is no such sequence, which the server is to say.
	errNoSequence = errors.New("no such sequence")
	// errNoRight: the role may not draw from the sequence of an identity column.
	errNoRight = errors.New("no right to draw from the sequence of an identity column")
)

// want is how many values are wanted of one sequence, and where they go.
type want struct {
	ref   parser.SequenceRef
	slots []int
}

// wantsOf are the sequences that a plan draws from, that of the last value last.
func wantsOf(plan *parser.Plan) []want {
	var wants []want
	for i := range plan.Slots {
		if plan.Slots[i].Source != parser.FromSequence {
			continue
		}
		ref := plan.Slots[i].Sequence
		at := slices.IndexFunc(wants, func(w want) bool { return w.ref == ref })
		if at < 0 {
			at = len(wants)
			wants = append(wants, want{ref: ref})
		}
		wants[at].slots = append(wants[at].slots, i)
	}
	return wants
}

// drawValues gives the slots of a plan that want values of sequences.
func (s *Session) drawValues(ctx context.Context, plan *parser.Plan, values []parser.Value) error {
	for _, w := range wantsOf(plan) {
		drawn, err := s.drawFrom(ctx, w.ref, len(w.slots))
		if err != nil {
			return err
		}
		for i, slot := range w.slots {
			values[slot].Text = strconv.FormatInt(drawn.Values[i], 10)
		}
		s.drew.note(drawn.Name, drawn.Values[len(w.slots)-1])
	}
	for i := range plan.Slots {
		var err error
		switch plan.Slots[i].Source {
		case parser.FromCurrent:
			values[i].Text, err = s.currval(ctx, plan.Slots[i].Sequence.Name)
		case parser.FromLast:
			values[i].Text, err = s.lastval(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// drawFrom gets n values of a sequence.
func (s *Session) drawFrom(ctx context.Context, ref parser.SequenceRef, n int) (sequence.Taken, error) {
	limit := s.config().Replication.SequenceLeaseSize
	shared := ref.Qualified && !s.drew.holds && !s.drew.recalls
	if shared {
		if taken, ok := s.leases().Take(ref.Name, n, s.view.Epoch, s.drawsAs(ref)); ok {
			s.noteTaken(taken.Generation)
			s.noteUnused(ref, taken)
			return taken, nil
		}
	}
	if !shared {
		limit = 1
	}
	for range maxDraws {
		taken, done, err := s.drawOnce(ctx, ref, n, limit)
		if done || err != nil {
			if done && shared {
				s.noteUnused(ref, taken)
			}
			return taken, err
		}
	}
	return sequence.Taken{}, pgerr.Newf(pgerr.SerializationFailure, "no value of sequence %s that all nodes agree on", ref.Name).
		WithHint("The transaction might succeed if retried.")
}

// maxDraws bounds how often values are drawn anew because nodes are lost under it.
const maxDraws = 8

// drawOnce draws from main and has the other nodes advance as far. done is false if it has
// to be done again.
func (s *Session) drawOnce(ctx context.Context, ref parser.SequenceRef, n, limit int) (taken sequence.Taken, done bool, err error) {
	if err := s.runBefore(ctx); err != nil {
		return taken, false, err
	}
	if err := s.enterBarrier(ctx); err != nil {
		return taken, false, err
	}
	s.drawHere()
	epoch := s.view.Epoch
	more, generation := s.leases().Size(ref.Name, epoch, limit)
	row, lost, err := s.askMain(ctx, sequence.Draw(ref.Name, ref.Identity, n, more))
	if lost || err != nil || s.view.Epoch != epoch {
		return taken, false, err // perhaps another node is main
	}
	if row == nil {
		return taken, false, errNoSequence
	}
	drawn, err := sequence.DecodeDraw(row)
	if err != nil {
		return taken, false, err
	}
	if len(drawn.Values) < n {
		return taken, false, errNoRight
	}
	drawn.Key, drawn.User, drawn.Epoch, drawn.Generation = drawn.Name, s.drawsAs(ref), epoch, generation
	if ref.Qualified {
		drawn.Key = ref.Name
	}
	s.drew.noteNative(drawn.Name, drawn.Values[len(drawn.Values)-1])
	advance := sequence.Advance(drawn)
	if lost, err := s.askOthers(ctx, func(*link) string { return advance }); lost || err != nil {
		return taken, false, err
	}
	taken = sequence.Taken{Name: drawn.Name, Values: drawn.Values[:n], Generation: generation}
	if s.leases().Keep(drawn, n) {
		return taken, true, nil
	}
	return taken, false, s.passFloor(ctx, drawn)
}

// noteTaken remembers that the statement has values of a lease. Those of the oldest count.
func (s *Session) noteTaken(generation uint64) {
	if !s.drew.taken {
		s.drew.taken, s.drew.generation = true, generation
	}
}

// runBefore runs what stands before the statement that values are drawn for.
func (s *Session) runBefore(ctx context.Context) error {
	before := s.drew.before
	if before == nil {
		return nil
	}
	s.drew.before = nil
	if ok, err := before.run(ctx, endNone); !ok || err != nil {
		return cmp.Or(err, errAnswered)
	}
	return nil
}

// passFloor brings a new main node beyond what an earlier one had given out.
func (s *Session) passFloor(ctx context.Context, drawn sequence.Drawn) error {
	floor, ok := s.leases().Floor(drawn.Key)
	if !ok {
		return nil
	}
	_, _, err := s.askMain(ctx, sequence.AdvanceTo(drawn.Name, floor, drawn.Increment))
	return err
}

// drawsAs names who draws: whose right to it the server has confirmed once, need not be
// asked again. A role that was set is one of this session's own. Nobody needs a right to
// an identity column's sequence.
func (s *Session) drawsAs(ref parser.SequenceRef) string {
	switch {
	case ref.Identity:
		return ""
	case s.drew.roles == 0:
		return s.login.User
	}
	return s.login.User + " " + strconv.FormatUint(uint64(s.id), 10) + " " + strconv.Itoa(s.drew.roles)
}

// askMain runs a query of one row in the transaction, on main alone. lost: main was lost, or
// the transaction was begun anew, and the question is to be put again. There is no row if
// the query has none.
func (s *Session) askMain(ctx context.Context, query string) (row wire.Row, lost bool, err error) {
	if err := s.enterBarrier(ctx); err != nil {
		return nil, false, err
	}
	defer s.aside()()
	s.work = &queryWork{sql: query, kind: parser.Select}
	if err := s.writeSnapshot(ctx); err != nil {
		return nil, false, err
	}
	l := s.first()
	if l == nil {
		return nil, true, nil
	}
	row, err = l.askInside(true)
	if err != nil {
		return nil, true, s.survive(ctx, l, err)
	}
	if l.answer.Failed() {
		return nil, false, s.replyFailure(ctx, l.answer.Err)
	}
	return row, false, nil
}

// aside has what is asked next be sent as it is, whatever is done for the statement at hand.
func (s *Session) aside() (restore func()) {
	work, care := s.work, s.care
	s.care = nil
	return func() { s.work, s.care = work, care }
}

// survive goes on without a node that was lost in a question of ours. If only the connection
// was, what the transaction has done so far is taken back everywhere, if that is nothing
// that the frontend has been told.
func (s *Session) survive(ctx context.Context, l *link, cause error) error {
	id := l.ID()
	s.lost(ctx, l, cause)
	switch {
	case s.terminated != nil:
		return errTerminatedByNode
	case !s.view.Up(id):
		return nil
	case s.tx.wrote, s.oneSnapshot():
		return lostTransaction(id, cause)
	}
	return s.startOver(ctx)
}

// askOthers is askOthersRows where the answers do not matter, unless they are errors.
func (s *Session) askOthers(ctx context.Context, query func(*link) string) (lost bool, err error) {
	_, lost, err = s.askOthersRows(ctx, query)
	return lost, err
}

// askOthersRows puts a question to each node but main, at the same time to all, once it has
// the commits that main had. query is "" for a node that is not to be asked.
func (s *Session) askOthersRows(ctx context.Context, query func(*link) string) (rows map[config.NodeID]wire.Row, lost bool, err error) {
	defer s.aside()()
	s.work = &eachWork{query: query}
	links := s.othersAsked(query)
	broken := make([]error, len(links))
	answers := make([]lastRow, len(links))
	for i, l := range links {
		s.Gate.Settled(l.ID())
		broken[i] = l.Start(false)
	}
	for i, l := range links {
		if broken[i] == nil {
			broken[i] = l.conn.Receive(&l.exchange, &answers[i], &l.answer)
			s.running.remove(l)
		}
		if broken[i] == nil {
			l.note()
		}
	}
	if lost, err := s.concludeOthers(ctx, links, broken); lost || err != nil {
		return nil, lost, err
	}
	rows = make(map[config.NodeID]wire.Row, len(links))
	for i, l := range links {
		rows[l.ID()] = answers[i].row
	}
	return rows, false, nil
}

// othersAsked are the links that a question is to be put to.
func (s *Session) othersAsked(query func(*link) string) []*link {
	var links []*link
	for _, l := range s.links {
		if l != nil && l != s.first() && query(l) != "" {
			links = append(links, l)
		}
	}
	return links
}

// concludeOthers acts on what became of a question to the other nodes.
func (s *Session) concludeOthers(ctx context.Context, links []*link, broken []error) (lost bool, err error) {
	for i, l := range links {
		switch {
		case broken[i] != nil:
			if err := s.survive(ctx, l, broken[i]); err != nil {
				return true, err
			}
			lost = true
		case isDisturbance(l.answer.Code()):
			return false, s.replyFailure(ctx, l.answer.Err)
		case l.answer.Failed():
			return false, pgerr.Newf(pgerr.SerializationFailure, "node %d cannot follow a sequence, the transaction is rolled back", l.ID()).
				WithDetail("%s", wire.ErrorField(l.answer.Err, wire.FieldMessage)).
				WithHint("The transaction might succeed if retried.")
		}
	}
	return lost, nil
}

// eachWork is a query of ours for each node.
type eachWork struct{ query func(*link) string }

func (w *eachWork) appendTo(l *link) {
	(&queryWork{sql: w.query(l), kind: parser.Select}).appendTo(l)
}

func (*eachWork) drawsSequence() bool { return false }
func (*eachWork) takesSnapshot() bool { return true }

// executeWithValues is executeAll for a statement that may have been given values of a lease.
func (s *Session) executeWithValues(ctx context.Context) (ok bool, err error) {
	mark := s.front.Mark()
	ok, err = s.executeAll(ctx, allOptions{early: s.mayReplyEarly()})
	s.settleUnused(ok)
	if ok && err == nil && s.care != nil && s.care.fills != nil {
		ok, err = s.verifyFill(ctx, mark)
	}
	if !ok || err != nil || !s.takenInVain() {
		s.drew.taken = false
		return ok, err
	}
	if !s.takeBack(mark) {
		return false, pgerr.Fatal(pgerr.SerializationFailure, "a sequence was restarted under a statement that had been answered")
	}
	return s.refused(errTakenInVain())
}

// endSequences ends what the transaction has held of sequences.
func (s *Session) endSequences() {
	s.releaseLeases()
	s.drew.taken = false
	if s.drew.localRole {
		s.drew.localRole = false
		s.drew.roles++
	}
}
