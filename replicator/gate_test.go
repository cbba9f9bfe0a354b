package replicator

import (
	"testing"
	"testing/synctest"
)

func TestGateKeepsAStatementBehindOlderCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := NewGate()
		pair, _ := nodes(nil, nil)
		first, second := gate.enter(pair), gate.enter(pair)
		limit := gate.newest()
		newer := gate.enter(pair)
		passed := make(chan struct{})
		go func() {
			gate.wait(1, limit)
			close(passed)
		}()
		wantPassed := func(want bool, when string) {
			synctest.Wait()
			select {
			case <-passed:
				if !want {
					t.Fatalf("passed %s", when)
				}
			default:
				if want {
					t.Fatalf("still waits %s", when)
				}
			}
		}
		wantPassed(false, "before two commits")
		gate.leave(1, first)
		gate.leave(0, second)
		wantPassed(false, "before the second one on this node")
		gate.leave(1, second)
		wantPassed(true, "though only a newer commit is under way")
		gate.leaveAll(pair, newer)
	})
}

func TestGateWithoutCommitsKeepsNobodyWaiting(t *testing.T) {
	gate := NewGate()
	pair, _ := nodes(nil, nil)
	gate.leaveAll(pair, gate.enter(pair))
	gate.wait(0, gate.newest())
	var none *Gate
	none.wait(0, none.newest())
}
