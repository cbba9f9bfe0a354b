package catalog

import (
	"encoding/hex"
	"time"
)

// Deferral is what is known of checks that wait for COMMIT: deferred constraints and
// constraint triggers.
type Deferral struct {
	// Any: there is one in the database that SET CONSTRAINTS can defer.
	Any bool
	// Initially: there is one that is deferred without being told.
	Initially bool
	// May are the names of relations to which a write may have a deferred check follow:
	// that have one, that have triggers which may write elsewhere, whose rows others
	// follow by ON DELETE or ON UPDATE, views, and the parents of all these. nil unless
	// Initially is set.
	May map[string]bool
}

// maxDeferral bounds how many names are kept. With more, every write counts.
const maxDeferral = 10000

// maxDeferralAge bounds how long DDL that ran past pgchorus is not noticed.
const maxDeferralAge = 30 * time.Second

// DeferralSQL asks for it: two flags as one text, "t", "d" or "f", then an "r" and a name in
// hexadecimal digits for each relation.
func DeferralSQL() string { return deferralSQL }

var deferralSQL = qualified(`
WITH RECURSIVE kinds AS (
	SELECT pc.bool_or(t.tginitdeferred) AS deferred FROM pc.pg_trigger t WHERE t.tgdeferrable AND t.tgenabled @<> 'D'
), may (oid) AS (
	SELECT own.oid FROM (
		SELECT t.tgrelid AS oid FROM pc.pg_trigger t WHERE t.tginitdeferred OR NOT t.tgisinternal
		UNION ALL SELECT k.confrelid FROM pc.pg_constraint k
			WHERE k.contype @= 'f' AND (k.confdeltype @= ANY ('{c,n,d}'::pc."char"[]) OR k.confupdtype @= ANY ('{c,n,d}'::pc."char"[]))
		UNION ALL SELECT r.ev_class FROM pc.pg_rewrite r WHERE r.oid @>= $initdbOID::pc.oid
	) AS own
	UNION SELECT i.inhparent FROM may JOIN pc.pg_inherits i ON i.inhrelid @= may.oid
)
SELECT CASE WHEN deferred THEN 't' WHEN deferred IS NOT NULL THEN 'd' ELSE 'f' END FROM kinds
UNION ALL
SELECT names.name FROM (SELECT DISTINCT pc.concat('r', ` + hexadecimal("c.relname") + `) AS name FROM may JOIN pc.pg_class c ON c.oid @= may.oid
	WHERE (SELECT deferred FROM kinds) LIMIT 10001) AS names`)

// deferral is a Deferral with its age.
type deferral struct {
	Deferral
	generation uint64
	until      time.Time
}

// ParseDeferral reads the rows of DeferralSQL.
func ParseDeferral(rows []string) Deferral {
	var d Deferral
	for _, row := range rows {
		switch {
		case row == "t":
			d.Any, d.Initially, d.May = true, true, map[string]bool{}
		case row == "d":
			d.Any = true
		case len(row) > 1 && row[0] == 'r' && d.May != nil:
			if name, err := hex.DecodeString(row[1:]); err == nil {
				d.May[string(name)] = true
			}
		}
	}
	return d
}

// Affects reports whether a write to a relation of that name may have a deferred check
// follow it.
func (d *Deferral) Affects(name string) bool {
	return d.Initially && (len(d.May) > maxDeferral || d.May[name])
}

// Deferral returns what is known of deferred checks; false if that is nothing, or too old.
func (d *Database) Deferral() (*Deferral, bool) {
	known := d.deferral.Load()
	if known == nil || known.generation != d.generation.Load() || !d.now().Before(known.until) {
		return nil, false
	}
	return &known.Deferral, true
}

// KeepDeferral remembers what was asked at generation.
func (d *Database) KeepDeferral(it Deferral, generation uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.opened.all > 0 || len(d.opened.names) > 0 {
		return
	}
	d.deferral.Store(&deferral{it, generation, d.now().Add(maxDeferralAge)})
}
