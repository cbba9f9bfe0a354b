package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// Writers that go around pgchorus, where the query cache follows the nodes' WAL
// (cache_follow_wal).

var following = []string{"memory_cache_enabled = on", "cache_follow_wal = on", "cache_safe_memqcache_table_list = 'v_.*'"}

// decoding is what the nodes need for it.
func decoding() pgtest.Option {
	return pgtest.WithSettings(map[string]string{"wal_level": "logical", "max_prepared_transactions": "10"})
}

// followStage is a stage whose cache follows the nodes.
func followStage(t *testing.T, lines ...string) *stage {
	t.Helper()
	return followStageOf(t, pgtest.Start(t, 3, decoding()), lines...)
}

func followStageOf(t *testing.T, nodes []*pgtest.Node, lines ...string) *stage {
	t.Helper()
	s := &stage{t: t, mode: config.NativeReplication, nodes: nodes, proxy: proxy.Start(t, nodes, proxy.WithConfig(slices.Concat(following, lines)...))}
	s.proxy.Exec("CREATE DATABASE " + database)
	return s
}

// around is a connection to each node, past pgchorus.
type around []*pgx.Conn

func (s *stage) around() around {
	s.t.Helper()
	var conns around
	for _, node := range s.nodes {
		conns = append(conns, node.ConnectTo(database))
	}
	return conns
}

// run runs statements on every node.
func (a around) run(t testing.TB, statements ...string) {
	t.Helper()
	for _, conn := range a {
		for _, sql := range statements {
			if text, data, is := strings.Cut(sql, "\n"); is && strings.HasPrefix(text, "COPY") {
				if _, err := conn.PgConn().CopyFrom(bounded(t), strings.NewReader(data), text); err != nil {
					t.Fatal(err)
				}
				continue
			}
			run(t, conn, sql)
		}
	}
}

// waitAnswer reads until the answer is another one.
func (s *stage) waitAnswer(conn *pgx.Conn, sql, want string) {
	s.t.Helper()
	waitOne(s.t, conn, sql, want)
}

// waitOne asks until a statement brings that.
func waitOne(t testing.TB, conn *pgx.Conn, sql, want string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(pollInterval) {
		got := one(t, conn, sql)
		if got == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s is %q for good, want %q", sql, got, want)
		}
	}
}

// waitFollowed waits for the rows of SHOW POOL_CACHE_NODES, of which only database, node
// and status are looked at.
func (s *stage) waitFollowed(want ...string) {
	s.t.Helper()
	var got []string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(pollInterval) {
		got = nil
		for _, row := range s.proxy.Query("SHOW POOL_CACHE_NODES") {
			got = append(got, strings.Join(row[:3], "|"))
		}
		if slices.Equal(got, want) {
			return
		}
	}
	s.t.Fatalf("followed are %q, want %q", got, want)
}

var allFollowed = []string{"app|0|following", "app|1|following", "app|2|following"}

