package session

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/logkey"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
	"github.com/pgchorus/pgchorus/replicator"
)

// Commands that cannot be rolled back run on the main node and, when they have succeeded
// there, on the others. Where one of these fails, what was done is taken back on the
// others if there is a way, and the frontend is told what was done where. Where there is
// none, the node that lacks it is fenced (fenceDifferent).

// utility is the command at hand, as far as its failure is treated in a way of its own.
type utility struct {
	stmt *parser.Statement
	sql  string // the command by itself
}

// physical commands change nothing that a query could show: a node that has not done one
// stays.
func (u utility) physical() bool {
	switch u.stmt.Node {
	case "VacuumStmt", "ClusterStmt", "ReindexStmt", "CheckPointStmt":
		return true
	}
	return false
}

// buildsIndex: CREATE INDEX CONCURRENTLY and its like, which leave an invalid index when
// they fail.
func (u utility) buildsIndex() bool {
	return u.stmt.Node == "IndexStmt" && u.stmt.Block == parser.BlockNever || u.stmt.Node == "ReindexStmt"
}

// retries: what may have failed because of somebody else's session, and is harmless to be
// run again.
func (u utility) retries() bool {
	switch u.stmt.Node {
	case "DropdbStmt", "DropStmt":
		return true
	}
	return u.stmt.Kind == parser.CommitPrepared || u.stmt.Kind == parser.RollbackPrepared || u.buildsIndex()
}

// undo is the command that takes this one back; "" if there is none.
func (u utility) undo() string {
	switch u.stmt.Node {
	case "CreatedbStmt":
		return "DROP DATABASE IF EXISTS " + quoteName(u.stmt.Name)
	case "CreateTableSpaceStmt":
		return "DROP TABLESPACE IF EXISTS " + quoteName(u.stmt.Name)
	}
	return ""
}

// settleBare acts on nodes that have not done what main did, where main's work cannot be
// rolled back.
func (s *Session) settleBare(ctx context.Context, out *replicator.Outcome, mark wire.Mark) (ok bool, err error) {
	u := s.utility
	if u.stmt == nil || out.Answer.Failed() {
		return s.fenceDifferent(ctx, out)
	}
	if u.retries() {
		s.retry(u, out)
	}
	if analyzes(u.stmt) && slices.ContainsFunc(out.Differ, lacksTable) && u.goneFrom(out.Main.(*link)) {
		out.Differ = slices.DeleteFunc(out.Differ, lacksTable)
	}
	switch {
	case len(out.Differ) == 0:
		return true, nil
	case u.physical():
		s.takeBack(mark)
		s.dropInvalid(out, out.Differ)
		return s.refused(s.partly(u, out, "", "It changes no data; the nodes that failed stay in service."))
	case u.undo() != "":
		return s.takeBackEverywhere(ctx, u, out, mark, u.undo())
	case u.buildsIndex():
		if drop := s.dropIndexText(u, out); drop != "" {
			s.dropInvalid(out, out.Differ)
			return s.takeBackEverywhere(ctx, u, out, mark, drop)
		}
	}
	return s.fenceDifferent(ctx, out)
}

func lacksTable(d replicator.Difference) bool { return pgerr.Code(d.Code) == pgerr.UndefinedTable }

// goneFrom reports whether main, too, lacks a relation by now that another node lacked: it
// was dropped between the two, and there is nothing left to do.
func (u utility) goneFrom(main *link) bool {
	_, err := main.ask(u.sql)
	return err != nil && main.answer.Code() == string(pgerr.UndefinedTable)
}

// retry runs the command once more on the nodes that failed.
func (s *Session) retry(u utility, out *replicator.Outcome) {
	s.Pool.CloseIdle()
	if u.buildsIndex() {
		s.dropInvalid(out, out.Differ)
	}
	var left []replicator.Difference
	for _, d := range out.Differ {
		l := s.link(d.Node)
		if l == nil || l.begun || !isError(d) {
			left = append(left, d)
			continue
		}
		if _, err := l.ask(u.sql); err != nil {
			left = append(left, d)
		}
	}
	out.Differ = left
}

func isError(d replicator.Difference) bool { return d.Code != "" }

// takeBackEverywhere runs a command that undoes the one at hand where it succeeded, and
// tells the frontend. A node where that fails is fenced, unless it is main.
func (s *Session) takeBackEverywhere(ctx context.Context, u utility, out *replicator.Outcome, mark wire.Mark, undo string) (ok bool, err error) {
	s.takeBack(mark)
	var undone []string
	for _, l := range s.succeeded(out) {
		if _, failed := l.ask(undo); failed != nil {
			s.log.Error("command not taken back", zap.Int(logkey.Node, int(l.ID())), zap.String(logkey.Command, undo), zap.Error(failed))
			if l != out.Main.(*link) {
				s.fence(ctx, l.ID(), "has a command that the others have not, and that could not be taken back: "+failed.Error())
			}
			continue
		}
		undone = append(undone, strconv.Itoa(int(l.ID())))
	}
	return s.refused(s.partly(u, out, "taken back on "+nodesText(undone), "Correct what the node says, and repeat the command."))
}

// succeeded are the nodes that have done the command.
func (s *Session) succeeded(out *replicator.Outcome) []*link {
	var links []*link
	for _, l := range s.links {
		if l == nil || differs(out, l.ID()) {
			continue
		}
		links = append(links, l)
	}
	return links
}

func differs(out *replicator.Outcome, id config.NodeID) bool {
	for _, d := range out.Differ {
		if d.Node == id {
			return true
		}
	}
	return false
}

