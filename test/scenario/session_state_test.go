package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// Each script is run line by line through the server and on a bare node; what comes
// back has to be the same: rows, command tags, SQLSTATEs and transaction status.
var stateScripts = []struct {
	name   string
	script string
}{
	{"SET and RESET", `
		SHOW work_mem
		SET work_mem = '3MB'
		SHOW work_mem
		RESET work_mem
		SHOW work_mem
		SET work_mem TO '3MB'
		RESET ALL
		SHOW work_mem
		SET no_such_parameter = 1
		SET my.own = 'x'
		SHOW my.own
		SELECT current_setting('my.own'), current_setting('no.such', true)
		SELECT set_config('my.own', 'y', false)
		SHOW my.own`},
	{"SET LOCAL", `
		BEGIN
		SET LOCAL work_mem = '3MB'
		SHOW work_mem
		COMMIT
		SHOW work_mem
		SET LOCAL work_mem = '3MB'
		SHOW work_mem
		BEGIN
		SET work_mem = '5MB'
		ROLLBACK
		SHOW work_mem
		BEGIN
		SET work_mem = '5MB'
		SAVEPOINT a
		SET work_mem = '6MB'
		ROLLBACK TO a
		SHOW work_mem
		COMMIT
		SHOW work_mem`},
	{"role", `
		SELECT current_user, session_user
		SET ROLE clerk
		SELECT current_user, session_user
		CREATE TABLE forbidden.t (x int)
		INSERT INTO item VALUES (50, current_user)
		RESET ROLE
		SELECT text FROM item WHERE id = 50
		SET SESSION AUTHORIZATION clerk
		SELECT current_user, session_user
		UPDATE secret SET x = 1
		RESET SESSION AUTHORIZATION
		SELECT current_user
		BEGIN
		SET LOCAL ROLE clerk
		SELECT current_user
		ROLLBACK
		SELECT current_user`},
	{"search_path", `
		SET search_path = forbidden, public
		SELECT current_schemas(false)
		CREATE TABLE here (x int)
		INSERT INTO here VALUES (1), (2)
		SELECT count(*) FROM forbidden.here
		SET search_path = public
		SELECT * FROM here
		SET search_path TO DEFAULT
		SHOW search_path
		SELECT count(*) FROM item`},
	{"settings that reads depend on", `
		CREATE TABLE forbidden.item (id int, text text)
		BEGIN
		SET search_path = forbidden, public
		COMMIT
		SELECT count(*) FROM item
		BEGIN
		SET search_path = public
		SELECT count(*) FROM item
		ROLLBACK
		SELECT count(*) FROM item
		BEGIN
		SELECT count(*) FROM item
		SAVEPOINT a
		SET search_path = public
		SELECT count(*) FROM item
		ROLLBACK TO a
		SELECT count(*) FROM item
		SET LOCAL search_path = public
		SELECT count(*) FROM item
		COMMIT
		SELECT count(*) FROM item
		SELECT set_config('search_path', 'public', true)
		SELECT count(*) FROM item
		SELECT set_config('search_path', 'public', false)
		SELECT count(*) FROM item
		SELECT current_setting('search_path')
		BEGIN
		SELECT set_config('search_path', 'forbidden', false)
		ROLLBACK
		SELECT count(*) FROM item
		SET search_path = forbidden; SELECT count(*) FROM item
		SELECT count(*) FROM item; SELECT 1/0; SET search_path = public
		SELECT count(*) FROM item
		SET search_path = public; SELECT 1/0
		SELECT count(*) FROM item
		DISCARD ALL
		SELECT count(*) FROM item
		SET timezone = 'Asia/Tokyo'
		SELECT '2024-01-01 00:00+00'::timestamptz
		BEGIN
		SET LOCAL timezone = 'UTC'
		SELECT '2024-01-01 00:00+00'::timestamptz
		COMMIT
		SELECT '2024-01-01 00:00+00'::timestamptz
		SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY
		SELECT count(*) FROM item
		DELETE FROM item
		SELECT count(*) FROM item`},
	{"large objects", `
		SELECT lo_create(700001)
		SELECT lo_from_bytea(700002, 'abc')
		SELECT lo_get(700002)
		BEGIN
		SELECT lo_open(700001, 131072)
		SELECT lowrite(0, 'large')
		SELECT lo_lseek(0, 1, 0)
		SELECT loread(0, 2)
		COMMIT
		SELECT lo_get(700001)
		SELECT lo_put(700001, 0, 'L'), lo_get(700001)
		SELECT lo_get(700001)
		SELECT lo_unlink(700001)
		SELECT lo_get(700001)
		SELECT lo_unlink(700002)
		SELECT count(*) FROM pg_largeobject_metadata`},
	{"PREPARE", `
		PREPARE r (int) AS SELECT text FROM item WHERE id = $1
		EXECUTE r(1)
		PREPARE r AS SELECT 1
		PREPARE w AS UPDATE item SET text = $2 WHERE id = $1
		EXECUTE w(1, 'new')
		EXECUTE r(1)
		EXECUTE r
		EXECUTE nobody
		SELECT name, statement FROM pg_prepared_statements ORDER BY name
		DEALLOCATE r
		EXECUTE r(1)
		DEALLOCATE r
		DEALLOCATE ALL
		EXECUTE w(1, 'x')
		BEGIN
		PREPARE inblock AS SELECT count(*) FROM item
		ROLLBACK
		EXECUTE inblock
		DEALLOCATE PREPARE inblock`},
	{"PREPARE in an aborted block", `
		BEGIN
		SELECT 1/0
		PREPARE x AS SELECT 1
		ROLLBACK
		EXECUTE x
		PREPARE x AS SELECT 2
		EXECUTE x`},
	{"EXPLAIN and CREATE TABLE AS of EXECUTE", `
		PREPARE w AS UPDATE item SET text = 'explained' WHERE id = $1
		EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) EXECUTE w(3)
		SELECT text FROM item WHERE id = 3
		PREPARE r AS SELECT id FROM item WHERE id < $1
		CREATE TABLE made AS EXECUTE r(3)
		SELECT count(*) FROM made`},
	{"cursors", `
		DECLARE c CURSOR FOR SELECT id FROM item ORDER BY id
		FETCH 1 FROM c
		BEGIN
		DECLARE c SCROLL CURSOR FOR SELECT id FROM item ORDER BY id
		FETCH 2 FROM c
		FETCH BACKWARD 1 FROM c
		FETCH ALL FROM c
		FETCH ABSOLUTE 3 FROM c
		MOVE FIRST FROM c
		FETCH NEXT FROM c
		UPDATE item SET text = 'here' WHERE id = 1
		CLOSE c
		FETCH 1 FROM c
		ROLLBACK
		BEGIN
		DECLARE c CURSOR FOR SELECT id FROM item ORDER BY id FOR UPDATE
		FETCH 2 FROM c
		UPDATE item SET text = 'current' WHERE CURRENT OF c
		DELETE FROM item WHERE CURRENT OF c
		COMMIT
		SELECT id FROM item ORDER BY id
		FETCH 1 FROM c`},
	{"cursors WITH HOLD", `
		BEGIN
		DECLARE h CURSOR WITH HOLD FOR SELECT id FROM item ORDER BY id
		COMMIT
		FETCH 2 FROM h
		INSERT INTO item VALUES (60, 'later')
		FETCH 1 FROM h
		SELECT name, is_holdable FROM pg_cursors
		CLOSE h
		FETCH 1 FROM h
		CLOSE ALL`},
	{"savepoints", `
		SAVEPOINT outside
		BEGIN
		INSERT INTO item VALUES (70, 'a')
		SAVEPOINT a
		INSERT INTO item VALUES (70, 'again')
		SELECT 1
		ROLLBACK TO a
		INSERT INTO item VALUES (71, 'b')
		SAVEPOINT b
		INSERT INTO item VALUES (72, 'c')
		RELEASE b
		SAVEPOINT b
		SELECT 1/0
		ROLLBACK TO nobody
		ROLLBACK TO SAVEPOINT b
		ROLLBACK TO a
		RELEASE a
		ROLLBACK TO a
		ROLLBACK
		SELECT count(*) FROM item WHERE id > 60
		BEGIN
		SAVEPOINT a
		SELECT count(*) FROM no_such_table
		ROLLBACK TO a
		INSERT INTO item VALUES (73, 'd')
		COMMIT
		SELECT count(*) FROM item WHERE id > 60`},
	{"blocks", `
		COMMIT
		ROLLBACK
		BEGIN
		BEGIN
		SELECT 1/0
		SELECT 1
		BEGIN
		COMMIT
		SELECT 1
		START TRANSACTION READ ONLY
		INSERT INTO item VALUES (80, 'x')
		END
		BEGIN ISOLATION LEVEL SERIALIZABLE
		SHOW transaction_isolation
		COMMIT AND CHAIN
		SHOW transaction_isolation
		ROLLBACK AND CHAIN
		SHOW transaction_isolation
		ABORT
		SET default_transaction_isolation = 'repeatable read'
		SHOW transaction_isolation
		SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY
		INSERT INTO item VALUES (80, 'x')
		SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE
		INSERT INTO item VALUES (80, 'x')
		BEGIN
		SELECT 1
		SET TRANSACTION ISOLATION LEVEL READ COMMITTED
		ROLLBACK
		BEGIN
		SET TRANSACTION ISOLATION LEVEL READ COMMITTED
		SHOW transaction_isolation
		COMMIT`},
	{"temporary tables", `
		CREATE TEMP TABLE scratch (x int)
		INSERT INTO scratch VALUES (1), (2)
		SELECT count(*) FROM scratch
		CREATE TEMP TABLE item (x int)
		INSERT INTO item VALUES (7)
		SELECT * FROM item
		SELECT count(*) FROM public.item
		DROP TABLE item
		SELECT count(*) FROM item
		BEGIN
		CREATE TEMP TABLE short (x int) ON COMMIT DROP
		INSERT INTO short VALUES (1)
		SELECT * FROM short
		COMMIT
		SELECT * FROM short
		INSERT INTO item SELECT x + 100, 'from temp' FROM scratch
		SELECT id FROM item WHERE text = 'from temp' ORDER BY id
		SELECT * INTO TEMP copied FROM item WHERE id < 3
		SELECT count(*) FROM copied
		DISCARD TEMP
		SELECT count(*) FROM scratch`},
	{"advisory locks", `
		SELECT pg_advisory_lock(1)
		SELECT pg_try_advisory_lock(2)
		SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() ORDER BY 1
		SELECT pg_advisory_unlock(1)
		SELECT pg_advisory_unlock(1)
		BEGIN
		SELECT pg_advisory_xact_lock(3)
		ROLLBACK
		SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() ORDER BY 1
		SELECT pg_advisory_unlock_all()
		SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()`},
	{"DISCARD", `
		SET work_mem = '3MB'
		PREPARE p AS SELECT 1
		CREATE TEMP TABLE scratch (x int)
		DISCARD PLANS
		EXECUTE p
		DISCARD SEQUENCES
		BEGIN
		DISCARD ALL
		ROLLBACK
		DISCARD ALL
		SHOW work_mem
		EXECUTE p
		SELECT * FROM scratch`},
	{"LISTEN and NOTIFY", `
		LISTEN news
		SELECT * FROM pg_listening_channels()
		NOTIFY news, 'x'
		UNLISTEN news
		SELECT * FROM pg_listening_channels()`},
	{"sequences", `
		CREATE SEQUENCE counter
		SELECT nextval('counter')
		SELECT currval('counter'), lastval()
		SELECT setval('counter', 40)
		SELECT nextval('counter')
		BEGIN
		SELECT nextval('counter')
		ROLLBACK
		SELECT nextval('counter')
		SELECT last_value, is_called FROM counter
		DISCARD SEQUENCES
		SELECT currval('counter')`},
	{"two-phase commit", `
		BEGIN
		INSERT INTO item VALUES (90, 'prepared')
		PREPARE TRANSACTION 'tx'
		SELECT 1
		SELECT gid FROM pg_prepared_xacts
		SELECT count(*) FROM item WHERE id = 90
		COMMIT PREPARED 'tx'
		SELECT count(*) FROM item WHERE id = 90
		BEGIN
		DELETE FROM item WHERE id = 90
		PREPARE TRANSACTION 'tx'
		ROLLBACK PREPARED 'tx'
		SELECT count(*) FROM item WHERE id = 90
		COMMIT PREPARED 'nobody'`},
	{"several statements in a string", `
		INSERT INTO item VALUES (91, 'a'); INSERT INTO item VALUES (91, 'twice')
		SELECT count(*) FROM item WHERE id = 91
		INSERT INTO item VALUES (92, 'a'); COMMIT; INSERT INTO item VALUES (92, 'twice')
		SELECT count(*) FROM item WHERE id = 92
		BEGIN; INSERT INTO item VALUES (93, 'a')
		SELECT 1; SELECT 2
		ROLLBACK; INSERT INTO item VALUES (94, 'b'); SELECT count(*) FROM item WHERE id IN (93, 94)
		SET work_mem = '3MB'; SELECT 1/0
		SHOW work_mem
		;
		SELECT 1;;`},
	{"statements outside of blocks", `
		VACUUM item
		BEGIN
		VACUUM item
		ROLLBACK
		CREATE INDEX CONCURRENTLY item_text ON item (text)
		REINDEX TABLE CONCURRENTLY item
		DROP INDEX CONCURRENTLY item_text
		DO $$ BEGIN INSERT INTO item VALUES (95, 'do'); COMMIT; INSERT INTO item VALUES (96, 'do'); END $$
		SELECT count(*) FROM item WHERE text = 'do'
		DO $$ BEGIN INSERT INTO item VALUES (97, 'do'); COMMIT; PERFORM 1/0; END $$
		SELECT count(*) FROM item WHERE text = 'do'`},
}

