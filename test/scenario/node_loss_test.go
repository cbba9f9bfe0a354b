package scenario

import (
	"fmt"
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// writesBetween is how many writes a load makes before and after a fault: enough for
// every client to have been everywhere.
const writesBetween = 300

// faults are the ways in which a node is lost.
var faults = []struct {
	name  string
	cause func(*pgtest.Node)
	after func(*pgtest.Node)
}{
	{"killed", (*pgtest.Node).Kill, func(*pgtest.Node) {}},
	{"hung", (*pgtest.Node).Pause, (*pgtest.Node).Resume},
	{"shut down", (*pgtest.Node).Stop, func(*pgtest.Node) {}},
}

func TestNobodyNoticesThatANodeIsLostUnderLoad(t *testing.T) {
	for _, fault := range faults {
		for id := range 3 {
			t.Run(fmt.Sprintf("node %d is %s", id, fault.name), func(t *testing.T) {
				t.Parallel()
				s := newStage(t)
				l := s.startLoad()
				l.awaitWrites(writesBetween)
				fault.cause(s.nodes[id])
				s.proxy.WaitLog("node detached")
				l.awaitWrites(writesBetween)
				l.finish()
				l.wantUndisturbed()
				l.wantKept(without(s.nodes, id)...)
				fault.after(s.nodes[id])
			})
		}
	}
}

func TestNobodyNoticesThatAllNodesButOneDie(t *testing.T) {
	for _, survivor := range []int{0, 2} {
		t.Run(fmt.Sprintf("node %d is left", survivor), func(t *testing.T) {
			s := newStage(t)
			l := s.startLoad()
			for _, node := range without(s.nodes, survivor) {
				l.awaitWrites(writesBetween)
				node.Kill()
				s.proxy.WaitNodeStatus(node.ID, "down")
			}
			l.awaitWrites(writesBetween)
			l.finish()
			l.wantUndisturbed()
			l.wantKept(s.nodes[survivor])
		})
	}
}

func TestFrontendIsServedThatConnectsWhileANodeHangs(t *testing.T) {
	for id := range 3 {
		t.Run(fmt.Sprintf("node %d hangs", id), func(t *testing.T) {
			t.Parallel() // it waits for health_check_timeout
			s := newStage(t)
			s.nodes[id].Pause()
			defer s.nodes[id].Resume()
			s.want(s.connect(), "SELECT 1", "1")
			s.proxy.WaitNodeStatus(id, "down")
		})
	}
}
