package verify

import (
	"context"
	"fmt"
	"strings"
)

// A listing names things and how they are defined: one row for each, with a kind, a name
// and a definition. OIDs are left out, since nodes number their objects each for itself,
// and so are the positions of columns, which a restore may change.
type listing struct {
	what string // in messages
	sql  string // returns kind, name, definition
	// database: the things belong to the database that is being compared.
	database bool
	// warns are the kinds whose differences do not change results.
	warns []string
}

// maxDefinition is how much of a definition is compared as it is, in characters; what is
// longer is compared by its digest, so that rows stay small.
const maxDefinition = 2000

// merged is the listing's query for peers.merge: a key, kind, name and definition.
func (l listing) merged() string {
	return fmt.Sprintf(`SELECT (kind || E'\x01' || name) COLLATE "C", kind, name,
	CASE WHEN length(def) > %[1]d THEN left(def, %[1]d) || '... md5 ' || md5(def) ELSE def END
FROM (%[2]s) AS listed(kind, name, def) ORDER BY 1`, maxDefinition, l.sql)
}

// compareListing merges what the nodes list.
func (r *run) compareListing(ctx context.Context, p *point, l listing) ([]Difference, error) {
	var found []Difference
	err := guarded(ctx, p.peers, func() error {
		return p.peers.merge(ctx, l.merged(), func(rows []row) bool {
			found = append(found, listed(p.peers, rows)...)
			return len(found) < r.opts.MaxKeys
		})
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.what, err)
	}
	if l.database {
		for i := range found {
			found[i].Database = p.database
		}
	}
	return found, nil
}

// listed is the verdict on one thing.
func listed(ps peers, rows []row) []Difference {
	const kind, name, definition = 1, 2, 3
	values := make([]string, len(rows))
	var known row
	for i, values1 := range rows {
		if values1 != nil {
			values[i], known = "+"+string(values1[definition]), values1
		}
	}
	v := judge(values)
	var found []Difference
	for _, i := range v.deviants {
		d := Difference{Kind: string(known[kind]), Object: string(known[name]), Proven: v.proven,
			Node: ps[i].id, Reference: ps[v.reference].id, What: what(values[v.reference], values[i])}
		if d.What == Changed {
			d.Expected, d.Found = values[v.reference][1:], values[i][1:]
		}
		found = append(found, d)
	}
	return found
}

// what compares two values of which the empty one is absence.
func what(reference, value string) string {
	switch "" {
	case reference:
		return Extra
	case value:
		return Missing
	}
	return Changed
}

// rolesListing is what all databases share, but for passwords.
var rolesListing = listing{what: "roles and databases", sql: `
SELECT 'role', rolname::text, (to_jsonb(r) - '{oid,rolname,rolpassword,rolconfig}'::text[])::text FROM pg_roles r WHERE rolname !~ '^pg_'
UNION ALL
SELECT 'membership', format('%s in %s', member::regrole, roleid::regrole), string_agg((to_jsonb(m) - '{oid,roleid,member,grantor}'::text[])::text, ', ' ORDER BY to_jsonb(m)::text)
FROM pg_auth_members m GROUP BY member, roleid
UNION ALL
SELECT 'setting of', format('role %s in database %s', CASE setrole WHEN 0 THEN 'all' ELSE setrole::regrole::text END, coalesce(datname, 'all')),
	(SELECT string_agg(x, ', ' ORDER BY x COLLATE "C") FROM unnest(setconfig) x)
FROM pg_db_role_setting LEFT JOIN pg_database d ON d.oid = setdatabase
UNION ALL
SELECT 'database', datname::text, (to_jsonb(d) - '{oid,datname,datdba,dattablespace,datlastsysoid,datfrozenxid,datminmxid,datacl}'::text[]
	|| jsonb_build_object('owner', datdba::regrole, 'tablespace', spcname, 'acl', ` + sortedACL("datacl") + `))::text
FROM pg_database d JOIN pg_tablespace s ON s.oid = dattablespace
UNION ALL
SELECT 'tablespace', spcname::text, format('owner %s acl %s options %s', spcowner::regrole, ` + sortedACL("spcacl") + `, spcoptions) FROM pg_tablespace
UNION ALL
SELECT 'prepared transaction', gid, format('owner %s database %s', owner, database) FROM pg_prepared_xacts`}

// passwordsListing compares verifiers without showing them. Nodes that were not made from
// one another have different ones for the same password of the first superuser, because
// of the salt; so they only warn.
var passwordsListing = listing{what: "passwords", warns: []string{"password of role"}, sql: `
SELECT 'password of role', rolname::text, coalesce('md5 of verifier ' || md5(rolpassword), 'none') FROM pg_authid WHERE rolname !~ '^pg_'`}