// TestWritersAroundEndAnswers: by whatever way they write.
func TestWritersAroundEndAnswers(t *testing.T) {
	t.Parallel()
	s := followStage(t)
	a := s.around()
	a.run(t, `CREATE TABLE t (i int PRIMARY KEY, v int UNIQUE)`, `CREATE TABLE bare (v int)`, `CREATE TABLE refers (v int REFERENCES t (v) ON UPDATE CASCADE)`,
		`CREATE TABLE parts (i int, v int) PARTITION BY LIST (i)`, `CREATE TABLE part1 PARTITION OF parts FOR VALUES IN (1)`, `CREATE TABLE part2 PARTITION OF parts FOR VALUES IN (2)`,
		`CREATE TABLE parent (v int)`, `CREATE TABLE child () INHERITS (parent)`,
		`CREATE SCHEMA "Other, one"`, `CREATE TABLE "Other, one"."a ""quoted"": name." (v int)`, `CREATE TABLE "Ümlaut" (v int)`,
		`CREATE TABLE fired (v int)`, `CREATE TABLE noted (v int)`,
		`CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO noted VALUES (NEW.v); RETURN NEW; END'`,
		`CREATE TRIGGER note AFTER INSERT ON fired FOR EACH ROW EXECUTE FUNCTION note()`,
		`CREATE VIEW v_bare AS SELECT count(*) FROM bare`, `CREATE TABLE x (v int)`, `INSERT INTO x VALUES (1)`, `CREATE TABLE y (v int)`, `CREATE MATERIALIZED VIEW v_kept AS SELECT count(*) FROM x`, `INSERT INTO y VALUES (2)`,
		`CREATE FUNCTION fixed() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'`,
		`INSERT INTO t VALUES (1, 1), (2, 2)`, `INSERT INTO refers VALUES (1)`)
	tests := []struct {
		name, read string
		write      []string
	}{
		{"UPDATE", "SELECT max(v) FROM t", []string{"UPDATE t SET v = 12 WHERE i = 2"}},
		{"DELETE", "SELECT count(*) FROM t", []string{"DELETE FROM t WHERE i = 2"}},
		{"INSERT without a key", "SELECT count(*) FROM bare", []string{"INSERT INTO bare VALUES (1), (2)"}},
		{"UPDATE without a key", "SELECT max(v) FROM bare", []string{"UPDATE bare SET v = 7"}},
		{"TRUNCATE", "SELECT count(*) FROM bare", []string{"TRUNCATE fired, bare"}},
		{"COPY", "SELECT count(*) FROM bare", []string{"COPY bare FROM STDIN\n1\n2\n3\n"}},
		{"DELETE without a key", "SELECT count(*) FROM bare", []string{"DELETE FROM bare"}},
		{"foreign key", "SELECT v FROM refers", []string{"UPDATE t SET v = 5 WHERE i = 1"}},
		{"trigger", "SELECT count(*) FROM noted", []string{"INSERT INTO fired VALUES (2)"}},
		{"partition of what is read", "SELECT count(*) FROM parts", []string{"INSERT INTO part1 VALUES (1, 1)"}},
		{"what is read is a partition", "SELECT count(*) FROM part2", []string{"INSERT INTO parts VALUES (2, 1)"}},
		{"TRUNCATE of partitions", "SELECT count(*) FROM part2", []string{"TRUNCATE parts"}},
		{"inheritance", "SELECT count(*) FROM parent", []string{"INSERT INTO child VALUES (1)"}},
		{"name in quotes", `SELECT count(*) FROM "Other, one"."a ""quoted"": name."`, []string{`INSERT INTO "Other, one"."a ""quoted"": name." VALUES (1)`}},
		{"name with other letters", `SELECT count(*) FROM "Ümlaut"`, []string{`INSERT INTO "Ümlaut" VALUES (1)`}},
		{"view", "SELECT * FROM v_bare", []string{"INSERT INTO bare VALUES (1)"}},
		{"block with a savepoint", "SELECT count(*) FROM bare", []string{"BEGIN", "SAVEPOINT s", "INSERT INTO bare VALUES (1)", "RELEASE s", "COMMIT"}},
		{"10,000 rows", "SELECT count(*) FROM bare", []string{"INSERT INTO bare SELECT i FROM generate_series(1, 10000) AS i"}},
		{"10,000 transactions below", "SELECT count(*) FROM x", []string{"DO 'BEGIN FOR i IN 1 .. 10000 LOOP BEGIN INSERT INTO x VALUES (i); EXCEPTION WHEN others THEN NULL; END; END LOOP; END'"}},
		{"prepared transaction", "SELECT count(*) FROM y", []string{"BEGIN", "INSERT INTO y VALUES (3)", "PREPARE TRANSACTION 'p'", "COMMIT PREPARED 'p'"}},
		{"ADD COLUMN", "SELECT array_agg(t::text) FROM t", []string{"ALTER TABLE t ADD COLUMN more int DEFAULT 3"}},
		{"rewritten column", "SELECT min(v)::text FROM y", []string{"ALTER TABLE y ALTER v TYPE text USING v || 'x'"}},
		{"view that is replaced", "SELECT * FROM v_bare", []string{"CREATE OR REPLACE VIEW v_bare AS SELECT count(*) + 1000000 AS count FROM bare"}},
		{"relations that change names", "SELECT count(*) FROM x", []string{"BEGIN", "ALTER TABLE x RENAME TO z", "ALTER TABLE y RENAME TO x", "COMMIT"}},
		{"materialized view", "SELECT * FROM v_kept", []string{"REFRESH MATERIALIZED VIEW v_kept"}},
		{"function that is replaced", "SELECT max(fixed() * 100000000 + v) FROM t", []string{"CREATE OR REPLACE FUNCTION fixed() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2'"}},
		{"table that is made anew", "SELECT count(*) FROM noted", []string{"DROP TABLE noted", "CREATE TABLE noted AS SELECT i AS v FROM generate_series(1, 77) AS i"}},
		{"as replicas do", "SELECT count(*) FROM t", []string{"SET session_replication_role = replica", "INSERT INTO t VALUES (20, 20)", "RESET session_replication_role"}},
		{"DDL as replicas do", "SELECT array_agg(t::text) FROM t", []string{"SET session_replication_role = replica", "ALTER TABLE t DROP COLUMN more", "RESET session_replication_role"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.in(t)
			conn := s.connect()
			before := one(t, conn, tt.read)
			s.wantKept(conn, tt.read, before)
			a.run(t, tt.write...)
			want := one(t, a[0], tt.read)
			if want == before {
				t.Fatalf("the write changes nothing: %q", want)
			}
			s.waitAnswer(conn, tt.read, want)
			s.wantKept(conn, tt.read, want)
		})
	}
	s.wantEqual()
}

