package session

import (
	"slices"
	"unicode/utf8"

	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// work is what the session is about to have done by one node or by all: each link
// encodes it for its node.
type work interface {
	appendTo(l *link)
	// drawsSequence reports whether it may draw values from a sequence.
	drawsSequence() bool
	// takesSnapshot reports whether it looks at data.
	takesSnapshot() bool
}

// drawsSequence: an INSERT may by a column's default, a function by itself, COPY FROM
// with data cannot be repeated.
func drawsSequence(stmt *parser.Statement) bool {
	switch stmt.Kind {
	case parser.Insert, parser.Merge, parser.Execute, parser.Call, parser.Do, parser.SelectInto, parser.CreateTableAs:
		return true
	}
	return callsSequence(stmt) || len(stmt.UnknownFunctions) > 0
}

func callsSequence(stmt *parser.Statement) bool {
	return slices.ContainsFunc(stmt.Functions, func(f parser.Function) bool { return f.Class == parser.Sequence })
}

// wantsDigest reports whether the rows that a statement returns are compared between
// the nodes: they tell of values that were stored, or drawn from a sequence. Those of
// EXPLAIN tell of times.
func wantsDigest(stmt *parser.Statement) bool {
	return stmt.Kind != parser.Explain && (stmt.Returning || callsSequence(stmt)) && !stmt.NodeLocal
}

// queryWork is one statement by simple query.
type queryWork struct {
	stmt *parser.Statement // nil where it is several, or ours
	sql  string
	kind parser.Kind
	// others is sent to the nodes that are not main, if it is not empty.
	others string
	// text is what the frontend has sent of it; several: it stands in a string with others.
	text    string
	several bool
	// basis, plan and care are what was decided about it. planned is the text that was planned.
	basis   basis
	plan    *parser.Plan
	planned string
	care    *care
	// draws and digest: see drawsSequence and wantsDigest.
	draws, digest bool
	// base and place lead positions in errors back to the frontend's string; see
	// wire.Expect.
	base  int
	place func(position int) int
	// bare keeps a BEGIN away from it.
	bare bool
	// needs is a prepared statement that it names; nil for none.
	needs *prepared
	// lists: it reads the list of prepared statements.
	lists bool
	// watch looks through its copy data; nil for none.
	watch *copyWatch
	// auto is the statement of ours by which sql is run; nil for sql itself. main is the node
	// that answers then, and values are those of plan that sql does not have.
	auto   *autoStatement
	main   *link
	values []parser.Value
	// hide: it is ours; the frontend sees of it nothing but an error.
	hide bool
}

// setQuery makes w the session's work.
func (s *Session) setQuery(w queryWork) {
	s.query = w
	s.work = &s.query
}

func (w *queryWork) drawsSequence() bool { return w.draws && w.auto == nil }

func (w *queryWork) takesSnapshot() bool { return takesSnapshot(w.kind) }

func (w *queryWork) appendTo(l *link) {
	l.noteSent(w.kind, w.sql)
	l.noteCode(w.kind)
	if len(l.forgotten) > 0 {
		l.appendForgotten()
		l.unsynced = true
	}
	l.appendSync()
	w.appendNeeded(l)
	if w.lists {
		l.appendAllPrepared()
		l.appendSync()
	}
	if l.s.care != nil {
		w.appendCare(l, l.s.care)
		return
	}
	if w.auto != nil {
		l.appendAuto(w)
		return
	}
	sql := w.sql
	if w.others != "" && !l.answers {
		sql = w.others
	}
	if w.bare || !l.needsBegin() {
		l.appendQuery(wire.Expect{What: wire.ExpectQuery, Hide: w.hide, Base: w.base, Place: w.place, Digest: w.digest}, sql)
		return
	}
	if w.kind == parser.Prepare || w.kind == parser.Declare {
		// The server shows their text in pg_prepared_statements and pg_cursors.
		l.appendQuery(hidden(wire.ExpectQuery), l.beginText())
		l.appendQuery(wire.Expect{What: wire.ExpectQuery, Base: w.base, Place: w.place}, w.sql)
		return
	}
	// BEGIN and the statement travel as one Query: the server flushes its answer
	// once instead of twice.
	begin, then := l.beginParts()
	prefix := utf8.RuneCountInString(begin) + len(then)
	e := wire.Expect{What: wire.ExpectQuery, HideTags: 1, Prefix: prefix, Base: w.base, Place: w.place, Digest: w.digest}
	l.appendQuery(e, begin, then, sql)
}

// appendNeeded gives the node a statement that was prepared elsewhere.
func (w *queryWork) appendNeeded(l *link) {
	if w.needs == nil || l.prepared[w.needs.name] == w.needs {
		return
	}
	if w.needs.bySQL {
		l.appendQuery(hidden(wire.ExpectQuery), w.needs.sent)
		l.prepared[w.needs.name] = w.needs
		return
	}
	l.appendNeeded(w.needs)
	l.unsynced = true
	l.appendSync()
}

// callWork is a function call message.
type callWork struct {
	frame wire.Frame
	// main is the node that answers; set when it is sent the call.
	main *link
}

func (w *callWork) drawsSequence() bool { return true }

func (w *callWork) takesSnapshot() bool { return true }

func (w *callWork) appendTo(l *link) {
	l.noteSent(parser.Utility, "function call")
	l.appendSync()
	if l.needsBegin() {
		l.appendQuery(hidden(wire.ExpectQuery), l.beginText())
	}
	frame := w.frame
	if l.answers {
		w.main = l
	} else if oid, ok := w.createdObject(); ok {
		frame = wire.AppendLargeObject(nil, w.frame.Body(), oid)
	}
	l.append(wire.Expect{What: wire.ExpectFunctionCall}, func(b []byte) []byte { return l.appendCall(b, frame) })
}

// createdObject is the large object that the call has made on main. The others are
// told its number, which each would choose for itself.
func (w *callWork) createdObject() (oid []byte, ok bool) {
	if w.main == nil || !wire.CreatesLargeObject(w.frame.Body()) {
		return nil, false
	}
	return wire.CallResult(w.main.answer.Tags)
}

// syncWork ends an extended query.
type syncWork struct{}

func (syncWork) appendTo(l *link) { l.appendSync() }

func (syncWork) drawsSequence() bool { return false }

func (syncWork) takesSnapshot() bool { return false }
