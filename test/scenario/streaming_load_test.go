package scenario

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// What becomes of work in a cluster with a primary when one of its nodes is lost.

// TestNobodyNoticesThatAStandbyIsLost has pgbench read on node 1 and write, by all
// protocols at once.
func TestNobodyNoticesThatAStandbyIsLost(t *testing.T) {
	for _, fault := range faults {
		t.Run("the standby is "+fault.name, func(t *testing.T) {
			t.Parallel() // it waits for checks
			s := newStreamingStage(t, "auto_failback = on", "auto_failback_interval = 1")
			s.pgbench("-i", "-q", database).must(t)
			s.settle()
			var runs []*background
			for _, protocol := range []string{"simple", "extended", "prepared"} {
				runs = append(runs,
					s.pgbench("-n", "-S", "-M", protocol, "-c", "3", "-t", "300", database),
					s.pgbench("-n", "-M", protocol, "-c", "3", "-t", "30", database))
			}
			await(t, "pgbench is at work", func() bool {
				return len(direct(s.nodes[0], "SELECT 1 FROM pgbench_history HAVING count(*) > 50")) > 0
			})
			fault.cause(s.nodes[1])
			for _, run := range runs {
				wantUnfailed(t, run.must(t)[0])
			}
			if rows := direct(s.nodes[0], "SELECT count(*) FROM pgbench_history"); len(rows) != 1 || rows[0] != "270" {
				t.Errorf("the primary has %q transactions, want 270", rows)
			}
			s.proxy.WaitNodeStatus(1, "down")
			fault.after(s.nodes[1])
			if !s.nodes[1].Running() {
				s.nodes[1].Start()
			}
			await(t, "the standby is read again", func() bool { return s.newReads(s.nodes[1]) }) // auto_failback
			s.wantEqual()
		})
	}
}

// newReads reports whether the reads of a new session go to the node.
func (s *stage) newReads(node *pgtest.Node) bool {
	s.t.Helper()
	conn := s.connect()
	defer hangUp(conn)
	rows, err := rowsOf(conn, "SELECT inet_server_port()")
	return err == nil && rows[0] == port(node)
}

// TestSessionsReadOnAStandbyThatIsBack: sessions may be as old as an application. One has
// been there before the standby was lost, one has come since.
func TestSessionsReadOnAStandbyThatIsBack(t *testing.T) {
	s := newStreamingStage(t, "auto_failback = on", "auto_failback_interval = 1")
	old := s.connect()
	s.want(old, "SELECT inet_server_port()", port(s.nodes[1]))
	s.nodes[1].Stop()
	s.want(old, "SELECT inet_server_port()", port(s.nodes[0]))
	s.proxy.WaitNodeStatus(1, "down")
	recent := s.connect()
	s.want(recent, "SELECT inet_server_port()", port(s.nodes[0]))
	s.nodes[1].Start()
	await(t, "new sessions read there", func() bool { return s.newReads(s.nodes[1]) })
	for _, conn := range []*pgx.Conn{old, recent} {
		s.want(conn, "SELECT inet_server_port()", port(s.nodes[1]))
	}
}

// TestNoAcknowledgedWriteIsLostWithThePrimary has synchronous replication, without which
// PostgreSQL itself promises nothing.
func TestNoAcknowledgedWriteIsLostWithThePrimary(t *testing.T) {
	allowed := []string{"08006", "08007", "40001", "57P03"}
	for _, fault := range faults {
		t.Run("the primary is "+fault.name, func(t *testing.T) {
			t.Parallel() // it waits for checks
			s := newStreamingStage(t)
			s.nodes[0].Exec("ALTER SYSTEM SET synchronous_standby_names = 'node1'")
			s.nodes[0].Exec("SELECT pg_reload_conf()")
			s.nodes[0].WaitRows("SELECT sync_state FROM pg_stat_replication WHERE application_name = 'node1'", "sync")
			l := s.startLoad()
			l.awaitWrites(writesBetween)
			fault.cause(s.nodes[0])
			s.proxy.WaitNodeStatus(0, "down")
			s.nodes[1].Promote()
			s.nodes[2].Follow(s.nodes[1])
			l.awaitWrites(writesBetween)
			l.finish()
			for _, c := range l.clients {
				for _, err := range c.errors {
					if !slices.Contains(allowed, codeOf(err)) {
						t.Errorf("client %d (blocks %v, %v): %v", c.number, c.inBlocks, c.mode, err)
					}
				}
			}
			s.nodes[2].WaitCaughtUp(s.nodes[1])
			l.wantKept(s.nodes[1:]...)
			fault.after(s.nodes[0])
		})
	}
}

