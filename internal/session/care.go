package session

import (
	"slices"
	"strings"

	"github.com/pgchorus/pgchorus/internal/backend"
	"github.com/pgchorus/pgchorus/internal/capture"
	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/safety"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// A write that nodes could do differently although they run it in the same order is kept the
// same as capture.Decide says: the others are given main's rows, or tables are locked first.

// care is what is done for the statement at hand, besides running it. Main's rows are kept
// here until the others are sent them.
type care struct {
	plan *capture.Plan
	// text is the statement with a column of ours behind what it returns; "" if it is
	// sent as it is.
	text string
	// locks are statements that go in front of it; "" for none.
	locks []string
	// digest: the rows are compared.
	digest bool
	// fills is the table whose rows are compared afterwards; nil for none.
	fills *parser.Relation

	elsewhere *elsewhere // nil unless rows are looked for in other tables
	relay     *relay     // nil unless the others are given what main has stored of a COPY

	refusal error // it is not run at all

	main   *link    // that ran the statement; set when it is sent
	rows   [][]byte // captured
	bytes  int64
	over   bool // there are more than may be kept
	broken bool // a row was none
	raced  bool // another session has come in between: it may be run again as it is
	// instead: the rows of code cannot be had, it is run again in the other way (elsewhere.instead).
	instead bool
	replay  []capture.Statement
	tags    []byte // what a replay has to be answered with
}

// givesRows reports whether the others get main's rows instead of the statement.
func (c *care) givesRows() bool { return c.plan.Way == capture.Rows }

// careFacts are planFacts, as capture asks them.
type careFacts struct{ *planFacts }

var _ capture.Facts = careFacts{}

// TableOf implements capture.Facts.
func (f careFacts) TableOf(r parser.Relation) (*catalog.Table, bool) { return f.table(r) }

// FunctionOf implements capture.Facts.
func (f careFacts) FunctionOf(fn parser.Function) (catalog.Function, bool) {
	name := catalog.Name{Schema: fn.Schema, Name: fn.Name}
	fact, known := f.facts.Function(name)
	if !known {
		f.missing.Functions = append(f.missing.Functions, name)
	}
	return fact, known
}

// careFor is what is done for a statement, whose text is sql after what nodes would compute
// for themselves was replaced in it; nil if every node may run it as it is.
func (s *Session) careFor(stmt *parser.Statement, text, sql string, unlike bool) *care {
	if p := s.executed(stmt); p != nil {
		return s.careForExecute(stmt, p)
	}
	if s.Config().Replication.ReplicationSafety == config.SafetyCompat {
		return nil
	}
	v := s.verdictOf(stmt, text)
	return s.tellPicked(s.careForVerdict(stmt, sql, unlike, v), stmt, v)
}

// careForVerdict is careFor by what is known of the code that the statement sets off.
func (s *Session) careForVerdict(stmt *parser.Statement, sql string, unlike bool, v *safety.Verdict) *care {
	wants := s.wantsElsewhere(stmt, v)
	unlike = unlike || v.Unlike
	instead, kept := s.careForRows(stmt, sql, unlike || v.Picks, v)
	chooses := s.choosesElsewhere(stmt, instead, unlike, v)
	if !wants && !chooses && (kept || !s.mayElsewhere(stmt, v.Elsewhere)) {
		if r := s.relayOf(stmt, unlike, v); r != nil {
			return s.careByRelay(r, stmt, instead, kept, unlike)
		}
		return s.careAlone(stmt, instead, kept, unlike)
	}
	c := s.careForTarget(stmt, sql)
	c.elsewhere = newElsewhere(stmt, c.plan, v, instead)
	c.elsewhere.chooses = chooses && !wants
	return c
}

// careAlone is what is done where no other tables matter.
func (s *Session) careAlone(stmt *parser.Statement, instead *care, kept, unlike bool) *care {
	if !kept {
		instead = s.unkept(instead, stmt, s.whyUnkept())
	}
	return s.withFill(stmt, instead, unlike)
}

// careByRelay gives the others what main has stored, unless that turns out not to be possible.
func (s *Session) careByRelay(r *relay, stmt *parser.Statement, instead *care, kept, unlike bool) *care {
	r.instead = func() *care { return s.careAlone(stmt, instead, kept, unlike) }
	return &care{plan: capture.Repeated(stmt), relay: r}
}

// careForRows is what is done for a statement where each node runs the code that it sets off.
// kept is false if triggers make other rows on each node all the same.
func (s *Session) careForRows(stmt *parser.Statement, sql string, unlike bool, v *safety.Verdict) (c *care, kept bool) {
	firing := s.firingOf(stmt, v)
	also := s.locksFor(v)
	compare := s.Config().Replication.VerifyDigest == "on"
	if !unlike && !compare && !firing.Unlike && !firing.Reads && len(also) == 0 && s.isPlain(stmt) {
		return nil, true
	}
	sit := capture.Situation{OneSnapshot: s.oneSnapshotEverywhere(), Unlike: unlike, Way: s.wantedWay(), Also: also, Compare: compare}
	if plan := s.decideCare(stmt, withFiring(sit, firing)); plan != nil && (plan.Way == capture.Rows || !firing.Unlike) {
		if c := s.careOf(plan, sql); c.givesRows() || !firing.Unlike {
			return c, true
		}
	}
	if !firing.Unlike {
		return nil, true
	}
	if plan := s.decideCare(stmt, sit); plan != nil {
		return s.careOf(plan.Locked(), sql), false
	}
	return nil, false
}

// isPlain reports whether it is known, without asking anybody, that every node may run the
// statement for itself. Most writes are plain.
func (s *Session) isPlain(stmt *parser.Statement) bool {
	if !capture.Concerns(stmt) {
		return true
	}
	r, ok := capture.Subject(stmt)
	if !ok {
		return false
	}
	t, known := s.Catalog.Database(s.login.Database).Table(catalog.Name{Schema: r.Schema, Name: r.Name})
	return known && !t.Ambiguous && capture.Plain(stmt, t)
}

// oneSnapshotEverywhere: what the transaction sees is the same on all nodes.
func (s *Session) oneSnapshotEverywhere() bool {
	return s.isolates() || s.tx.kind == txExplicit && keepsSnapshot(s.isolation()) || s.tx.kind != txExplicit && keepsSnapshot(s.settings.isolation)
}

// wantedWay is set_write_strategy. Who wants nodes fenced by their row counts wants each node
// to have counted, which only locks leave to it.
func (s *Session) wantedWay() capture.Way {
	cfg := s.Config().Replication
	switch {
	case cfg.SetWriteStrategy == "lock", cfg.SetWriteStrategy == "auto" && cfg.FailoverIfAffectedTuplesMismatch:
		return capture.Locks
	case cfg.SetWriteStrategy == "verify":
		return capture.Digest
	}
	return capture.Rows
}

// decideCare asks capture, and the catalogue for what it does not know.
func (s *Session) decideCare(stmt *parser.Statement, sit capture.Situation) *capture.Plan {
	f := s.planFacts()
	var plan *capture.Plan
	for range maxPlans {
		f.missing, f.ambiguous = catalog.Question{}, nil
		plan = capture.Decide(stmt, careFacts{f}, sit)
		if !s.learn(f) {
			break
		}
	}
	return plan
}

// careOf turns a plan into what can be done here and now: rights may be lacking.
func (s *Session) careOf(plan *capture.Plan, sql string) *care {
	rights := s.rightsFor(plan)
	if plan.Way == capture.Rows && (!s.textIsExact(plan, rights) || !rights.mayCapture(plan) || plan.Quiet() && !rights.replica || s.Large.Has(sql)) {
		plan = plan.Locked()
	}
	c := &care{plan: plan, digest: plan.ComparesRows()}
	ok := true
	switch plan.Way {
	case capture.Rows:
		c.text, ok = plan.OnMain(sql, s.datesAreISO())
		if !ok {
			return s.careOf(plan.Locked(), sql)
		}
		return c
	case capture.Locks:
		c.locks, ok = rights.locks(plan)
	}
	if !ok {
		s.warnUnlocked(plan)
	}
	wanted := plan.Way == capture.Digest || s.Config().Replication.VerifyDigest != "off"
	if wanted && plan.HasDigest() && rights.maySelect(plan) {
		if text, ok := plan.WithDigest(sql); ok {
			c.text, c.digest = text, true
		}
	}
	return c
}

// warnUnlocked tells the operator, once a session for each reason, that a statement is
// neither captured nor locked.
func (s *Session) warnUnlocked(plan *capture.Plan) {
	s.warnText("a table of a statement may not be locked, its rows are compared instead", strings.Join(append(slices.Clone(plan.Reasons), plan.Obstacle), "; "))
}

// textIsExact reports whether the text of a value that main sends is read as the same value
// elsewhere: in the encoding of the database, which has no character for some clients', in
// a form that is the same everywhere, with all digits.
func (s *Session) textIsExact(plan *capture.Plan, rights *rights) bool {
	l := s.main()
	if l == nil {
		return false
	}
	params := l.conn.Params()
	return params["client_encoding"] == params["server_encoding"] && (s.datesAreISO() || !plan.HasDates()) && (!plan.CutsFloats() || rights.floats)
}

// datesAreISO: the session's DateStyle is, on main.
func (s *Session) datesAreISO() bool {
	l := s.main()
	return l != nil && strings.HasPrefix(l.conn.Params()["DateStyle"], "ISO")
}

// reset begins a new attempt: what another one has left is gone.
func (c *care) reset(main *link) {
	c.main = main
	c.rows, c.bytes, c.over, c.broken, c.raced, c.instead = c.rows[:0], 0, false, false, false, false
	c.replay, c.tags = nil, nil
}

// failed reports whether the statement has failed on main, so that there are no rows.
func (c *care) failed() bool { return c.main == nil || c.main.answer.Failed() }

// statements are the replay, made once for all nodes.
func (c *care) statements() []capture.Statement {
	if c.replay != nil {
		return c.replay
	}
	replay, err := c.plan.Replay(c.rows)
	if err != nil {
		c.broken = true
		replay = nil
	}
	c.setReplay(replay)
	return replay
}

// setReplay keeps what the others are given.
func (c *care) setReplay(replay []capture.Statement) {
	if len(replay) == 0 {
		replay = []capture.Statement{{SQL: "SELECT", Tag: "SELECT 1"}} // a transaction that does nothing
	}
	c.replay = replay
	for _, st := range replay {
		c.tags = append(append(c.tags, st.Tag...), 0)
	}
	c.rows = nil
}

// review makes the answer to a replay that has hit all rows look as main's does.
func (c *care) review(l *link) {
	if c.main != nil && !l.answer.Failed() && string(l.answer.Tags) == string(c.tags) {
		l.answer.Tags = append(l.answer.Tags[:0], c.main.answer.Tags...)
	}
}

// withholds reports whether main's rows cannot be given to the others.
func (c *care) withholds() bool {
	if c.over || !c.givesRows() {
		return c.over
	}
	c.statements()
	return c.broken || c.raced || c.instead
}

// takeTail passes on a row of main's without the column that is ours, and keeps that.
func (s *Session) takeTail(c *backend.Conn, kind wire.Kind, total int, e *wire.Expect) error {
	cfg := s.Config().Replication
	if kind == wire.KindDataRow && int64(total) > cfg.CaptureMaxBytes && s.care.tooLong() {
		return c.Discard(total)
	}
	frame, err := c.Next(total)
	if err != nil {
		return err
	}
	if kind == wire.KindRowDescription {
		return s.describeTail(frame, e)
	}
	s.scratch = s.scratch[:0]
	out, last, err := wire.AppendRowTail(s.scratch, frame)
	if err != nil {
		return err
	}
	s.care.keep(last, cfg.CaptureRowsHint, cfg.CaptureMaxBytes)
	if len(out) > 0 && s.gone == nil {
		s.pass(out)
	}
	s.scratch = out
	return nil
}

// tooLong notes a row that is longer than all that may be kept. It reports whether the row
// need not be looked at: the frontend has asked for nothing of it.
func (c *care) tooLong() bool {
	if c == nil || !c.givesRows() || c.plan.Returns() {
		return false
	}
	c.over, c.rows = true, nil
	return true
}

func (s *Session) describeTail(frame wire.Frame, e *wire.Expect) error {
	out, none, err := wire.AppendDescriptionTail(nil, frame)
	switch {
	case err != nil:
		return err
	case s.gone != nil:
	case !none:
		s.pass(out)
	case e.What == wire.ExpectDescribePortal:
		s.replyEmpty(wire.KindNoData)
	}
	return nil
}

// keep remembers a row, within bounds.
func (c *care) keep(row []byte, maxRows int, maxBytes int64) {
	if c == nil || !c.givesRows() || c.over {
		return
	}
	c.bytes += int64(len(row))
	if len(c.rows) >= maxRows && !c.onlyRows() || c.bytes > maxBytes {
		c.over, c.rows = true, nil
		return
	}
	c.rows = append(c.rows, slices.Clone(row))
}
