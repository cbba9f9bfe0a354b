package catalog

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
	// Firm are those of Keys whose columns are all NOT NULL: every row has one.
	Firm [][]string
}

// effectsRow is Effects as effectsFacts makes it.
type effectsRow struct {
	Triggers    bool       `json:"t"`
	Rules       bool       `json:"r"`
	RowSecurity bool       `json:"s"`
	Foreign     bool       `json:"f"`
	LateKeys    bool       `json:"l"`
	Firm        [][]string `json:"k"`
}

func (r effectsRow) decode() (Effects, error) {
	e := Effects{Triggers: r.Triggers, Rules: r.Rules, RowSecurity: r.RowSecurity, Foreign: r.Foreign, LateKeys: r.LateKeys}
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

// effectsFacts is an object with the effects of t.
var effectsFacts = `pc.json_build_object(
	't', EXISTS (SELECT FROM pc.pg_trigger g WHERE ` + familyOf("g.tgrelid") + ` AND NOT g.tgisinternal AND g.tgenabled @<> 'D'),
	'r', t.relhasrules AND EXISTS (SELECT FROM pc.pg_rewrite r WHERE r.ev_class @= t.oid AND r.ev_type @<> '1'),
	's', t.relrowsecurity,
	'f', EXISTS (SELECT FROM pc.pg_class f WHERE ` + familyOf("f.oid") + ` AND f.relkind @= 'f'),
	'l', EXISTS (SELECT FROM pc.pg_index x WHERE x.indrelid @= t.oid AND x.indisunique AND NOT x.indimmediate),
	'k', (SELECT pc.json_agg(k.columns ORDER BY k.number) FROM (` + keysOf + `) AS k WHERE k.firm))`
