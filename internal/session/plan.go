package session

import (
	"context"
	"crypto/rand"
	"slices"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/backend"
	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/logkey"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// What a node would compute for itself (the time, random numbers, UUIDs, the defaults of
// columns that call such) is computed once, and all nodes are given the values: parser.Plan
// says where in the text, and what main has to be asked for.

// planFacts is what Plan asks of the catalogue, and what it did not know.
type planFacts struct {
	facts
	// schemas are those that the session means by names that several relations have.
	schemas   map[string]string
	missing   catalog.Question
	ambiguous []string
	asked     catalog.Question // so far: an answer may be told to this statement only
	// runs are functions of which no value is wanted beforehand (safety.Verdict).
	runs []catalog.Name
	// made is the last table that was given, of madeOf: it is asked for again and again.
	made   *parser.Table
	madeOf *catalog.Table
}

var _ parser.Facts = (*planFacts)(nil)

// Table implements parser.Facts.
func (f *planFacts) Table(r parser.Relation) (*parser.Table, bool) {
	t, known := f.table(r)
	if !known || !t.Exists {
		return nil, known
	}
	if f.madeOf != t {
		f.made, f.madeOf = tableOf(t, f.runs), t
	}
	return f.made, true
}

func tableOf(t *catalog.Table, runs []catalog.Name) *parser.Table {
	out := &parser.Table{View: t.View, Children: t.Children, Grants: t.Grants, Keys: t.Keys, Columns: make([]parser.Column, len(t.Columns))}
	for i, c := range t.Columns {
		out.Columns[i] = parser.Column{Name: c.Name, Type: c.Type, Volatile: c.Volatile, Default: c.Default, Identity: c.Identity != 0,
			Always: c.Identity == 'a', Sequence: c.Sequence}
		for _, n := range c.Unlike {
			if slices.ContainsFunc(runs, func(r catalog.Name) bool { return r.Name == n.Name && (r.Schema == "" || r.Schema == n.Schema) }) {
				continue // the text of the default names it as search_path is
			}
			out.Columns[i].Unlike = append(out.Columns[i].Unlike, parser.Function{Schema: n.Schema, Name: n.Name, Class: parser.UnknownFunction})
		}
	}
	return out
}

// table looks a table up, and notes what is not known of it.
func (f *planFacts) table(r parser.Relation) (*catalog.Table, bool) {
	name := catalog.Name{Schema: r.Schema, Name: r.Name}
	if schema, resolved := f.schemas[r.Name]; resolved && r.Schema == "" {
		name.Schema = schema
	}
	t, known := f.told.Table(name)
	if !known {
		t, known = f.known.Table(name)
	}
	switch {
	case !known:
		f.missing.Tables = append(f.missing.Tables, name)
		return nil, false
	case t.Ambiguous:
		f.ambiguous = append(f.ambiguous, r.Name)
		return nil, false
	}
	return t, true
}

// Function implements parser.Facts. It hides that of facts, which lb asks.
func (f *planFacts) Function(fn parser.Function) (parser.FunctionFacts, bool) {
	name := catalog.Name{Schema: fn.Schema, Name: fn.Name}
	fact, known := f.facts.Function(name)
	if !known {
		f.missing.Functions = append(f.missing.Functions, name)
		return parser.FunctionFacts{}, false
	}
	return parser.FunctionFacts{Alike: fact.Alike || slices.Contains(f.runs, name), ReturnsSet: fact.ReturnsSet}, true
}

// planFacts is what is known of the session's database.
func (s *Session) planFacts() *planFacts {
	return &planFacts{facts: facts{known: s.Catalog.Database(s.login.Database)}}
}

// maxPlans bounds how often a plan is made anew for what the catalogue has answered:
// for tables and functions, for the schema of a name, and for what is found there.
const maxPlans = 4

// planOf plans what is replaced in a statement that runs on all nodes; nil if nothing is.
func (s *Session) planOf(stmt *parser.Statement, sql string, opt parser.PlanOptions) *parser.Plan {
	s.unlike = nil
	if !s.replicates() || !s.mayReplace(stmt) {
		return nil
	}
	f := s.planFacts()
	if s.Config().Replication.ReplicationSafety != config.SafetyCompat {
		f.runs = s.verdictOf(stmt, sql).Runs
	}
	opt.Seeded, opt.Lease, opt.Lock = s.settings.seeded, true, opt.Lock || !s.leasesSequences(stmt)
	var plan *parser.Plan
	for range maxPlans {
		f.missing, f.ambiguous = catalog.Question{}, nil
		plan = s.Scripts.Plan(sql, stmt, f, opt)
		if !s.learn(f) {
			break
		}
	}
	s.unlike = plan.Reasons
	if plan.Empty() && len(plan.Unleased) == 0 || asksTooEarly(stmt, plan) {
		return nil
	}
	return plan
}

// asksTooEarly: what a cursor's query calls is called when rows are fetched, or never. The
// rows are main's then, and are stored nowhere.
func asksTooEarly(stmt *parser.Statement, plan *parser.Plan) bool {
	return stmt.Kind == parser.Declare && plan.Asks()
}

// maxWarnings bounds how many different warnings of a session go to the log.
const maxWarnings = 20

// warnOf tells the operator, once a session for each reason, what is left for each node to
// compute for itself.
func (s *Session) warnOf(reasons []parser.Reason) {
	for _, reason := range reasons {
		s.warnText("nodes may compute a value differently", reason.String())
	}
}

// warnText tells the operator something, once a session for each reason.
func (s *Session) warnText(message, reason string) {
	if s.isNews(reason) {
		s.log.Warn(message, zap.String(logkey.Reason, reason))
	}
}

// isNews reports whether the log has to be told of something: the session has not done so
// before, nor of too much else.
func (s *Session) isNews(text string) bool {
	if s.warned[text] || len(s.warned) >= maxWarnings {
		return false
	}
	if s.warned == nil {
		s.warned = map[string]bool{}
	}
	s.warned[text] = true
	return true
}

// mayReplace reports whether there may be something to replace: most statements name
// tables without such defaults.
func (s *Session) mayReplace(stmt *parser.Statement) bool {
	f := planFacts{facts: facts{known: s.Catalog.Database(s.login.Database)}}
	if stmt.Computes() || len(stmt.TimeCalls) > 0 || stmt.UntypedTimeString || callsSequence(stmt) {
		return true
	}
	for i := range stmt.Targets {
		if t, known := f.table(stmt.Targets[i].Relation); !known || t.Volatile {
			return true
		}
	}
	return false
}

// learn asks for what was not known; false if nothing was, or nobody tells.
func (s *Session) learn(f *planFacts) bool {
	learnt := false
	if !f.missing.Empty() {
		f.asked.Functions = append(f.asked.Functions, f.missing.Functions...)
		f.asked.Relations = append(f.asked.Relations, f.missing.Relations...)
		f.asked.Tables = append(f.asked.Tables, f.missing.Tables...)
		if told, ok := s.askCatalogue(f.known, f.asked); ok {
			f.told, learnt = told, true
		}
	}
	for _, name := range f.ambiguous {
		if f.schemas[name] != "" {
			continue
		}
		if schema, ok := s.schemaOf(name); ok {
			if f.schemas == nil {
				f.schemas = map[string]string{}
			}
			f.schemas[name], learnt = schema, true
		}
	}
	return learnt
}

// schemaOf is the schema that the session means by the name of a relation.
func (s *Session) schemaOf(name string) (schema string, ok bool) {
	l := s.askable()
	if l == nil {
		return "", false
	}
	rows, err := l.question(catalog.ResolveSQL(name))
	if err != nil || len(rows) != 1 {
		return "", false
	}
	schema, err = catalog.DecodeSchema(rows[0])
	return schema, err == nil && schema != ""
}

// canSend reports whether the frontend's encoding is the one of what was filled in.
func (s *Session) canSend(filled parser.Filled) bool {
	if filled.ASCII() {
		return true
	}
	l := s.knowing()
	return l != nil && l.conn.Params()["client_encoding"] == "UTF8"
}

// openForValues opens the transaction whose time is given to a statement, and in which main
// is asked.
func (s *Session) openForValues(stmt *parser.Statement) {
	if s.tx.kind == txNone && stmt.Block == parser.BlockAny {
		s.openBlock(txImplicit, plainBegin, nil)
	}
}

// valuesOf makes the values of a plan, and asks main for those that only main can make. The
// frontend has been answered if the error says so.
func (s *Session) valuesOf(ctx context.Context, plan *parser.Plan, stmt *parser.Statement) ([]parser.Value, error) {
	s.openForValues(stmt)
	at, err := s.timeFor(ctx, plan)
	if err != nil {
		return nil, err
	}
	values, err := plan.Values(at, rand.Reader)
	if err != nil {
		return nil, err
	}
	if len(plan.Unleased) > 0 {
		if err := s.lockSequences(ctx, plan.Unleased); err != nil {
			return nil, err
		}
	}
	if plan.Draws() {
		if err := s.drawValues(ctx, plan, values); err != nil {
			return nil, err
		}
	}
	for i, question := range plan.Questions(values) {
		row, err := s.askRow(ctx, question, plan.Everywhere())
		if err != nil {
			return nil, err
		}
		if err := plan.Answer(values, i, row); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// askRow runs a query of one row in the transaction, on main; if its functions may have side
// effects, on the other nodes too, whose answers do not matter.
func (s *Session) askRow(ctx context.Context, query string, everywhere bool) (wire.Row, error) {
	if err := s.enterBarrier(ctx); err != nil {
		return nil, err
	}
	if everywhere {
		if err := s.claimUnseen(ctx); err != nil {
			return nil, err
		}
	}
	defer s.aside()()
	s.work = &queryWork{sql: query, kind: parser.Select}
	if err := s.writeSnapshot(ctx); err != nil {
		return nil, err
	}
	var row wire.Row
	first := true
	for _, l := range s.links {
		if l == nil || !first && !everywhere {
			continue
		}
		answer, err := l.askInside(first)
		if err != nil {
			s.lost(ctx, l, err)
			return nil, lostTransaction(l.ID(), err)
		}
		if l.answer.Failed() {
			return nil, s.replyFailure(ctx, l.answer.Err)
		}
		if first {
			row, first = answer, false
		}
	}
	return row, nil
}

// askInside runs the session's work, which is a query of ours, in the transaction, and
// returns its last row. What its functions have to say is the frontend's to hear, once.
func (l *link) askInside(heard bool) (wire.Row, error) {
	l.begin()
	l.answers = false
	l.s.work.appendTo(l)
	if err := l.send(); err != nil {
		return nil, err
	}
	defer l.s.running.remove(l)
	var row lastRow
	if heard {
		row.notices = &l.s.notices
	}
	if err := l.conn.Receive(&l.exchange, &row, &l.answer); err != nil {
		return nil, err
	}
	l.note()
	return row.row, nil
}

// lastRow keeps the last row of an answer.
type lastRow struct {
	row     wire.Row
	notices *[]byte // where notices are kept until the statement is executed; nil: nobody hears them
}

var _ backend.Sink = (*lastRow)(nil)

// Take keeps a row.
func (r *lastRow) Take(c *backend.Conn, kind wire.Kind, total int, _ *wire.Expect) error {
	if kind != wire.KindDataRow && (kind != wire.KindNoticeResponse || r.notices == nil || !wire.Whole(total)) {
		return c.Discard(total)
	}
	frame, err := c.Next(total)
	switch {
	case err != nil:
	case kind == wire.KindDataRow:
		r.row, err = wire.DecodeRow(frame.Body())
	default:
		*r.notices = append(*r.notices, frame...)
	}
	return err
}

// Fail leaves the error to the answer.
func (r *lastRow) Fail(wire.Frame, *wire.Expect) error { return nil }
