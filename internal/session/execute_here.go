package session

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/lb"
	"github.com/pgchorus/pgchorus/parser"
)

// Table is an answer that pgchorus gives itself: columns of text.
type Table struct {
	Columns []string
	Rows    [][]string
}

// Viewer is the session that asks.
type Viewer struct {
	LoadBalanceNode config.NodeID
	Config          *config.Config // as the session sees it, with its own PGPOOL SET
}

// Shower answers SHOW POOL_NODES and its relatives.
type Shower interface {
	// Show returns the table of a command by its lower-case name, such as
	// pool_nodes; false when there is no such command.
	Show(ctx context.Context, name string, who Viewer) (Table, bool)
}

// hereKind is what kind of statement is answered here.
type hereKind uint8

const (
	notHere hereKind = iota
	hereEmpty
	hereBegin
	hereCommit
	hereRollback
	hereShow
	herePgpool
)

// isHere reports whether a statement is answered here, and how.
func isHere(stmt *parser.Statement, sql string) hereKind {
	switch stmt.Kind {
	case parser.Empty:
		return hereEmpty
	case parser.Begin:
		return hereBegin
	case parser.Commit:
		return hereCommit
	case parser.Rollback:
		return hereRollback
	case parser.Show:
		if showNames[stmt.Name] {
			return hereShow
		}
	case parser.Unknown:
		if isPgpool(sql) {
			return herePgpool
		}
	}
	return notHere
}

// showNames are the SHOW commands that are answered here (Pgpool-II, SHOW POOL_*).
var showNames = map[string]bool{
	"pool_status": true, "pool_nodes": true, "pool_processes": true, "pool_pools": true,
	"pool_version": true, "pool_cache": true, "pool_health_check_stats": true, "pool_backend_stats": true,
	"pool_node_reasons": true, "pool_cache_nodes": true,
}

func isPgpool(sql string) bool {
	words := strings.Fields(sql)
	return len(words) > 1 && strings.EqualFold(words[0], "pgpool")
}

func (s *Session) answersHere(p *prepared) bool { return isHere(p.stmt, p.text) != notHere }

// runHere runs a statement of a query string that is answered here.
func (s *Session) runHere(ctx context.Context, stmt *parser.Statement, sql string, several bool) (handled, ok bool, err error) {
	if p := s.named(stmt); p != nil && stmt.Kind == parser.Execute && s.answersHere(p) {
		return s.runHere(ctx, p.stmt, p.text, several)
	}
	kind := isHere(stmt, sql)
	if s.tx.failed && stmt.Kind == parser.PrepareTransaction {
		kind = hereCommit // as in PostgreSQL (PrepareTransactionBlock)
	}
	switch kind {
	case notHere:
		if s.tx.kind == txImplicit && (needsBlock(stmt.Kind) || !several && needsAnyBlock(stmt)) {
			ok, err = s.refused(outsideOfBlock(stmt.Kind))
			return true, ok, err
		}
		return false, false, nil
	case hereShow, herePgpool:
		table, tag, err := s.ask(ctx, kind, stmt, sql)
		if err != nil {
			ok, err = s.refused(err)
			return true, ok, err
		}
		s.replyTable(table, true)
		s.replyTag(tag)
		return true, true, nil
	}
	ok, err = s.control(ctx, kind, stmt, sql)
	return true, ok, err
}

// needsBlock: savepoints are refused in the implicit transaction of a string
// (PostgreSQL, DefineSavepoint and its relatives).
func needsBlock(kind parser.Kind) bool {
	return kind == parser.Savepoint || kind == parser.Release || kind == parser.RollbackTo
}

// needsAnyBlock: these are content with the implicit transaction of a string, and refused
// in that of an extended query (PostgreSQL, RequireTransactionBlock).
func needsAnyBlock(stmt *parser.Statement) bool {
	return stmt.Kind == parser.Lock || stmt.Kind == parser.Declare && !stmt.Holds
}

// outsideOfBlock is PostgreSQL's error for what means something in a block only.
func outsideOfBlock(kind parser.Kind) error {
	name := strings.ToUpper(kind.String())
	switch kind {
	case parser.Release:
		name = "RELEASE SAVEPOINT"
	case parser.RollbackTo:
		name = "ROLLBACK TO SAVEPOINT"
	case parser.Declare:
		name = "DECLARE CURSOR"
	case parser.Lock:
		name = "LOCK TABLE"
	}
	return pgerr.Newf(pgerr.NoActiveSQLTransaction, "%s can only be used in transaction blocks", name)
}

