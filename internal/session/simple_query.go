package session

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// simpleQuery runs a query string: its statements one after the other, in one
// implicit transaction unless they open and close blocks themselves, as PostgreSQL
// does it (protocol chapter 55.2.3).
func (s *Session) simpleQuery(ctx context.Context, frame wire.Frame) error {
	text, err := wire.DecodeQuery(frame.Body())
	if err != nil {
		return pgerr.Fatal(pgerr.ProtocolViolation, "invalid string in message").Wrap(err)
	}
	if s.batch.skipping {
		return nil // the server, too, ignores everything up to Sync
	}
	if err := s.runBatch(ctx, endNone); err != nil || s.batch.skipping {
		return err
	}
	delete(s.st.prepared, "") // as the server does (protocol chapter 55.2.3)
	s.endOpenReads(ctx)
	if answered, err := s.answerCached(ctx, text); answered || err != nil {
		return err
	}
	ok, err := s.runString(ctx, text)
	if err != nil {
		return err
	}
	return s.settle(ctx, ok)
}

// runString runs the statements of a query string. ok is false when one of them
// failed; the rest is not run then.
func (s *Session) runString(ctx context.Context, sql []byte) (ok bool, err error) {
	s.beginWork()
	text, script := s.memo.Recall(s.Scripts, sql)
	if s.set == nil && !s.asksNoNode(script) {
		if ok, err := s.unpark(ctx); !ok || err != nil {
			return false, err
		}
	}
	s.refreshView()
	s.logStatement(text)
	if err := s.lostLocks(); err != nil {
		return false, err
	}
	if ok, err = s.runScript(ctx, script, text); ok && script.Statements[0].Kind != parser.Empty {
		s.st.forgetPortal("") // a server has run it in that
	}
	return ok, err
}

// runScript runs what the string holds.
func (s *Session) runScript(ctx context.Context, script *parser.Script, text string) (ok bool, err error) {
	switch {
	case s.tx.failed && script.Err != nil && !isPgpool(text):
		return s.refused(script.Err) // PostgreSQL, too, parses before it looks at the block
	case len(script.Statements) == 1:
		s.closing = changesRows(script.Statements[0].Kind)
		s.endsString(&script.Statements[0])
		return s.runStatement(ctx, &script.Statements[0], text, 0, false)
	case script.ReadOnly && !script.TransactionControl && s.tx.kind == txNone && !anyHere(script, text):
		if where, same := s.routeString(script, text); same {
			return s.runReadOnlyString(ctx, text, where)
		}
	}
	return s.runStatements(ctx, script, text)
}

// routeString routes a string of reads; same is false unless all go to one node.
func (s *Session) routeString(script *parser.Script, text string) (where target, same bool) {
	for i := range script.Statements {
		if s.checkSafety(&script.Statements[i], text, 0) != nil {
			return target{}, false // told when its turn comes
		}
		next := s.route(s.traits(&script.Statements[i], text))
		if next.all || next.once || i > 0 && next != where {
			return target{}, false
		}
		where = next
	}
	return where, true
}

func anyHere(script *parser.Script, text string) bool {
	for i := range script.Statements {
		if isHere(&script.Statements[i], text) != notHere {
			return true
		}
	}
	return false
}

// runReadOnlyString lets one node run a string of reads as it is.
func (s *Session) runReadOnlyString(ctx context.Context, text string, where target) (ok bool, err error) {
	s.setQuery(queryWork{sql: text, kind: parser.Select})
	return s.executeOne(ctx, where)
}

