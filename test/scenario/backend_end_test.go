package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// A backend that ends is not a node that ends.

// backendOf is the process number of the one backend that a session, known by its
// application_name, has on a node.
func (s *stage) backendOf(node *pgtest.Node, application string) int {
	s.t.Helper()
	var rows []string
	await(s.t, fmt.Sprintf("backend of %s on node %d", application, node.ID), func() bool {
		rows = direct(node, "SELECT pid FROM pg_stat_activity WHERE application_name = '"+application+"'")
		return len(rows) == 1
	})
	pid, err := strconv.Atoi(rows[0])
	if err != nil {
		s.t.Fatal(err)
	}
	return pid
}

// wantAllUp fails the test if a node was detached.
func (s *stage) wantAllUp() {
	s.t.Helper()
	for id := range s.nodes {
		if status := s.proxy.NodeStatus(id); status == "down" {
			s.t.Errorf("node %d is %s", id, status)
		}
	}
}

func TestTerminatedBackendDoesNotDetachItsNode(t *testing.T) {
	s := newStage(t)
	s.exec(s.connect(), itemTable)
	for id := range s.nodes {
		t.Run(fmt.Sprintf("backend on node %d", id), func(t *testing.T) {
			s := s.in(t)
			victim, other := s.connect("application_name=victim"), s.connect()
			s.exec(victim, "UPDATE item SET text = 'victim' WHERE id = 1")
			pid := s.backendOf(s.nodes[id], "victim")
			direct(s.nodes[id], fmt.Sprintf("SELECT pg_terminate_backend(%d, 5000)", pid))
			_, err := rowsOf(victim, "UPDATE item SET text = 'later' WHERE id = 1")
			if code := codeOf(err); err != nil && !slices.Contains([]string{"57P01", "40001", "08006"}, code) {
				t.Errorf("session whose backend was terminated: %v", err)
			}
			s.exec(other, "UPDATE item SET text = 'other' WHERE id = 2")
			s.wantAllUp()
			pgtest.WantEqual(t, s.nodes...)
		})
	}
}

func TestTerminatedBackendInATransactionRollsItBackEverywhere(t *testing.T) {
	for id := range 3 {
		t.Run(fmt.Sprintf("backend on node %d", id), func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.exec(s.connect(), itemTable)
			victim := s.connect("application_name=victim")
			s.exec(victim, "BEGIN; UPDATE item SET text = 'lost' WHERE id = 3")
			pid := s.backendOf(s.nodes[id], "victim")
			direct(s.nodes[id], fmt.Sprintf("SELECT pg_terminate_backend(%d, 5000)", pid))
			if _, err := rowsOf(victim, "COMMIT"); err == nil {
				t.Error("COMMIT of a transaction that a node has rolled back was acknowledged")
			}
			s.wantAllUp()
			s.want(s.connect(), "SELECT text FROM item WHERE id = 3", "old")
			pgtest.WantEqual(t, s.nodes...)
		})
	}
}

func TestTerminatedBackendEndsTheStatementThatItRuns(t *testing.T) {
	s := newStage(t)
	s.exec(s.connect(), itemTable)
	for id := range s.nodes {
		t.Run(fmt.Sprintf("backend on node %d", id), func(t *testing.T) {
			s := s.in(t)
			victim := s.connect("application_name=victim")
			g := hold(t, "UPDATE item SET text = 'held' WHERE id = 4", s.nodes[id])
			write := startQuery(victim, "UPDATE item SET text = 'new' WHERE id = 4")
			awaitWaiter(t, s.nodes[id])
			direct(s.nodes[id], fmt.Sprintf("SELECT pg_terminate_backend(%d, 5000)", s.backendOf(s.nodes[id], "victim")))
			g.open()
			if _, err := write.wait(t); err == nil {
				t.Error("the statement of a terminated backend was acknowledged")
			}
			s.wantAllUp()
			s.want(s.connect(), "SELECT text FROM item WHERE id = 4", "old")
			pgtest.WantEqual(t, s.nodes...)
		})
	}
}

// crash ends one backend of a session with SIGKILL, at which the server ends all of
// its backends and recovers.
func (s *stage) crash(id int, application string) {
	s.t.Helper()
	signal(s.t, s.backendOf(s.nodes[id], application), syscall.SIGKILL)
}

// A server that restarts itself has all that it has acknowledged (but for what
// fsync = off may lose with the machine), so it may stay or go; the remaining nodes
// are equal, and no session ends.
func TestServerThatRestartsItselfCostsNoWrite(t *testing.T) {
	for id := range 3 {
		t.Run(fmt.Sprintf("node %d", id), func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			victim := s.connect("application_name=victim")
			l := s.startLoad()
			l.awaitWrites(writesBetween)
			s.crash(id, "victim")
			l.awaitWrites(writesBetween)
			l.finish()
			for _, c := range l.clients {
				if c.lost {
					t.Errorf("client %d has lost its session: %v", c.number, c.errors)
				}
				for _, err := range c.errors {
					if code := codeOf(err); code != "40001" {
						t.Errorf("client %d: %v", c.number, err)
					}
				}
			}
			var rest []*pgtest.Node
			for _, node := range s.nodes {
				if s.proxy.NodeStatus(node.ID) != "down" {
					rest = append(rest, node)
				}
			}
			l.wantKept(rest...)
			hangUp(victim)
		})
	}
}

func TestTerminateStormDetachesNoNode(t *testing.T) {
	s := newStage(t)
	s.exec(s.connect(), itemTable)
	for round := range 10 {
		conns := []*pgx.Conn{s.connect(), s.connect(), s.connect()}
		for i, conn := range conns {
			s.exec(conn, fmt.Sprintf("UPDATE item SET text = 'round %d' WHERE id = %d", round, i+1))
		}
		direct(s.nodes[round%3], "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'app' AND pid <> pg_backend_pid()")
		for i, conn := range conns {
			_, _ = rowsOf(conn, fmt.Sprintf("UPDATE item SET text = 'after %d' WHERE id = %d", round, i+1))
		}
	}
	s.wantAllUp()
	pgtest.WantEqual(t, s.nodes...)
}
