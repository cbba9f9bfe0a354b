package scenario

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// TestDefaultThatIsNewerThanTheSnapshot: a transaction that keeps its snapshot does not see in the
// catalogue what its statements do all the same, since servers look up a column's default anew.
func TestDefaultThatIsNewerThanTheSnapshot(t *testing.T) {
	t.Parallel()
	for _, begin := range []string{"BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN ISOLATION LEVEL SERIALIZABLE"} {
		t.Run(begin, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			conn, other := s.connect(), s.connect()
			s.exec(conn, "CREATE TABLE stamped (id int PRIMARY KEY, at timestamptz); CREATE TABLE told (id int PRIMARY KEY)")
			s.exec(conn, begin)
			s.want(conn, "SELECT count(*) FROM told", "0")
			s.exec(conn, "INSERT INTO told VALUES (1)")
			s.exec(other, "ALTER TABLE stamped ALTER at SET DEFAULT clock_timestamp()")
			s.wantOutdated(conn, pgx.QueryExecModeSimpleProtocol, "INSERT INTO stamped (id) VALUES (1)")
			s.exec(conn, begin+"; INSERT INTO stamped (id) VALUES (2); COMMIT")
			s.exec(other, "INSERT INTO stamped (id) VALUES (3)")
			s.want(conn, "SELECT count(at) FROM stamped", "2")
			s.wantEqual()
		})
	}
}

// TestOwnChangesAreNoNews: what a transaction has changed of the catalogue itself, it sees.
func TestOwnChangesAreNoNews(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn, other := s.connect(), s.connect()
	s.exec(conn, "CREATE TABLE stamped (id int PRIMARY KEY)")
	s.exec(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ")
	s.want(conn, "SELECT count(*) FROM stamped", "0")
	s.exec(other, "CREATE SCHEMA apart; CREATE TABLE apart.something (); CREATE FUNCTION one() RETURNS int RETURN 1")
	s.exec(conn, "ALTER TABLE stamped ADD at timestamptz; ALTER TABLE stamped ALTER at SET DEFAULT clock_timestamp()")
	s.exec(conn, "INSERT INTO stamped (id) VALUES (1)")
	s.exec(other, "DROP TABLE apart.something; DROP FUNCTION one()")
	s.exec(conn, "CREATE TABLE more (id int PRIMARY KEY, at timestamptz DEFAULT clock_timestamp())")
	s.exec(conn, "INSERT INTO more (id) VALUES (1)")
	s.exec(conn, "COMMIT")
	s.want(conn, "SELECT count(*) FROM stamped, more WHERE stamped.at IS NOT NULL AND more.at IS NOT NULL", "1")
	s.wantEqual()
}

// wantOutdated runs a statement in a block, and wants it, or COMMIT where it was answered early, to fail.
func (s *stage) wantOutdated(conn *pgx.Conn, mode pgx.QueryExecMode, sql string) {
	s.t.Helper()
	if _, err := conn.Exec(bounded(s.t), sql, mode); err != nil {
		s.wantRefused(conn, err)
		return
	}
	_, err := conn.Exec(bounded(s.t), "COMMIT", mode)
	s.wantRefused(conn, err)
}

func (s *stage) wantRefused(conn *pgx.Conn, err error) {
	s.t.Helper()
	if codeOf(err) != "40001" {
		s.t.Errorf("%v, want SQLSTATE 40001", err)
	}
	if conn.PgConn().TxStatus() != 'I' {
		s.exec(conn, "ROLLBACK")
	}
}

const (
	stampedByDefault = "ALTER TABLE stamped ALTER at SET DEFAULT clock_timestamp()"
	stampedByTrigger = `CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at := clock_timestamp(); RETURN NEW; END';
		CREATE TRIGGER stamp BEFORE INSERT ON stamped FOR EACH ROW EXECUTE FUNCTION stamp()`
)

// TestWriteThatWaitsForDDL: when it goes on, its table is another one than that which was looked at.
func TestWriteThatWaitsForDDL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, ddl string
		known     bool // the table, before DDL began
	}{
		{"default", stampedByDefault, false},
		{"default of a known table", stampedByDefault, true},
		{"trigger", stampedByTrigger, true},
	} {
		for _, block := range []bool{false, true} {
			for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
				t.Run(fmt.Sprint(tt.name, ", ", mode, ", in a block: ", block), func(t *testing.T) {
					t.Parallel()
					s := newStage(t)
					conn, other := s.connect(), s.connect()
					s.exec(conn, "CREATE TABLE stamped (id int PRIMARY KEY, at timestamptz)")
					if tt.known {
						s.exec(conn, "INSERT INTO stamped (id) VALUES (0)")
					}
					s.exec(other, "BEGIN; "+tt.ddl)
					if block {
						s.exec(conn, "BEGIN")
					}
					write := startWrite(t, conn, mode, "INSERT INTO stamped (id) VALUES (1)")
					awaitWaiter(t, s.nodes[0])
					s.exec(other, "COMMIT")
					_, err := write.wait(t)
					if block && err == nil {
						_, err = conn.Exec(bounded(t), "COMMIT", mode)
					}
					if block {
						s.wantRefused(conn, err)
					} else if err != nil {
						t.Error("outside of a block it is run again: ", err)
					}
					s.exec(conn, "INSERT INTO stamped (id) VALUES (2)")
					s.want(conn, "SELECT count(*) FROM stamped WHERE id > 0 AND at IS NULL", "0")
					s.wantEqual()
				})
			}
		}
	}
}

