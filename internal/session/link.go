package session

import (
	"slices"
	"strings"
	"sync"

	"github.com/pgchorus/pgchorus/internal/backend"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/oidmap"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
	"github.com/pgchorus/pgchorus/replicator"
)

// link is the session's connection to one node and what that node knows of the
// session. It is the replicator's Node: Start sends the session's current work.
type link struct {
	s    *Session
	conn *backend.Conn
	// home is the node, as long as it is the same one.
	home oidmap.Node

	// turn is the number of what it was sent last; running guards it.
	turn uint64
	// touched: it has had work from this session.
	touched bool
	// begun: the transaction's block is open there.
	begun bool
	// listens: it was told of every LISTEN.
	listens bool
	// eased: timeouts are off for the rest of the transaction.
	eased bool
	// limit is the limit of waiting for a lock that was set there, as far as is known.
	limit lockLimit
	// snapshot: the transaction's snapshot was taken there.
	snapshot bool
	// unsynced: messages of an extended query were sent and no Sync.
	unsynced bool
	// prepared are the statements that the node has, by name.
	prepared map[string]*prepared
	// autos are the statements of ours that the node has, by slot; nil for none.
	autos []*autoStatement
	// unnamed is the Bind that made the unnamed portal there, if it is one that is kept (bind_again.go).
	unnamed *step
	// forgotten is what the frontend has closed and the node still has.
	forgotten []closing
	// settings, stale, drawnBy, aside and sharing are for connections that are lent
	// (loan.go): what was set there; whether that is known; the session that has drawn from
	// sequences there last; what is to be run in front of the next work; prepared statements.
	settings string
	stale    bool
	drawnBy  uint32
	aside    []string
	sharing  sharing
	// heard is hear, for conn.
	heard func(wire.Frame)
	// reported: its loss is known to the cluster.
	reported bool
	// answers: the frontend is given the answer to the current work.
	answers bool
	// replays: the current work is main's rows instead of the statement.
	replays bool
	// changes are what the current work does to prepared.
	changes []preparing

	exchange backend.Exchange
	answer   wire.Answer
}

var _ replicator.Node = (*link)(nil)

// closing is a statement ('S') or portal ('P') to be closed.
type closing struct {
	what byte
	name string
}

// preparing is a Parse or Close under way: what the node had under that name before, nil for nothing, and its place
// among the expected answers.
type preparing struct {
	name   string
	before *prepared
	at     int
}

func newLink(s *Session, conn *backend.Conn) *link {
	l := &link{s: s, conn: conn, home: s.Numbers.Node(conn.Node()), prepared: map[string]*prepared{}}
	l.heard = l.hear
	conn.Heard = l.heard
	s.running.own(conn)
	return l
}

// ID is the node's number.
func (l *link) ID() config.NodeID { return l.conn.Node() }

// Start sends the session's current work.
func (l *link) Start(answers bool) error {
	l.begin()
	l.answers = answers
	if _, snapshot := l.s.work.(snapshotWork); !answers && !snapshot {
		l.appendEasing()
		l.appendLockLimit()
	}
	l.s.work.appendTo(l)
	return l.send()
}

// StartEnd sends COMMIT or another end, behind the Sync that the node may be waiting
// for. No cancel reaches it: one that made a single node refuse a COMMIT would
// cost that node its place.
func (l *link) StartEnd(e replicator.Ending) error {
	l.begin()
	l.appendSync()
	l.appendEnding(e)
	return l.conn.Flush()
}

func (l *link) begin() {
	l.touched = true
	l.answer.Reset()
	l.exchange.Begin()
	l.changes = l.changes[:0]
	l.sharing.parses = l.sharing.parses[:0]
	l.replays = false
	if len(l.aside) > 0 {
		l.appendAside()
	}
}

// send writes what was appended. From here on a cancel reaches the node.
func (l *link) send() error {
	l.s.running.add(l)
	if err := l.conn.Flush(); err != nil {
		l.s.running.remove(l)
		return err
	}
	return nil
}

// Silent implements replicator.Node.
func (l *link) Silent() bool { return l.conn.Quiet() }