// TestProxyWithACacheOfItsOwnIsAWriterAround: two proxies, each with its own memory.
func TestProxyWithACacheOfItsOwnIsAWriterAround(t *testing.T) {
	t.Parallel()
	s := followStage(t)
	other := &stage{t: t, mode: s.mode, nodes: s.nodes, proxy: proxy.Start(t, s.nodes, proxy.WithConfig(following...))}
	a, b := s.connect(), other.connect()
	run(t, a, "CREATE TABLE t (i int PRIMARY KEY, v int)", "INSERT INTO t VALUES (1, 0)")
	const read = "SELECT v FROM t"
	for i := range 10 {
		want := strconv.Itoa(i + 1)
		s.wantKept(a, read, strconv.Itoa(i))
		run(t, b, "UPDATE t SET v = "+want)
		other.wantKept(b, read, want)
		s.waitAnswer(a, read, want)
	}
	s.wantEqual()
}

// TestOwnWriteEndsAnswersOnce: what was read behind it stays, when the nodes tell of it.
func TestOwnWriteEndsAnswersOnce(t *testing.T) {
	t.Parallel()
	s := followStage(t)
	conn, a := s.connect(), s.around()
	run(t, conn, "CREATE TABLE t (v int)", "INSERT INTO t VALUES (0)", "CREATE TABLE other (v int)", "INSERT INTO other VALUES (0)")
	s.wantKept(conn, "SELECT v FROM other", "0")
	for i := range 5 {
		want := strconv.Itoa(i + 1)
		run(t, conn, "UPDATE t SET v = "+want)
		s.wantKept(conn, "SELECT v FROM t", want)
		// When the news of this is there, that of the write before it has been.
		a.run(t, "UPDATE other SET v = "+want)
		s.waitAnswer(conn, "SELECT v FROM other", want)
		before := s.hits()
		if one(t, conn, "SELECT v FROM t"); s.hits() == before {
			t.Error("a write has ended answers that were read behind it")
		}
	}
}

