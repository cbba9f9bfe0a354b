package scenario

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// on runs sql on one node itself.
func (s *stage) on(id int, sql string) {
	s.t.Helper()
	if _, err := s.nodes[id].In(s.t).ConnectTo(database).PgConn().Exec(bounded(s.t), sql).ReadAll(); err != nil {
		s.t.Fatalf("node %d: %s: %v", id, sql, err)
	}
}

// wantFailedOn runs a command that one node refuses, and looks for what the frontend is
// told; no node is taken out of service for it.
func (s *stage) wantFailedOn(mode pgx.QueryExecMode, sql, code string, told ...string) {
	s.t.Helper()
	err := runBy(s.t, s.connect(), mode, sql)
	var shown *pgconn.PgError
	if !errors.As(err, &shown) || shown.Code != code {
		s.t.Errorf("%s: %v, want SQLSTATE %s", sql, err, code)
		return
	}
	for _, text := range told {
		if !strings.Contains(shown.Message+" "+shown.Detail, text) {
			s.t.Errorf("%s: told %q, %q, want %q", sql, shown.Message, shown.Detail, text)
		}
	}
	s.wantAllUp()
}

// wantOnEach fails the test unless each node answers so.
func (s *stage) wantOnEach(sql, want string) {
	s.t.Helper()
	for _, node := range s.nodes {
		if got := strings.Join(direct(node, sql), " "); got != want {
			s.t.Errorf("node %d: %s: %q, want %q", node.ID, sql, got, want)
		}
	}
}

// TestCommandThatOneNodeRefuses: what was done elsewhere is taken back, and the error says
// what was done where.
func TestCommandThatOneNodeRefuses(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.exec(s.connect(), "CREATE TABLE item (id int, text text); INSERT INTO item VALUES (1, 'a'), (2, 'b')")
	bothProtocols(t, func(t *testing.T, mode pgx.QueryExecMode) {
		s := s.in(t)
		t.Run("CREATE DATABASE", func(t *testing.T) {
			s := s.in(t)
			s.on(2, "CREATE DATABASE taken")
			s.wantFailedOn(mode, "CREATE DATABASE taken", "42P04", "CREATE DATABASE failed on node 2", "done on nodes 0, 1, taken back on nodes 0, 1", "already exists")
			s.on(2, "DROP DATABASE taken")
			s.wantOnEach("SELECT count(*) FROM pg_database WHERE datname = 'taken'", "0")
			if err := runBy(t, s.connect(), mode, "CREATE DATABASE taken"); err != nil {
				t.Error(err)
			}
			if err := runBy(t, s.connect(), mode, "DROP DATABASE taken"); err != nil {
				t.Error(err)
			}
		})
		t.Run("DROP DATABASE in use", func(t *testing.T) {
			s := s.in(t)
			s.exec(s.connect(), "CREATE DATABASE busy")
			busy := s.nodes[2].In(t).ConnectTo("busy")
			s.wantFailedOn(mode, "DROP DATABASE busy", "55006", "1 other sessions using the database on node 2")
			s.wantOnEach("SELECT count(*) FROM pg_database WHERE datname = 'busy'", "1")
			if err := busy.Close(bounded(t)); err != nil {
				t.Fatal(err)
			}
			await(t, "the session's end", func() bool {
				rows := direct(s.nodes[2], "SELECT count(*) FROM pg_stat_activity WHERE datname = 'busy'")
				return len(rows) == 1 && rows[0] == "0"
			})
			if err := runBy(t, s.connect(), mode, "DROP DATABASE busy"); err != nil {
				t.Error(err)
			}
		})
		t.Run("CREATE INDEX CONCURRENTLY", func(t *testing.T) {
			s := s.in(t)
			s.on(2, "INSERT INTO item VALUES (1, 'double')")
			s.wantFailedOn(mode, "CREATE UNIQUE INDEX CONCURRENTLY item_id ON item (id)", "23505", "CREATE INDEX CONCURRENTLY failed on node 2", "taken back on nodes 0, 1")
			s.wantFailedOn(mode, "CREATE UNIQUE INDEX CONCURRENTLY ON item (id)", "23505", "failed on node 2")
			s.on(2, "DELETE FROM item WHERE text = 'double'")
			s.wantOnEach("SELECT count(*) FROM pg_index WHERE indrelid = 'item'::regclass", "0")
		})
		t.Run("CREATE INDEX CONCURRENTLY that fails on main", func(t *testing.T) {
			s := s.in(t)
			s.exec(s.connect(), "INSERT INTO item VALUES (1, 'double')")
			s.wantFailedOn(mode, "CREATE UNIQUE INDEX CONCURRENTLY item_id ON item (id)", "23505")
			s.exec(s.connect(), "DELETE FROM item WHERE text = 'double'")
			// As a bare server has it: an index that is not valid.
			s.wantOnEach("SELECT indisvalid FROM pg_index WHERE indrelid = 'item'::regclass", "f")
			s.exec(s.connect(), "DROP INDEX item_id")
			if err := runBy(t, s.connect(), mode, "CREATE UNIQUE INDEX CONCURRENTLY item_id ON item (id)"); err != nil {
				t.Error(err)
			}
			if err := runBy(t, s.connect(), mode, "REINDEX TABLE CONCURRENTLY item"); err != nil {
				t.Error(err)
			}
			if err := runBy(t, s.connect(), mode, "DROP INDEX CONCURRENTLY item_id"); err != nil {
				t.Error(err)
			}
		})
		t.Run("VACUUM", func(t *testing.T) {
			s := s.in(t)
			s.exec(s.connect(), "CREATE TABLE here (id int)")
			s.on(1, "DROP TABLE here")
			s.wantFailedOn(mode, "VACUUM here", "42P01", "VACUUM failed on node 1", "done on nodes 0, 2")
			s.on(1, "CREATE TABLE here (id int)")
			for _, sql := range []string{"VACUUM here", "ANALYZE here", "CHECKPOINT", "VACUUM (FULL, ANALYZE) item", "DROP TABLE here"} {
				if err := runBy(t, s.connect(), mode, sql); err != nil {
					t.Errorf("%s: %v", sql, err)
				}
			}
		})
		t.Run("CREATE TABLESPACE", func(t *testing.T) {
			s := s.in(t)
			// All nodes are on one machine, where only one can have the folder.
			folder, err := os.MkdirTemp("/tmp", "pgchorus-space-")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(folder)
			if err := os.Chmod(folder, 0o777); err != nil {
				t.Fatal(err)
			}
			err = runBy(t, s.connect(), mode, "CREATE TABLESPACE space LOCATION '"+folder+"'")
			if err == nil {
				t.Error("created")
			}
			s.wantOnEach("SELECT count(*) FROM pg_tablespace WHERE spcname = 'space'", "0")
			s.wantAllUp()
		})
		s.wantEqual()
	})
}