// lookouts are for AnySpoke.
var lookouts = sync.Pool{New: func() any { return new(wire.Lookout) }}

// AnySpoke reports whether one of the nodes, which are sessions' own, is not Silent.
func AnySpoke(nodes []replicator.Node) bool {
	look := lookouts.Get().(*wire.Lookout)
	defer lookouts.Put(look)
	look.Reset()
	for _, node := range nodes {
		look.Add(node.(*link).conn.Conn)
	}
	return look.Spoke()
}

// Finish reads the answer to what was sent.
func (l *link) Finish(visible bool) (*wire.Answer, error) {
	var sink backend.Sink
	if visible {
		sink = l.s
	}
	err := l.conn.Receive(&l.exchange, sink, &l.answer)
	if !l.answer.CopyIn {
		l.s.running.remove(l)
	}
	if err != nil {
		return nil, err
	}
	l.note()
	if l.replays {
		l.s.care.review(l)
	}
	return &l.answer, nil
}

// note follows what the answer says about the node's state.
func (l *link) note() {
	switch {
	case l.answer.Status != 0:
		l.begun = l.answer.Status != wire.TxIdle
		if l.snapshot, l.eased = l.snapshot && l.begun, l.eased && l.begun; !l.begun {
			l.limit, l.unnamed = lockLimit{}, nil
		}
		l.unsynced = false
	case l.answer.CopyIn:
		l.unsynced = true // the server ignores the Sync that was sent along
	}
	if l.answer.Failed() {
		l.unnamed = nil // the Bind may have failed
		l.s.Counters.failed(l.ID(), "ERROR")
		l.forgetFailedParses()
		l.noteAutoFailed()
		l.undoFailedChanges()
	}
}

// undoFailedChanges is for work that has failed: what stood behind the error was neither prepared nor closed.
func (l *link) undoFailedChanges() {
	for _, c := range slices.Backward(l.changes) {
		switch {
		case c.at < l.exchange.FailedAt():
			return
		case c.before == nil:
			delete(l.prepared, c.name)
		default:
			l.prepared[c.name] = c.before
		}
	}
}

// appendClose closes a statement of the frontend's.
func (l *link) appendClose(name string) {
	l.changes = append(l.changes, preparing{name, l.prepared[name], len(l.exchange.Expect)})
	l.append(hidden(wire.ExpectClose), func(b []byte) []byte { return wire.AppendClose(b, 'S', name) })
	delete(l.prepared, name)
}

// hidden is the answer to a request of ours, of which the frontend sees nothing.
func hidden(what wire.ExpectKind) wire.Expect { return wire.Expect{What: what, Hide: true} }

// append puts an encoded message into the outbox, and its answer on the list.
func (l *link) append(e wire.Expect, encode func([]byte) []byte) {
	l.conn.SetOutbox(encode(l.conn.Outbox()))
	if e.What != 0 {
		l.exchange.Add(e)
	}
}

// appendQuery appends a Query, which makes the server forget the unnamed statement and the unnamed portal.
func (l *link) appendQuery(e wire.Expect, parts ...string) {
	delete(l.prepared, "")
	l.unnamed = nil
	l.conn.SetOutbox(wire.AppendQuery(l.conn.Outbox(), parts...))
	l.exchange.Add(e)
}

// appendQueryOf is appendQuery for a text that write appends.
func (l *link) appendQueryOf(e wire.Expect, write func([]byte) []byte) {
	delete(l.prepared, "")
	l.unnamed = nil
	l.conn.SetOutbox(wire.AppendQueryOf(l.conn.Outbox(), write))
	l.exchange.Add(e)
}

// appendSync ends the extended query that the node is in, if it is in one.
func (l *link) appendSync() {
	if l.unsynced {
		l.conn.SetOutbox(wire.AppendSync(l.conn.Outbox()))
		l.exchange.Add(hidden(wire.ExpectSync))
		l.unsynced = false
	}
}

// beginText opens the block there. A standby has no serializable transactions, and none
// that are said to write.
func (l *link) beginText() string {
	tx := &l.s.tx
	if l.s.hasPrimary() && l != l.s.main() && (!tx.readOnly || tx.isolation == "serializable") {
		return plainBegin
	}
	return tx.begin
}