// TestNoAnswerIsKeptOfACommitThatNobodySees: it is decoded while it waits for a standby.
func TestNoAnswerIsKeptOfACommitThatNobodySees(t *testing.T) {
	t.Parallel()
	s := followStage(t, "backend_weight1 = 0", "backend_weight2 = 0")
	conn, a := s.connect(), s.around()
	run(t, conn, "CREATE TABLE t (v int)", "INSERT INTO t VALUES (1)")
	const read = "SELECT v FROM t"
	s.wantKept(conn, read, "1")
	waitForNobody(s.nodes[0])
	done := make(chan error, 1)
	go func() {
		_, err := a[0].PgConn().Exec(bounded(t), "UPDATE t SET v = 2").ReadAll()
		done <- err
	}()
	s.nodes[0].WaitRows("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", "1")
	for range 100 { // by then it is decoded, now or never
		before := s.hits()
		if one(t, conn, read); s.hits() == before {
			break
		}
	}
	for range 20 {
		if got := one(t, conn, read); got != "1" {
			t.Fatalf("a commit is seen early: %s", got)
		}
	}
	goOn(s.nodes[0])
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	s.waitAnswer(conn, read, "2")
	a[1:].run(t, "UPDATE t SET v = 2")
	s.waitFollowed(allFollowed...)
	s.wantKept(conn, read, "2")
}

// TestCacheRestsWhileNodesCannotBeFollowed: an answer that could be stale is none.
func TestCacheRestsWhileNodesCannotBeFollowed(t *testing.T) {
	t.Parallel()
	s := followStageOf(t, pgtest.Start(t, 3))
	conn := s.connect()
	run(t, conn, "CREATE TABLE t (v int)", "INSERT INTO t VALUES (1)")
	for range 3 {
		s.wantAsked(conn, "SELECT v FROM t", "1")
	}
	s.proxy.WaitLog("Set wal_level = logical in postgresql.conf")
	s.waitFollowed("app|0|not following", "app|1|not following", "app|2|not following")
	if reason := s.proxy.Query("SHOW POOL_CACHE_NODES")[0][5]; reason != "wal_level is not logical" {
		t.Errorf("reason is %q", reason)
	}
	s.wantAsked(conn, "SELECT v FROM t", "1")
}

// streams are the processes that serve streams of ours on a node.
const streams = "SELECT pid FROM pg_stat_replication WHERE application_name = 'pgchorus follower'"

// TestStreamThatIsEndedIsBegunAgain: nothing of what was written meanwhile is missed.
func TestStreamThatIsEndedIsBegunAgain(t *testing.T) {
	t.Parallel()
	s := followStage(t)
	conn, a := s.connect(), s.around()
	run(t, conn, "CREATE TABLE t (v int)", "INSERT INTO t VALUES (0)")
	const read = "SELECT v FROM t"
	for i := range 5 {
		s.wantKept(conn, read, strconv.Itoa(i))
		node := s.nodes[i%3]
		ended := node.Query(streams)[0][0]
		node.Exec("SELECT pg_terminate_backend(" + ended + ")")
		want := strconv.Itoa(i + 1)
		a.run(t, "UPDATE t SET v = "+want)
		s.waitAnswer(conn, read, want)
		s.wantKept(conn, read, want)
		if again := node.Query(streams); len(again) != 1 || again[0][0] == ended {
			t.Errorf("streams are %q, was %s", again, ended)
		}
	}
	s.nodes[0].WaitRows("SELECT count(*) FROM pg_replication_slots", "1")
	s.wantEqual()
}

// TestStreamThatHangsEndsNothingInSilence: a node whose news does not come is not believed
// for longer than cache_follow_wal_delay.
func TestStreamThatHangsEndsNothingInSilence(t *testing.T) {
	t.Parallel()
	s := followStage(t, "cache_follow_wal_delay = 300")
	conn, a := s.connect(), s.around()
	run(t, conn, "CREATE TABLE t (v int)", "INSERT INTO t VALUES (1)")
	const read = "SELECT v FROM t"
	s.wantKept(conn, read, "1")
	pid, err := strconv.Atoi(s.nodes[1].Query(streams)[0][0])
	if err != nil {
		t.Fatal(err)
	}
	signal(t, pid, syscall.SIGSTOP)
	defer signal(t, pid, syscall.SIGCONT)
	a[1:2].run(t, "UPDATE t SET v = 2")
	for end := time.Now().Add(patience); ; time.Sleep(pollInterval) {
		before := s.hits()
		if one(t, conn, read); s.hits() == before {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a node that says nothing is believed for ever")
		}
	}
	a[0:1].run(t, "UPDATE t SET v = 2")
	a[2:3].run(t, "UPDATE t SET v = 2")
	s.wantAsked(conn, read, "2")
	signal(t, pid, syscall.SIGCONT)
	s.wantKept(conn, read, "2")
}

