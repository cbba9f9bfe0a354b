package catalog

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Implied is which functions of users, in languages that can be read, statements of a database call without
// naming them. The zero value is none, which most databases have. It never changes.
type Implied struct {
	operators map[string][]Name // by the operator's name, in whatever schema
	casts     map[string][]Name // by the name of the type that is cast to
	stored    []Name            // by casts to the type of a column or variable
	always    []Name            // by casts, comparisons and the like that stand in no text
}

// Empty reports whether there are none.
func (i *Implied) Empty() bool {
	return len(i.operators)+len(i.casts)+len(i.stored)+len(i.always) == 0
}

// Calls are those that a text may call which has these operators and casts to these types (parser.Statement); stores
// says that it changes columns or variables.
func (i *Implied) Calls(operators, casts []string, stores bool) []Name {
	if i.Empty() {
		return nil
	}
	calls := slices.Clone(i.always)
	if stores {
		calls = append(calls, i.stored...)
	}
	for _, op := range operators {
		calls = append(calls, i.operators[op]...)
	}
	for _, t := range casts {
		calls = append(calls, i.casts[t]...)
	}
	return calls
}

// maxImplied bounds how many are known.
const maxImplied = 10000

// ImpliedSQL asks for it: one row for each function and how it is called; those of extensions only if their label does not
// vouch for them. Where PostgreSQL uses an operator that nobody has written (ORDER BY, DISTINCT, JOIN USING, CASE, IN,
// BETWEEN, LIKE), any text may call it; so it is with functions of operator classes, and with casts AS IMPLICIT. A cast to
// a type is one to its arrays and domains, too.
func ImpliedSQL() string { return impliedSQL }

var impliedSQL = qualified(`
SELECT pc.json_build_object('how', u.how, 'name', ` + hexadecimal("u.name") + `, 'function', pc.concat(` + hexadecimal("n.nspname") + `, '.', ` + hexadecimal("p.proname") + `))
FROM (
	SELECT CASE WHEN o.oprname @= ANY ('{=,<>,<,>,<=,>=,~~,!~~,~~*,!~~*}'::pc.name[]) THEN 'always' ELSE 'operator' END AS how, o.oprname AS name, o.oprcode::pc.oid AS oid
	FROM pc.pg_operator o WHERE o.oid @>= $initdbOID::pc.oid
	UNION
	SELECT 'always', '', a.amproc::pc.oid FROM pc.pg_amproc a WHERE a.oid @>= $initdbOID::pc.oid
	UNION
	SELECT CASE WHEN k.castcontext @= 'i' THEN 'always' ELSE 'cast' END, t.typname, k.castfunc
	FROM pc.pg_cast k JOIN pc.pg_type t ON k.casttarget @= ANY (ARRAY[t.oid, t.typarray, t.typbasetype]) WHERE k.oid @>= $initdbOID::pc.oid
	UNION
	SELECT 'stored', '', k.castfunc FROM pc.pg_cast k WHERE k.castcontext @= 'a' AND k.oid @>= $initdbOID::pc.oid
) AS u
JOIN pc.pg_proc p ON p.oid @= u.oid JOIN pc.pg_namespace n ON n.oid @= p.pronamespace JOIN pc.pg_language l ON l.oid @= p.prolang
WHERE p.oid @>= $initdbOID::pc.oid AND l.lanname @<> ALL ('{internal,c}'::pc.name[]) AND (p.provolatile @= 'v' OR NOT EXISTS (
	SELECT FROM pc.pg_depend d WHERE d.classid @= 'pg_catalog.pg_proc'::pc.regclass AND d.objid @= p.oid AND d.deptype @= 'e'))
LIMIT 10000`)

// ParseImplied reads the rows of ImpliedSQL.
func ParseImplied(rows []string) (*Implied, error) {
	i := &Implied{operators: map[string][]Name{}, casts: map[string][]Name{}}
	if len(rows) > maxImplied {
		return nil, fmt.Errorf("catalogue: %d functions of operators and casts, more than %d", len(rows), maxImplied)
	}
	for _, text := range rows {
		if err := i.add(text); err != nil {
			return nil, fmt.Errorf("catalogue: functions of operators and casts: %w", err)
		}
	}
	return i, nil
}

func (i *Implied) add(text string) error {
	var row struct{ How, Name, Function string }
	if err := json.Unmarshal([]byte(text), &row); err != nil {
		return err
	}
	name, err := unhex(row.Name)
	if err != nil {
		return err
	}
	function, err := decodeName(row.Function)
	if err != nil {
		return err
	}
	switch row.How {
	case "operator":
		i.operators[name] = append(i.operators[name], function)
	case "cast":
		i.casts[name] = append(i.casts[name], function)
	case "stored":
		i.stored = append(i.stored, function)
	case "always":
		i.always = append(i.always, function)
	default:
		return fmt.Errorf("a row is of neither: %.20q", row.How)
	}
	return nil
}

// implied is an Implied with the end of its age.
type implied struct {
	Implied
	until time.Time
}

// Implied returns what is known of it; fresh is false if that may be no longer true, and is to be asked for.
func (d *Database) Implied() (known *Implied, fresh bool) {
	last := d.implied.Load()
	if last == nil {
		return &Implied{}, false
	}
	return &last.Implied, d.now().Before(last.until)
}

// KeepImplied remembers what was asked at generation, if nothing was forgotten since. What was made past pgchorus is
// seen when that is maxMissingAge ago.
func (d *Database) KeepImplied(it *Implied, generation uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.dropped && d.generation.Load() == generation {
		d.implied.Store(&implied{*it, d.now().Add(maxMissingAge)})
	}
}