// control begins and ends transactions.
func (s *Session) control(ctx context.Context, kind hereKind, stmt *parser.Statement, sql string) (ok bool, err error) {
	switch kind {
	case hereEmpty:
		s.replyEmpty(wire.KindEmptyQueryResponse)
		return true, nil
	case hereBegin:
		return s.beginBlock(ctx, stmt, sql)
	case hereCommit:
		return s.commitBlock(ctx, stmt)
	}
	return s.rollbackBlock(ctx, stmt)
}

// beginBlock opens the frontend's block. No node hears of it before it is sent its
// first statement. An implicit transaction becomes the block, as in PostgreSQL.
func (s *Session) beginBlock(ctx context.Context, stmt *parser.Statement, sql string) (ok bool, err error) {
	switch {
	case s.tx.failed:
		return s.refused(s.failedTransaction())
	case s.tx.kind == txExplicit && hasOptions(stmt):
		return s.beginAgain(ctx, stmt, sql)
	case s.tx.kind == txExplicit:
		s.replyWarning(pgerr.ActiveSQLTransaction, "there is already a transaction in progress")
	case s.tx.kind == txImplicit && (s.tx.wrote || len(s.begun()) > 0):
		s.tx.kind = txExplicit
	default:
		s.openBlock(txExplicit, beginText(sql), stmt)
	}
	s.replyTag(beginTag(sql))
	return true, nil
}

// beginAgain: a BEGIN within a block warns, and yet sets the characteristics that it
// names. The nodes do both.
func (s *Session) beginAgain(ctx context.Context, stmt *parser.Statement, sql string) (ok bool, err error) {
	s.work = &queryWork{sql: sql, kind: stmt.Kind}
	ok, err = s.executeWrite(ctx, s.route(lb.Traits{}))
	if ok {
		s.tx.isolation = cmp.Or(stmt.Isolation, s.tx.isolation)
		s.tx.pinned = true
	}
	return ok, err
}

// executeWrite runs the session's work where the route of a write leads.
func (s *Session) executeWrite(ctx context.Context, where target) (ok bool, err error) {
	if where.all {
		return s.executeAll(ctx, allOptions{})
	}
	return s.executeOne(ctx, where)
}

// beginText opens the block on the nodes: one text for all that ask for nothing but that.
func beginText(sql string) string {
	sql = strings.TrimRight(sql, "; \t\r\n")
	if slices.ContainsFunc(plainBegins, func(plain string) bool { return strings.EqualFold(sql, plain) }) {
		return plainBegin
	}
	return sql
}

var plainBegins = []string{"BEGIN", "START TRANSACTION", "BEGIN TRANSACTION", "BEGIN WORK"}

func hasOptions(stmt *parser.Statement) bool {
	return stmt.Isolation != "" || stmt.ReadOnlyTransaction || stmt.ReadWriteTransaction
}

// beginTag: PostgreSQL answers START TRANSACTION with its own name.
func beginTag(sql string) string {
	if strings.EqualFold(firstWord(sql), "start") {
		return "START TRANSACTION"
	}
	return "BEGIN"
}

// firstWord is the first word of a statement behind blanks and comments.
func firstWord(sql string) string {
	for {
		sql = strings.TrimLeft(sql, " \t\r\n\f\v;")
		switch {
		case strings.HasPrefix(sql, "--"):
			_, sql, _ = strings.Cut(sql, "\n")
		case strings.HasPrefix(sql, "/*"):
			sql = behindComment(sql)
		default:
			end := strings.IndexFunc(sql, func(r rune) bool { return !unicode.IsLetter(r) })
			if end < 0 {
				return sql
			}
			return sql[:end]
		}
	}
}

// behindComment cuts off a comment, which may hold others.
func behindComment(sql string) string {
	depth := 0
	for i := 0; i+1 < len(sql); i++ {
		switch sql[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
			if depth == 0 {
				return sql[i+1:]
			}
		}
	}
	return ""
}