// TestNextMainIsFollowed: also in the modes where it alone is.
func TestNextMainIsFollowed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		stage func(t *testing.T) *stage
		next  func(s *stage)
	}{
		{"native replication", func(t *testing.T) *stage { return followStage(t) }, func(*stage) {}},
		{"streaming replication", func(t *testing.T) *stage {
			return streamingStageOf(t, pgtest.StartStreaming(t, 3, decoding()), following...)
		}, func(s *stage) {
			s.nodes[0].Promote()
			s.nodes[1].Follow(s.nodes[0])
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.stage(t)
			conn := s.connect()
			run(t, conn, "CREATE TABLE t (v int)", "INSERT INTO t VALUES (1)")
			const read = "SELECT v FROM t"
			s.wantKept(conn, read, "1")
			s.nodes[0].Kill()
			s.proxy.WaitNodeStatus(0, "down")
			s.nodes = s.nodes[1:]
			tt.next(s)
			for i := 2; i < 5; i++ {
				s.writeAround("UPDATE t SET v = " + strconv.Itoa(i))
				s.waitAnswer(conn, read, strconv.Itoa(i))
				s.wantKept(conn, read, strconv.Itoa(i))
			}
			s.wantEqual()
		})
	}
}

// writeAround writes where one writes without pgchorus: on all nodes, or on the primary.
func (s *stage) writeAround(sql string) {
	s.t.Helper()
	for _, node := range s.nodes {
		run(s.t, node.ConnectTo(database), sql)
		if s.mode == config.StreamingReplication {
			return
		}
	}
}

// TestPublisherIsFollowed: what it has committed ends answers, and a subscriber that lags
// fills nothing.
func TestPublisherIsFollowed(t *testing.T) {
	t.Parallel()
	s := newLogicalStage(t, following...)
	pgtest.CreateEverywhere(s.nodes, "CREATE TABLE t (i int PRIMARY KEY, v int)")
	conn, around := s.proxy.Connect(pgtest.Database), s.nodes[0].Connect()
	run(t, around, "INSERT INTO t VALUES (1, 0)")
	const read = "SELECT max(v) FROM t"
	s.waitAnswer(conn, read, "0")
	for i := range 5 {
		s.wantKept(conn, read, strconv.Itoa(i))
		run(t, around, "UPDATE t SET v = "+strconv.Itoa(i+1))
		s.waitAnswer(conn, read, strconv.Itoa(i+1))
	}
	s.waitFollowed("postgres|0|following")
}

// TestSharedAnswersEndByWritersAround: entries in memcached do, for every proxy.
func TestSharedAnswersEndByWritersAround(t *testing.T) {
	t.Parallel()
	stages := sharedStagesOf(t, pgtest.Start(t, 3, decoding()), following...).stages
	one, two := stages[0], stages[1]
	a, b, direct := one.proxy.Connect(database), two.proxy.Connect(database), one.around()
	run(t, a, "CREATE TABLE t (v int)", "INSERT INTO t VALUES (0)")
	const read = "SELECT v FROM t"
	for i := range 5 {
		one.wantKept(a, read, strconv.Itoa(i))
		two.wantKept(b, read, strconv.Itoa(i))
		direct.run(t, "UPDATE t SET v = "+strconv.Itoa(i+1))
		two.waitAnswer(b, read, strconv.Itoa(i+1))
		one.waitAnswer(a, read, strconv.Itoa(i+1))
	}
}

