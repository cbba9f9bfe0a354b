package catalog

import "slices"

// Effects are what a relation does with a row besides keeping it: what decides whether
// nodes can be given the rows that a statement has made elsewhere.
type Effects struct {
	// Triggers: there is one, on it or on a partition, that is neither disabled nor a
	// foreign key's.
	Triggers bool
	// Rules: there are rewrite rules besides a view's own.
	Rules bool
	// RowSecurity is on.
	RowSecurity bool
	// Foreign: it, or a partition, is a foreign table.
	Foreign bool
	// LateKeys: a unique key is checked at the end of the transaction at the earliest,
	// so that inserting into it takes no lock against others with the same key.
	LateKeys bool
	// OtherKeys: a unique index or an exclusion constraint is not among Keys.
	OtherKeys bool
	// Referenced: a foreign key points to it, its own or another table's.
	Referenced bool
	// Always: one of the triggers fires whatever session_replication_role says, or only
	// where that is replica.
	Always bool
	// Cascades: a foreign key of another table that points here has an action besides
	// refusing.
	Cascades bool
	// Parents are the foreign keys of the table itself.
	Parents []Parent
	// Firm are those of Keys whose columns are all NOT NULL: every row has one.
	Firm [][]string
}

// Parent is a foreign key: Columns of the table have to be found in Referenced of the
// relation.
type Parent struct {
	Relation            Name
	Columns, Referenced []string
}

// effectsRow is Effects as effectsFacts makes it.
type effectsRow struct {
	Triggers    bool `json:"t"`
	Rules       bool `json:"r"`
	RowSecurity bool `json:"s"`
	Foreign     bool `json:"f"`
	LateKeys    bool `json:"l"`
	OtherKeys   bool `json:"u"`
	Referenced  bool `json:"d"`
	Always      bool `json:"a"`
	Cascades    bool `json:"c"`
	Parents     []struct {
		Relation   string   `json:"r"`
		Columns    []string `json:"c"`
		Referenced []string `json:"f"`
	} `json:"p"`
	Firm [][]string `json:"k"`
}

func (r effectsRow) decode() (Effects, error) {
	e := Effects{Triggers: r.Triggers, Rules: r.Rules, RowSecurity: r.RowSecurity, Foreign: r.Foreign, LateKeys: r.LateKeys,
		OtherKeys: r.OtherKeys, Referenced: r.Referenced, Always: r.Always, Cascades: r.Cascades}
	for _, p := range r.Parents {
		relation, err := decodeName(p.Relation)
		if err != nil {
			return Effects{}, err
		}
		columns, err := unhexAll(slices.Concat(p.Columns, p.Referenced))
		if err != nil {
			return Effects{}, err
		}
		n := len(p.Columns)
		e.Parents = append(e.Parents, Parent{Relation: relation, Columns: columns[:n:n], Referenced: columns[n:]})
	}
	for _, key := range r.Firm {
		columns, err := unhexAll(key)
		if err != nil {
			return Effects{}, err
		}
		e.Firm = append(e.Firm, columns)
	}
	return e, nil
}

// familyOf is a condition for the relation oid to be t or a partition of it.
func familyOf(oid string) string {
	return `(` + oid + ` @= t.oid OR t.relkind @= 'p' AND ` + oid + ` @= ANY (ARRAY(SELECT pt.relid::pc.oid FROM pc.pg_partition_tree(t.oid) AS pt)))`
}

// namesAt is the list of the names of the columns with these numbers.
func namesAt(numbers, relation string) string {
	return `(SELECT pc.json_agg(` + hexadecimal("na.attname") + ` ORDER BY nu.place) FROM pc.unnest(` + numbers + `) WITH ORDINALITY AS nu (attnum, place)
		JOIN pc.pg_attribute na ON na.attrelid @= ` + relation + ` AND na.attnum @= nu.attnum)`
}

// effectsFacts is an object with the effects of t.
var effectsFacts = `pc.json_build_object(
	't', EXISTS (SELECT FROM pc.pg_trigger g WHERE ` + familyOf("g.tgrelid") + ` AND NOT g.tgisinternal AND g.tgenabled @<> 'D'),
	'r', t.relhasrules AND EXISTS (SELECT FROM pc.pg_rewrite r WHERE r.ev_class @= t.oid AND r.ev_type @<> '1'),
	's', t.relrowsecurity,
	'f', EXISTS (SELECT FROM pc.pg_class f WHERE ` + familyOf("f.oid") + ` AND f.relkind @= 'f'),
	'l', EXISTS (SELECT FROM pc.pg_index x WHERE x.indrelid @= t.oid AND x.indisunique AND NOT x.indimmediate),
	'u', EXISTS (SELECT FROM pc.pg_index x WHERE x.indrelid @= t.oid AND (x.indisunique OR x.indisexclusion)
		AND NOT (x.indisunique AND x.indisvalid AND x.indimmediate AND x.indpred IS NULL AND x.indexprs IS NULL)),
	'd', EXISTS (SELECT FROM pc.pg_constraint k WHERE k.contype @= 'f' AND ` + familyOf("k.confrelid") + `),
	'a', EXISTS (SELECT FROM pc.pg_trigger g WHERE ` + familyOf("g.tgrelid") + ` AND NOT g.tgisinternal AND g.tgenabled @= ANY ('{A,R}'::pc."char"[])),
	'c', EXISTS (SELECT FROM pc.pg_constraint k WHERE k.contype @= 'f' AND ` + familyOf("k.confrelid") + `
		AND (k.confupdtype @<> ALL ('{a,r}'::pc."char"[]) OR k.confdeltype @<> ALL ('{a,r}'::pc."char"[]))),
	'p', (SELECT pc.json_agg(pc.json_build_object('r', pc.concat(` + hexadecimal("fn.nspname") + `, '.', ` + hexadecimal("fc.relname") + `),
			'c', ` + namesAt("k.conkey", "k.conrelid") + `, 'f', ` + namesAt("k.confkey", "k.confrelid") + `) ORDER BY k.oid)
		FROM pc.pg_constraint k JOIN pc.pg_class fc ON fc.oid @= k.confrelid JOIN pc.pg_namespace fn ON fn.oid @= fc.relnamespace
		WHERE k.conrelid @= t.oid AND k.contype @= 'f' AND k.conparentid @= '0'::pc.oid),
	'k', (SELECT pc.json_agg(k.columns ORDER BY k.number) FROM (` + keysOf + `) AS k WHERE k.firm))`