// TestTwoPhaseCommitOfTheFrontend: prepared on all nodes or on none.
func TestTwoPhaseCommitOfTheFrontend(t *testing.T) {
	t.Parallel()
	nodes := pgtest.Start(t, 3, pgtest.WithSettings(map[string]string{"max_prepared_transactions": "10"}))
	s := &stage{t: t, nodes: nodes, proxy: proxy.Start(t, nodes)}
	s.proxy.Exec("CREATE DATABASE " + database)
	s.exec(s.connect(), "CREATE TABLE item (id int)")
	bothProtocols(t, func(t *testing.T, mode pgx.QueryExecMode) {
		s := s.in(t)
		s.on(2, "BEGIN; INSERT INTO item VALUES (0); PREPARE TRANSACTION 'taken'")
		conn := s.connect()
		run := func(sql string) error { return runBy(t, conn, mode, sql) }
		for _, sql := range []string{"BEGIN", "INSERT INTO item VALUES (1)"} {
			if err := run(sql); err != nil {
				t.Fatal(err)
			}
		}
		if err := run("PREPARE TRANSACTION 'taken'"); err == nil {
			t.Error("prepared although one node could not")
		}
		_ = run("ROLLBACK")
		s.on(2, "ROLLBACK PREPARED 'taken'")
		s.wantOnEach("SELECT count(*) FROM pg_prepared_xacts", "0")
		for i, end := range []string{"COMMIT PREPARED", "ROLLBACK PREPARED"} {
			for _, sql := range []string{"BEGIN", fmt.Sprintf("INSERT INTO item VALUES (%d)", i+2), "PREPARE TRANSACTION 'fine'"} {
				if err := run(sql); err != nil {
					t.Fatalf("%s: %v", sql, err)
				}
			}
			s.wantOnEach("SELECT count(*) FROM pg_prepared_xacts", "1")
			if err := run(end + " 'fine'"); err != nil {
				t.Error(err)
			}
			s.wantOnEach("SELECT count(*) FROM pg_prepared_xacts", "0")
		}
		s.wantAllUp()
		s.wantEqual()
	})
}