// partly is the error that names what was done where.
func (s *Session) partly(u utility, out *replicator.Outcome, taken, hint string) *pgerr.Error {
	var done []string
	for _, l := range s.succeeded(out) {
		done = append(done, strconv.Itoa(int(l.ID())))
	}
	detail := "done on " + nodesText(done)
	if taken != "" {
		detail += ", " + taken
	}
	for _, d := range out.Differ {
		detail += "; " + d.String()
	}
	code := pgerr.Code(out.Differ[0].Code)
	if code == "" {
		code = pgerr.ObjectNotInPrerequisiteState
	}
	return pgerr.Newf(code, "%s failed on node %d", commandName(u.stmt), out.Differ[0].Node).WithDetail("%s.", detail).WithHint("%s", hint)
}

func nodesText(ids []string) string {
	switch len(ids) {
	case 0:
		return "no node"
	case 1:
		return "node " + ids[0]
	}
	return "nodes " + strings.Join(ids, ", ")
}

// commandName is the name of a command as PostgreSQL tells it in its messages.
func commandName(stmt *parser.Statement) string {
	switch stmt.Node {
	case "CreatedbStmt":
		return "CREATE DATABASE"
	case "DropdbStmt":
		return "DROP DATABASE"
	case "CreateTableSpaceStmt":
		return "CREATE TABLESPACE"
	case "IndexStmt":
		return "CREATE INDEX CONCURRENTLY"
	case "ReindexStmt":
		return "REINDEX"
	case "ClusterStmt":
		return "CLUSTER"
	case "CheckPointStmt":
		return "CHECKPOINT"
	}
	return strings.ToUpper(stmt.Kind.String())
}

// invalidIndexes lists the indexes of a node that a failed CONCURRENTLY has left, and not
// those that are being built.
const invalidIndexes = `SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) x.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE NOT x.indisvalid AND c.relkind OPERATOR(pg_catalog.=) 'i'
	AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid OPERATOR(pg_catalog.=) x.indexrelid)`

// dropInvalid drops on the nodes that failed the invalid indexes that main has not.
func (s *Session) dropInvalid(out *replicator.Outcome, failed []replicator.Difference) {
	on := map[string]bool{}
	main := out.Main.(*link)
	rows, err := main.ask(invalidIndexes)
	if err != nil {
		return
	}
	for _, name := range rows {
		on[name] = true
	}
	for _, d := range failed {
		l := s.link(d.Node)
		if l == nil || l.begun {
			continue
		}
		left, _ := l.ask(invalidIndexes)
		for _, name := range left {
			if !on[name] {
				_, err = l.ask("DROP INDEX " + name)
				s.log.Warn("invalid index of a failed command dropped", zap.Int(logkey.Node, int(d.Node)), zap.String(logkey.Index, name), zap.Error(err))
			}
		}
	}
}

// dropIndexText drops the index that the command has made on main; "" if it cannot be
// told which.
func (s *Session) dropIndexText(u utility, out *replicator.Outcome) string {
	if u.stmt.Node != "IndexStmt" || len(u.stmt.Writes)+len(u.stmt.Reads) == 0 {
		return ""
	}
	table := firstRelation(u.stmt)
	rows, err := out.Main.(*link).ask(fmt.Sprintf(`SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname) FROM pg_catalog.pg_index x
		JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) x.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
		WHERE x.indrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(%s) ORDER BY x.indexrelid DESC LIMIT 1`, quoteLiteral(table)))
	if err != nil || len(rows) != 1 {
		return ""
	}
	return "DROP INDEX IF EXISTS " + rows[0]
}

func firstRelation(stmt *parser.Statement) string {
	r := parser.Relation{}
	if len(stmt.Writes) > 0 {
		r = stmt.Writes[0]
	} else {
		r = stmt.Reads[0]
	}
	if r.Schema == "" {
		return quoteName(r.Name)
	}
	return quoteName(r.Schema) + "." + quoteName(r.Name)
}

// mayDrop refuses DROP DATABASE before it is done anywhere if a node would refuse it.
func (s *Session) mayDrop(stmt *parser.Statement, sql string) error {
	if stmt.Node != "DropdbStmt" || s.tx.kind != txNone || parser.FindWord(sql, "force") > 0 {
		return nil
	}
	s.Pool.CloseIdle()
	end := time.Now().Add(dropPatience)
	for _, l := range s.links {
		if l == nil || l.begun || l.unsynced {
			continue
		}
		if err := s.awaitUnused(l, stmt.Name, end); err != nil {
			return err
		}
	}
	return nil
}

// PostgreSQL waits for sessions that are about to end, such as those of CloseIdle, for five
// seconds, and looks every tenth of one (CountOtherDBBackends in procarray.c).
const (
	dropPatience = 5 * time.Second
	dropPause    = 100 * time.Millisecond
)

// awaitUnused waits until a node has no other sessions in a database; it is an error if it
// still has some in the end.
func (s *Session) awaitUnused(l *link, database string, end time.Time) error {
	for {
		rows, err := l.ask("SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE datname::pg_catalog.text OPERATOR(pg_catalog.=) " + quoteLiteral(database) +
			" AND pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid() AND backend_type OPERATOR(pg_catalog.=) 'client backend'")
		switch {
		case err != nil || len(rows) != 1 || rows[0] == "0":
			return nil
		case s.running.wasCancelled():
			return errCancelled()
		case time.Now().After(end):
			return pgerr.Newf(objectInUse, "database %q is being accessed by other users", database).
				WithDetail("There are %s other sessions using the database on node %d.", rows[0], l.ID())
		}
		time.Sleep(dropPause)
	}
}

// objectInUse is 55006.
const objectInUse pgerr.Code = "55006"