// TestFailoverCommandHearsWhoIsWho lets the command itself promote the standby.
func TestFailoverCommandHearsWhoIsWho(t *testing.T) {
	said := filepath.Join(t.TempDir(), "said")
	command := func(event string) string {
		return fmt.Sprintf("%s_command = 'echo %[1]s %%d %%h %%p %%D %%m %%H %%M %%P %%r %%R %%N %%S %%%% >> %s'", event, said)
	}
	s := newStreamingStage(t, command("failover"), command("failback"), command("follow_primary"))
	if err := os.Chmod(filepath.Dir(said), 0o777); err != nil {
		t.Fatal(err)
	}
	who := func(n *pgtest.Node) string { return fmt.Sprintf("%d %s %d %s", n.ID, n.Host, n.Port, n.DataDir) }
	heard := func(what string) func() bool {
		return func() bool {
			text, _ := os.ReadFile(said) // not there before the first event
			return strings.Contains(string(text), what+"\n")
		}
	}
	p, standby, other := s.nodes[0], s.nodes[1], s.nodes[2]
	main := func(n *pgtest.Node, oldMain, oldPrimary *pgtest.Node) string {
		return fmt.Sprintf("%d %s %d %d %d %s %s %d %%", n.ID, n.Host, oldMain.ID, oldPrimary.ID, n.Port, n.DataDir, oldPrimary.Host, oldPrimary.Port)
	}
	other.Kill()
	await(t, "failover_command of a standby", heard("failover "+who(other)+" "+main(p, p, p)))
	other.Start()
	if err := s.proxy.Node("attach", other.ID); err != nil {
		t.Fatal(err)
	}
	await(t, "failback_command", heard("failback "+who(other)+" "+main(p, p, p)))
	p.Kill()
	await(t, "failover_command of the primary", heard("failover "+who(p)+" "+main(standby, p, p)))
	standby.Promote()
	await(t, "follow_primary_command", heard("follow_primary "+who(other)+" "+main(standby, p, p)))
}

// TestReadsAreRedirected by application, else by database, else by user.
func TestReadsAreRedirected(t *testing.T) {
	s := newStreamingStage(t,
		"user_redirect_preference_list = 'clerk:2'",
		"database_redirect_preference_list = 'reports:primary,app:1'",
		"app_name_redirect_preference_list = 'batch.*:2,important:primary'")
	s.proxy.Exec("CREATE ROLE clerk LOGIN")
	s.proxy.Exec("CREATE DATABASE reports")
	s.settle()
	const where = "SELECT inet_server_port()"
	s.want(s.connect(), where, port(s.nodes[1]))
	s.want(s.connect("application_name=batch7"), where, port(s.nodes[2]))
	s.want(s.connect("application_name=important"), where, port(s.nodes[0]))
	for _, tt := range []struct {
		user, database string
		node           int
	}{{"clerk", pgtest.Database, 2}, {"clerk", database, 1}, {"clerk", "reports", 0}, {s.proxy.User, "reports", 0}} {
		conn, err := pgx.Connect(bounded(t), s.proxy.DSN(tt.database, tt.user))
		if err != nil {
			t.Fatal(err)
		}
		s.want(conn, where, port(s.nodes[tt.node]))
		hangUp(conn)
	}
}

// TestLoadIsBalancedByStatement: or else by session.
func TestLoadIsBalancedByStatement(t *testing.T) {
	for _, byStatement := range []string{"on", "off"} {
		t.Run("statement_level_load_balance = "+byStatement, func(t *testing.T) {
			s := newStreamingStage(t, "statement_level_load_balance = "+byStatement,
				"backend_weight0 = 1", "backend_weight1 = 1", "backend_weight2 = 1")
			conn := s.connect()
			seen := map[string]int{}
			for range 60 { // that a node is left out by chance: once in 10^10
				rows, err := rowsOf(conn, "SELECT inet_server_port()")
				if err != nil {
					t.Fatal(err)
				}
				seen[rows[0]]++
			}
			if want := map[string]int{"on": 3, "off": 1}[byStatement]; len(seen) != want {
				t.Errorf("the reads of a session went to %v, want %d nodes", seen, want)
			}
		})
	}
}

// TestNodesOfAPrimaryAreShown in SHOW POOL_NODES.
func TestNodesOfAPrimaryAreShown(t *testing.T) {
	s := newStreamingStage(t)
	const role, delay = 6, 10
	rows := s.proxy.Query("SHOW POOL_NODES")
	for i, want := range []string{"primary", "standby", "standby"} {
		if rows[i][role] != want {
			t.Errorf("node %d is shown as %q, want %q: %q", i, rows[i][role], want, rows[i])
		}
	}
	s.nodes[2].PauseReplay()
	s.exec(s.connect(), "CREATE TABLE t AS SELECT generate_series(1, 10000)")
	await(t, "a delay is shown", func() bool {
		bytes, _ := strconv.Atoi(s.proxy.Query("SHOW POOL_NODES")[2][delay])
		return bytes > 100_000
	})
	s.nodes[2].ResumeReplay()
	await(t, "the delay is gone", func() bool {
		bytes, _ := strconv.Atoi(s.proxy.Query("SHOW POOL_NODES")[2][delay])
		return bytes == 0
	})
}

// TestServerIsAPrimaryToItsFrontends: drivers ask in several ways for a server that
// takes writes.
func TestServerIsAPrimaryToItsFrontends(t *testing.T) {
	s := newStreamingStage(t)
	for _, want := range []string{"read-write", "primary", "any", "prefer-standby"} {
		s.want(s.connect("target_session_attrs="+want), "SELECT inet_server_port()", port(s.nodes[1]))
	}
	conn := s.connect()
	for _, sql := range []string{"SHOW transaction_read_only", "SHOW in_hot_standby", "SELECT current_setting('transaction_read_only')"} {
		s.want(conn, sql, "off")
	}
	s.want(conn, "SELECT pg_is_in_recovery()", "f")
	if status := conn.PgConn().ParameterStatus("in_hot_standby"); status != "off" {
		t.Errorf("in_hot_standby is announced as %q", status)
	}
}