// TestPreparedInsertThatWaitsForDDL has a sequence become another one, or a column come with a default of its own, under
// a statement that is executed with the value of before.
func TestPreparedInsertThatWaitsForDDL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, ddl, right string }{
		{"another sequence", "ALTER TABLE counted ALTER id SET DEFAULT nextval('others')", "id >= 1000"},
		{"no sequence", "ALTER TABLE counted ALTER id SET DEFAULT 7", "id = 7"},
		{"another column", "ALTER TABLE counted ADD also timestamptz; ALTER TABLE counted ALTER also SET DEFAULT clock_timestamp()", "id > 3 AND also IS NOT NULL"},
		{"a trigger", "CREATE TRIGGER late BEFORE INSERT ON counted FOR EACH ROW EXECUTE FUNCTION late()", "id > 3 AND at IS NOT NULL"},
		{"nothing that matters", "ALTER TABLE counted ADD more text DEFAULT 'x'", "id > 3 AND more = 'x'"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			conn, other := s.connect(), s.connect()
			s.exec(conn, "CREATE TABLE counted (id serial, v int, at timestamptz); CREATE SEQUENCE others START 1000; "+
				"CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.at = clock_timestamp(); RETURN new; END'")
			insert := func(v int) *background {
				return startWrite(t, conn, pgx.QueryExecModeSimpleProtocol, fmt.Sprintf("INSERT INTO counted (v) VALUES (%d)", v))
			}
			for v := range 3 {
				insert(v).wait(t)
			}
			// DDL that waits itself is not known of yet.
			around := s.nodes[0].ConnectTo(database)
			s.exec(around, "BEGIN; LOCK TABLE counted IN ROW EXCLUSIVE MODE")
			ddl := startWrite(t, other, pgx.QueryExecModeSimpleProtocol, tt.ddl)
			awaitWaiter(t, s.nodes[0])
			write := insert(3)
			s.nodes[0].WaitRows("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO counted%$1%'", "1")
			s.exec(around, "COMMIT")
			for _, waited := range []*background{ddl, write} {
				if _, err := waited.wait(t); err != nil {
					t.Error(err)
				}
			}
			insert(4).wait(t)
			s.want(conn, "SELECT count(*) FROM counted WHERE v > 2 AND "+tt.right, "2")
			s.wantEqual()
		})
	}
}

