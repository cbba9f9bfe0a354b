package session

import (
	"context"
	"strings"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/capture"
	"github.com/pgchorus/pgchorus/internal/logkey"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
	"github.com/pgchorus/pgchorus/replicator"
)

// appendCare encodes a statement that something is done for.
func (w *queryWork) appendCare(l *link, c *care) {
	if l.answers {
		c.reset(l)
	} else if c.relayed() {
		l.appendRelay(c.relay)
		return
	}
	prefix, hidden := w.carePrefix(l, c)
	e := wire.Expect{
		What: wire.ExpectQuery, HideTags: hidden, Prefix: utf8.RuneCountInString(prefix), Base: w.base, Place: w.place,
		Tail: c.text != "", Digest: w.digest || c.digest,
	}
	if c.givesRows() {
		e.Digest = false // the others have no rows to return
		if !l.answers && !c.failed() {
			l.replays = true
			l.appendQuery(e, append([]string{prefix}, joined(c.statements())...)...)
			return
		}
	}
	if c.text == "" || c.givesRows() && !l.answers {
		e.Tail = false
		e.Digest = !c.givesRows() && c.elsewhere == nil && (w.digest || c.digest)
		l.appendQuery(e, prefix, w.sql)
		return
	}
	e.Place = c.placed(w.sql, w.place)
	l.appendQuery(e, prefix, c.text)
}

// placed leads positions from the text with the column that is ours to the frontend's. What
// was added stands behind everything, except in a SELECT.
func (c *care) placed(sql string, place func(int) int) func(int) int {
	if !c.plan.LocksRows() {
		return place
	}
	same := 0
	for same < len(sql) && same < len(c.text) && sql[same] == c.text[same] {
		same++
	}
	before, added := utf8.RuneCountInString(sql[:same]), utf8.RuneCountInString(c.text)-utf8.RuneCountInString(sql)
	return func(position int) int {
		if position > before {
			position = max(position-added, before)
		}
		if place != nil {
			return place(position)
		}
		return position
	}
}

// carePrefix is what goes in front of the statement, and how many command tags it has.
func (w *queryWork) carePrefix(l *link, c *care) (prefix string, tags int) {
	if l.needsBegin() {
		prefix, tags = l.beginPrefix(), 1
	}
	for _, lock := range c.locks {
		prefix += lock + ";"
	}
	return prefix, tags + len(c.locks)
}

func joined(statements []capture.Statement) []string {
	parts := make([]string, 0, 2*len(statements))
	for _, st := range statements {
		parts = append(parts, st.SQL, ";")
	}
	return parts
}

// withholds is asked before the others are sent a statement that main has done.
func (s *Session) withholds() (bool, error) {
	if w := s.autoWork(); w != nil {
		return s.wantsText(w, &w.main.answer), nil
	}
	if s.onlyBinds() {
		return false, nil
	}
	if s.care != nil && s.care.elsewhere != nil && s.care.givesRows() {
		if err := s.gather(s.care); err != nil {
			return false, err
		}
	}
	return s.care != nil && s.care.withholds(), nil
}

// endCare forgets what was done for a statement, and tells the operator what nobody did
// anything about.
func (s *Session) endCare() {
	if s.care == nil || !s.care.givesRows() && !s.care.relayed() {
		s.warnOf(s.unlike)
	}
	s.care, s.unlike = nil, nil
}

// disagrees reports whether the nodes cannot be brought to one outcome.
func disagrees(out *replicator.Outcome) bool { return out.Withheld || len(out.Differ) > 0 }

// maxTries is how often a statement is run, outside of a block, about which nodes disagree.
// The last time it is under locks.
const maxTries = 3

// mayTryAgain reports whether a difference is likely to have come from another session
// in between, and the statement can be taken back: nobody has heard of it.
func (s *Session) mayTryAgain(out *replicator.Outcome, repeats int) bool {
	if s.tx.kind != txImplicit || repeats+1 >= maxTries || s.running.wasCancelled() || len(out.Lost) > 0 || out.Answer == nil {
		return false
	}
	for _, d := range out.Differ {
		switch pgerr.Code(d.Code) {
		case pgerr.QueryCanceled, pgerr.DeadlockDetected, pgerr.LockNotAvailable:
			return false
		}
	}
	return true
}

// tryAgain takes back what the nodes have done and sees to it that the last try is under
// locks, or the next one if there are more rows than can be kept.
func (a *attempt) tryAgain(ctx context.Context) (again, ok bool, err error) {
	s := a.s
	s.log.Info("nodes disagree about a statement, it is run again", zap.Int(logkey.Attempt, a.repeats+2))
	if again, ok, err = a.startAsText(ctx); !again {
		return false, ok, err
	}
	c := s.care
	if c != nil && c.over {
		s.Large.Note(s.caredText())
	}
	switch {
	case c != nil && c.instead:
		s.care = s.fallBack(c.elsewhere)
	case c != nil && (c.over || c.broken), a.repeats+2 >= maxTries:
		s.careWithLocks()
	}
	if err := s.care.refused(); err != nil {
		return a.refuse(err)
	}
	return true, false, nil
}

// careful is work that something can be done for.
type careful interface {
	// cared is the statement and its text as the nodes are given it.
	cared() (stmt *parser.Statement, sql string)
}

func (w *queryWork) cared() (*parser.Statement, string) { return w.stmt, w.sql }

func (s *Session) caredText() string {
	if w, ok := s.work.(careful); ok {
		_, sql := w.cared()
		return sql
	}
	return ""
}

// careWithLocks has the work at hand run under locks.
func (s *Session) careWithLocks() {
	w, ok := s.work.(careful)
	if !ok {
		return
	}
	stmt, sql := w.cared()
	if stmt == nil {
		return
	}
	if s.care != nil && s.care.onlyRows() {
		s.careWithoutRows(sql)
		return
	}
	if c := s.care; c != nil {
		s.care = s.careOf(c.plan.Locked(), sql)
		if c.fills != nil {
			s.care = s.withFill(stmt, s.care, true)
		}
		return
	}
	f := s.planFacts()
	if plan := capture.Forced(stmt, careFacts{f}); plan != nil {
		s.care = s.careOf(plan, sql)
	}
}

// errWithheld is what the frontend is told when main's rows could not be given to the
// others.
func (s *Session) errWithheld() error {
	if s.care.over {
		s.Large.Note(s.caredText())
		return pgerr.New(pgerr.SerializationFailure, "the statement has changed more rows than are captured, the transaction is rolled back").
			WithDetail("The statement %s.", strings.Join(s.care.plan.Reasons, ", ")).
			WithHint("The transaction might succeed if retried: the tables are locked then. See capture_rows_hint and capture_max_bytes.")
	}
	if s.care.raced {
		return pgerr.New(pgerr.SerializationFailure, "another session has changed the rows that code has deleted, the transaction is rolled back").
			WithHint("The transaction might succeed if retried.")
	}
	return pgerr.New(pgerr.SerializationFailure, "a row of the main node cannot be given to the others, the transaction is rolled back").
		WithHint("Set set_write_strategy to lock.")
}
