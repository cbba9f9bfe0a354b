package replicator

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestOrderKeepsTheNextMainBehindTheLostOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		order := NewOrder()
		order.enter(0)
		order.enter(0)
		entered := make(chan struct{})
		go func() {
			order.enter(1)
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
		order := NewOrder()
		order.enter(0)
		began := time.Now()
		order.enter(2)
		if waited := time.Since(began); waited != maxOrderWait {
			t.Errorf("waited %v, want %v", waited, maxOrderWait)
		}
	})
}

func TestOrderDoesNotKeepTheLowestMainWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		order := NewOrder()
		order.enter(1)
		began := time.Now()
		order.enter(0)
		if waited := time.Since(began); waited != 0 {
			t.Errorf("node 0 waited %v for node 1", waited)
		}
	})
}
