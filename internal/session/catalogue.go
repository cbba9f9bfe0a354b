package session

import (
	"slices"
	"strings"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/lb"
	"github.com/pgchorus/pgchorus/parser"
)

// facts are what the catalogue says: what all sessions know, and what this one has just
// been told.
type facts struct {
	known *catalog.Database
	told  catalog.Answer
}

// Function implements lb.Catalog.
func (f facts) Function(n catalog.Name) (catalog.Function, bool) {
	if fact, ok := f.told.Function(n); ok {
		return fact, true
	}
	return f.known.Function(n)
}

// Relation implements lb.Catalog.
func (f facts) Relation(n catalog.Name) (catalog.Relation, bool) {
	if fact, ok := f.told.Relation(n); ok {
		return fact, true
	}
	return f.known.Relation(n)
}

// traits are what routing asks of a statement. What has to be known of the catalogue and
// is not, is asked for once and kept for all sessions.
func (s *Session) traits(stmt *parser.Statement, text string) lb.Traits {
	if stmt.Kind == parser.Execute {
		if p := s.st.prepared[stmt.Name]; p != nil {
			stmt, text = p.effective(), p.text
		}
	}
	known := s.Catalog.Database(s.login.Database)
	traits, missing := lb.Examine(stmt, text, s.policy(), known)
	if missing != nil {
		told, ok := s.askCatalogue(known, *missing)
		if !ok {
			return traits
		}
		traits, _ = lb.Examine(stmt, text, s.policy(), facts{known, told})
	}
	s.markMain(&traits, stmt, text)
	return traits
}

// askCatalogue asks a node of the session's own. Nothing comes of it while no node can
// be asked: the traits are then those of a statement that may do anything.
func (s *Session) askCatalogue(known *catalog.Database, q catalog.Question) (catalog.Answer, bool) {
	for l := s.askable(); l != nil; l = s.askable() {
		if !isPlain(q) && l.conn.Params()["client_encoding"] != "UTF8" {
			break
		}
		generation, shared := s.sees(l, known)
		rows, err := s.askOf(l, q.SQL())
		if err != nil && !l.answer.Failed() {
			continue // the connection broke
		}
		var answer catalog.Answer
		if err == nil {
			answer, err = q.Decode(rows)
		}
		if err != nil {
			s.log.Warn("catalogue not read", zap.Error(err))
			break
		}
		if shared {
			known.Keep(answer, generation) // not what the transaction alone can see
		}
		return answer, true
	}
	return catalog.Answer{}, false
}