func startWrite(t *testing.T, conn *pgx.Conn, mode pgx.QueryExecMode, sql string) *background {
	return start(func() ([]string, error) {
		_, err := conn.Exec(bounded(t), sql, mode)
		return nil, err
	})
}

// TestWriteThatWaitsForHarmlessDDL: what was decided holds, and nobody notices anything.
func TestWriteThatWaitsForHarmlessDDL(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn, other := s.connect(), s.connect()
	s.exec(conn, "CREATE TABLE plain (id int PRIMARY KEY, n int); INSERT INTO plain VALUES (1, 1)")
	ddl := []string{
		"ALTER TABLE plain ADD more text", "ALTER TABLE plain ADD c int DEFAULT 7", "ALTER TABLE plain ALTER n SET DEFAULT 3",
		"COMMENT ON TABLE plain IS 'x'; LOCK TABLE plain", "ALTER TABLE plain DROP more",
		"CREATE TABLE aside (i int); LOCK TABLE plain", "CREATE FUNCTION aside() RETURNS int LANGUAGE sql AS 'SELECT 1'; LOCK TABLE plain",
		"ALTER TABLE plain ADD CHECK (n > 0)", "CREATE INDEX ON plain (n)",
	}
	for i, change := range ddl {
		for j, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
			s.exec(other, "BEGIN; "+map[bool]string{true: change, false: "LOCK TABLE plain; COMMENT ON COLUMN plain.n IS 'y'"}[j == 0])
			s.exec(conn, "BEGIN")
			write := startWrite(t, conn, mode, fmt.Sprintf("INSERT INTO plain (id, n) VALUES (%d, 1)", 10+2*i+j))
			awaitWaiter(t, s.nodes[0])
			s.exec(other, "COMMIT")
			if _, err := write.wait(t); err != nil {
				t.Fatalf("%s: %v", change, err)
			}
			s.exec(conn, "UPDATE plain SET n = n + 1 WHERE id = 1")
			s.exec(conn, "COMMIT")
		}
	}
	s.want(conn, "SELECT count(*), max(n) FROM plain", fmt.Sprintf("%d|%[1]d", 2*len(ddl)+1))
	s.wantEqual()
}

// TestWriteReachesWhatDDLHasChanged: what is changed is not what the statement names.
func TestWriteReachesWhatDDLHasChanged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, schema, write, ddl string }{
		{"child", "CREATE TABLE named () INHERITS (stamped)", "INSERT INTO named (id) VALUES (1)", stampedByDefault},
		{"partition", "DROP TABLE stamped; CREATE TABLE stamped (id int PRIMARY KEY, at timestamptz) PARTITION BY RANGE (id); CREATE TABLE named PARTITION OF stamped DEFAULT",
			"INSERT INTO named (id) VALUES (1)", stampedByTrigger},
		{"trigger of a partition", stampedByTrigger + "; ALTER TABLE stamped DISABLE TRIGGER ALL; CREATE TABLE named (LIKE stamped) PARTITION BY RANGE (id); ALTER TABLE named ATTACH PARTITION stamped DEFAULT",
			"INSERT INTO named (id) VALUES (1)", "ALTER TABLE stamped ENABLE TRIGGER stamp"},
		{"table of a view", "CREATE VIEW named AS SELECT * FROM stamped", "INSERT INTO named (id) VALUES (1)", stampedByDefault},
		{"table of a trigger's", `CREATE TABLE named (id int PRIMARY KEY);
			CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO stamped (id) VALUES (NEW.id); RETURN NULL; END';
			CREATE TRIGGER note AFTER INSERT ON named FOR EACH ROW EXECUTE FUNCTION note()`, "INSERT INTO named (id) VALUES (1)", stampedByDefault},
		{"table of a rule's", "CREATE TABLE named (id int PRIMARY KEY); CREATE RULE note AS ON INSERT TO named DO ALSO INSERT INTO stamped (id) VALUES (NEW.id)",
			"INSERT INTO named (id) VALUES (1)", stampedByDefault},
		{"table of a foreign key", "CREATE TABLE named (id int PRIMARY KEY); INSERT INTO named VALUES (1); INSERT INTO stamped VALUES (1); ALTER TABLE stamped ADD FOREIGN KEY (id) REFERENCES named ON UPDATE CASCADE",
			"UPDATE named SET id = 2", strings.ReplaceAll(stampedByTrigger, "BEFORE INSERT", "BEFORE UPDATE")},
		{"foreign key", "CREATE TABLE named (id int PRIMARY KEY); INSERT INTO named VALUES (1); INSERT INTO stamped VALUES (1); " + strings.ReplaceAll(stampedByTrigger, "BEFORE INSERT", "BEFORE UPDATE"),
			"UPDATE named SET id = 2", "ALTER TABLE stamped ADD FOREIGN KEY (id) REFERENCES named ON UPDATE CASCADE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			conn, other := s.connect(), s.connect()
			s.exec(conn, "CREATE TABLE stamped (id int PRIMARY KEY, at timestamptz)")
			s.exec(conn, tt.schema)
			s.exec(conn, "BEGIN; "+tt.write+"; ROLLBACK") // it is known now
			s.exec(other, "BEGIN; "+tt.ddl)
			write := startWrite(t, conn, pgx.QueryExecModeSimpleProtocol, tt.write)
			awaitWaiter(t, s.nodes[0])
			s.exec(other, "COMMIT")
			write.must(t)
			s.want(conn, "SELECT count(at) FROM stamped", "1")
			s.wantEqual()
		})
	}
}

