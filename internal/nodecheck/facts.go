package nodecheck

import (
	"fmt"
	"strings"
)

// The other kinds of facts.
const (
	KindServer     = "server"
	KindPlatform   = "platform"
	KindRoleSet    = "setting of role or database"
	KindRole       = "role"
	KindMembership = "membership"
	KindPassword   = "password of role"
	KindDatabase   = "database"
	KindExtension  = "extension"
	KindCollation  = "collation"
	KindOurs       = "schema of pgchorus"
)

// Fact is one thing that a node says of itself.
type Fact struct {
	Kind, Database, Name, Value string
}

// Facts are what a node says of itself.
type Facts []Fact

// zones are asked for what they make of some moments, since changes of their rules are what
// versions of the time zone data differ in. They are in every version of it.
const (
	zones   = `Europe/Paris,Europe/Moscow,Europe/Istanbul,America/New_York,America/Sao_Paulo,America/Mexico_City,America/Santiago,Asia/Tehran,Asia/Amman,Asia/Almaty,Asia/Gaza,Africa/Cairo,Africa/Casablanca,Africa/Juba,Australia/Sydney,Pacific/Apia,Pacific/Fiji`
	moments = `{1990-01-01 00:00,2010-07-01 00:00,2020-10-01 00:00,2023-05-01 00:00,2024-01-15 00:00,2024-07-01 00:00,2026-03-29 02:30,2026-07-01 00:00,2037-07-01 00:00}`
)

// serverQuery: the versions of collations are those of the libraries, which a collation of
// each provider stands for.
const serverQuery = `
SELECT 'server', 'in recovery', pg_is_in_recovery()::text
UNION ALL SELECT 'server', 'time zone data', md5(string_agg(zone || (SELECT string_agg(extract(epoch FROM moment AT TIME ZONE zone)::text, ',' ORDER BY moment)
	FROM unnest('` + moments + `'::timestamp[]) moment), ';' ORDER BY zone COLLATE "C"))
	FROM unnest('{` + zones + `}'::text[]) zone
UNION ALL SELECT 'server', 'version of ICU collations', coalesce((SELECT pg_collation_actual_version(oid) FROM pg_collation WHERE collname = 'und-x-icu' LIMIT 1), 'none')
UNION ALL SELECT 'server', 'version of libc collations', coalesce((SELECT pg_collation_actual_version(oid) FROM pg_collation
	WHERE collprovider = 'c' AND collcollate !~* '^(C|POSIX)(\.|$)' ORDER BY oid LIMIT 1), 'none')
UNION ALL SELECT 'platform', 'server_version_num', current_setting('server_version_num')
UNION ALL SELECT 'platform', 'architecture', coalesce(substring(version() from ' on ([a-z0-9_]+)-'), 'unknown')
UNION ALL SELECT 'platform', name, setting FROM pg_settings WHERE name = 'shared_preload_libraries'`

// rolesQuery: attributes of the role that initdb made, and grants to it, are like those of
// others.
const rolesQuery = `
SELECT 'role', rolname::text, (to_jsonb(r) - '{oid,rolname,rolpassword,rolconfig}'::text[])::text FROM pg_roles r WHERE rolname !~ '^pg_'
UNION ALL SELECT 'membership', format('%s in %s', member::regrole, roleid::regrole), count(*)::text FROM pg_auth_members GROUP BY member, roleid
UNION ALL SELECT 'setting of role or database', format('role %s in database %s', CASE setrole WHEN 0 THEN 'all' ELSE setrole::regrole::text END, coalesce(datname, 'all')),
	(SELECT string_agg(x, ', ' ORDER BY x COLLATE "C") FROM unnest(setconfig) x)
	FROM pg_db_role_setting LEFT JOIN pg_database d ON d.oid = setdatabase
UNION ALL SELECT 'database', datname::text, concat_ws(' ', pg_encoding_to_char(encoding),
	regexp_replace(datcollate, '(?i)utf-?8$', 'UTF-8'), regexp_replace(datctype, '(?i)utf-?8$', 'UTF-8'), to_jsonb(d) ->> 'datlocprovider', coalesce(to_jsonb(d) ->> 'daticulocale', to_jsonb(d) ->> 'datlocale'),
	to_jsonb(d) ->> 'datcollversion', 'connections ' || datallowconn) FROM pg_database d`

// passwordsQuery needs a superuser.
const passwordsQuery = `SELECT 'password of role', rolname::text, coalesce(md5(rolpassword), 'none') FROM pg_authid WHERE rolname !~ '^pg_'`

// databaseQuery is about what each database has of its own.
const databaseQuery = `
SELECT 'extension', extname::text, extversion FROM pg_extension
UNION ALL SELECT 'collation', format('%I.%I', n.nspname, collname), concat_ws(' ', collprovider, collversion, pg_collation_actual_version(c.oid))
	FROM pg_collation c JOIN pg_namespace n ON n.oid = collnamespace WHERE n.nspname <> 'pg_catalog'
UNION ALL SELECT 'schema of pgchorus', 'objects', md5(string_agg(what, ',' ORDER BY what COLLATE "C")) FROM (
	SELECT relname::text FROM pg_class WHERE relnamespace = to_regnamespace('pgchorus') AND relkind IN ('r', 'v', 'S')
	UNION ALL SELECT proname || md5(prosrc) FROM pg_proc WHERE pronamespace = to_regnamespace('pgchorus')) AS o(what) HAVING count(*) > 0`

// databasesQuery lists the databases that are looked into.
const databasesQuery = `SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname COLLATE "C" LIMIT 500`

// quote is how a value is shown, cut to a readable length.
func quote(value string) string {
	const longest = 200
	if len(value) > longest {
		value = strings.ToValidUTF8(value[:longest], "") + "..."
	}
	return fmt.Sprintf("%q", value)
}
