package session

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync/atomic"

	"github.com/pgchorus/pgchorus/internal/wire"
)

// Prepared statements on connections that are lent to several frontends. Each frontend has
// names of its own, which may be those of others, so the servers are given names of ours: the
// same for the same text under the same settings, so that frontends share what is parsed.
// A connection keeps the ones used last (max_prepared_statements).

// sharedPrefix begins a name that is the same for all sessions, privatePrefix that of a
// statement which was parsed where its text may mean something else.
const (
	sharedPrefix  = "pgchorus_s"
	privatePrefix = "pgchorus_p"
)

// wireNames are the names of a prepared statement on connections that are lent.
type wireNames struct {
	// sent is the text that they are for.
	sent         string
	main, others string
	private      bool
}

// sharing is what a connection has of shared statements.
type sharing struct {
	used map[string]uint64 // by name, when it was used last
	now  uint64
	// parses are those that the current work prepares.
	parses []sharedParse
}

// sharedParse is a Parse under way and its place among the expected answers.
type sharedParse struct {
	name string
	at   int
}

// sharedName is what a statement is called on a node; false for the frontend's own name.
func (l *link) sharedName(p *prepared) (string, bool) {
	s := l.s
	if p.auto != nil {
		return p.auto.name(), true
	}
	if !s.loan.on || p.name == "" || p.bySQL || s.loan.own {
		return "", false
	}
	if p.names.main == "" || p.names.sent != p.sent {
		s.namePrepared(p)
	}
	if p.others != "" && l != s.main() {
		return p.names.others, true
	}
	return p.names.main, true
}

// namePrepared finds the names. A statement that was parsed where texts may mean something
// else is nobody else's.
func (s *Session) namePrepared(p *prepared) {
	n := &p.names
	n.sent = p.sent
	if n.private || s.loan.shifted || s.loan.pinned != "" {
		n.private = true
		n.main = privateName()
		n.others = n.main + "o"
		s.loan.tainted = s.loan.tainted || s.loan.shifted
		return
	}
	n.main, n.others = s.hashName(p, p.sent), ""
	if p.others != "" {
		n.others = s.hashName(p, p.others)
	}
}

// lastPrivate numbers private names.
var lastPrivate atomic.Uint64

func privateName() string { return fmt.Sprintf("%s%x", privatePrefix, lastPrivate.Add(1)) }

// hashName is a digest of all that decides what a server makes of a text. The catalogue's
// generation is in it, so that who prepares a statement behind DDL does not get one whose
// columns are those of before.
func (s *Session) hashName(p *prepared, text string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d %v %q ", p.generation, s.numbers.spoken, s.loan.settings)
	for _, oid := range p.types {
		h.Write(binary.BigEndian.AppendUint32(nil, oid))
	}
	h.Write([]byte{0})
	h.Write([]byte(text))
	return sharedPrefix + hex.EncodeToString(h.Sum(nil)[:16])
}

// taintPrepared notes that statements were parsed under other settings than those that are
// in force now: no other connection can be given them as they are.
func (s *Session) taintPrepared() {
	for _, p := range s.st.prepared {
		p.names.private = true
		s.loan.tainted = true
	}
}

// hasTainted reports whether one of them is left.
func (s *Session) hasTainted() bool {
	for _, p := range s.st.prepared {
		if p.names.private {
			return true
		}
	}
	s.loan.tainted = false
	return false
}

// appendNeededShared gives the node a statement that it lacks.
func (l *link) appendNeededShared(p *prepared, name string) {
	sh := &l.sharing
	if _, has := sh.used[name]; has {
		sh.now++
		sh.used[name] = sh.now
		return
	}
	l.appendSharedParse(p, name, hidden(wire.ExpectParse))
}

// appendSharedParse prepares a statement. The Close in front makes sure of the name,
// whatever has become of earlier messages.
func (l *link) appendSharedParse(p *prepared, name string, e wire.Expect) {
	sh := &l.sharing
	l.appendCloseShared(name)
	if len(sh.used) >= l.s.Config().Pool.MaxPreparedStatements {
		l.evict()
	}
	sh.parses = append(sh.parses, sharedParse{name, len(l.exchange.Expect)})
	text := p.sent
	if p.others != "" && l != l.s.main() {
		text = p.others
	}
	l.append(e, func(b []byte) []byte { return wire.AppendParse(b, name, text, l.typesFor(p)) })
	if sh.used == nil {
		sh.used = map[string]uint64{}
	}
	sh.now++
	sh.used[name] = sh.now
}

func (l *link) appendCloseShared(name string) {
	l.append(hidden(wire.ExpectClose), func(b []byte) []byte { return wire.AppendClose(b, 'S', name) })
}