// TestFunctionIsReplacedUnderWrites: nobody locks a function, so that a statement may run its old body on one
// node and the new one on another.
func TestFunctionIsReplacedUnderWrites(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn, other := s.connect(), s.connect()
	version := func(n int) string {
		return fmt.Sprintf("CREATE OR REPLACE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := %d; RETURN NEW; END'", n)
	}
	s.exec(conn, "CREATE TABLE versioned (id int PRIMARY KEY, v int); "+version(1)+"; CREATE TRIGGER stamp BEFORE INSERT ON versioned FOR EACH ROW EXECUTE FUNCTION stamp()")
	s.exec(conn, "INSERT INTO versioned VALUES (0)")
	for i, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
		holder := s.nodes[1].ConnectTo(database)
		s.exec(holder, "BEGIN; LOCK TABLE versioned") // main and node 2 are through before it
		write := startWrite(t, conn, mode, fmt.Sprintf("INSERT INTO versioned VALUES (%d)", i+1))
		awaitWaiter(t, s.nodes[1])
		s.exec(other, version(i+2))
		s.exec(holder, "COMMIT")
		write.must(t)
		s.want(conn, fmt.Sprintf("SELECT v FROM versioned WHERE id = %d", i+1), fmt.Sprint(i+2))
		s.wantEqual()
	}
}

// TestColumnThatIsDroppedUnderAWrite: the others are given main's rows, with a column that is not there any more by the time when
// main returns it. The client has not asked for it.
func TestColumnThatIsDroppedUnderAWrite(t *testing.T) {
	t.Parallel()
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
		for _, block := range []bool{false, true} {
			t.Run(fmt.Sprint(mode, ", in a block: ", block), func(t *testing.T) {
				t.Parallel()
				s := newStage(t)
				conn, other := s.connect(), s.connect()
				s.exec(conn, "CREATE TABLE plain (id int PRIMARY KEY, n int, more int); CREATE TABLE aside (id int); INSERT INTO plain (id, n) SELECT 1, count(*) FROM aside")
				s.exec(other, "BEGIN; ALTER TABLE plain DROP more")
				if block {
					s.exec(conn, "BEGIN")
				}
				write := startWrite(t, conn, mode, "INSERT INTO plain (id, n) SELECT 2, count(*) FROM aside")
				awaitWaiter(t, s.nodes[0])
				s.exec(other, "COMMIT")
				_, err := write.wait(t)
				if block {
					s.wantRefused(conn, err)
				} else if err != nil {
					t.Error(err)
				}
				s.exec(conn, "INSERT INTO plain (id, n) SELECT 3, count(*) FROM aside")
				s.wantEqual()
			})
		}
	}
}

