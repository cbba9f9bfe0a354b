package pgtest

// Each listing returns one column, one line for each thing, sorted by bytes. OIDs
// are left out, since nodes number their relations each for itself.

// globalListing is what a whole node has.
const globalListing = `
SELECT line COLLATE "C" FROM (
	SELECT format('role %s super=%s inherit=%s createrole=%s createdb=%s login=%s replication=%s bypassrls=%s limit=%s until=%s config=%s password=%s',
		rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls, rolconnlimit, rolvaliduntil,
		(SELECT array_agg(setting ORDER BY setting) FROM pg_db_role_setting s, unnest(setconfig) setting WHERE setrole = a.oid AND setdatabase = 0),
		rolpassword IS NOT NULL) AS line
	FROM pg_authid a
	UNION ALL
	SELECT format('role %s is a member of %s, admin=%s', m.member::regrole, m.roleid::regrole, m.admin_option) FROM pg_auth_members m
	UNION ALL
	SELECT format('database %s owner=%s encoding=%s collate=%s ctype=%s acl=%s', datname, datdba::regrole, encoding, datcollate, datctype, datacl) FROM pg_database
	UNION ALL
	SELECT format('tablespace %s owner=%s', spcname, spcowner::regrole) FROM pg_tablespace
	UNION ALL
	SELECT format('prepared transaction %s in %s of %s', gid, database, owner) FROM pg_prepared_xacts
) AS lines ORDER BY 1`

// userSchema leaves out PostgreSQL's schemas, ours, and those of temporary tables.
const userSchema = `(n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgchorus'))`

// schemaListing is what a database has besides rows.
const schemaListing = `
SELECT line COLLATE "C" FROM (
	SELECT format('schema %s owner=%s acl=%s', n.nspname, nspowner::regrole, nspacl) AS line FROM pg_namespace n WHERE ` + userSchema + `
	UNION ALL
	SELECT format('extension %s %s', extname, extversion) FROM pg_extension
	UNION ALL
	SELECT format('relation %I.%I kind=%s persistence=%s owner=%s acl=%s options=%s rls=%s key=%s partition=%s of=%s',
		n.nspname, relname, relkind, relpersistence, relowner::regrole, relacl, reloptions, relrowsecurity, pg_get_partkeydef(c.oid), pg_get_expr(relpartbound, c.oid),
		(SELECT array_agg(inhparent::regclass::text ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = c.oid))
	FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE ` + userSchema + ` AND relkind NOT IN ('i', 'I')
	UNION ALL
	SELECT format('column %I.%I.%I no=%s type=%s notnull=%s default=%s identity=%s generated=%s', n.nspname, relname, attname, attnum,
		format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid), attidentity, attgenerated)
	FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
	LEFT JOIN pg_attrdef d ON adrelid = attrelid AND adnum = attnum
	WHERE ` + userSchema + ` AND attnum > 0 AND NOT attisdropped AND relkind NOT IN ('i', 'I', 'S')
	UNION ALL
	SELECT format('index %I.%I valid=%s: %s', n.nspname, relname, indisvalid, pg_get_indexdef(c.oid))
	FROM pg_index JOIN pg_class c ON c.oid = indexrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE ` + userSchema + `
	UNION ALL
	SELECT format('constraint %s on %s: %s', conname, conrelid::regclass, pg_get_constraintdef(k.oid))
	FROM pg_constraint k JOIN pg_namespace n ON n.oid = connamespace WHERE ` + userSchema + `
	UNION ALL
	SELECT format('sequence %I.%I start=%s increment=%s max=%s min=%s cache=%s cycle=%s', schemaname, sequencename, start_value,
		increment_by, max_value, min_value, cache_size, cycle)
	FROM pg_sequences s JOIN pg_namespace n ON n.nspname = schemaname WHERE ` + userSchema + `
	UNION ALL
	SELECT format('view %I.%I: %s', n.nspname, relname, pg_get_viewdef(c.oid))
	FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE ` + userSchema + ` AND relkind IN ('v', 'm')
	UNION ALL
	SELECT format('trigger %s on %s enabled=%s: %s', tgname, tgrelid::regclass, tgenabled, pg_get_triggerdef(t.oid))
	FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE ` + userSchema + ` AND NOT tgisinternal
	UNION ALL
	SELECT format('rule: %s', pg_get_ruledef(r.oid))
	FROM pg_rewrite r JOIN pg_class c ON c.oid = ev_class JOIN pg_namespace n ON n.oid = relnamespace WHERE ` + userSchema + ` AND rulename <> '_RETURN'
	UNION ALL
	SELECT format('policy %s on %s command=%s using=%s check=%s', polname, polrelid::regclass, polcmd, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
	FROM pg_policy JOIN pg_class c ON c.oid = polrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE ` + userSchema + `
	UNION ALL
	SELECT format('function %s owner=%s acl=%s: %s', p.oid::regprocedure, proowner::regrole, proacl,
		CASE WHEN prokind = 'a' THEN 'aggregate' ELSE pg_get_functiondef(p.oid) END)
	FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE ` + userSchema + `
	UNION ALL
	SELECT format('type %I.%I kind=%s labels=%s', n.nspname, typname, typtype,
		(SELECT array_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid))
	FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE ` + userSchema + `
	UNION ALL
	SELECT format('comment on %s: %s', (pg_identify_object(classoid, objoid, objsubid)).identity, description)
	FROM pg_description WHERE objoid >= 16384
) AS lines ORDER BY 1`

// tableListing names, ready for use in SQL, everything that has rows of its own.
const tableListing = `
SELECT format('%I.%I', n.nspname, relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE ` + userSchema + ` AND relkind IN ('r', 'm') AND relispopulated
ORDER BY 1`

// largeObjectListing is the large objects with a digest of their bytes.
const largeObjectListing = `
SELECT format('large object %s owner=%s md5=%s', m.oid, lomowner::regrole,
	(SELECT md5(string_agg(pageno || ':' || encode(data, 'hex'), ',' ORDER BY pageno)) FROM pg_largeobject l WHERE loid = m.oid)) COLLATE "C"
FROM pg_largeobject_metadata m ORDER BY 1`