// TestAdminBroadcast: what configures a node runs on all of them, if that is allowed.
func TestAdminBroadcast(t *testing.T) {
	t.Parallel()
	s := newStage(t, proxy.WithConfig("admin_broadcast = on"))
	bothProtocols(t, func(t *testing.T, mode pgx.QueryExecMode) {
		s := s.in(t)
		value := fmt.Sprintf("%dMB", 5+int(mode))
		for _, sql := range []string{"ALTER SYSTEM SET work_mem = '" + value + "'", "SELECT pg_reload_conf()"} {
			if err := runBy(t, s.connect(), mode, sql); err != nil {
				t.Errorf("%s: %v", sql, err)
			}
		}
		for _, node := range s.nodes {
			node.WaitRows("SHOW work_mem", value)
		}
	})
}

// TestAddedColumnHasOneTime: rows that are there already get the same time on all nodes,
// and later ones their own.
func TestAddedColumnHasOneTime(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	bothProtocols(t, func(t *testing.T, mode pgx.QueryExecMode) {
		s := s.in(t)
		conn := s.connect()
		s.exec(conn, "DROP TABLE IF EXISTS item; CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1), (2)")
		if err := runBy(t, conn, mode, "ALTER TABLE item ADD COLUMN at timestamptz NOT NULL DEFAULT now(), ADD day date DEFAULT current_date;"); err != nil {
			t.Fatal(err)
		}
		s.exec(conn, "INSERT INTO item (id) VALUES (3)")
		s.want(conn, "SELECT count(DISTINCT at), min(day) = current_date FROM item", "2|t")
		s.wantOnEach("SELECT string_agg(pg_get_expr(adbin, adrelid), ', ' ORDER BY adnum) FROM pg_attrdef WHERE adrelid = 'item'::regclass", "now(), CURRENT_DATE")
		for _, sql := range []string{"ALTER TABLE item ADD u uuid DEFAULT gen_random_uuid()", "ALTER TABLE item ADD d date DEFAULT 'now'::date"} {
			if err := runBy(t, conn, mode, sql); codeOf(err) != "0A000" {
				t.Errorf("%s: %v", sql, err)
			}
		}
		s.exec(conn, "BEGIN; ALTER TABLE item ADD later timestamptz DEFAULT now(); COMMIT")
		s.exec(conn, "SELECT 1; ALTER TABLE item ADD last timestamptz DEFAULT now(); SELECT 2")
		s.exec(conn, "ALTER TABLE item ADD n int, ADD plain timestamptz")
		for _, sql := range []string{"ADD IF NOT EXISTS n timestamptz DEFAULT now()", "ADD COLUMN IF NOT EXISTS plain timestamptz DEFAULT now(), ADD IF NOT EXISTS fresh timestamptz DEFAULT now()"} {
			if err := runBy(t, conn, mode, "ALTER TABLE item "+sql); err != nil {
				t.Errorf("%s: %v", sql, err)
			}
		}
		s.wantOnEach("SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum WHERE adrelid = 'item'::regclass", "at,day,later,last,fresh")
		s.wantEqual()
	})
}

// TestPasswordsHaveOneVerifier, however the literal is written.
func TestPasswordsHaveOneVerifier(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	bothProtocols(t, func(t *testing.T, mode pgx.QueryExecMode) {
		s := s.in(t)
		conn := s.connect()
		for i, literal := range []string{"'plain'", "E'es\\x63aped'", "$q$dollars$q$"} {
			for _, sql := range []string{"CREATE ROLE r%d PASSWORD %s", "ALTER ROLE r%d PASSWORD %s", "DROP ROLE r%d"} {
				sql = strings.ReplaceAll(strings.ReplaceAll(sql, "%d", fmt.Sprint(i)), "%s", literal)
				if err := runBy(t, conn, mode, sql); err != nil {
					t.Errorf("%s: %v", sql, err)
				}
				if strings.HasPrefix(sql, "ALTER") {
					want := strings.Join(direct(s.nodes[0], fmt.Sprintf("SELECT rolpassword FROM pg_authid WHERE rolname = 'r%d'", i)), "")
					s.wantOnEach(fmt.Sprintf("SELECT rolpassword FROM pg_authid WHERE rolname = 'r%d'", i), want)
				}
			}
		}
		if err := runBy(t, conn, mode, "CREATE ROLE nobody PASSWORD U&'x'"); codeOf(err) != "0A000" {
			t.Errorf("a literal that cannot be told: %v", err)
		}
	})
}