const stateSchema = `
DROP SCHEMA IF EXISTS public, forbidden CASCADE;
CREATE SCHEMA public;
GRANT ALL ON SCHEMA public TO PUBLIC;` + itemTable + `
CREATE SCHEMA forbidden;
CREATE TABLE secret (x int);
GRANT ALL ON item TO clerk;`

func TestSessionStateIsAsOnOneServer(t *testing.T) {
	alone := pgtest.Start(t, 1)[0]
	alone.Exec("CREATE ROLE clerk")
	alone.Exec("CREATE DATABASE " + database)
	for _, mode := range []config.ClusteringMode{config.NativeReplication, config.SnapshotIsolation, config.StreamingReplication} {
		t.Run(string(mode), func(t *testing.T) {
			// What a script begins with is another session's; its session reads it.
			s := newStageIn(t, mode, "read_consistency = strict", "read_consistency_timeout = 10000")
			s.proxy.Exec("CREATE ROLE clerk")
			for _, tt := range stateScripts {
				t.Run(tt.name, func(t *testing.T) { s.in(t).wantSameState(alone.In(t), tt.script) })
			}
		})
	}
}

// wantSameState plays a script through the server and on a node that stands alone.
func (s *stage) wantSameState(alone *pgtest.Node, script string) {
	through, bare := s.connect(), alone.ConnectTo(database)
	for _, conn := range []*pgx.Conn{through, bare} {
		s.exec(conn, "SET client_min_messages = error; SET timezone = 'UTC'")
		s.exec(conn, stateSchema)
	}
	for line := range strings.Lines(script) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		got, want := answer(through, line), answer(bare, line)
		if s.mode == config.SnapshotIsolation && line == "SHOW transaction_isolation" && want[1] == "read committed" {
			want[1] = "repeatable read" // which is the least that this mode gives
		}
		if !slices.Equal(got, want) {
			s.t.Errorf("%s\n got %q\nwant %q", line, got, want)
		}
	}
	hangUp(through)
	hangUp(bare)
	s.wantEqual()
}

// answer is what a simple query answers, as lines.
func answer(conn *pgx.Conn, sql string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var lines []string
	results := conn.PgConn().Exec(ctx, sql)
	for results.NextResult() {
		result := results.ResultReader().Read()
		for _, field := range result.FieldDescriptions {
			lines = append(lines, fmt.Sprintf("column %s %d", field.Name, field.DataTypeOID))
		}
		lines = append(lines, texts(result.Rows)...)
		if result.Err == nil {
			lines = append(lines, result.CommandTag.String())
		}
	}
	if err := results.Close(); err != nil {
		lines = append(lines, shownError(err))
	}
	return append(lines, string(conn.PgConn().TxStatus()))
}

func shownError(err error) string {
	var told *pgconn.PgError
	if errors.As(err, &told) {
		return told.Code + " " + told.Message
	}
	return err.Error()
}
