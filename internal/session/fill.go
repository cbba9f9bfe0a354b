package session

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/pgchorus/pgchorus/internal/capture"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// A table that a statement fills while it runs (a column that is added with a default for
// each row, the result of a query that picks or makes up rows) is filled by each node for
// itself. All nodes give random() one seed before, and their rows are compared after: if they
// are not the same, nothing of it is committed.

// fillOf is the table that a statement fills with what nodes may compute differently; ok is
// false if it fills none so. unlike: something in its text is each node's own.
func fillOf(stmt *parser.Statement, unlike bool) (r parser.Relation, ok bool) {
	switch {
	case len(stmt.Writes) == 0:
		return r, false
	case stmt.Node == "AlterTableStmt":
		ok = fillsByDefault(stmt)
	case isMaterialized(stmt):
		ok = true
	case stmt.Kind == parser.CreateTableAs, stmt.Kind == parser.SelectInto:
		// A temporary table is read on main alone, and what is written from it is main's.
		ok = !stmt.Writes[0].Temporary && (unlike || stmt.Hazards.Choices() != 0)
	}
	return stmt.Writes[0], ok
}

// isMaterialized: a materialized view is filled, whose query is looked at by nobody else.
func isMaterialized(stmt *parser.Statement) bool {
	return stmt.Node == "RefreshMatViewStmt" || stmt.Node == "CreateTableAsStmt" && stmt.Kind == parser.DDL
}

// fillsByDefault: rows that are there are given something besides the time.
func fillsByDefault(stmt *parser.Statement) bool {
	for i := range stmt.Added {
		if a := &stmt.Added[i]; a.Differs != "" || len(a.Functions) > 0 {
			return true
		}
	}
	return false
}

// withFill is what is done for a statement that fills a table, besides c, which may be nil.
func (s *Session) withFill(stmt *parser.Statement, c *care, unlike bool) *care {
	table, fills := fillOf(stmt, unlike || s.executesPicks(stmt))
	if !fills {
		return c
	}
	if c == nil {
		c = &care{plan: capture.Repeated(stmt)}
	}
	c.setFills(table)
	if !s.settings.seeded {
		c.locks = append(c.locks, "SET LOCAL seed = "+newSeed())
	}
	return c
}

// setFills has a copy of its own, so that the many statements which fill nothing need none.
func (c *care) setFills(table parser.Relation) { c.fills = &table }

// newSeed is a seed for random() that nobody can guess.
func newSeed() string {
	var b [8]byte
	rand.Read(b[:])
	return fmt.Sprintf("0.%015d", binary.BigEndian.Uint64(b[:])%1e15)
}

// verifyFill compares the table that a statement has just filled. mark is where its answer
// begins, in the place of which the frontend is told if nodes have different rows.
func (s *Session) verifyFill(ctx context.Context, mark wire.Mark) (ok bool, err error) {
	c := s.care
	s.care = nil // what is asked here is to be sent as it is
	defer func() { s.care = c }()
	if s.front.SentAfter(mark) {
		return false, pgerr.Fatal(pgerr.SerializationFailure, "rows that nodes may have computed differently cannot be compared any more")
	}
	answer := append([]byte(nil), s.front.Tail(mark)...)
	s.front.Rewind(mark)
	if err := s.compareFill(ctx, c.plan, *c.fills); err != nil {
		return s.refuseOrEnd(err)
	}
	return true, s.front.Append(answer)
}