// evict closes the statement that was not used for longest.
func (l *link) evict() {
	oldest, at := "", uint64(0)
	for name, used := range l.sharing.used {
		if oldest == "" || used < at {
			oldest, at = name, used
		}
	}
	if oldest != "" {
		delete(l.sharing.used, oldest)
		l.appendCloseShared(oldest)
	}
}

// forgetFailedParses is for work that has failed: what stood behind the error was not done.
func (l *link) forgetFailedParses() {
	for _, p := range l.sharing.parses {
		if p.at >= l.exchange.FailedAt() {
			delete(l.sharing.used, p.name)
		}
	}
}

// forgetShared is for a connection that has none any more.
func (l *link) forgetShared() { clear(l.sharing.used) }

// forgetStatements is called when somebody has had the node forget all prepared statements.
func (l *link) forgetStatements() {
	clear(l.prepared)
	clear(l.autos)
	l.forgetShared()
}

// hasShared reports whether the node has a statement of the frontend's under a name of ours.
func (l *link) hasShared(p *prepared) bool {
	name, shared := l.sharedName(p)
	if !shared {
		return false
	}
	_, has := l.sharing.used[name]
	return has
}

// appendNamed appends a message of the frontend's. A Describe of a statement has the name that
// the node knows.
func (l *link) appendNamed(b []byte, st *step) []byte {
	if st.taken != nil {
		if name, shared := l.sharedName(st.taken); shared {
			return wire.AppendParse(b, name, st.prepared.text, st.prepared.types)
		}
	}
	from := len(b)
	b = append(b, st.frame...)
	if st.kind == wire.KindDescribe && st.target == 'S' {
		return l.renamed(b, from, st.prepared)
	}
	return b
}

// renamed gives the message that stands in b from an offset the name of the statement that
// the node knows.
func (l *link) renamed(b []byte, from int, p *prepared) []byte {
	name, shared := l.sharedName(p)
	if !shared {
		return b
	}
	return wire.RenameStatement(b, from, name)
}

// inOwnNames puts the frontend's name into an error that speaks of a prepared statement by
// ours.
func (s *Session) inOwnNames(frame wire.Frame) wire.Frame {
	if !s.loan.on || !bytes.Contains(frame.Body(), []byte("pgchorus_")) {
		return frame
	}
	for _, p := range s.st.prepared {
		for _, name := range []string{p.names.main, p.names.others} {
			if name != "" && bytes.Contains(frame.Body(), []byte(name)) {
				return wire.AppendMessage(nil, frame.Kind(), bytes.ReplaceAll(frame.Body(), []byte(name), []byte(p.name)))
			}
		}
	}
	return frame
}

// useOwnNames is for SQL that names prepared statements: from now on the nodes are given them
// under the frontend's names. Those of other frontends are closed, for the catalogue shows them.
func (s *Session) useOwnNames() {
	if s.loan.own {
		return
	}
	s.loan.own = true
	for _, l := range s.links {
		if l != nil {
			l.aside = append(l.aside, "DEALLOCATE ALL")
			l.forgetStatements()
			l.stale = true
		}
	}
}

// drawHere is for a statement that has to do with what the session has drawn from sequences: what
// others have drawn over the connection before is none of its business.
func (s *Session) drawHere() {
	if s.loan.draws {
		return
	}
	s.loan.draws = true
	for _, l := range s.links {
		if l == nil {
			continue
		}
		if l.drawnBy != 0 && l.drawnBy != s.id {
			l.aside = append(l.aside, "DISCARD SEQUENCES")
		}
		l.drawnBy = s.id
	}
}

// appendAside appends what has to be run in front of the session's next work there, in
// messages of an extended query, which end nothing that the frontend has begun.
func (l *link) appendAside() {
	const name = "pgchorus_aside"
	inside := l.unsynced
	for _, sql := range l.aside {
		l.append(hidden(wire.ExpectParse), func(b []byte) []byte { return wire.AppendParse(b, name, sql, nil) })
		l.append(hidden(wire.ExpectBind), func(b []byte) []byte { return wire.AppendBindPlain(b, name, name) })
		l.append(hidden(wire.ExpectExecute), func(b []byte) []byte { return wire.AppendExecute(b, name) })
		l.append(hidden(wire.ExpectClose), func(b []byte) []byte { return wire.AppendClose(b, 'P', name) })
		l.append(hidden(wire.ExpectClose), func(b []byte) []byte { return wire.AppendClose(b, 'S', name) })
	}
	l.aside = l.aside[:0]
	if l.unsynced = true; !inside {
		l.appendSync()
	}
}
