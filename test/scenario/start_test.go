package scenario

import (
	"fmt"
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

func TestStartWithOneNodeDown(t *testing.T) {
	for id := range 3 {
		t.Run(fmt.Sprintf("node %d", id), func(t *testing.T) {
			t.Parallel()
			nodes := pgtest.Start(t, 3)
			for _, node := range nodes {
				node.Exec("CREATE DATABASE app")
			}
			nodes[id].Stop()
			s := &stage{t: t, nodes: nodes, proxy: proxy.Start(t, nodes)}
			conn := s.connect()
			s.exec(conn, itemTable)
			s.want(conn, "SELECT count(*) FROM item", "10")
			s.proxy.WaitNodeStatus(id, "down")
			pgtest.WantEqual(t, without(nodes, id)...)
		})
	}
}

func TestStartWithAllNodesDown(t *testing.T) {
	nodes := pgtest.Start(t, 3)
	for _, node := range nodes {
		node.Exec("CREATE DATABASE app")
		node.Stop()
	}
	s := &stage{t: t, nodes: nodes, proxy: proxy.Start(t, nodes)}
	if _, err := s.tryConnect(); codeOf(err) != "57P03" {
		t.Errorf("frontend while no node is up: %v, want SQLSTATE 57P03", err)
	}
	for _, node := range nodes {
		node.Start()
	}
	await(t, "frontends are served", func() bool { _, err := s.tryConnect(); return err == nil })
}

// lastNodeDies kills one node after the other and returns the one that was left last.
func (s *stage) lastNodeDies() *pgtest.Node {
	s.t.Helper()
	for _, node := range s.nodes[:2] {
		node.Kill()
		s.proxy.WaitNodeStatus(node.ID, "down")
	}
	s.nodes[2].Kill()
	return s.nodes[2]
}

func TestAllNodesDieAndTheLastComesBack(t *testing.T) {
	s := newStage(t, proxy.WithConfig("search_primary_node_timeout = 1"))
	conn := s.connect()
	s.exec(conn, itemTable)
	last := s.lastNodeDies()
	s.wantCode(conn, "UPDATE item SET text = 'never' WHERE id = 1", "57P03")
	if _, err := s.tryConnect(); codeOf(err) != "57P03" {
		t.Errorf("frontend while no node is up: %v, want SQLSTATE 57P03", err)
	}
	last.Start()
	s.want(s.connect(), "SELECT text FROM item WHERE id = 1", "old")
	s.exec(s.connect(), "UPDATE item SET text = 'new' WHERE id = 1")
	if status := s.proxy.NodeStatus(last.ID); status == "down" {
		t.Errorf("the last node is %s", status)
	}
}

func TestSessionOutlivesTheLastNodeThatComesBackInTime(t *testing.T) {
	s := newStage(t, proxy.WithConfig("search_primary_node_timeout = 30"))
	conn := s.connect()
	s.exec(conn, itemTable+"SET work_mem = '6MB'")
	last := s.lastNodeDies()
	read := startQuery(conn, "SELECT count(*) FROM item")
	last.Start()
	if rows := read.must(t); len(rows) != 1 || rows[0] != "10" {
		t.Errorf("read: %q", rows)
	}
	s.want(conn, "SHOW work_mem", "6MB")
}

func TestLastNodeIsNotDetached(t *testing.T) {
	s := newStage(t)
	for id := range 2 {
		if err := s.proxy.Node("detach", id); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.proxy.Node("detach", 2); err == nil {
		t.Error("the last node was detached")
	}
	s.want(s.connect(), "SELECT 1", "1")
}

// A node that was down when the server stopped stays down when it starts again: it
// lacks what was written meanwhile (Pgpool-II's pgpool_status file).
func TestNodeThatWasDetachedStaysOutOverARestart(t *testing.T) {
	s := newStage(t)
	s.exec(s.connect(), itemTable)
	s.nodes[1].Stop()
	s.proxy.WaitNodeStatus(1, "down")
	s.exec(s.connect(), "UPDATE item SET text = 'new'")
	s.nodes[1].Start()
	s.proxy.Restart()
	if status := s.proxy.NodeStatus(1); status != "down" {
		t.Errorf("node 1, which lacks writes, is %s after a restart", status)
	}
	for range 10 {
		s.want(s.connect(), "SELECT DISTINCT text FROM item", "new")
	}
}
