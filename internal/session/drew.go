package session

import (
	"context"
	"strconv"
	"strings"

	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/sequence"
	"github.com/pgchorus/pgchorus/parser"
)

// drew is what the session has drawn from sequences: main does not know which of the values
// of a lease the session was given, so currval and lastval are answered from here.
type drew struct {
	leases *sequence.Database
	// holds: the session has leases held; see Session.holdLeases.
	holds bool
	// recalls: the session has asked for currval or lastval. It draws what it needs itself
	// from then on, so that functions find it on main.
	recalls bool
	// roles counts the changes of the session's role; localRole: the end of the transaction
	// may be another one.
	roles     int
	localRole bool
	// taken: the statement has values of a lease, of that generation.
	taken      bool
	generation uint64
	// unused are the values that the statement at hand was given.
	unused []unused
	// preparing is what a PREPARE under way prepares; nil for none.
	preparing *prepared
	// before has the messages before the one that values are drawn for; nil for none.
	before *segment

	current map[string]given // by sequence
	last    string           // the sequence that was drawn from last
	// native is what main's own memory has of the session: what currval would say there.
	native     map[string]int64
	nativeLast string
	// unsure counts what has run and may have drawn by itself.
	unsure int
}

// given is a value that the session was given, and drew.unsure at that time.
type given struct {
	value  int64
	unsure int
}

// note keeps what the session was given.
func (d *drew) note(name string, value int64) {
	if d.current == nil {
		d.current = map[string]given{}
	}
	d.current[name] = given{value, d.unsure}
	d.last = name
}

// noteNative keeps what main has drawn in the session.
func (d *drew) noteNative(name string, value int64) {
	if d.native == nil {
		d.native = map[string]int64{}
	}
	d.native[name] = value
	d.nativeLast = name
}

// forgetDrawn follows DISCARD SEQUENCES and DISCARD ALL.
func (d *drew) forgetDrawn() {
	d.current, d.native, d.last, d.nativeLast = nil, nil, "", ""
}

// follow notes what a statement may have changed of what the session may draw, or has drawn.
func (d *drew) follow(stmt *parser.Statement) {
	switch stmt.Kind {
	case parser.Set, parser.SetLocal, parser.Reset, parser.Discard, parser.RollbackTo, parser.Unknown:
		if stmt.All || stmt.Kind != parser.Discard && (stmt.Name == "role" || strings.Contains(stmt.Name, "authorization")) || stmt.Kind == parser.RollbackTo && d.localRole {
			d.roles++
			d.localRole = true
		}
		if stmt.Kind == parser.Discard && (stmt.All || stmt.Name == "sequences") {
			d.forgetDrawn()
		}
	case parser.Execute, parser.Call, parser.Do, parser.CopyFrom:
		d.unsure++
	default:
		if len(stmt.UnknownFunctions) > 0 || len(setSequences(stmt)) > 0 {
			d.unsure++
		}
	}
	for _, f := range stmt.Functions {
		if f.Name == "set_config" && (len(f.Args) == 0 || f.Args[0] == "role" || f.Args[0] == "session_authorization") {
			d.roles++
			d.localRole = true
		}
	}
}

// currval answers currval: from what the session was given, or else from main.
func (s *Session) currval(ctx context.Context, name string) (string, error) {
	s.drew.recalls = true
	if err := s.runBefore(ctx); err != nil {
		return "", err
	}
	row, err := s.askAgain(ctx, sequence.Identify(name))
	switch {
	case err != nil:
		return "", err
	case row == nil:
		return "", errNoSequence
	}
	canonical := string(row[0])
	current, known := s.drew.current[canonical]
	if !known {
		return s.askText(ctx, sequence.Currval(name))
	}
	if err := mayBeTold(row); err != nil {
		return "", err
	}
	return s.newer(ctx, current, sequence.Currval(name), canonical)
}

// newer is what the session was given, or what something that ran since has drawn: then main
// answers the query otherwise than with what was drawn for the session.
func (s *Session) newer(ctx context.Context, current given, query, name string) (string, error) {
	if s.drew.unsure > current.unsure {
		native, known, err := s.tryText(ctx, query)
		was, had := s.drew.native[name]
		if err != nil || known && (!had || native != strconv.FormatInt(was, 10)) {
			return native, err
		}
	}
	return strconv.FormatInt(current.value, 10), nil
}

// lastval answers lastval.
func (s *Session) lastval(ctx context.Context) (string, error) {
	s.drew.recalls = true
	if err := s.runBefore(ctx); err != nil {
		return "", err
	}
	current, known := s.drew.current[s.drew.last]
	if !known {
		return s.askText(ctx, sequence.Lastval)
	}
	row, err := s.askAgain(ctx, sequence.Identify(s.drew.last))
	switch {
	case err != nil:
		return "", err
	case row == nil: // it was dropped
		delete(s.drew.current, s.drew.last)
		s.drew.last = ""
		return s.askText(ctx, sequence.Lastval)
	}
	if err := mayBeTold(row); err != nil {
		return "", err
	}
	return s.newer(ctx, current, sequence.Lastval, s.drew.nativeLast)
}

// mayBeTold looks at the answer to sequence.Identify: currval and lastval ask for a right.
func mayBeTold(row [][]byte) error {
	if string(row[1]) != "t" {
		return pgerr.Newf(pgerr.InsufficientPrivilege, "permission denied for sequence %s", row[2])
	}
	return nil
}

// askAgain is askMain until main is not lost under it.
func (s *Session) askAgain(ctx context.Context, query string) (row [][]byte, err error) {
	for range maxDraws {
		row, lost, err := s.askMain(ctx, query)
		if !lost || err != nil {
			return row, err
		}
	}
	return nil, errNoNodes()
}

// askText asks main for one text.
func (s *Session) askText(ctx context.Context, query string) (string, error) {
	row, err := s.askAgain(ctx, query)
	if err != nil || len(row) == 0 {
		return "", err
	}
	return string(row[0]), nil
}

// tryText is askText for what main may not know: the transaction outlives the error.
func (s *Session) tryText(ctx context.Context, query string) (text string, known bool, err error) {
	if _, err := s.askAgain(ctx, "SELECT 1"); err != nil { // so that the block is open
		return "", false, err
	}
	l := s.first()
	if l == nil {
		return "", false, errNoNodes()
	}
	for _, sql := range []string{"SAVEPOINT pgchorus_currval", query, "ROLLBACK TO pgchorus_currval", "RELEASE pgchorus_currval"} {
		rows, err := l.ask(sql)
		if err != nil && !l.answer.Failed() {
			return "", false, s.survive(ctx, l, err)
		}
		if sql == query && err == nil && len(rows) == 1 {
			text, known = rows[0], true
		}
	}
	return text, known, nil
}
