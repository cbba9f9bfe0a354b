package replicator

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// later reports, once everybody waits, whether what was begun has ended.
func later(t *testing.T, begin func()) (ended func() bool) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		begin()
	}()
	return func() bool {
		synctest.Wait()
		select {
		case <-done:
			return true
		default:
			return false
		}
	}
}

func TestBarrierHoldsTransactionsAtTheirBoundaries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBarrier()
		enter := func() {
			if err := b.Enter(t.Context()); err != nil {
				t.Error(err)
			}
		}
		enter()
		enter()
		var release func()
		held := later(t, func() { release, _ = b.Hold(t.Context()) })
		b.Leave()
		if held() {
			t.Fatal("held while a transaction is under way")
		}
		entered := later(t, enter)
		if entered() {
			t.Fatal("a transaction began while somebody waits to hold")
		}
		b.Leave()
		if !held() || entered() {
			t.Fatal("not held once all had ended")
		}
		release()
		if !entered() {
			t.Fatal("still waits after the release")
		}
	})
}

func TestOneHoldsTheBarrierAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBarrier()
		first, err := b.Hold(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		second := later(t, func() { _, _ = b.Hold(t.Context()) })
		if second() {
			t.Fatal("two hold it")
		}
		first()
		if !second() {
			t.Fatal("the second one still waits")
		}
	})
}

func TestBarrierIsOpenAfterAHoldThatGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBarrier()
		if err := b.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		gone := errors.New("no longer wanted")
		ctx, cancel := context.WithCancelCause(t.Context())
		var err error
		held := later(t, func() { _, err = b.Hold(ctx) })
		if held() {
			t.Fatal("held while a transaction is under way")
		}
		cancel(gone)
		if !held() || !errors.Is(err, gone) {
			t.Fatalf("error %v, want %v", err, gone)
		}
		if err := b.Enter(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