// beginPrefix is beginText in front of a statement of the same Query.
func (l *link) beginPrefix() string {
	begin, then := l.beginParts()
	return begin + then
}

// beginParts are those of beginPrefix. A comment behind BEGIN must not swallow the statement.
func (l *link) beginParts() (begin, then string) {
	begin = l.beginText()
	if strings.Contains(begin, "--") {
		return begin, "\n;"
	}
	return begin, ";"
}

// needsBegin reports whether the block has to be opened in front of the work.
func (l *link) needsBegin() bool { return l.s.tx.kind != txNone && !l.begun }

// names of our own on a node; closed again at once, so that nobody sees them.
const beginStatement = "pgchorus_begin"

// appendBegin opens the block by extended query. Nothing is bound outside of a
// block at this point, so that the unnamed portal is free.
func (l *link) appendBegin() {
	l.unnamed = nil
	if l.beginText() == plainBegin && l.s.replicates() { // where code runs on all nodes it is known what it may have had forgotten
		l.appendAutoBegin()
		l.begun = true
		return
	}
	l.append(hidden(wire.ExpectParse), func(b []byte) []byte { return wire.AppendParse(b, beginStatement, l.beginText(), nil) })
	l.append(hidden(wire.ExpectBind), func(b []byte) []byte { return wire.AppendBindPlain(b, "", beginStatement) })
	l.append(hidden(wire.ExpectExecute), func(b []byte) []byte { return wire.AppendExecute(b, "") })
	l.append(hidden(wire.ExpectClose), func(b []byte) []byte { return wire.AppendClose(b, 'S', beginStatement) })
	l.begun = true
}

// appendForgotten closes what the frontend has closed.
func (l *link) appendForgotten() {
	for _, c := range l.forgotten {
		if c.what == 'S' {
			l.appendClose(c.name)
		} else {
			l.append(hidden(wire.ExpectClose), func(b []byte) []byte { return wire.AppendClose(b, c.what, c.name) })
		}
	}
	l.forgotten = l.forgotten[:0]
}

// appendNeeded gives the node a statement that it lacks.
func (l *link) appendNeeded(p *prepared) {
	if p.auto != nil {
		l.appendAutoParse(p.auto)
	} else if name, shared := l.sharedName(p); shared {
		l.appendNeededShared(p, name)
	} else if l.prepared[p.name] != p {
		l.appendParse(p, hidden(wire.ExpectParse))
	}
}

// listsPrepared reports whether a statement reads the list of the session's prepared
// statements.
func listsPrepared(stmt *parser.Statement) bool {
	return slices.ContainsFunc(stmt.Reads, func(r parser.Relation) bool { return r.Name == "pg_prepared_statements" })
}

// appendAllPrepared gives the node all statements that it lacks.
func (l *link) appendAllPrepared() {
	l.appendNoAutos()
	l.append(hidden(wire.ExpectClose), func(b []byte) []byte { return wire.AppendClose(b, 'S', careStatement) }) // left by a failure
	l.unsynced = true
	for _, p := range l.s.st.prepared {
		if p.name != "" && !p.bySQL && !l.s.answersHere(p) && l.prepared[p.name] != p {
			l.appendNeeded(p)
			l.unsynced = true
		}
	}
}

// appendParse prepares a statement on the node, in the place of another one with its
// name that the frontend no longer knows.
func (l *link) appendParse(p *prepared, e wire.Expect) {
	if name, shared := l.sharedName(p); shared {
		l.appendSharedParse(p, name, e)
		return
	}
	if p.name != "" && l.prepared[p.name] != nil {
		l.appendClose(p.name)
	}
	l.changes = append(l.changes, preparing{name: p.name, at: len(l.exchange.Expect)})
	text := p.sent
	if p.others != "" && l != l.s.main() {
		text = p.others
	}
	l.append(e, func(b []byte) []byte { return wire.AppendParse(b, p.name, text, l.typesFor(p)) })
	l.prepared[p.name] = p
}
