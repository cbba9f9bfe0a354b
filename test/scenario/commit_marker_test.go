package scenario

import (
	"slices"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/commitlog"
	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// newWeakStage has a role for the server's own work that may log in and nothing else.
func newWeakStage(t *testing.T, marker string) *stage {
	t.Helper()
	nodes := pgtest.Start(t, 3)
	for _, node := range nodes {
		node.Exec("CREATE ROLE weak LOGIN")
		node.Exec("CREATE DATABASE " + database)
	}
	s := &stage{t: t, nodes: nodes}
	s.proxy = proxy.Start(t, nodes, proxy.WithConfig("recovery_user = 'weak'", "commit_marker = "+marker))
	return s
}

// TestMarkIsMadeWhateverWasForgotten: the mark is a prepared statement of ours, which a client's DISCARD and
// a function's DEALLOCATE take away.
func TestMarkIsMadeWhateverWasForgotten(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, itemTable)
	const write = "UPDATE item SET text = text WHERE id = 1"
	for _, sql := range []string{
		"DISCARD ALL", "DEALLOCATE ALL", "DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$",
		"BEGIN; " + write + "; DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$; COMMIT", "BEGIN; " + write + "; DEALLOCATE ALL; COMMIT",
	} {
		s.exec(conn, write)
		s.exec(conn, sql)
		s.want(conn, "SELECT count(*) FROM pg_prepared_statements", "0")
		s.exec(conn, write)
	}
	s.wantSameSlots(s.nodes...)
	s.wantEqual()
}

func TestMarkerWithoutRights(t *testing.T) {
	t.Parallel()
	t.Run("auto", func(t *testing.T) {
		t.Parallel()
		s := newWeakStage(t, "auto")
		conn := s.connect()
		s.exec(conn, itemTable)
		s.exec(conn, "BEGIN; UPDATE item SET text = 'new'; COMMIT")
		s.proxy.WaitLog("transactions are not marked")
		s.wantEqual()
	})
	t.Run("on", func(t *testing.T) {
		t.Parallel()
		s := newWeakStage(t, "on")
		conn := s.connect()
		s.wantCode(conn, "CREATE TABLE item (i int)", "55000")
		s.wantCode(conn, "BEGIN; CREATE TABLE item (i int); COMMIT", "55000")
		s.want(conn, "SELECT 1", "1")
		s.exec(conn, "SET work_mem = '7MB'")
		s.wantEqual()

		// Somebody with rights makes the objects, as pgchorus setup does.
		s.proxy.Stop("fast")
		for _, node := range s.nodes {
			if _, err := node.ConnectTo(database).Exec(bounded(t), commitlog.Schema()); err != nil {
				t.Fatal(err)
			}
		}
		s.proxy.Restart()
		s.exec(s.connect(), "CREATE TABLE item (i int)")
		if slots := s.wantSameSlots(s.nodes...); len(slots) != 1 {
			t.Errorf("slots %q, want one", slots)
		}
		s.wantEqual()
	})
	t.Run("off", func(t *testing.T) {
		t.Parallel()
		s := newStageIn(t, "native_replication", "commit_marker = off")
		s.exec(s.connect(), itemTable)
		if rows := direct(s.nodes[0], "SELECT 1 FROM pg_namespace WHERE nspname = 'pgchorus'"); len(rows) > 0 {
			t.Error("schema pgchorus was made")
		}
	})
}

// TestMarkerForAnybody: roles that own nothing and have a search_path of their own leave
// marks too, and cannot do more with the objects.
func TestMarkerForAnybody(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	owner := s.connect()
	s.exec(owner, itemTable)
	s.exec(owner, "CREATE ROLE app LOGIN; GRANT ALL ON item TO app; ALTER ROLE app SET search_path = 'nowhere'; ALTER ROLE app SET default_transaction_isolation = 'repeatable read'")
	before := s.wantSameSlots(s.nodes...)
	s.exec(owner, "SET SESSION AUTHORIZATION app; UPDATE public.item SET text = 'app' WHERE id = 1")
	if after := s.wantSameSlots(s.nodes...); slices.Equal(before, after) {
		t.Error("no mark")
	}
	for _, sql := range []string{"SELECT * FROM pgchorus.commit_slot", "UPDATE pgchorus.commit_slot SET seq = 0", "SELECT pgchorus.claim(0, 0, 1, 1)"} {
		s.wantCode(owner, sql, "42501")
	}
	s.wantCode(owner, "SELECT pgchorus.mark(0, 0, 1, 1)", "40001")
	s.exec(owner, "RESET SESSION AUTHORIZATION")
	s.wantAllUp()
	s.wantEqual()
}