// TestFollowedDatabaseIsDroppedAndCopied: our own connections are not in the way.
func TestFollowedDatabaseIsDroppedAndCopied(t *testing.T) {
	t.Parallel()
	s := followStage(t)
	conn := s.connect()
	run(t, conn, "CREATE TABLE t (v int)", "INSERT INTO t VALUES (1)")
	s.wantKept(conn, "SELECT v FROM t", "1")
	if err := conn.Close(bounded(t)); err != nil {
		t.Fatal(err)
	}
	other := s.proxy.Connect(pgtest.Database)
	run(t, other, "CREATE DATABASE copy TEMPLATE "+database)
	run(t, other, "DROP DATABASE "+database)
	for _, node := range s.nodes {
		node.WantRows("SELECT count(*) FROM pg_replication_slots WHERE database = 'app'", "0")
	}
	run(t, other, "CREATE DATABASE "+database)
	again := s.connect()
	run(t, again, "CREATE TABLE t (v int)", "INSERT INTO t VALUES (2)")
	s.wantKept(again, "SELECT v FROM t", "2")
	a := s.around()
	a.run(t, "UPDATE t SET v = 3")
	s.waitAnswer(again, "SELECT v FROM t", "3")
	for _, c := range a {
		if err := c.Close(bounded(t)); err != nil {
			t.Fatal(err)
		}
	}
	s.wantEqual()
}

// TestDefinitionsAreToldAgain: somebody drops what tells of them.
func TestDefinitionsAreToldAgain(t *testing.T) {
	t.Parallel()
	s := followStage(t)
	conn, a := s.connect(), s.around()
	run(t, conn, "CREATE TABLE t (v int)", "INSERT INTO t VALUES (1)")
	const read = "SELECT t::text FROM t"
	s.wantKept(conn, read, "(1)")
	for i, drop := range []string{"DROP EVENT TRIGGER pgchorus_definition", "ALTER EVENT TRIGGER pgchorus_drop DISABLE", "DROP SCHEMA pgchorus CASCADE"} {
		a[1:2].run(t, drop)
		inDatabase := s.nodes[1].ConnectTo(database)
		waitOne(t, inDatabase, "SELECT count(*) FROM pg_event_trigger WHERE evtname LIKE 'pgchorus%' AND evtenabled = 'A'", "2")
		s.wantKept(conn, read, "(1"+strings.Repeat(",2", i)+")")
		a.run(t, fmt.Sprintf("ALTER TABLE t ADD COLUMN v%d int DEFAULT 2", i))
		s.waitAnswer(conn, read, "(1"+strings.Repeat(",2", i+1)+")")
	}
}

// TestNodeThatJoinsIsFollowed: before anything is answered from memory again.
func TestNodeThatJoinsIsFollowed(t *testing.T) {
	t.Parallel()
	s := followStage(t, "backend_weight0 = 0", "backend_weight2 = 0")
	conn := s.connect()
	run(t, conn, "CREATE TABLE t (v int)", "INSERT INTO t VALUES (1)")
	const read = "SELECT v FROM t"
	s.wantKept(conn, read, "1")
	s.leave(1)
	s.wantKept(conn, read, "1")
	s.waitFollowed("app|0|following", "app|2|following")
	s.comeBack(1)
	s.waitFollowed(allFollowed...)
	conn = s.connect()
	s.wantKept(conn, read, "1")
	s.around().run(t, "UPDATE t SET v = 2")
	s.waitAnswer(conn, read, "2")
	s.wantEqual()
}

// TestFollowingBeginsBehindOldTransactions: what was under way by then may have been decoded
// by nobody.
func TestFollowingBeginsBehindOldTransactions(t *testing.T) {
	t.Parallel()
	s := followStage(t)
	conn, a := s.connect(), s.around()
	run(t, conn, "CREATE TABLE t (v int)", "INSERT INTO t VALUES (1)", "CREATE TABLE u (v int)")
	a.run(t, "BEGIN", "INSERT INTO u VALUES (1)")
	for range 3 {
		s.wantAsked(conn, "SELECT v FROM t", "1")
	}
	s.waitFollowed("app|0|starting", "app|1|starting", "app|2|starting")
	a.run(t, "COMMIT")
	s.wantKept(conn, "SELECT v FROM t", "1")
	s.wantKept(conn, "SELECT count(*) FROM u", "1")
	s.wantEqual()
}
