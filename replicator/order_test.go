package replicator

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pgchorus/pgchorus/internal/wire"
)

// slowNode confirms a COMMIT when it is told to.
type slowNode struct {
	*fakeNode
	confirm chan struct{}
}

func (n *slowNode) Finish(visible bool) (*wire.Answer, error) {
	<-n.confirm
	return n.fakeNode.Finish(visible)
}

// TestGateKeepsTheOrder: a statement reaches another node only after that node has
// confirmed the commits that were under way when main answered the statement.
func TestGateKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := NewGate()
		writer, _ := nodes(ok("COMMIT"), ok("COMMIT"))
		slow := &slowNode{fakeNode: writer[1].(*fakeNode), confirm: make(chan struct{})}
		committed := make(chan struct{})
		go func() {
			Commit([]Node{writer[0], slow}, Parallel, gate)
			close(committed)
		}()
		synctest.Wait() // main has confirmed, the other has not

		reader, journal := nodes(ok("UPDATE 1"), ok("UPDATE 1"), ok("UPDATE 1"))
		executed := make(chan struct{})
		go func() {
			Execute(reader, Options{Repeatable: anew, Gate: gate})
			close(executed)
		}()
		synctest.Wait()
		if calls := *journal; len(calls) != 2 || calls[1] != "finish 0 visible" {
			t.Errorf("before node 1 has confirmed the commit: %q", calls)
		}
		later := gate.enter(reader) // a commit that comes later keeps nobody waiting
		close(slow.confirm)
		synctest.Wait()
		<-committed
		<-executed
		gate.leaveAll(reader, later)
	})
}

// TestGateIsOpenForOtherNodes: a commit that is under way to one node does not hold up
// what goes to another.
func TestGateIsOpenForOtherNodes(t *testing.T) {
	gate := NewGate()
	made, _ := nodes(nil, nil, nil)
	token := gate.enter(made[2:])
	gate.wait(1, gate.limits(made)[1])
	gate.leaveAll(made[2:], token)
	var none *Gate
	none.wait(0, 7)
	none.leave(0, none.enter(made))
}

func TestBarrier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBarrier()
		ctx := t.Context()
		if b.Enter(ctx) != nil || b.Enter(ctx) != nil {
			t.Fatal("nobody holds the barrier and it is closed")
		}
		held := make(chan func())
		go func() {
			release, err := b.Hold(ctx)
			if err != nil {
				t.Error(err)
			}
			held <- release
		}()
		synctest.Wait()
		entered := make(chan error)
		go func() { entered <- b.Enter(ctx) }()
		b.Leave()
		synctest.Wait()
		select {
		case <-held:
			t.Fatal("held while a transaction was under way")
		case <-entered:
			t.Fatal("entered while somebody waits to hold")
		default:
		}
		b.Leave()
		release := <-held
		synctest.Wait()
		select {
		case <-entered:
			t.Fatal("entered while somebody holds")
		default:
		}
		release()
		if err := <-entered; err != nil {
			t.Error(err)
		}
		b.Leave()
	})
}

// TestBarrierGivesUp: who waits no longer leaves nothing behind.
func TestBarrierGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBarrier()
		if err := b.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Hold(impatient); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Hold gave up with %v", err)
		}
		if err := b.Enter(t.Context()); err != nil {
			t.Errorf("closed after Hold gave up: %v", err)
		}
		b.Leave()
		b.Leave()
		release, err := b.Hold(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		second, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Hold(second); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a second Hold ended with %v", err)
		}
		third, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Enter(third); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Enter ended with %v", err)
		}
		release()
		if err := b.Enter(t.Context()); err != nil {
			t.Error(err)
		}
		b.Leave()
	})
}