// TestMarkerObjectsAreMadeAgain: somebody has dropped them on the nodes.
func TestMarkerObjectsAreMadeAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, itemTable)
	for _, node := range s.nodes {
		if _, err := node.ConnectTo(database).Exec(bounded(t), "DROP SCHEMA pgchorus CASCADE"); err != nil {
			t.Fatal(err)
		}
	}
	s.wantCode(conn, "UPDATE item SET text = 'new' WHERE id = 1", "40001")
	s.exec(conn, "UPDATE item SET text = 'new' WHERE id = 1")
	s.wantSameSlots(s.nodes...)
	s.exec(conn, "CREATE DATABASE other")
	s.exec(conn, "DROP DATABASE other")
	s.exec(conn, "CREATE DATABASE other")
	s.wantAllUp()
	s.wantEqual()
}

// TestDatabaseOfTheSameNameHasObjectsOfItsOwn: it is made, written to, dropped and made again.
func TestDatabaseOfTheSameNameHasObjectsOfItsOwn(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for range 2 {
		conn := s.connect()
		s.exec(conn, itemTable)
		hangUp(conn)
		other := s.proxy.Connect(pgtest.Database)
		s.exec(other, "DROP DATABASE "+database+" WITH (FORCE)")
		s.exec(other, "CREATE DATABASE "+database)
		hangUp(other)
	}
	s.wantAllUp()
	s.wantEqual()
}

// TestNodesAreComparedWhenOneIsLost: a slot that was changed past the server stands for a
// transaction that a node lacks.
func TestNodesAreComparedWhenOneIsLost(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, itemTable)
	if _, err := s.nodes[2].ConnectTo(database).Exec(bounded(t), "UPDATE pgchorus.commit_slot SET seq = seq - 1"); err != nil {
		t.Fatal(err)
	}
	s.nodes[1].Kill()
	s.wantFenced(1, 2)
	if log := s.proxy.Log(); !strings.Contains(log, "nodes do not have the same transactions") || !strings.Contains(log, "lacks transactions") {
		t.Error("the log does not say why")
	}
	s.exec(conn, "UPDATE item SET text = 'new' WHERE id = 1")
}

// TestNodeWithoutSlotsIsGivenThem: its data were copied without schema pgchorus.
func TestNodeWithoutSlotsIsGivenThem(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, itemTable)
	s.leave(1)
	s.nodes[1].Start()
	if _, err := s.nodes[1].ConnectTo(database).Exec(bounded(t), "DROP SCHEMA pgchorus CASCADE"); err != nil {
		t.Fatal(err)
	}
	if err := s.proxy.Node("attach", 1); err != nil {
		t.Fatal(err)
	}
	s.proxy.WaitLog("node has no commit slots")
	s.wantSameSlots(s.nodes...)
	s.exec(conn, "UPDATE item SET text = 'new' WHERE id = 1")
	s.wantSameSlots(s.nodes...)
	s.wantAllUp()
	s.wantEqual()
}

// TestSlotThatIsHandedOnCostsNoTransaction: one session leaves while another has a snapshot from
// before its last commit.
func TestSlotThatIsHandedOnCostsNoTransaction(t *testing.T) {
	t.Parallel()
	s := newStageIn(t, "snapshot_isolation")
	s.exec(s.connect(), itemTable)
	leaving, staying := s.connect(), s.connect()
	s.exec(staying, "BEGIN")
	s.want(staying, "SELECT count(*) FROM item", "10")
	s.exec(leaving, "UPDATE item SET text = 'leaving' WHERE id = 1")
	hangUp(leaving)
	s.exec(staying, "UPDATE item SET text = 'staying' WHERE id = 2; COMMIT")
	s.wantAllUp()
	s.wantSameSlots(s.nodes...)
	s.wantEqual()
}