// compareFill is nil if all nodes have the same rows in a table.
func (s *Session) compareFill(ctx context.Context, plan *capture.Plan, table parser.Relation) error {
	name := (capture.Lock{Relation: table}).Name()
	found, err := s.askAgain(ctx, fillFactsSQL(name))
	switch {
	case err != nil:
		return err
	case len(found) == 0, string(found[0]) != "t":
		return nil // it has no rows of its own
	case string(found[1]) != "t":
		return errFillHidden(table)
	case string(found[2]) != "t" && isMaterialized(plan.Statement()):
		s.warnText("nodes may compute a value differently", "the rows of a materialized view of another role are not compared")
		return nil
	case string(found[2]) != "t":
		return errFillOfOther(table)
	}
	digest := fillDigestSQL(name)
	main, lost, err := s.askMain(ctx, digest)
	if err == nil && !lost {
		var others map[config.NodeID]wire.Row
		others, lost, err = s.askOthersRows(ctx, func(*link) string { return digest })
		for id, row := range others {
			if err == nil && !sameRow(main, row) {
				err = errFillDiffers(id, plan.Statement(), table)
			}
		}
	}
	if lost && err == nil {
		return lostTransaction(s.mainID(), errLeft)
	}
	return err
}

func sameRow(a, b wire.Row) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if string(a[i]) != string(b[i]) || (a[i] == nil) != (b[i] == nil) {
			return false
		}
	}
	return true
}

// fillFactsSQL asks whether a relation has rows of its own, whether all of them can be
// seen, and whether its owner is the role itself or a superuser: planning a query of a table calls functions of
// its indexes, which another role's rights are not to be lent to. There is no row if there is no such relation (ALTER TABLE IF EXISTS).
func fillFactsSQL(name string) string {
	return "SELECT c.relkind IN ('r', 'p') OR c.relkind OPERATOR(pg_catalog.=) 'm' AND c.relispopulated, " +
		"pg_catalog.has_table_privilege(c.oid, 'SELECT') AND NOT pg_catalog.row_security_active(c.oid), " +
		"EXISTS (SELECT FROM pg_catalog.pg_roles o WHERE o.oid OPERATOR(pg_catalog.=) c.relowner AND (o.rolsuper OR o.rolname OPERATOR(pg_catalog.=) current_user)) " +
		"FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(" + quoteLiteral(name) + ")"
}

// fillDigestSQL counts the rows of a table and adds up a hash of each, so that their order
// does not matter.
func fillDigestSQL(name string) string {
	return "SELECT pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtextextended(ROW(pgchorus_table.*)::pg_catalog.text COLLATE pg_catalog.\"C\", 0)) FROM " +
		name + " AS pgchorus_table"
}

func errFillHidden(table parser.Relation) error {
	return pgerr.Newf(pgerr.FeatureNotSupported, "statement cannot be replicated safely: the rows of %s cannot be compared", table).
		WithHint("The role needs the right to SELECT all of its rows.")
}

func errFillOfOther(table parser.Relation) error {
	return pgerr.Newf(pgerr.FeatureNotSupported, "statement cannot be replicated safely: %s has another owner, and its rows are not to be looked at with the rights of this role", table).
		WithHint("SET ROLE to the owner of the table.")
}

// errFillDiffers is what the frontend is told of rows that are not the same.
func errFillDiffers(id config.NodeID, stmt *parser.Statement, table parser.Relation) error {
	if stmt.Node != "AlterTableStmt" {
		return pgerr.Newf(pgerr.SerializationFailure, "nodes have computed different rows for %s, the transaction is rolled back", table).
			WithDetail("Node %d has other rows than the main node.", id).
			WithHint("The transaction might succeed if retried. If it does not: create the table first, then use INSERT ... SELECT.")
	}
	columns := make([]string, len(stmt.Added))
	for i := range stmt.Added {
		columns[i] = stmt.Added[i].Column
	}
	return pgerr.Newf(pgerr.FeatureNotSupported, "statement cannot be replicated safely: nodes have computed different values for column %s of %s",
		strings.Join(columns, ", "), table).
		WithDetail("Node %d has other rows than the main node.", id).
		WithHint("If the rows are numbered, put them in the same order on all nodes before, in the same transaction, by CLUSTER with a unique index. Or add the column without a default, UPDATE the rows by key, then set the default.")
}
