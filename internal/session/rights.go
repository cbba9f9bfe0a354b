package session

import (
	"fmt"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/capture"
	"github.com/pgchorus/pgchorus/parser"
)

// What pgchorus does for a statement must not need a right that the statement does not: so
// the session's rights are asked for before.

// rights are what the session may do with the relations of plans, and what its settings do
// to values. They are kept until something might have changed them.
type rights struct {
	generation uint64 // of the catalogue
	relations  map[string]right
	sequences  map[string]bool
	// floats: all digits of floating-point numbers are sent.
	floats bool
	// replica: session_replication_role is origin, and may be set to replica. known: this
	// and floats were asked for.
	replica, known bool
}

// right is what the session may do with one relation.
type right struct{ known, lockable, selectable, lock bool }

// maxRights bounds how many relations the rights are kept of.
const maxRights = 500

// rightsFor are those for a plan's relations. What cannot be asked for is not allowed.
func (s *Session) rightsFor(plan *capture.Plan) *rights {
	generation := s.Catalog.Database(s.login.Database).Generation()
	if s.rights == nil || s.rights.generation != generation || len(s.rights.relations) > maxRights {
		s.rights = &rights{generation: generation}
	}
	if s.rights.knows(plan) {
		return s.rights
	}
	if err := s.askRights(plan); err != nil {
		s.log.Warn("rights not read", zap.Error(err))
	}
	return s.rights
}

func (r *rights) knows(plan *capture.Plan) bool {
	for _, l := range plan.Locks() {
		if !r.relations[l.Name()].known {
			return false
		}
	}
	for _, column := range plan.Identities() {
		if _, known := r.sequences[sequenceKey(plan, column)]; !known {
			return false
		}
	}
	return true
}

func sequenceKey(plan *capture.Plan, column string) string {
	target, _ := plan.Target()
	return capture.SequenceOf(target, column)
}

// askRights asks the session's own connection to main.
func (s *Session) askRights(plan *capture.Plan) error {
	l := s.askable()
	if l == nil {
		return nil
	}
	rows, err := l.question(rightsSQL(plan, l.majorVersion()))
	if err != nil {
		return err
	}
	return s.rights.add(plan, rows)
}

// add reads what rightsSQL brought.
func (r *rights) add(plan *capture.Plan, rows []string) error {
	if r.relations == nil {
		r.relations, r.sequences = map[string]right{}, map[string]bool{}
	}
	locks, identities := plan.Locks(), plan.Identities()
	for _, l := range locks {
		r.relations[l.Name()] = right{known: true}
	}
	for _, text := range rows {
		var kind, selects, changes string
		var i int
		if _, err := fmt.Sscan(text, &i, &kind, &selects, &changes); err != nil {
			return fmt.Errorf("rights: %w", err)
		}
		switch {
		case kind == "float":
			r.floats, r.replica, r.known = selects == "t", changes == "t", true
		case kind == "sequence" && i < len(identities):
			r.sequences[sequenceKey(plan, identities[i])] = selects == "t"
		case i < len(locks):
			r.relations[locks[i].Name()] = right{
				known: true, lockable: strings.Contains("rpv", kind), selectable: selects == "t", lock: changes == "t",
			}
		}
	}
	return nil
}

// rightsSQL asks for the rights; every name in it is qualified, so that it works in
// whatever state the session's settings are. LOCK TABLE in the modes that plans use asks
// for one of the rights to change rows (lockcmds.c, LockTableAclCheck).
func rightsSQL(plan *capture.Plan, version int) string {
	var names []string
	for i, l := range plan.Locks() {
		names = append(names, fmt.Sprintf("(%d, %s)", i, quoteLiteral(l.Name())))
	}
	sql := "SELECT pg_catalog.concat_ws(' ', 0, 'float', pg_catalog.current_setting('extra_float_digits')::pg_catalog.int4 OPERATOR(pg_catalog.>) 0, " + mayReplicate(version) + ")"
	if len(names) > 0 {
		sql += " UNION ALL SELECT pg_catalog.concat_ws(' ', q.i, CASE WHEN c.relnamespace OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace THEN 'x' ELSE c.relkind END, " + privilege("SELECT") + ", " +
			"(" + privilege("UPDATE") + " OR " + privilege("DELETE") + " OR " + privilege("TRUNCATE") + ") AND " + locksBelow + ")" +
			" FROM (VALUES " + strings.Join(names, ", ") + ") AS q (i, n)" +
			" JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(q.n)"
	}
	for i, column := range plan.Identities() {
		sql += fmt.Sprintf(" UNION ALL SELECT pg_catalog.concat_ws(' ', %d, 'sequence', pg_catalog.has_sequence_privilege(%s, 'USAGE'), false)", i, sequenceKey(plan, column))
	}
	return sql
}

