package session

import (
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/logkey"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/safety"
	"github.com/pgchorus/pgchorus/lb"
	"github.com/pgchorus/pgchorus/parser"
)

// What may go wrong when a statement is repeated on every node is judged once for each
// text and state of the catalogue (internal/safety), and remembered here.

// judged is a verdict with what it hangs on.
type judged struct {
	policy     *safety.Policy
	known      *catalog.Database
	generation uint64
	until      time.Time
	verdict    *safety.Verdict
}

// maxVerdictAge bounds how long a verdict holds where facts are forgotten by their age
// (relcache_expire).
const maxVerdictAge = time.Second

// nothingToSay is the verdict on a plain read.
var nothingToSay = &safety.Verdict{}

// verdictOf says what may go wrong with a statement. text is what it was parsed from.
func (s *Session) verdictOf(stmt *parser.Statement, text string) *safety.Verdict {
	policy := s.Safety()
	known := s.Catalog.Database(s.login.Database)
	if !policy.Matters(stmt) && !(policy.Replicates && s.mayCallCode(known, stmt)) {
		return nothingToSay
	}
	shape, generation := shapeOf(stmt), known.Generation()
	if e := s.verdicts.find(shape); e != nil && e.policy == policy && e.known == known && e.generation == generation && (e.until.IsZero() || time.Now().Before(e.until)) {
		return e.verdict
	}
	v, final := s.judgeAnew(policy, stmt, text)
	e := judged{policy: policy, known: known, generation: generation, verdict: v}
	if !final || known.Ages() {
		e.until = time.Now().Add(maxVerdictAge)
		if s.set == nil || s.unanswered != nil {
			e.until = time.Now() // nobody has told
		}
	}
	if s.verdicts == nil {
		s.verdicts = newShapeMemo[judged]()
	}
	s.verdicts.keep(shape, e)
	return v
}

// verdictBefore is the verdict that a statement was run on: behind it nobody is asked anew, in
// the midst of its transaction, because the catalogue has changed meanwhile.
func (s *Session) verdictBefore(stmt *parser.Statement, text string) *safety.Verdict {
	if e := s.verdicts.find(shapeOf(stmt)); e != nil {
		return e.verdict
	}
	return s.verdictOf(stmt, text)
}

// verdictFacts is the catalogue as safety.Judge asks it.
type verdictFacts struct {
	planFacts
	code    catalog.CodeAnswer
	implied *catalog.Implied
}

var _ safety.Facts = (*verdictFacts)(nil)

// verdictFacts is what is known of the session's database.
func (s *Session) verdictFacts() *verdictFacts {
	return &verdictFacts{planFacts: *s.planFacts(), implied: s.implied()}
}

// Function implements safety.Facts.
func (f *verdictFacts) Function(n catalog.Name) (catalog.Function, bool) {
	return f.facts.Function(n)
}

// Implied implements safety.Facts.
func (f *verdictFacts) Implied() *catalog.Implied { return f.implied }

// Table implements safety.Facts.
func (f *verdictFacts) Table(n catalog.Name) (*catalog.Table, bool) {
	return f.table(parser.Relation{Schema: n.Schema, Name: n.Name})
}

// Code implements safety.Facts.
func (f *verdictFacts) Code(n catalog.Name) (*catalog.Code, bool) {
	if c, ok := f.code.Code(n); ok {
		return c, true
	}
	return f.known.Code(n)
}

// Surroundings implements safety.Facts.
func (f *verdictFacts) Surroundings(n catalog.Name) (*catalog.Surroundings, bool) {
	if r, ok := f.code.Surroundings(n); ok {
		return r, true
	}
	return f.known.Surroundings(n)
}

// maxJudgements bounds how often a verdict is sought anew for what the catalogue has
// answered: code that calls code that calls code.
const maxJudgements = 24

// judgeAnew asks the catalogue for what has to be known. final is false if nobody could be
// asked.
func (s *Session) judgeAnew(policy *safety.Policy, stmt *parser.Statement, text string) (v *safety.Verdict, final bool) {
	if stmt.Length >= 0 && len(text) > stmt.Length {
		text = stmt.Text(text) // the whole string was given
	}
	f := s.verdictFacts()
	in := safety.Input{Statement: stmt, Text: text, Policy: policy, Facts: f, Bodies: s.Bodies, Plan: s.planToJudge(f, stmt, text)}
	for range maxJudgements {
		var ask catalog.CodeQuestion
		if v, ask = safety.Judge(in); ask.Empty() {
			s.warnOfVerdict(stmt, v)
			return v, true
		}
		if !s.learnCode(f, ask) {
			break
		}
	}
	s.warnOfVerdict(stmt, v)
	return v, false
}

// planToJudge learns what is to be known of the statement's functions and tables, and
// returns what will be replaced in it; nil where nothing is.
func (s *Session) planToJudge(f *verdictFacts, stmt *parser.Statement, text string) *parser.Plan {
	if !s.replicates() {
		return nil
	}
	var plan *parser.Plan
	for range maxPlans {
		f.missing, f.ambiguous = catalog.Question{}, nil
		for i := range stmt.UnknownFunctions {
			f.planFacts.Function(stmt.UnknownFunctions[i])
		}
		f.relations(stmt.Reads)
		for i := range stmt.Targets {
			f.table(stmt.Targets[i].Relation)
		}
		plan = s.Scripts.Plan(text, stmt, &f.planFacts, parser.PlanOptions{Seeded: s.settings.seeded})
		if !s.learn(&f.planFacts) {
			break
		}
	}
	return plan
}