// commitBlock commits the frontend's block.
func (s *Session) commitBlock(ctx context.Context, stmt *parser.Statement) (ok bool, err error) {
	switch owed := s.tx.owed; {
	case s.tx.failed && owed != nil:
		s.rollback(ctx)
		return s.refused(owed)
	case s.tx.failed:
		return s.rollbackBlock(ctx, stmt)
	}
	if s.tx.kind != txExplicit {
		if stmt.Chain {
			return s.refused(pgerr.New(pgerr.NoActiveSQLTransaction, "COMMIT AND CHAIN can only be used in transaction blocks"))
		}
		s.replyWarning(pgerr.NoActiveSQLTransaction, "there is no transaction in progress")
	}
	before := s.tx
	ok, err = s.commit(ctx)
	if !ok || err != nil {
		return false, err
	}
	s.chain(stmt, before)
	if !s.ack.given {
		s.replyTag(commitTag)
	}
	return true, nil
}

// rollbackBlock ends the frontend's block without effect.
func (s *Session) rollbackBlock(ctx context.Context, stmt *parser.Statement) (ok bool, err error) {
	if s.tx.kind != txExplicit {
		if stmt.Chain {
			return s.refused(pgerr.New(pgerr.NoActiveSQLTransaction, "ROLLBACK AND CHAIN can only be used in transaction blocks"))
		}
		s.replyWarning(pgerr.NoActiveSQLTransaction, "there is no transaction in progress")
	}
	before := s.tx
	s.rollback(ctx)
	s.chain(stmt, before)
	s.replyTag("ROLLBACK")
	return true, nil
}

// chain opens the next block with the characteristics of the one that has ended.
func (s *Session) chain(stmt *parser.Statement, before transaction) {
	if stmt.Chain {
		s.tx.open(txExplicit, before.begin, before.isolation)
		s.noteSeen()
		s.tx.readOnly = before.readOnly
	}
}

// ask answers a SHOW POOL_* or a PGPOOL command.
func (s *Session) ask(ctx context.Context, kind hereKind, stmt *parser.Statement, sql string) (Table, string, error) {
	if s.tx.failed {
		return Table{}, "", s.failedTransaction()
	}
	if kind == herePgpool {
		return s.pgpool(sql)
	}
	table, known := s.Show.Show(ctx, stmt.Name, Viewer{LoadBalanceNode: s.lb, Config: s.config()})
	if !known {
		return Table{}, "", pgerr.Newf(pgerr.UndefinedObject, "unrecognized configuration parameter %q", stmt.Name)
	}
	return table, selectTag(table), nil
}

// pgpool runs PGPOOL SHOW, PGPOOL SET and PGPOOL RESET.
func (s *Session) pgpool(sql string) (Table, string, error) {
	if statement, ok := routeFor(sql); ok {
		return s.showRoute(statement)
	}
	if statement, ok := deletedText(sql); ok {
		return s.deleteAnswer(statement)
	}
	words := strings.Fields(strings.TrimRight(strings.TrimSpace(sql), "; \t\r\n"))
	command := strings.ToUpper(words[1])
	switch {
	case command == "SHOW" && len(words) == 3:
		return s.pgpoolShow(words[2])
	case command == "SET" && len(words) >= 4:
		name, value := cutSetting(words[2:])
		return Table{}, "SET", s.pgpoolSet(strings.ToLower(name), value)
	case command == "RESET" && len(words) == 3:
		return s.pgpoolReset(strings.ToLower(words[2]))
	}
	return Table{}, "", pgerr.Newf(pgerr.SyntaxError, "syntax error at or near %q", words[len(words)-1]).
		WithHint("PGPOOL SHOW name | PGPOOL SHOW ALL | PGPOOL SHOW ROUTE FOR statement | PGPOOL SET name TO value | PGPOOL SET CACHE DELETE 'statement' | PGPOOL RESET name | PGPOOL RESET ALL")
}

// cutSetting splits "name TO value", "name = value" and "name=value".
func cutSetting(words []string) (name, value string) {
	text := strings.Join(words, " ")
	if name, value, ok := strings.Cut(text, "="); ok {
		return strings.TrimSpace(name), unquoted(value)
	}
	rest := words[1:]
	if len(rest) > 1 && strings.EqualFold(rest[0], "to") {
		rest = rest[1:]
	}
	return words[0], unquoted(strings.Join(rest, " "))
}

func unquoted(value string) string {
	value = strings.TrimSpace(value)
	if len(value) >= 2 && value[0] == '\'' && value[len(value)-1] == '\'' {
		return strings.ReplaceAll(value[1:len(value)-1], "''", "'")
	}
	return value
}