// TestDefaultIsReplacedUnderWrites: of a domain, or by a function that is said to be the same at all times. Nobody
// locks either.
func TestDefaultIsReplacedUnderWrites(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, schema, change string }{
		{"domain", "CREATE DOMAIN version AS int DEFAULT 1; CREATE TABLE versioned (id int PRIMARY KEY, v version)", "ALTER DOMAIN version SET DEFAULT 2"},
		{"function", "CREATE FUNCTION version_now() RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'; CREATE TABLE versioned (id int PRIMARY KEY, v int DEFAULT version_now())",
			"CREATE OR REPLACE FUNCTION version_now() RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN 2; END'"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			conn, other := s.connect(), s.connect()
			s.exec(conn, tt.schema)
			s.exec(conn, "INSERT INTO versioned VALUES (0)")
			holder := s.nodes[1].ConnectTo(database)
			s.exec(holder, "BEGIN; LOCK TABLE versioned") // main is through before it
			write := startWrite(t, conn, pgx.QueryExecModeSimpleProtocol, "INSERT INTO versioned VALUES (1)")
			awaitWaiter(t, s.nodes[1])
			s.exec(other, tt.change)
			s.exec(holder, "COMMIT")
			write.must(t)
			s.want(conn, "SELECT v FROM versioned WHERE id = 1", "2")
			s.wantEqual()
		})
	}
}

// TestWriteThatWaitsForPreparedDDL: what PREPARE TRANSACTION has kept is done by COMMIT PREPARED.
func TestWriteThatWaitsForPreparedDDL(t *testing.T) {
	t.Parallel()
	nodes := pgtest.Start(t, 3, pgtest.WithSettings(map[string]string{"max_prepared_transactions": "5"}))
	s := &stage{t: t, nodes: nodes, proxy: proxy.Start(t, nodes)}
	s.proxy.Exec("CREATE DATABASE " + database)
	conn, other := s.connect(), s.connect()
	s.exec(conn, "CREATE TABLE stamped (id int PRIMARY KEY, at timestamptz)")
	s.exec(other, "BEGIN; "+stampedByDefault+"; PREPARE TRANSACTION 'change'")
	write := startWrite(t, conn, pgx.QueryExecModeSimpleProtocol, "INSERT INTO stamped (id) VALUES (1)")
	awaitWaiter(t, s.nodes[0])
	s.exec(other, "COMMIT PREPARED 'change'")
	write.must(t)
	s.exec(conn, "INSERT INTO stamped (id) VALUES (2)")
	s.exec(other, "INSERT INTO stamped (id) VALUES (3)")
	s.want(conn, "SELECT count(at) FROM stamped", "3")
	s.wantEqual()
}

// TestDDLInAPipeline: what comes behind it is decided when it has run.
func TestDDLInAPipeline(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, "CREATE TABLE stamped (id int PRIMARY KEY, at timestamptz)")
	s.exec(conn, "INSERT INTO stamped (id) VALUES (0)")
	for i, ddl := range []string{
		"ALTER TABLE stamped ALTER at SET DEFAULT clock_timestamp()",
		"DROP TABLE stamped", // and anew
	} {
		batch := &pgx.Batch{}
		batch.Queue(ddl)
		if i == 1 {
			batch.Queue("CREATE TABLE stamped (id int PRIMARY KEY, at timestamptz DEFAULT clock_timestamp())")
		}
		batch.Queue("INSERT INTO stamped (id) VALUES (10)")
		conn := s.connectBy(pgx.QueryExecModeExec)
		if err := conn.SendBatch(bounded(t), batch).Close(); err != nil {
			t.Fatalf("%s: %v", ddl, err)
		}
		s.want(conn, "SELECT count(at) FROM stamped WHERE id = 10", "1")
		s.wantEqual()
	}
}