// runStatements runs the statements of a string in the implicit transaction that
// PostgreSQL would run them in.
func (s *Session) runStatements(ctx context.Context, script *parser.Script, text string) (ok bool, err error) {
	for i := range script.Statements {
		stmt := &script.Statements[i]
		if s.tx.kind == txNone && isHere(stmt, text) == notHere {
			s.openBlock(txImplicit, plainBegin, nil)
			s.tx.pinned = true // some of them writes, and they belong together
		}
		sql := stmt.Text(text)
		base := utf8.RuneCountInString(text[:stmt.Start])
		if ok, err := s.runStatement(ctx, stmt, sql, base, true); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// runStatement runs one statement. several is set when it stands in a string with
// others.
func (s *Session) runStatement(ctx context.Context, stmt *parser.Statement, sql string, base int, several bool) (ok bool, err error) {
	if handled, ok, err := s.runHere(ctx, stmt, sql, several); handled || err != nil {
		return ok, err
	}
	if s.tx.failed && stmt.Kind != parser.RollbackTo {
		return s.refused(s.failedTransaction())
	}
	if err := s.snapshotFirst(ctx, stmt, sql); err != nil {
		return s.refuseOrEnd(err)
	}
	if stmt.Kind == parser.Prepare {
		if err := s.freeName(stmt.Name); err != nil {
			return s.refused(err)
		}
	}
	needs, err := s.needed(stmt)
	if err != nil {
		return s.refused(err)
	}
	err = s.checkSafety(stmt, sql, base)
	where := s.routeStatement(stmt, sql)
	if err := s.disturbed(ctx); err != nil {
		return s.refuseOrEnd(err)
	}
	if err != nil {
		return s.refused(err)
	}
	s.noteWrite(stmt, where)
	s.noteLoan(stmt, sql, where)
	if where.all && s.replicates() {
		ok, err = s.replicate(ctx, stmt, sql, base, several, needs)
		return s.noteResult(stmt, sql, ok), err
	}
	s.takeUp(stmt, sql, base, needs)
	ok, err = s.runRouted(ctx, stmt, sql, where, several)
	return s.noteResult(stmt, sql, ok), err
}

// takeUp makes a statement that is not replicated the session's work.
func (s *Session) takeUp(stmt *parser.Statement, sql string, base int, needs *prepared) {
	s.setQuery(queryWork{sql: s.withProcess(stmt, sql), kind: stmt.Kind, base: base, needs: needs, lists: listsPrepared(stmt)})
}

// runRouted runs it where it was routed to: on one node, or on all that the session has.
func (s *Session) runRouted(ctx context.Context, stmt *parser.Statement, sql string, where target, several bool) (ok bool, err error) {
	if where.all {
		return s.executeSession(ctx)
	}
	s.query.auto = s.autoAsIs(stmt, sql)
	defer func() { s.query.auto = nil }()
	if !several {
		if handled, ok, err := s.runShared(ctx, stmt, sql, where); handled {
			return ok, err
		}
	}
	return s.executeOne(ctx, where)
}

// replicate runs a statement on all nodes, in the way that its relation to
// transaction blocks asks for.
func (s *Session) replicate(ctx context.Context, stmt *parser.Statement, sql string, base int, several bool, needs *prepared) (ok bool, err error) {
	w := &s.query
	*w = queryWork{stmt: stmt, text: sql, several: several, kind: stmt.Kind, draws: drawsSequence(stmt), digest: wantsDigest(stmt), base: base, needs: needs, lists: listsPrepared(stmt)}
	s.tickets.text = sql
	s.notePreparing(stmt)
	defer s.endCare()
	if err := s.decideQuery(ctx, w); err != nil {
		return s.refuseOrEnd(err)
	}
	s.work, s.utility = w, utility{stmt, w.sql}
	outside := s.tx.kind == txNone
	switch {
	case outside && (stmt.Block == parser.BlockNever || stmt.Block == parser.BlockOnly || analyzes(stmt)):
		s.care = nil
		w.bare = true
		defer s.leaveDatabases(stmt, w.sql)()
		if err := s.mayDrop(stmt, w.sql); err != nil {
			return s.refused(err)
		}
		s.prepareBare(stmt)
		return s.executeBare(ctx, bareOptions(stmt))
	case outside && stmt.Block == parser.BlockMayCommit:
		return s.executeMayCommit(ctx, &w.bare)
	}
	ok, err = s.executeWithValues(ctx)
	w.auto = nil
	return ok, err
}

// decideQuery decides how a statement is run on all nodes, after it was judged.
func (s *Session) decideQuery(ctx context.Context, w *queryWork) (err error) {
	stmt, sql := w.stmt, w.text
	w.basis, w.place, w.auto, w.values = s.basis, nil, nil, nil
	w.sql = s.withAddedTimes(stmt, s.raised(stmt, sql))
	if err := s.prepareSequences(ctx, stmt, sql); err != nil {
		return err
	}
	if decided, err := s.decideAuto(ctx, w); decided || err != nil {
		return err
	}
	if err := s.makeSame(ctx, w, stmt, w.several); err != nil {
		return err
	}
	if w.watch, err = s.watchCopy(ctx, stmt); err != nil {
		return err
	}
	s.care = s.careFor(stmt, sql, w.sql, len(s.unlike) > 0)
	w.care = s.care
	if err := s.askBefore(ctx, stmt); err != nil {
		return err
	}
	if err := s.placeObjects(ctx, w, stmt, sql); err != nil {
		return err
	}
	w.others = othersText(stmt, w.sql)
	return nil
}

// prepareBare gets obstacles of our own making out of the way.
func (s *Session) prepareBare(stmt *parser.Statement) {
	if stmt.Node == "DropdbStmt" {
		s.Pool.CloseIdle()
	}
	if s.Commits != nil && (stmt.Node == "DropdbStmt" || stmt.Node == "CreatedbStmt") {
		s.Commits.Doubt() // another database may have that name
	}
}

// makeSame replaces in a statement what each node would compute for itself. several:
// its text is a part of the string that stmt was classified from.
func (s *Session) makeSame(ctx context.Context, w *queryWork, stmt *parser.Statement, several bool) error {
	if isRole(stmt) {
		if several {
			stmt = &parser.Classify(w.sql).Statements[0]
		}
		w.sql = s.withRolePassword(stmt, w.sql)
		return nil
	}
	switch stmt.Kind {
	case parser.Prepare:
		s.preparing(w, stmt)
		return nil
	case parser.Execute:
		sql, err := s.executing(ctx, stmt, w.sql)
		if w.needs = s.named(stmt); err != nil || sql != w.sql {
			w.sql = sql
			return err
		}
	}
	w.planned = w.sql
	plan, values, err := s.planAndValues(ctx, stmt, w.sql)
	if err != nil {
		return err
	}
	s.splice(w, plan, values)
	return nil
}

// splice puts the values of a plan, which is nil for none, into the text.
func (s *Session) splice(w *queryWork, plan *parser.Plan, values []parser.Value) {
	if w.plan = plan; plan == nil {
		return
	}
	if filled := plan.Splice(values); s.canSend(filled) {
		w.sql, w.place = filled.SQL, filled.Position
	}
}

// freeName sees to it that PREPARE finds its name free, or taken, on all nodes alike:
// a statement of a Parse message is only where it was needed, and one whose Parse was
// answered with an error may still be there.
func (s *Session) freeName(name string) error {
	if s.st.prepared[name] != nil {
		return pgerr.Newf(pgerr.DuplicatePreparedStatement, "prepared statement %q already exists", name)
	}
	for _, l := range s.links {
		if l != nil && l.prepared[name] != nil {
			l.forgotten = append(l.forgotten, closing{what: 'S', name: name})
		}
	}
	return nil
}

// needed is the prepared statement that EXECUTE or DEALLOCATE names.
func (s *Session) needed(stmt *parser.Statement) (*prepared, error) {
	p := s.named(stmt)
	if p == nil && !stmt.All && (stmt.Kind == parser.Execute || stmt.Kind == parser.Deallocate) {
		return nil, unknownStatement(stmt.Name)
	}
	return p, nil
}

// named is the prepared statement that EXECUTE or DEALLOCATE names, if there is one.
func (s *Session) named(stmt *parser.Statement) *prepared {
	if stmt.All || (stmt.Kind != parser.Execute && stmt.Kind != parser.Deallocate) {
		return nil
	}
	return s.st.prepared[stmt.Name]
}

// refused answers a statement with an error of ours.
func (s *Session) refused(err error) (ok bool, _ error) {
	s.replyError(err)
	return false, nil
}

// noteResult keeps what a statement changed of the session, if it succeeded.
func (s *Session) noteResult(stmt *parser.Statement, sql string, ok bool) bool {
	if ok {
		s.noteTried(stmt)
		s.noteStatement(stmt, sql)
		s.noteEndedByStatement()
	}
	return ok
}

// noteStatement follows the statements that change what later ones mean.
func (s *Session) noteStatement(stmt *parser.Statement, sql string) {
	s.noteTemporary(stmt)
	if changesRoles(stmt) {
		s.tx.roles = true
	}
	s.noteRights(stmt)
	if changesCatalogue(stmt.Kind) || s.hasRedefined(stmt, sql) {
		s.forgetCatalogue(stmt)
	}
	if stmt.Kind == parser.Unknown {
		s.tellVerdict(s.verdictBefore(stmt, sql))
	}
	s.noteSet(stmt, sql)
	s.drew.follow(stmt)
	s.noteAdvisory(stmt)
	s.noteTimeouts(stmt)
	s.tx.savepoints.note(stmt)
	s.endSignalled(stmt)
	if s.hasPrimary() {
		s.noteOnPrimary(stmt)
	}
	switch stmt.Kind {
	case parser.Prepare:
		sql, _ = s.withObjects(stmt, sql)
		s.notePrepared(s.preparedBySQL(stmt, sql))
	case parser.Deallocate:
		s.forgetPrepared(stmt)
	case parser.Discard:
		s.forgetDiscarded(stmt)
	case parser.RollbackTo:
		s.tx.failed, s.tx.aborted, s.tx.owed = false, false, nil
		s.tx.locked = nil                                                // locks that were taken behind the savepoint are gone
		s.settings.kept.lost = s.settings.kept.lost || len(s.tx.set) > 0 // which of it stays is not followed
		s.forgetUndone()
		s.doubtUndone()
	case parser.Listen:
		s.noteListen(stmt.Name)
	case parser.Unlisten:
		s.noteUnlisten(stmt)
	default:
		s.noteSetting(stmt)
	}
}

func (s *Session) noteListen(channel string) {
	if s.settings.channels == nil {
		s.settings.channels = map[string]bool{}
	}
	s.settings.channels[channel] = true
	if main := s.main(); main != nil {
		main.listens = true
	}
}

func (s *Session) noteUnlisten(stmt *parser.Statement) {
	delete(s.settings.channels, stmt.Name)
	if stmt.All {
		s.settings.channels = nil
	}
}

// createsTemporary reports whether a statement makes a temporary table.
func createsTemporary(stmt *parser.Statement) bool {
	return slices.ContainsFunc(stmt.Writes, func(r parser.Relation) bool { return r.Temporary })
}

// hasTemporary reports whether the session has made temporary tables.
func (s *Session) hasTemporary() bool { return len(s.settings.temporary) > 0 }

// noteTemporary remembers what temporary tables are called.
func (s *Session) noteTemporary(stmt *parser.Statement) {
	for _, r := range stmt.Writes {
		if r.Temporary {
			if s.settings.temporary == nil {
				s.settings.temporary = map[string]bool{}
			}
			s.settings.temporary[r.Name] = true
		}
	}
}

// isOwn reports whether a statement makes temporary tables, or drops what the session has made such of: others do not
// see them. Was a table of everybody's dropped, others' statements about it fail on all nodes, whatever they know of it.
func (s *Session) isOwn(stmt *parser.Statement) bool {
	return len(stmt.Writes) > 0 && !slices.ContainsFunc(stmt.Writes, func(r parser.Relation) bool {
		return !r.Temporary && !(stmt.Node == "DropStmt" && s.settings.temporary[r.Name])
	})
}

// notePrepared keeps the statement of a PREPARE, which has run on the nodes that the
// work was done by. The others are given it when they need it.
func (s *Session) notePrepared(p *prepared) {
	s.st.prepared[p.name] = p
	for _, l := range s.links {
		if l != nil && s.ran(l) {
			l.prepared[p.name] = p
		}
	}
}

// ran reports whether the work was done by that node, too.
func (s *Session) ran(l *link) bool { return s.ranOn == noNode || s.ranOn == l.ID() }

func (s *Session) forgetPrepared(stmt *parser.Statement) {
	for _, l := range s.links {
		switch {
		case l == nil:
		case stmt.All:
			l.forgetStatements()
		case s.ran(l):
			delete(l.prepared, stmt.Name)
		case l.prepared[stmt.Name] != nil:
			l.forgotten = append(l.forgotten, closing{what: 'S', name: stmt.Name})
		}
	}
	if stmt.All {
		s.st.forgetAll()
		s.loan.endsNames()
	} else {
		delete(s.st.prepared, stmt.Name)
	}
}

// forgetDiscarded follows DISCARD ALL; the other kinds change nothing that we know.
func (s *Session) forgetDiscarded(stmt *parser.Statement) {
	if stmt.All || stmt.Name == "temp" {
		s.track.Discard()
	}
	if stmt.All {
		s.forgetPrepared(stmt)
		s.loan.startsAnew()
		s.settings = sessionSettings{isolation: s.set.Isolation, timesOut: s.set.TimesOut}
	}
}

// noteCustom remembers a setting of the session's own making.
func (s *Session) noteCustom(name string) {
	if !strings.Contains(name, ".") {
		return
	}
	if s.settings.custom == nil {
		s.settings.custom = map[string]bool{}
	}
	s.settings.custom[name] = true
}

// noteSetting follows the isolation level, and settings that no catalogue lists.
func (s *Session) noteSetting(stmt *parser.Statement) {
	for _, f := range stmt.Functions {
		s.settings.seeded = s.settings.seeded || f.Name == "setseed"
		if f.Name == "set_config" && len(f.Args) > 0 {
			s.noteCustom(f.Args[0])
		}
	}
	switch stmt.Kind {
	case parser.SetTransaction:
		s.tx.modes.note(stmt)
		if stmt.Isolation != "" && (keepsSnapshot(stmt.Isolation) || !s.isolates()) {
			s.tx.isolation = stmt.Isolation
			s.noteSeen()
		}
	case parser.Set, parser.SetLocal:
		s.noteCustom(stmt.Name)
		switch stmt.Name {
		case "default_transaction_isolation", "session characteristics":
			s.settings.isolation = cmp.Or(stmt.Isolation, s.settings.isolation)
		case "transaction_isolation":
			s.tx.isolation = stmt.Isolation
			s.noteSeen()
		}
	case parser.Reset:
		if stmt.All || stmt.Name == "default_transaction_isolation" {
			s.settings.isolation = s.set.Isolation
		}
	}
}

// noteEndedByStatement notices a block that a statement has ended on the nodes:
// PREPARE TRANSACTION, or something that the parser does not know.
func (s *Session) noteEndedByStatement() {
	if s.tx.kind == txNone || !s.tx.wrote && s.tx.writer == noNode {
		return
	}
	for _, l := range s.links {
		if l != nil && l.begun && (s.tx.wrote || l.ID() == s.tx.writer) {
			return
		}
	}
	if len(s.begun()) > 0 {
		s.dropBegun() // they have read only
	}
	s.endTransaction()
}