// learnCode asks for bodies and surroundings; false if nobody tells.
func (s *Session) learnCode(f *verdictFacts, q catalog.CodeQuestion) bool {
	if !isPlain(catalog.Question{Functions: q.Functions, Relations: q.Relations}) {
		if l := s.knowing(); l == nil || l.conn.Params()["client_encoding"] != "UTF8" {
			return false
		}
	}
	l := s.askable()
	if l == nil {
		return false
	}
	generation, shared := s.sees(l, f.known)
	rows, err := l.question(q.SQL())
	var answer catalog.CodeAnswer
	if err == nil {
		answer, err = q.Decode(rows)
	}
	if err != nil {
		if !l.answer.Failed() {
			s.dropLink(l)
		}
		s.log.Warn("catalogue not read", zap.Error(err))
		return false
	}
	f.code.Merge(answer)
	if shared {
		f.known.KeepCode(answer, generation)
	}
	return true
}

// warnOfVerdict tells the operator what is not prevented. What is not understood is mostly
// misspelt: of that he is told once PostgreSQL has understood it.
func (s *Session) warnOfVerdict(stmt *parser.Statement, v *safety.Verdict) {
	if stmt.Kind != parser.Unknown {
		s.tellVerdict(v)
	}
}

func (s *Session) tellVerdict(v *safety.Verdict) {
	if !v.Warn {
		return
	}
	text := v.String()
	if !s.isNews(text) {
		return
	}
	if leftOut, due := s.Notes.Due(text, time.Now()); due {
		s.log.Warn("statement may have another effect on each node", zap.Stringer(logkey.Level, v.Level), zap.Stringer(logkey.Action, v.Action),
			zap.String(logkey.Reason, text), zap.Int(logkey.LeftOut, leftOut))
	}
}

// effectiveOf is the statement that is executed, and its text: that of EXECUTE is the one
// which was prepared.
func (s *Session) effectiveOf(stmt *parser.Statement, text string) (*parser.Statement, string) {
	if stmt.Kind == parser.Execute {
		if p := s.st.prepared[stmt.Name]; p != nil {
			return p.effective(), p.text
		}
	}
	return stmt, text
}

// checkSafety refuses a statement that must not be run. before is what stands in front of
// its text in the frontend's.
func (s *Session) checkSafety(stmt *parser.Statement, sql string, before int) error {
	executed, text := s.effectiveOf(stmt, sql)
	s.basis = s.basisOf(executed, text)
	refusal := s.basis.verdict.Refusal(text)
	switch {
	case refusal == nil:
		return nil
	case executed != stmt:
		refusal.Position = 0 // in a text that was sent before
	case refusal.Position > 0:
		refusal.Position += before
	}
	return refusal
}

// markMain marks what the main node alone does.
func (s *Session) markMain(t *lb.Traits, stmt *parser.Statement, text string) {
	if !s.replicates() {
		return
	}
	if t.Class == lb.Read && readsLocks(stmt) {
		t.MainOnly, t.Reason, t.Name = true, lb.SystemCatalogue, "pg_locks"
		return
	}
	v := s.verdictOf(stmt, text)
	switch {
	case v.Writes && !s.policy().HasFunctionLists():
		t.Write(lb.CodeWrites, firstFunction(stmt))
	case v.WritesUnnamed:
		t.Write(lb.UnnamedCodeWrites, "")
	}
	switch {
	case v.Action != safety.Main || v.OutsideOnly && s.tx.kind != txNone:
	case t.Class == lb.Read:
		t.MainOnly, t.Reason, t.Name = true, lb.AsksAboutNode, firstFunction(stmt)
	default:
		t.OnMain, t.Reason, t.Name = true, lb.MainByPolicy, firstFunction(stmt)
	}
}

// readsLocks: the list of locks is the main node's, which has the session's own.
func readsLocks(stmt *parser.Statement) bool {
	for i := range stmt.Reads {
		if stmt.Reads[i].Name == "pg_locks" {
			return true
		}
	}
	return false
}

func firstFunction(stmt *parser.Statement) string {
	for i := range stmt.Functions {
		if f := &stmt.Functions[i]; f.Class == parser.Writer || f.Class == parser.NodeLocal {
			return f.String() + "()"
		}
	}
	return stmt.Kind.String()
}

// noteAdvisory follows on which node the session holds advisory locks that outlast
// transactions.
func (s *Session) noteAdvisory(stmt *parser.Statement) {
	for i := range stmt.Functions {
		switch stmt.Functions[i].Name {
		case "pg_advisory_lock", "pg_advisory_lock_shared", "pg_try_advisory_lock", "pg_try_advisory_lock_shared":
			id := s.ranOn
			if id == noNode {
				return // all nodes have it
			}
			s.settings.locksOn = &id
		case "pg_advisory_unlock_all":
			s.settings.locksOn = nil
		}
	}
}

// lostLocks ends a session whose advisory locks are no longer where others ask for them.
// To go on would let two sessions hold one lock.
func (s *Session) lostLocks() error {
	held := s.settings.locksOn
	if held == nil || s.link(*held) != nil && (*held == s.mainID() || !s.replicates()) {
		return nil
	}
	return pgerr.Fatalf(pgerr.AdminShutdown, "the session's advisory locks were lost with node %d", *held)
}
