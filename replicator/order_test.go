package replicator

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestOrderKeepsTheNextMainBehindTheLostOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		order := NewOrder(nil)
		order.enter(0, false)
		order.enter(0, false)
		entered := make(chan struct{})
		go func() {
			order.enter(1, false)
			close(entered)
		}()
		order.leave(0)
		synctest.Wait()
		select {
		case <-entered:
			t.Fatal("a statement ran under node 1 while one was under node 0")
		default:
		}
		order.leave(0)
		synctest.Wait()
		select {
		case <-entered:
		default:
			t.Fatal("the statement under node 1 still waits")
		}
		order.leave(1)
	})
}

func TestOrderDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		order := NewOrder(nil)
		order.enter(0, false)
		for _, holds := range []bool{false, true} {
			began := time.Now()
			order.enter(2, holds)
			if waited := time.Since(began); waited != waitOf(holds) {
				t.Errorf("waited %v, want %v (holds locks: %v)", waited, waitOf(holds), holds)
			}
		}
	})
}

func TestOrderDoesNotKeepTheLowestMainWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		order := NewOrder(nil)
		order.enter(1, false)
		began := time.Now()
		order.enter(0, false)
		if waited := time.Since(began); waited != 0 {
			t.Errorf("node 0 waited %v for node 1", waited)
		}
	})
}

// inOrder is a statement of a session under node 0, which has answered it.
func inOrder(order *Order) *fakeNode {
	main := &fakeNode{}
	order.enter(0, false)
	order.follow(main, false)
	return main
}

func TestOrderKeepsAStatementBehindOneWhoseMainHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		order := NewOrder(nil)
		healthy, ended := inOrder(order), inOrder(order)
		ended.ended.Store(true)
		followed := make(chan struct{})
		go func() {
			order.follow(&fakeNode{}, false)
			close(followed)
		}()
		order.arrived(healthy)
		synctest.Wait()
		select {
		case <-followed:
			t.Fatal("a statement was sent while one whose locks are lost on main was on its way")
		default:
		}
		order.arrived(ended)
		synctest.Wait()
		select {
		case <-followed:
		default:
			t.Fatal("the statement still waits")
		}
	})
}

func TestOrderDoesNotKeepAStatementBehindOneThatHasItsLocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		order := NewOrder(nil)
		inOrder(order)
		began := time.Now()
		order.follow(&fakeNode{}, false)
		if waited := time.Since(began); waited != 0 {
			t.Errorf("waited %v", waited)
		}
	})
}

func TestOrderWaitsForAStatementThatWaitsForItButNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		order := NewOrder(nil)
		inOrder(order).ended.Store(true)
		for _, holds := range []bool{false, true} {
			began := time.Now()
			order.follow(&fakeNode{}, holds)
			if waited := time.Since(began); waited != waitOf(holds) {
				t.Errorf("waited %v, want %v (holds locks: %v)", waited, waitOf(holds), holds)
			}
		}
	})
}
