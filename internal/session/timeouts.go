package session

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// statement_timeout and lock_timeout are for main. On the other nodes they would end, now and
// then, a statement that main has done, for a reason that is the node's own: the
// transaction would be rolled back, or, for what cannot be, the node fenced. So they are
// taken off there for the length of the transaction. A session that has none set, as
// most do not, pays nothing.
//
// idle_in_transaction_session_timeout stays on all nodes: their connections are idle at the
// same times, and locks are to be let go on all of them.

// timeouts are the settings that end a statement. transaction_timeout is there from
// PostgreSQL 17 on.
var timeouts = []string{"statement_timeout", "lock_timeout", "transaction_timeout"}

// logInQuery asks for default_transaction_isolation and, behind a comma, the timeouts.
const logInQuery = `SELECT pg_catalog.concat(pg_catalog.current_setting('default_transaction_isolation'), ',', pg_catalog.current_setting('statement_timeout'),
	pg_catalog.current_setting('lock_timeout'), COALESCE(pg_catalog.current_setting('transaction_timeout', true), '0'))`

// noTimeoutSet is the second part of its answer where none is.
const noTimeoutSet = "000"

// setsTimeout reports whether a statement may set one.
func setsTimeout(stmt *parser.Statement) bool {
	switch stmt.Kind {
	case parser.Set, parser.SetLocal, parser.Reset:
		return stmt.All || slices.Contains(timeouts, stmt.Name)
	}
	return slices.ContainsFunc(stmt.Functions, func(f parser.Function) bool {
		return f.Name == "set_config" && (len(f.Args) == 0 || slices.Contains(timeouts, strings.ToLower(f.Args[0])))
	})
}

// noteTimeouts follows what changes them. What was taken off on a node may be on again.
func (s *Session) noteTimeouts(stmt *parser.Statement) {
	sets := setsTimeout(stmt)
	s.settings.timesOut = s.settings.timesOut || sets
	if !sets && stmt.Kind != parser.RollbackTo {
		return
	}
	for _, l := range s.links {
		if l != nil {
			l.eased = false
			l.limit.unknown = l.limit.used
		}
	}
}

// appendEasing takes the timeouts off on a node that repeats what main has done, until the
// transaction ends.
func (l *link) appendEasing() {
	s := l.s
	if !s.settings.timesOut || l.eased || s.tx.kind == txNone || !s.replicates() || l == s.main() {
		return
	}
	l.appendInside(l.noTimeouts("SET LOCAL "))
	l.eased = true
}

// appendInside appends a query of ours in front of what comes next in the transaction, whose
// block it opens if need be.
func (l *link) appendInside(sql string) {
	begin := ""
	if l.needsBegin() {
		begin = l.beginPrefix()
	}
	l.appendSync()
	l.appendQuery(hidden(wire.ExpectQuery), begin, sql)
	l.begun = true
}

// noTimeouts sets all of them to 0.
func (l *link) noTimeouts(set string) string {
	text := ""
	for _, name := range l.knownTimeouts() {
		text += set + name + " = 0;"
	}
	return text
}

func (l *link) knownTimeouts() []string {
	major, _, _ := strings.Cut(l.conn.Params()["server_version"], ".")
	if number, err := strconv.Atoi(major); err == nil && number >= 17 {
		return timeouts
	}
	return timeouts[:2]
}

// easeBare takes the timeouts off on the other nodes for a statement that runs outside of
// any block, and returns what puts them back.
func (s *Session) easeBare() (restore func(), err error) {
	restore = func() {}
	if !s.settings.timesOut {
		return restore, nil
	}
	var undo []func()
	restore = func() {
		for _, do := range undo {
			do()
		}
	}
	for _, l := range s.links {
		if l == nil || l == s.main() {
			continue
		}
		back, err := l.easeBare()
		if err != nil {
			return restore, err
		}
		undo = append(undo, back)
	}
	return restore, nil
}

// easeBare is that for one node. If the timeouts cannot be put back, the node is let go and
// told the session's state when it is needed again.
func (l *link) easeBare() (restore func(), err error) {
	parts := make([]string, 0, len(timeouts))
	for _, name := range l.knownTimeouts() {
		parts = append(parts, "SELECT pg_catalog.concat('SET "+name+" = ', pg_catalog.quote_literal(pg_catalog.current_setting('"+name+"')))")
	}
	old, err := l.ask(strings.Join(parts, " UNION ALL "))
	if err == nil {
		_, err = l.ask(l.noTimeouts("SET "))
	}
	if err != nil {
		return nil, err
	}
	return func() {
		if l.s.link(l.ID()) != l {
			return // it was lost
		}
		if _, err := l.ask(strings.Join(old, ";")); err != nil {
			l.s.dropLink(l)
		}
	}, nil
}