// mayReplicate is a condition: the session may set session_replication_role, and has left it
// alone. Since PostgreSQL 15 that is a right by itself.
func mayReplicate(version int) string {
	const untouched = "pg_catalog.current_setting('session_replication_role') OPERATOR(pg_catalog.=) 'origin' AND "
	if version >= 15 {
		return untouched + "pg_catalog.has_parameter_privilege('session_replication_role', 'SET')"
	}
	return untouched + "(SELECT a.rolsuper FROM pg_catalog.pg_roles a WHERE a.rolname OPERATOR(pg_catalog.=) CURRENT_USER)"
}

// majorVersion is PostgreSQL's on the link's node, 0 if it cannot be told.
func (l *link) majorVersion() int {
	text := l.conn.Params()["server_version"]
	end := 0
	for end < len(text) && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(text[:end])
	if err != nil {
		return 0
	}
	return n
}

// locksBelow: of a view c, each table and view below it may be locked too, by the owner of
// the view that names it, or by the role if that view is security_invoker
// (lockcmds.c, LockViewRecurse).
const locksBelow = `(c.relkind OPERATOR(pg_catalog.<>) 'v' OR NOT EXISTS (
	WITH RECURSIVE below (oid, role) AS (
		SELECT c.oid, NULL::pg_catalog.oid
		UNION
		SELECT b.oid, CASE WHEN v.reloptions OPERATOR(pg_catalog.&&) '{security_invoker=true,security_invoker=on,security_invoker=1}'::pg_catalog.text[] THEN
			(SELECT u.oid FROM pg_catalog.pg_roles u WHERE u.rolname OPERATOR(pg_catalog.=) current_user) ELSE v.relowner END
		FROM below JOIN pg_catalog.pg_class v ON v.oid OPERATOR(pg_catalog.=) below.oid AND v.relkind OPERATOR(pg_catalog.=) 'v'
		JOIN pg_catalog.pg_rewrite w ON w.ev_class OPERATOR(pg_catalog.=) v.oid
		JOIN pg_catalog.pg_depend d ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid OPERATOR(pg_catalog.=) w.oid
			AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
		JOIN pg_catalog.pg_class b ON b.oid OPERATOR(pg_catalog.=) d.refobjid AND b.oid OPERATOR(pg_catalog.<>) v.oid AND b.relkind IN ('r', 'p', 'v')
	) SELECT FROM below WHERE role IS NOT NULL AND NOT (pg_catalog.has_table_privilege(role, oid, 'UPDATE')
		OR pg_catalog.has_table_privilege(role, oid, 'DELETE') OR pg_catalog.has_table_privilege(role, oid, 'TRUNCATE'))))`

func privilege(name string) string { return "pg_catalog.has_table_privilege(c.oid, '" + name + "')" }

// maySelect reports whether the rows that the statement makes may be looked at.
func (r *rights) maySelect(plan *capture.Plan) bool {
	target, ok := plan.Target()
	return ok && r.relations[(capture.Lock{Relation: target}).Name()].selectable
}

// mayCapture reports whether main's rows can be captured and replayed by the session.
func (r *rights) mayCapture(plan *capture.Plan) bool {
	for _, column := range plan.Identities() {
		if !r.sequences[sequenceKey(plan, column)] {
			return false
		}
	}
	return r.maySelect(plan)
}

// locks are the statements that lock a plan's tables; ok is false if a right is lacking for
// one that could be locked, or nothing is known of it.
func (r *rights) locks(plan *capture.Plan) (statements []string, ok bool) {
	ok = true
	for _, l := range plan.Locks() {
		switch of := r.relations[l.Name()]; {
		case of.lockable && of.lock:
			statements = append(statements, l.SQL())
		case of.lockable:
			ok = false
		}
	}
	return statements, ok
}

// noteRights forgets the rights when a statement may have changed them, or the settings that
// are kept with them.
func (s *Session) noteRights(stmt *parser.Statement) {
	switch stmt.Kind {
	case parser.Savepoint, parser.Release, parser.Lock, parser.Show, parser.Prepare, parser.Deallocate, parser.ClosePortal:
		return
	case parser.Insert, parser.Update, parser.Delete, parser.Select, parser.Merge, parser.CopyFrom, parser.CopyTo, parser.Declare, parser.Fetch:
		if len(stmt.UnknownFunctions) == 0 && !callsSetConfig(stmt) {
			return
		}
	}
	s.rights, s.tx.touchedRights = nil, true
}
