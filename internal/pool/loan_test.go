package pool

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func keyOf(user, database, application string) Key {
	return KeyOf(map[string]string{"user": user, "database": database, "application_name": application})
}

func anySet(*Set) int { return 1 }

func lendingOf(limits Limits) *Loans { return NewLoans(New(0), func() Limits { return limits }) }

// mustBorrow borrows what has to be there at once.
func mustBorrow(t *testing.T, l *Loans, key Key, fits Fits) *Set {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	set, err := l.Borrow(ctx, key, fits)
	if err != nil {
		t.Fatalf("Borrow: %v", err)
	}
	return set
}

// mustWait fails the test unless nothing can be borrowed now.
func mustWait(t *testing.T, l *Loans, key Key) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Borrow(ctx, key, anySet); !errors.Is(err, ErrNoLoan) {
		t.Fatalf("Borrow: %v, want ErrNoLoan", err)
	}
}

func TestSetThatSuitsBestIsLent(t *testing.T) {
	l := lendingOf(Limits{})
	key := keyOf("u", "d", "a")
	var sets []*Set
	for range 3 {
		sets = append(sets, mustBorrow(t, l, key, anySet))
	}
	for i, set := range sets {
		set.Settings = string(rune('0' + i))
		l.Return(set)
	}
	if got := mustBorrow(t, l, key, anySet); got != sets[2] {
		t.Error("not the one returned last")
	}
	prefers := func(settings string) Fits {
		return func(s *Set) int {
			if s.Settings == settings {
				return 2
			}
			return 1
		}
	}
	if got := mustBorrow(t, l, key, prefers("0")); got != sets[0] {
		t.Error("not the one with the settings")
	}
	if got := mustBorrow(t, l, key, func(*Set) int { return 0 }); slices.Contains(sets, got) {
		t.Error("one that does not fit")
	}
	if got := mustBorrow(t, l, keyOf("u", "d", "b"), anySet); slices.Contains(sets, got) {
		t.Error("one of another key")
	}
}

func TestLoansAreBounded(t *testing.T) {
	for name, c := range map[string]struct {
		limits  Limits
		refused Key
		granted Key
	}{
		"for a user and database": {Limits{PerPool: 2}, keyOf("u", "d", "x"), keyOf("u", "e", "a")},
		"for a user":              {Limits{PerUser: 2}, keyOf("u", "e", "a"), keyOf("v", "d", "a")},
		"for a database":          {Limits{PerDatabase: 2}, keyOf("v", "d", "a"), keyOf("u", "e", "a")},
	} {
		t.Run(name, func(t *testing.T) {
			l := lendingOf(c.limits)
			mustBorrow(t, l, keyOf("u", "d", "a"), anySet)
			second := mustBorrow(t, l, keyOf("u", "d", "a"), anySet)
			mustWait(t, l, c.refused)
			mustBorrow(t, l, c.granted, anySet)
			l.Return(second)
			if got := mustBorrow(t, l, c.refused, anySet); got == second {
				t.Error("the set of another key was lent")
			}
			mustWait(t, l, keyOf("u", "d", "a"))
		})
	}
}

func TestQueueIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const waiters = 20
		l := lendingOf(Limits{PerPool: 1})
		key := keyOf("u", "d", "a")
		set := mustBorrow(t, l, key, anySet)
		var all sync.WaitGroup
		var order []int
		for i := range waiters {
			all.Go(func() {
				got, err := l.Borrow(t.Context(), key, anySet)
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, i)
				l.Return(got)
			})
			synctest.Wait()
		}
		if q := l.Queues(); len(q) != 1 || q[0].Waiting != waiters || q[0].Lent != 1 || !l.Wanted(set) || l.QueueOf(key) != waiters {
			t.Errorf("queues %+v", q)
		}
		mustWait(t, l, key)
		l.Return(set)
		all.Wait()
		if !slices.IsSorted(order) || len(order) != waiters {
			t.Errorf("order %v", order)
		}
		if l.Wanted(set) {
			t.Error("a queue without waiters")
		}
	})
}

func TestWaiterIsServedByADroppedSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lendingOf(Limits{PerPool: 1})
		key := keyOf("u", "d", "a")
		set := mustBorrow(t, l, key, anySet)
		got := make(chan *Set, 1)
		go func() {
			next, _ := l.Borrow(t.Context(), key, anySet)
			got <- next
		}()
		synctest.Wait()
		l.Drop(set)
		if next := <-got; next == nil || next == set {
			t.Error("not a new set")
		}
	})
}

func TestWaiterOfAnotherQueueIsServedUnderASharedLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lendingOf(Limits{PerDatabase: 1})
		set := mustBorrow(t, l, keyOf("u", "d", "a"), anySet)
		done := make(chan error, 1)
		go func() {
			_, err := l.Borrow(t.Context(), keyOf("v", "d", "a"), anySet)
			done <- err
		}()
		synctest.Wait()
		l.Return(set)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lendingOf(Limits{PerPool: 1})
		key := keyOf("u", "d", "a")
		set := mustBorrow(t, l, key, anySet)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.Borrow(ctx, key, anySet); !errors.Is(err, ErrNoLoan) {
			t.Errorf("Borrow: %v", err)
		}
		l.Return(set)
		if q := l.Queues(); len(q) != 1 || q[0].Waiting != 0 || q[0].Idle != 1 {
			t.Errorf("queues %+v", q)
		}
	})
}

func TestIdleLoansAreClosed(t *testing.T) {
	l := lendingOf(Limits{PerPool: 2})
	key := keyOf("u", "d", "a")
	old, young := mustBorrow(t, l, key, anySet), mustBorrow(t, l, key, anySet)
	l.Return(old)
	l.Return(young)
	old.Disconnected = time.Unix(1, 0)
	l.pool.Sweep(time.Now(), time.Hour)
	if idle := l.pool.Idle(); len(idle) != 1 || idle[0].Disconnected.Equal(old.Disconnected) {
		t.Errorf("idle %v", idle)
	}
	l.pool.CloseIdle()
	if q := l.Queues(); len(q) != 0 {
		t.Errorf("queues %+v", q)
	}
}

func TestLogInsAreRemembered(t *testing.T) {
	key := keyOf("u", "d", "a")
	tests := []struct {
		name string
		then func(l *Loans, set *Set)
		want any
	}{
		{"while a set is lent", func(*Loans, *Set) {}, "told"},
		{"while one is idle", func(l *Loans, set *Set) { l.Return(set) }, "told"},
		{"anew", func(l *Loans, _ *Set) { l.Remember(key, "more") }, "more"},
		{"not for another start-up packet", func(l *Loans, _ *Set) { l.Remember(keyOf("u", "d", "b"), "other") }, "told"},
		{"not without a set", func(l *Loans, set *Set) { l.Drop(set) }, nil},
		{"not when idle ones are of no use any more", func(l *Loans, _ *Set) { l.CloseIdle(nil) }, nil},
		{"when some are old", func(l *Loans, _ *Set) { l.CloseIdle(func(*Set) bool { return true }) }, "told"},
		{"of few start-up packets", func(l *Loans, _ *Set) {
			for i := range maxRemembered {
				l.Remember(keyOf("u", "d", string(rune(1000+i))), i)
			}
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := lendingOf(Limits{})
			l.Remember(key, "nobody has a set")
			set := mustBorrow(t, l, key, anySet)
			if got := l.Remembered(key); got != nil {
				t.Fatalf("%v was remembered", got)
			}
			l.Remember(key, "told")
			tt.then(l, set)
			if got := l.Remembered(key); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}