// pgpoolShow: one parameter is a column named as it was typed, several are rows.
func (s *Session) pgpoolShow(typed string) (Table, string, error) {
	name := strings.ToLower(strings.Trim(typed, `"`))
	if value, _, ok := s.config().Show(name); ok {
		table := Table{Columns: []string{typed}, Rows: [][]string{{value}}}
		return table, selectTag(table), nil
	}
	rows, ok := s.config().ShowRows(name)
	if !ok {
		return Table{}, "", pgerr.Newf(pgerr.UndefinedObject, "config variable %q not found", name)
	}
	table := Table{Columns: []string{"item", "value", "description"}}
	for _, row := range rows {
		table.Rows = append(table.Rows, []string{row.Name, row.Value, row.Description})
	}
	return table, selectTag(table), nil
}

func (s *Session) pgpoolSet(name, value string) error {
	var next *config.Config
	var err error
	if strings.EqualFold(value, "default") {
		next, err = s.config().WithDefault(name)
	} else {
		next, err = s.config().WithSession(name, value)
	}
	if err != nil {
		return sessionError(err)
	}
	s.settings.own = next
	return nil
}

// pgpoolReset answers RESET of one name with the tag SET, as Pgpool-II does.
func (s *Session) pgpoolReset(name string) (Table, string, error) {
	if name == "all" {
		s.settings.own = nil
		return Table{}, "RESET", nil
	}
	return Table{}, "SET", s.pgpoolSet(name, "default")
}

// sessionError gives a refused PGPOOL SET its SQLSTATE.
func sessionError(err error) error {
	var refused *config.SessionError
	if !errors.As(err, &refused) {
		return err
	}
	code := pgerr.InvalidParameterValue
	switch refused.Kind {
	case config.UnknownName:
		code = pgerr.UndefinedObject
	case config.NotInSession:
		code = pgerr.CantChangeRuntimeParam
	}
	return &pgerr.Error{Severity: pgerr.SeverityError, Code: code, Message: refused.Message, Hint: refused.Hint}
}

// replyTable sends a table's rows, with their description if asked for.
func (s *Session) replyTable(table Table, described bool) {
	if len(table.Columns) == 0 {
		return
	}
	if described {
		s.reply(func(b []byte) []byte { return wire.AppendTextColumns(b, table.Columns...) })
	}
	for _, row := range table.Rows {
		s.reply(func(b []byte) []byte { return wire.AppendTextRow(b, row...) })
	}
}

// What follows answers the messages of an extended query for such statements.

// replyLocal answers a message with one that has no body.
func (s *Session) replyLocal(kind wire.Kind) func(context.Context) (bool, error) {
	return func(context.Context) (bool, error) {
		s.replyEmpty(kind)
		return true, nil
	}
}

func (s *Session) parseHere(*prepared) func(context.Context) (bool, error) {
	return s.replyLocal(wire.KindParseComplete)
}

// describeHere answers Describe: of a statement with its parameters, which are none.
func (s *Session) describeHere(p *prepared, statement bool) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		if statement {
			s.reply(func(b []byte) []byte { return wire.AppendMessage(b, wire.KindParameterDescription, []byte{0, 0}) })
		}
		kind := isHere(p.stmt, p.text)
		if kind != hereShow && (kind != herePgpool || !strings.EqualFold(strings.Fields(p.text)[1], "show")) {
			s.replyEmpty(wire.KindNoData)
			return true, nil
		}
		table, _, err := s.ask(ctx, kind, p.stmt, p.text)
		if err != nil {
			return s.refused(err)
		}
		s.reply(func(b []byte) []byte { return wire.AppendTextColumns(b, table.Columns...) })
		return true, nil
	}
}

// executeHere answers Execute.
func (s *Session) executeHere(bound *portal) func(context.Context) (bool, error) {
	p := bound.prepared
	return func(ctx context.Context) (bool, error) {
		if bound.done {
			return s.refused(pgerr.Newf(pgerr.ObjectNotInPrerequisiteState, "portal %q cannot be run", bound.name))
		}
		bound.done = p.kind() != parser.Empty
		kind := isHere(p.stmt, p.text)
		if kind != hereShow && kind != herePgpool {
			return s.control(ctx, kind, p.stmt, p.text)
		}
		table, tag, err := s.ask(ctx, kind, p.stmt, p.text)
		if err != nil {
			return s.refused(err)
		}
		s.replyTable(table, false)
		s.replyTag(tag)
		return true, nil
	}
}

func selectTag(table Table) string { return "SELECT " + strconv.Itoa(len(table.Rows)) }