// sortedACL: grants in another order are the same grants.
func sortedACL(column string) string {
	return `coalesce((SELECT string_agg(acl::text, ' ' ORDER BY acl::text COLLATE "C") FROM unnest(` + column + `) acl), 'default')`
}

// userSchema leaves out PostgreSQL's schemas, those of temporary tables, and ours.
const userSchema = `(n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgchorus'))`

// parts of the schema, each a SELECT of kind, name and definition; named n is the schema.
var schemaParts = []string{
	`SELECT 'schema', quote_ident(nspname), format('owner %s acl %s', nspowner::regrole, ` + sortedACL("nspacl") + `)
FROM pg_namespace n WHERE ` + userSchema + ` OR nspname IN ('pg_catalog', 'information_schema')`,

	`SELECT 'extension', quote_ident(extname), format('version %s schema %s', extversion, extnamespace::regnamespace) FROM pg_extension`,

	`SELECT CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'c' THEN 'composite type' WHEN 'f' THEN 'foreign table' ELSE 'table' END,
	format('%I.%I', n.nspname, relname),
	format('kind %s persistence %s owner %s acl %s options %s row security %s/%s identity %s access method %s tablespace %s', relkind, relpersistence, relowner::regrole,
		` + sortedACL("relacl") + `, reloptions, relrowsecurity, relforcerowsecurity, relreplident, amname, spcname)
	|| coalesce(' partition by ' || pg_get_partkeydef(c.oid), '') || coalesce(' partition ' || pg_get_expr(relpartbound, c.oid), '')
	|| coalesce(' inherits ' || (SELECT string_agg(inhparent::regclass::text, ', ' ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = c.oid), '')
	|| CASE WHEN relkind IN ('v', 'm') THEN ' as ' || pg_get_viewdef(c.oid) ELSE '' END
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace LEFT JOIN pg_am am ON am.oid = relam LEFT JOIN pg_tablespace s ON s.oid = reltablespace
WHERE ` + userSchema + ` AND relkind NOT IN ('i', 'I', 't')`,

	`SELECT 'column', format('%I.%I.%I', n.nspname, relname, attname),
	format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' not null' ELSE '' END
	|| coalesce(CASE WHEN attgenerated = '' THEN ' default ' ELSE ' generated ' END || pg_get_expr(adbin, adrelid), '')
	|| CASE attidentity WHEN '' THEN '' ELSE ' identity ' || attidentity::text END
	|| CASE WHEN attcollation <> typcollation THEN ' collate ' || (SELECT format('%I.%I', collnamespace::regnamespace, collname) FROM pg_collation l WHERE l.oid = attcollation) ELSE '' END
	|| CASE WHEN attacl IS NULL THEN '' ELSE ' acl ' || ` + sortedACL("attacl") + ` END
FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_type t ON t.oid = atttypid
LEFT JOIN pg_attrdef d ON adrelid = attrelid AND adnum = attnum
WHERE ` + userSchema + ` AND attnum > 0 AND NOT attisdropped AND relkind NOT IN ('i', 'I', 'S', 't')`,

	`SELECT 'index', format('%I.%I', n.nspname, relname), format('%s valid %s ready %s identity %s clustered %s', pg_get_indexdef(c.oid), indisvalid, indisready, indisreplident, indisclustered)
FROM pg_index JOIN pg_class c ON c.oid = indexrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE ` + userSchema,

	`SELECT 'constraint', format('%I on %s', conname, CASE conrelid WHEN 0 THEN contypid::regtype::text ELSE conrelid::regclass::text END),
	format('%s validated %s', pg_get_constraintdef(k.oid), convalidated)
FROM pg_constraint k JOIN pg_namespace n ON n.oid = connamespace WHERE ` + userSchema,

	`SELECT 'sequence definition', format('%I.%I', n.nspname, relname), format('%s start %s increment %s max %s min %s cache %s cycle %s owned by %s',
	seqtypid::regtype, seqstart, seqincrement, seqmax, seqmin, seqcache, seqcycle,
	(SELECT string_agg(format('%s.%I', refobjid::regclass, attname), ', ') FROM pg_depend JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
		WHERE classid = 'pg_class'::regclass AND objid = seqrelid AND deptype IN ('a', 'i')))
FROM pg_sequence JOIN pg_class c ON c.oid = seqrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE ` + userSchema,

	`SELECT 'trigger', format('%I on %s', tgname, tgrelid::regclass), format('%s enabled %s', pg_get_triggerdef(t.oid), tgenabled)
FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE ` + userSchema + ` AND NOT tgisinternal`,

	// Foreign keys' own triggers have numbers for names; that one is switched off is what matters.
	`SELECT 'internal triggers', tgrelid::regclass::text, string_agg(format('%s %s', tgfoid::regproc, tgenabled), ', ' ORDER BY tgfoid::regproc::text COLLATE "C", tgenabled)
FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE ` + userSchema + ` AND tgisinternal GROUP BY tgrelid`,

	`SELECT 'rule', format('%I on %s', rulename, ev_class::regclass), format('%s enabled %s', pg_get_ruledef(r.oid), ev_enabled)
FROM pg_rewrite r JOIN pg_class c ON c.oid = ev_class JOIN pg_namespace n ON n.oid = relnamespace WHERE ` + userSchema + ` AND rulename <> '_RETURN'`,

	`SELECT 'policy', format('%I on %s', polname, polrelid::regclass), format('command %s permissive %s roles %s using %s check %s', polcmd, polpermissive,
	(SELECT string_agg(CASE x WHEN 0 THEN 'public' ELSE x::regrole::text END, ', ' ORDER BY x::regrole::text COLLATE "C") FROM unnest(polroles) x), pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
FROM pg_policy JOIN pg_class c ON c.oid = polrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE ` + userSchema,

	`SELECT CASE prokind WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' ELSE 'function' END, p.oid::regprocedure::text,
	format('owner %s acl %s volatility %s: %s', proowner::regrole, ` + sortedACL("proacl") + `, provolatile,
	CASE WHEN prokind = 'a' THEN (SELECT (to_jsonb(g) - '{aggfnoid,aggtranstype,aggmtranstype,aggsortop}'::text[])::text || ' ' || aggtranstype::regtype::text FROM pg_aggregate g WHERE g.aggfnoid = p.oid) ELSE pg_get_functiondef(p.oid) END)
FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE ` + userSchema,

	`SELECT 'type', format('%I.%I', n.nspname, typname), format('kind %s owner %s acl %s base %s not null %s default %s labels %s', typtype, typowner::regrole, ` + sortedACL("typacl") + `,
	CASE typbasetype WHEN 0 THEN '' ELSE format_type(typbasetype, typtypmod) END, typnotnull, typdefault,
	(SELECT string_agg(quote_literal(enumlabel), ' ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid))
FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE ` + userSchema + ` AND typtype IN ('d', 'e', 'r', 'b') AND typelem = 0`,

	`SELECT 'operator', o.oid::regoperator::text, format('%s %s %s', oprcode, oprowner::regrole, oprcanhash) FROM pg_operator o JOIN pg_namespace n ON n.oid = oprnamespace WHERE ` + userSchema,

	`SELECT 'cast', format('%s as %s', castsource::regtype, casttarget::regtype), format('%s %s %s', castfunc::regprocedure, castcontext, castmethod)
FROM pg_cast c WHERE c.oid >= 16384`,

	`SELECT 'collation', format('%I.%I', n.nspname, collname), (to_jsonb(c) - '{oid,collname,collnamespace,collowner}'::text[])::text
FROM pg_collation c JOIN pg_namespace n ON n.oid = collnamespace WHERE ` + userSchema,

	`SELECT 'statistics', format('%I.%I', n.nspname, stxname), pg_get_statisticsobjdef(s.oid) FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = stxnamespace WHERE ` + userSchema,

	`SELECT 'text search', format('configuration %I.%I', n.nspname, cfgname), cfgowner::regrole::text FROM pg_ts_config JOIN pg_namespace n ON n.oid = cfgnamespace WHERE ` + userSchema,

	`SELECT 'event trigger', quote_ident(evtname), format('on %s %s enabled %s calls %s', evtevent, evttags, evtenabled, evtfoid::regproc) FROM pg_event_trigger
WHERE NOT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE p.oid = evtfoid AND nspname = 'pgchorus')`,

	`SELECT 'publication', quote_ident(pubname), (to_jsonb(p) - '{oid,pubname,pubowner}'::text[])::text FROM pg_publication p`,

	`SELECT 'foreign server', quote_ident(srvname), format('%s %s %s', srvtype, srvversion, srvoptions) FROM pg_foreign_server`,

	`SELECT 'default privileges', format('of %s in %s for %s', defaclrole::regrole, CASE defaclnamespace WHEN 0 THEN 'all' ELSE defaclnamespace::regnamespace::text END, defaclobjtype),
	` + sortedACL("defaclacl") + ` FROM pg_default_acl`,

	`SELECT 'comment', (pg_identify_object(classoid, objoid, objsubid)).type || ' ' || (pg_identify_object(classoid, objoid, objsubid)).identity, description
FROM pg_description WHERE objoid >= 16384 AND (pg_identify_object(classoid, objoid, objsubid)).identity NOT LIKE 'pgchorus.%'`,

	`SELECT 'large object', oid::text, format('owner %s acl %s', lomowner::regrole, ` + sortedACL("lomacl") + `) FROM pg_largeobject_metadata`,
}

// schemaListing is what a database has besides rows.
var schemaListing = listing{what: "schema", database: true, sql: strings.Join(schemaParts, "\nUNION ALL\n")}
