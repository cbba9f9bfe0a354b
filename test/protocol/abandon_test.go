package protocol

import (
	"strings"
	"testing"
)

// TestAbandoned kills frontends in every state that a session may be in. Their
// transactions are rolled back on all nodes, no lock stays, and who comes next finds
// connections as new (bug classes 21 and 22).
func TestAbandoned(t *testing.T) {
	f := newFixture(t)
	f.refill(t)
	watcher := f.watch(t)
	big := "SELECT i, repeat('x', 1000) FROM generate_series(1, 100000) AS i"
	states := []struct {
		name  string
		steps []step
	}{
		{"just logged in", nil},
		{"half a Query", []step{push(message{bytes: query("INSERT INTO t VALUES (70, 'x')").bytes[:20]})}},
		{"an answer not read", []step{push(query("INSERT INTO t VALUES (70, 'x') RETURNING v; SELECT 1/0"))}},
		{"a long answer not read", []step{push(query(big))}},
		{"a long answer half read", []step{until('D', query(big))}},
		{"a long answer in a block", []step{ask("BEGIN"), ask("INSERT INTO t VALUES (70, 'x')"), until('D', query(big))}},
		{"a long answer to a write on all nodes", []step{until('D', query("INSERT INTO wide (a, c) SELECT i, repeat('x', 1000) FROM generate_series(1, 20000) AS i RETURNING *; SELECT 1/0"))}},
		{"in a block", []step{ask("BEGIN")}},
		{"in a block that has read", []step{ask("BEGIN"), ask("SELECT * FROM t")}},
		{"in a block that has written", []step{ask("BEGIN"), ask("INSERT INTO t VALUES (70, 'x')")}},
		{"in a failed block", []step{ask("BEGIN"), ask("INSERT INTO t VALUES (70, 'x')"), ask("SELECT 1/0")}},
		{"in a block with a savepoint", []step{ask("BEGIN"), ask("SAVEPOINT a"), ask("INSERT INTO t VALUES (70, 'x')")}},
		{"in a block with locks", []step{ask("BEGIN"), ask("LOCK TABLE wide IN ACCESS EXCLUSIVE MODE"), ask("SELECT * FROM t WHERE id = 1 FOR UPDATE")}},
		{"after Parse", []step{until('1', parse("s", "INSERT INTO t VALUES (70, 'x')"), flush())}},
		{"after Bind", []step{until('2', parse("s", "INSERT INTO t VALUES (70, 'x')"), bind("p", "s"), flush())}},
		{"after Execute", []step{until('C', run("INSERT INTO t VALUES (70, 'x')"), flush())}},
		{"after Execute without Flush", []step{push(run("INSERT INTO t VALUES (70, 'x')"))}},
		{"in a pipeline", []step{ready(1, run("INSERT INTO t VALUES ($1, 'x') RETURNING id / 0", "70"), syncUp(), run("INSERT INTO t VALUES (71, 'x')"))}},
		{"after an error, before Sync", []step{until('E', run("INSERT INTO t VALUES (70, 'x')"), run("SELECT 1/0"), flush())}},
		{"portal suspended", []step{until('s', parse("", "SELECT id FROM t"), bind("", ""), execute("", 1), flush())}},
		{"portal of a write suspended", []step{until('s', parse("", "INSERT INTO t SELECT i, 'x' FROM generate_series(70, 79) AS i RETURNING id"), bind("", ""), execute("", 1), flush())}},
		{"cursor open", []step{ask("BEGIN"), ask("DECLARE c CURSOR FOR SELECT * FROM t"), ask("FETCH 1 FROM c")}},
		{"cursor WITH HOLD", []step{ask("DECLARE c CURSOR WITH HOLD FOR SELECT * FROM t")}},
		{"COPY IN begun", []step{until('G', query(copyIn))}},
		{"COPY IN with data", []step{until('G', query(copyIn)), push(copyData("70\tx\n"))}},
		{"COPY IN in the middle of a message", []step{until('G', query(copyIn)), push(message{bytes: copyData("70\tx\n71\tx\n").bytes[:9]})}},
		{"COPY IN in a block", []step{ask("BEGIN"), until('G', query(copyIn)), push(copyData("70\tx\n"))}},
		{"COPY IN by extended query", []step{until('G', parse("", copyIn), bind("", ""), execute("", 0), flush()), push(copyData("70\tx\n"))}},
		{"COPY OUT not read", []step{until('H', query("COPY ("+big+") TO STDOUT"))}},
		{"LISTEN", []step{ask("LISTEN ch")}},
		{"advisory lock", []step{ask("SELECT pg_advisory_lock(5)")}},
		{"temporary table", []step{ask("CREATE TEMP TABLE tmp AS SELECT 1")}},
		{"settings changed", []step{ask("SET search_path = nowhere"), ask("SET timezone = 'Asia/Tokyo'")}},
		{"prepared statements", []step{ask("PREPARE s AS SELECT 1"), ready(1, parse("p", "SELECT 2"), syncUp())}},
	}
	ends := []struct {
		name string
		end  func(c *client)
	}{
		{"closed", (*client).hangUp},
		{"reset", (*client).reset},
		{"with Terminate", func(c *client) { c.trySend(terminate().bytes); c.Close() }},
	}
	for _, state := range states {
		for _, end := range ends {
			t.Run(state.name+", "+end.name, func(t *testing.T) {
				c := logIn(t, f.proxyAddr(), database)
				for _, st := range state.steps {
					if replies, err := c.playStep(st); err != nil {
						t.Fatalf("%s: %v after %q", texts(st.send), err, renderings(replies))
					}
				}
				end.end(c)
				f.wantNothingLeft(t)
			})
		}
	}
	f.wantServing(t)
	watcher.verdict(t)
	f.wantQuiet(t)
	f.wantEmptyOf(t, 70, 71)
	f.wantEqual(t)
}

// wantNothingLeft fails the test unless the nodes forget an abandoned session, but for
// the bystander's own; connections that the pool has kept must be as new.
func (f *fixture) wantNothingLeft(t testing.TB) {
	t.Helper()
	const left = `SELECT count(*) FROM pg_stat_activity AS a
		WHERE datname = 'app' AND backend_type = 'client backend' AND query NOT LIKE '%bystander%'
		  AND (state NOT IN ('idle') OR EXISTS (SELECT FROM pg_locks WHERE pg_locks.pid = a.pid))
		  AND NOT EXISTS (SELECT FROM pg_locks JOIN pg_class ON pg_class.oid = relation WHERE pg_locks.pid = a.pid AND relname LIKE 'bystander%')
		  AND query NOT IN ('BEGIN', 'COMMIT', 'ROLLBACK')`
	for _, node := range f.nodes {
		node.In(t).WaitRows(left, "0")
	}
	c := logIn(t, f.proxyAddr(), database)
	rows := c.must(t, `SELECT current_setting('timezone'), current_setting('search_path'), (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_cursors),
		(SELECT count(*) FROM pg_listening_channels()), (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), pg_my_temp_schema() = 0 OR NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = pg_my_temp_schema())`)
	if got := strings.Join(rows[0], " "); got != `"UTC" "\"$user\", public" "0" "0" "0" "0" "t"` {
		t.Errorf("the next session finds %s", got)
	}
	c.send(t, terminate().bytes)
	c.Close()
}