// isPlain reports whether the names asked for are the same bytes in every encoding. What is
// kept for all sessions is in UTF-8.
func isPlain(q catalog.Question) bool {
	other := func(n catalog.Name) bool { return !isASCII(n.Schema) || !isASCII(n.Name) }
	return !slices.ContainsFunc(slices.Concat(q.Functions, q.Relations, q.Tables), other)
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// askable is a node that can be asked a question of ours in between: not one that waits
// for Sync, which would end what the frontend has begun, nor one whose transaction has
// failed or has yet to take its snapshot. Nothing more is asked for a statement that will not run. The main node is asked first.
func (s *Session) askable() *link {
	if l := s.main(); l != nil && s.canAsk(l) {
		return l
	}
	for _, l := range s.links {
		if l != nil && s.canAsk(l) {
			return l
		}
	}
	return nil
}

func (s *Session) canAsk(l *link) bool {
	if s.unanswered != nil || l.unsynced || l.conn.Skipping || l.conn.Status == wire.TxFailed {
		return false
	}
	return !l.begun || l.snapshot || !s.isolates() && !keepsSnapshot(s.isolation())
}

// changesCatalogue reports whether a statement may change what the catalogue says.
func changesCatalogue(kind parser.Kind) bool {
	switch kind {
	case parser.DDL, parser.CreateTableAs, parser.SelectInto, parser.Unknown:
		return true
	}
	return false
}

// redefines reports whether code that a statement sets off may change the catalogue: it
// has DDL in it, runs SQL that it puts together, or cannot be read.
func (s *Session) redefines(stmt *parser.Statement, sql string) bool {
	stmt, sql = s.effectiveOf(stmt, sql)
	return (len(stmt.UnknownFunctions)+len(stmt.Targets) > 0 || stmt.Kind == parser.Do) && s.verdictBefore(stmt, sql).Redefines
}

// hasRedefined is redefines for a statement that has run, of which main may have told.
func (s *Session) hasRedefined(stmt *parser.Statement, sql string) bool {
	told := s.undefined && s.ranOn == noNode
	return !told && s.redefines(stmt, sql)
}

// askRedefined asks main whether code that the work at hand has set off has changed the catalogue, so
// that not every row which a trigger puts into a partition by EXECUTE has all sessions ask anew.
func (s *Session) askRedefined() {
	main := s.main()
	if !s.workRedefines() || main == nil || !main.begun || !s.canAsk(main) {
		return
	}
	main.besides(func() {
		rows, err := s.askOf(main, catalog.RedefinedSQL())
		s.undefined = err == nil && len(rows) == 1 && rows[0] == "f"
	})
}

func (s *Session) workRedefines() bool {
	switch w := s.work.(type) {
	case *queryWork:
		return w.stmt != nil && s.redefines(w.stmt, w.sql)
	case *segment:
		for i := range w.steps {
			st := &w.steps[i]
			if st.kind == wire.KindExecute && st.prepared != nil && s.redefines(st.prepared.stmt, st.prepared.text) {
				return true
			}
		}
	}
	return false
}

// forgetCatalogue has all sessions ask again, now and once the transaction has ended.
func (s *Session) forgetCatalogue(stmt *parser.Statement) {
	ddl := changesOf(stmt)
	ddl.own = s.isOwn(stmt)
	s.forget(ddl)
	if s.tx.kind != txNone {
		s.tx.ddl = append(s.tx.ddl, ddl)
		s.openChange(ddl.relations)
		s.tx.numbered = s.tx.numbered || makesNumbers(stmt)
	}
}

// openChange keeps others' answers about what the transaction has changed from being taken for its own.
func (s *Session) openChange(names []string) {
	o := openChange{s.Catalog.Database(s.login.Database), names}
	o.known.Open(names)
	s.tx.opened = append(s.tx.opened, o)
}

func (s *Session) closeChanges() {
	for _, o := range s.tx.opened {
		o.known.Close(o.names)
	}
	s.tx.opened = nil
}

// openChange is a change that the transaction alone is shown.
type openChange struct {
	known *catalog.Database
	names []string
}

// forgetUndone is for the rollback to a savepoint, behind which the transaction may have changed the catalogue: what it was
// told since holds no more.
func (s *Session) forgetUndone() {
	for _, undone := range s.tx.ddl {
		s.forget(undone)
	}
	if last := len(s.tx.ddl) - 1; last >= 0 {
		s.tx.ddl = append(s.tx.ddl, s.tx.ddl[last]) // a change more
	}
}

// ddl is what a statement has changed of the catalogue: relations of these names alone, or, if
// there are none, what may have to do with the change.
type ddl struct {
	relations []string
	own       bool // of the session: temporary tables
	change    catalog.Change
}

// changeOf is what DDL is about that may change what is known of others.
func changeOf(stmt *parser.Statement) catalog.Change {
	switch {
	case stmt.Kind != parser.DDL:
		return catalog.Change{} // code has done it
	case len(stmt.Writes) > 0:
		return catalog.Change{Names: namesOfDDL(stmt)}
	}
	switch stmt.Node {
	case "RenameStmt", "AlterDomainStmt", "ImportForeignSchemaStmt":
		return catalog.Change{} // a schema, defaults of columns, or relations that are not in the text
	}
	return catalog.Change{Bodies: true, Onward: stmt.Onward}
}

// namesOfDDL are namesOf and what the relation is called from now on, or its index.
func namesOfDDL(stmt *parser.Statement) []string {
	names := namesOf(stmt)
	if stmt.Name != "" {
		names = append(names, stmt.Name)
	}
	return names
}

// namesOf are those of the relations in a statement, in whatever schema.
func namesOf(stmt *parser.Statement) []string {
	var names []string
	for _, r := range slices.Concat(stmt.Writes, stmt.Reads) {
		names = append(names, r.Name)
	}
	for i := range stmt.Targets {
		names = append(names, stmt.Targets[i].Relation.Name)
	}
	return names
}

// changesOf: a table that is created or dropped, which some applications do all the time,
// changes nothing about others.
func changesOf(stmt *parser.Statement) ddl {
	switch {
	case stmt.Kind == parser.CreateTableAs, stmt.Kind == parser.SelectInto:
	case stmt.Node == "CreateStmt", stmt.Node == "DropStmt" && len(stmt.Writes) > 0:
	default:
		return ddl{change: changeOf(stmt)}
	}
	return ddl{relations: namesOf(stmt)}
}

func (s *Session) forget(changed ddl) {
	known := s.Catalog.Database(s.login.Database)
	if len(changed.relations) > 0 {
		known.ForgetNames(catalog.Change{Names: changed.relations, By: s.id, Nothing: changed.own})
	} else {
		changed.change.By = s.id
		known.ForgetFor(changed.change)
		s.leases().ForgetHabits()
	}
	s.seeOwn(known)
}

// beginChange is called before the first node is sent the COMMIT of the transaction.
func (s *Session) beginChange() {
	if len(s.tx.ddl) > 0 {
		s.tx.changes = s.Catalog.Database(s.login.Database)
		s.tx.change = s.tx.changes.BeginChange()
	}
}

// endChange is called when the transaction has ended on all nodes.
func (s *Session) endChange() {
	for _, changed := range s.tx.ddl {
		s.forget(changed)
	}
	if s.tx.changes != nil {
		s.tx.changes.EndChange(s.tx.change)
	}
	if s.tx.gid != "" {
		s.notePreparedDDL()
	}
}

// notePreparedDDL follows what PREPARE TRANSACTION leaves to whoever commits it.
func (s *Session) notePreparedDDL() {
	known := s.Catalog.Database(s.login.Database)
	if len(s.tx.ddl) == 0 {
		known.NotePrepared(s.tx.gid)
	} else {
		known.TakePrepared(s.tx.gid)
	}
}

// changeByPrepared is beginChange for COMMIT PREPARED, which may be of DDL; end is endChange.
func (s *Session) changeByPrepared() (end func()) {
	known, stmt := s.Catalog.Database(s.login.Database), s.utility.stmt
	if stmt == nil || stmt.Kind != parser.CommitPrepared && stmt.Kind != parser.RollbackPrepared ||
		known.TakePrepared(stmt.Name) || stmt.Kind == parser.RollbackPrepared {
		return func() {}
	}
	change := known.BeginChange()
	return func() {
		known.Forget()
		s.leases().ForgetHabits()
		known.EndChange(change)
	}
}
