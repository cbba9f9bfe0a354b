package follow

import "strconv"

const (
	schemaName = "pgchorus"
	// markTable is where transactions that go through a pgchorus mark themselves (ADR 0019).
	markTable = "commit_slot"
	// prefix is that of our messages in the WAL, definitionMark what one says that tells of
	// changed definitions.
	prefix         = "pgchorus"
	definitionMark = "definition"
)

// schema makes what tells of changed definitions, which logical decoding leaves out: two
// event triggers that write a message into the WAL, with the transaction (PostgreSQL, 40
// and 9.27.6). It needs a superuser. Temporary relations are nobody else's, and not told of;
// what a DROP drops is told of by the second trigger. ENABLE ALWAYS: also where
// session_replication_role is replica.
var schema = `
BEGIN;
SET LOCAL lock_timeout = '5s';
SET LOCAL client_min_messages = warning;
SELECT pg_catalog.pg_advisory_xact_lock(` + strconv.Itoa(schemaLock) + `);
CREATE SCHEMA IF NOT EXISTS pgchorus;
CREATE OR REPLACE FUNCTION pgchorus.tell_definition() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF tg_event = 'sql_drop' THEN
		IF NOT EXISTS (SELECT FROM pg_event_trigger_dropped_objects() WHERE NOT is_temporary) THEN
			RETURN;
		END IF;
	ELSIF NOT EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE schema_name IS DISTINCT FROM 'pg_temp')
		AND (tg_tag LIKE 'DROP %' OR EXISTS (SELECT FROM pg_event_trigger_ddl_commands())) THEN
		RETURN;
	END IF;
	PERFORM pg_logical_emit_message(true, 'pgchorus', 'definition');
END $$;
DO $$ BEGIN
	IF NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger WHERE evtname = 'pgchorus_definition') THEN
		CREATE EVENT TRIGGER pgchorus_definition ON ddl_command_end EXECUTE FUNCTION pgchorus.tell_definition();
	END IF;
	IF NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger WHERE evtname = 'pgchorus_drop') THEN
		CREATE EVENT TRIGGER pgchorus_drop ON sql_drop EXECUTE FUNCTION pgchorus.tell_definition();
	END IF;
END $$;
ALTER EVENT TRIGGER pgchorus_definition ENABLE ALWAYS;
ALTER EVENT TRIGGER pgchorus_drop ENABLE ALWAYS;
COMMIT`

// schemaLock keeps two proxies from making it at once: "pgcD" in ASCII.
const schemaLock = 0x70676344

// triggers are those of our event triggers that are there and fire.
const triggers = `(SELECT count(*) FROM pg_event_trigger WHERE evtname::text IN ('pgchorus_definition', 'pgchorus_drop') AND evtenabled = 'A')`

// allTriggers is their number, if none is missing.
const allTriggers = "2"

// standing asks what following needs: wal_level, the encoding, and the event triggers.
const standing = "SELECT current_setting('wal_level'), current_setting('server_encoding'), " + triggers