// TestUnrelatedDDLIsNoNews: a statement is run again a few times at most, so what does not concern it must not count.
func TestUnrelatedDDLIsNoNews(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, `CREATE TABLE plain (id int, data text); CREATE TABLE keyed (id int PRIMARY KEY, data text);
		CREATE FUNCTION remakes() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
			DROP TABLE IF EXISTS made CASCADE; CREATE TABLE made AS SELECT 1 AS a; EXECUTE 'CREATE VIEW shown AS SELECT * FROM made'; END $$`)
	stop, stopped := make(chan struct{}), make(chan error, 1)
	other := s.connect()
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			if _, err := other.Exec(context.Background(), fmt.Sprintf("CREATE OR REPLACE FUNCTION aside() RETURNS int LANGUAGE sql AS 'SELECT %d'", i)); err != nil {
				stopped <- err
				return
			}
		}
	}()
	for range 15 {
		s.exec(conn, "SELECT remakes()")
		s.wantCode(conn, "INSERT INTO keyed SELECT id, data FROM plain ON CONFLICT (id) DO UPDATE SET data = excluded.ctid::text", "42703")
		s.wantCode(conn, "INSERT INTO plain VALUES (1) ON CONFLICT (id) DO UPDATE SET data = excluded.ctid::text", "42703")
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	s.wantEqual()
}

// TestDDLIsTakenBackToASavepoint: what was found out behind DDL does not hold any more when that is rolled back.
func TestDDLIsTakenBackToASavepoint(t *testing.T) {
	t.Parallel()
	changes := []struct{ before, change, write string }{
		{stampedByDefault, "ALTER TABLE stamped ALTER at DROP DEFAULT", "INSERT INTO stamped (id) VALUES (%d)"},
		{stampedByTrigger, "DROP TRIGGER stamp ON stamped", "INSERT INTO stamped (id) VALUES (%d)"},
		{"CREATE FUNCTION tick() RETURNS timestamptz LANGUAGE plpgsql AS 'BEGIN RETURN clock_timestamp(); END'",
			"CREATE OR REPLACE FUNCTION tick() RETURNS timestamptz LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'", "INSERT INTO stamped VALUES (%d, tick())"},
		{"CREATE VIEW ticks AS SELECT clock_timestamp() AS at", "CREATE OR REPLACE VIEW ticks AS SELECT NULL::timestamptz AS at", "INSERT INTO stamped SELECT %d, at FROM ticks"},
		{"CREATE TABLE other ()", "DO 'BEGIN EXECUTE ''ALTER TABLE stamped ALTER at SET DEFAULT now()''; END'", "INSERT INTO stamped (id) VALUES (%d)"},
	}
	for i, c := range changes {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			for _, rollBack := range []string{"ROLLBACK TO a", "ROLLBACK TO SAVEPOINT a; SELECT 1"} {
				s := newStage(t)
				conn := s.connect()
				s.exec(conn, "CREATE TABLE stamped (id int PRIMARY KEY, at timestamptz); "+c.before)
				s.exec(conn, "BEGIN")
				for id := range 3 {
					s.exec(conn, fmt.Sprintf(c.write, id))
				}
				s.exec(conn, "SAVEPOINT a")
				s.exec(conn, c.change)
				for id := range 3 {
					s.exec(conn, fmt.Sprintf(c.write, 10+id))
				}
				s.exec(conn, rollBack)
				for id := range 3 {
					s.exec(conn, fmt.Sprintf(c.write, 20+id))
				}
				s.exec(conn, "COMMIT")
				s.want(conn, "SELECT count(*) FROM stamped", "6")
				s.wantEqual()
			}
		})
	}
}

// TestOthersAskBehindOpenDDL: a transaction has changed a table, and another session, which is not shown that yet, asks the
// catalogue about it. What that is told is not what holds for the transaction.
func TestOthersAskBehindOpenDDL(t *testing.T) {
	t.Parallel()
	const table = "CREATE TABLE stamped (id int PRIMARY KEY, at timestamptz)"
	tests := []struct{ name, before, ddl, own, others string }{
		{"default", table, stampedByDefault, "INSERT INTO stamped (id) VALUES (%d)", "INSERT INTO stamped (id) VALUES (%d)"},
		{"trigger", table, stampedByTrigger, "INSERT INTO stamped (id) VALUES (%d)", "INSERT INTO stamped (id) VALUES (%d)"},
		{"table", "CREATE TABLE other (id int)", "CREATE TABLE stamped (id int PRIMARY KEY, at timestamptz DEFAULT clock_timestamp())",
			"INSERT INTO stamped (id) VALUES (%d)", "SELECT to_regclass('stamped'); INSERT INTO stamped (id) VALUES (%d)"},
		{"function", table + "; CREATE FUNCTION tick() RETURNS timestamptz LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
			"CREATE OR REPLACE FUNCTION tick() RETURNS timestamptz LANGUAGE plpgsql AS 'BEGIN RETURN clock_timestamp(); END'",
			"INSERT INTO stamped VALUES (%d, tick())", "INSERT INTO stamped VALUES (%d, tick())"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			conn, other := s.connect(), s.connect()
			s.exec(conn, tt.before)
			s.exec(conn, "BEGIN; "+tt.ddl)
			ctx, cancel := context.WithCancel(bounded(t))
			asked := make(chan error, 1)
			go func() {
				_, err := other.Exec(ctx, fmt.Sprintf(tt.others, 100))
				asked <- err
			}()
			if tt.name == "table" || tt.name == "function" {
				<-asked // it is refused, or nothing is in its way
			} else {
				awaitWaiter(t, s.nodes[0])
			}
			for id := range 3 {
				s.exec(conn, fmt.Sprintf(tt.own, id))
			}
			s.exec(conn, "COMMIT")
			if tt.name == "default" || tt.name == "trigger" {
				if err := <-asked; err != nil {
					t.Error(err)
				}
			}
			cancel()
			s.want(conn, "SELECT count(*) FROM stamped WHERE id < 100 AND at IS NOT NULL", "3")
			s.wantEqual()
		})
	}
}

// TestTemporaryTablesOfOneName: what sessions do with temporary tables is nobody else's business, also where
// transactions keep their snapshot and cannot ask again.
func TestTemporaryTablesOfOneName(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"native_replication", "snapshot_isolation"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, proxy.WithConfig("backend_clustering_mode = "+mode))
			conn, other := s.connect(), s.connect()
			for _, c := range []*pgx.Conn{conn, other} {
				s.exec(c, "CREATE TEMP TABLE aside (k int); DROP TABLE aside")
			}
			for range 3 {
				s.exec(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1; CREATE TEMP TABLE aside (k int); INSERT INTO aside VALUES (1)")
				s.exec(other, "CREATE TEMP TABLE aside (k int, v text); INSERT INTO aside VALUES (1); DROP TABLE aside")
				s.exec(conn, "INSERT INTO aside SELECT 2; DROP TABLE aside; COMMIT")
			}
			s.exec(conn, "CREATE TABLE aside (k int PRIMARY KEY, at timestamptz DEFAULT clock_timestamp())")
			s.exec(other, "INSERT INTO aside (k) VALUES (1)")
			s.exec(conn, "ALTER TABLE aside ALTER at DROP DEFAULT; INSERT INTO aside (k) VALUES (2); DROP TABLE aside; CREATE TABLE aside (k int, at timestamptz DEFAULT clock_timestamp())")
			s.exec(other, "INSERT INTO aside (k) VALUES (1)")
			s.wantEqual()
		})
	}
}
