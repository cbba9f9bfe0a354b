package replicator

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var account, history = TicketTable{"public", "account"}, TicketTable{"public", "history"}

// holder is one who wants tickets, and what has come of it.
type holder struct {
	Holding
	done    chan struct{}
	granted bool
	err     error
}

func newHolder(t *Tickets) *holder {
	h := &holder{}
	h.Use(t)
	return h
}

// does runs do in the background. It belongs to synctest's bubble.
func (h *holder) does(do func() error) {
	h.done = make(chan struct{})
	go func() {
		defer close(h.done)
		h.err = do()
	}()
}

func (h *holder) wantsTicket(ctx context.Context, table TicketTable, key uint64) {
	h.does(func() (err error) {
		h.granted, err = h.AtOnce(ctx, table, key, nil)
		return err
	})
}

// state is "waits", "at once", "by main", or the error.
func (h *holder) state() string {
	synctest.Wait()
	select {
	case <-h.done:
	default:
		return "waits"
	}
	switch {
	case h.err != nil:
		return h.err.Error()
	case h.granted:
		return "at once"
	}
	return "by main"
}

func wantStates(t *testing.T, when string, want []string, holders ...*holder) {
	t.Helper()
	got := make([]string, len(holders))
	for i, h := range holders {
		got[i] = h.state()
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%s: %q, want %q", when, got, want)
	}
}

// wantIdle fails the test unless nothing is held.
func wantIdle(t *testing.T, tickets *Tickets) {
	t.Helper()
	if tickets.everything != 0 || tickets.atOnce != 0 || len(tickets.waiting) != 0 {
		t.Errorf("%d claims of everything and %d tickets are left", tickets.everything, tickets.atOnce)
	}
	for name, table := range tickets.tables {
		if table.claims != 0 || table.atOnce != 0 || len(table.keys) != 0 || len(table.waiting) != 0 {
			t.Errorf("of %s.%s is left: %+v", name.Schema, name.Name, table)
		}
	}
}

// TestTicket: what becomes of one who wants the ticket of key 1 of a table while another one
// holds something, which lasts.
func TestTicket(t *testing.T) {
	tests := []struct {
		name string
		held func(ctx context.Context, h *Holding) error
		want string
	}{
		{"nothing", func(context.Context, *Holding) error { return nil }, "at once"},
		{"the ticket of the key", func(ctx context.Context, h *Holding) error { _, err := h.AtOnce(ctx, account, 1, nil); return err }, "waits"},
		{"that of another key", func(ctx context.Context, h *Holding) error { _, err := h.AtOnce(ctx, account, 2, nil); return err }, "at once"},
		{"that of a key of another table", func(ctx context.Context, h *Holding) error { _, err := h.AtOnce(ctx, history, 1, nil); return err }, "at once"},
		{"a claim of the key", func(ctx context.Context, h *Holding) error { return h.Key(ctx, account, 1, nil) }, "by main"},
		{"a claim of another key", func(ctx context.Context, h *Holding) error { return h.Key(ctx, account, 2, nil) }, "at once"},
		{"a claim of the table", func(ctx context.Context, h *Holding) error { return h.Table(ctx, account, nil) }, "by main"},
		{"a claim of another table", func(ctx context.Context, h *Holding) error { return h.Table(ctx, history, nil) }, "at once"},
		{"a claim of everything", func(ctx context.Context, h *Holding) error { return h.Everything(ctx, nil) }, "by main"},
		{"a ticket that was given back", func(ctx context.Context, h *Holding) error {
			_, err := h.AtOnce(ctx, account, 1, nil)
			h.Yield()
			return err
		}, "waits"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tickets := NewTickets()
				owner, h := newHolder(tickets), newHolder(tickets)
				if err := tt.held(t.Context(), &owner.Holding); err != nil {
					t.Fatal(err)
				}
				h.wantsTicket(t.Context(), account, 1)
				wantStates(t, "at first", []string{tt.want}, h)
				owner.Release()
				synctest.Wait()
				if tt.want == "waits" {
					wantStates(t, "later", []string{"at once"}, h)
				}
				h.Release()
				wantIdle(t, tickets)
			})
		})
	}
}

// TestClaimsWaitForTickets: of three tickets, who claims waits for those that he is in the way of, and
// nobody gets one meanwhile.
func TestClaimsWaitForTickets(t *testing.T) {
	tests := []struct {
		name   string
		claim  func(ctx context.Context, h *Holding) error
		behind []int // those that it waits for
	}{
		{"a key", func(ctx context.Context, h *Holding) error { return h.Key(ctx, account, 1, nil) }, []int{0}},
		{"a free key", func(ctx context.Context, h *Holding) error { return h.Key(ctx, account, 7, nil) }, nil},
		{"a table", func(ctx context.Context, h *Holding) error { return h.Table(ctx, account, nil) }, []int{0, 1}},
		{"everything", func(ctx context.Context, h *Holding) error { return h.Everything(ctx, nil) }, []int{0, 1, 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tickets := NewTickets()
				owners := []*holder{newHolder(tickets), newHolder(tickets), newHolder(tickets)}
				owners[0].wantsTicket(t.Context(), account, 1)
				owners[1].wantsTicket(t.Context(), account, 2)
				owners[2].wantsTicket(t.Context(), history, 1)
				wantStates(t, "the owners", []string{"at once", "at once", "at once"}, owners...)
				claimant, late := newHolder(tickets), newHolder(tickets)
				claimant.does(func() error { return tt.claim(t.Context(), &claimant.Holding) })
				if len(tt.behind) > 0 {
					wantStates(t, "the claimant", []string{"waits"}, claimant)
					late.wantsTicket(t.Context(), account, 1)
					wantStates(t, "one who comes late", []string{"waits"}, late)
				}
				for _, i := range tt.behind {
					wantStates(t, "the claimant", []string{"waits"}, claimant)
					owners[i].Release()
				}
				wantStates(t, "the claimant", []string{"by main"}, claimant)
				if len(tt.behind) > 0 {
					wantStates(t, "one who came late", []string{"by main"}, late)
				}
				for _, h := range append(owners, claimant, late) {
					h.Release()
				}
				wantIdle(t, tickets)
			})
		})
	}
}

// TestTicketsAreGivenInOrder: each waits for those before it, but for one who gives up.
func TestTicketsAreGivenInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tickets := NewTickets()
		var all []*holder
		ctx, cancel := context.WithCancelCause(t.Context())
		for i := range 4 {
			h := newHolder(tickets)
			all = append(all, h)
			if i == 2 {
				h.wantsTicket(ctx, account, 1)
			} else {
				h.wantsTicket(t.Context(), account, 1)
			}
			synctest.Wait()
		}
		wantStates(t, "at first", []string{"at once", "waits", "waits", "waits"}, all...)
		cancel(errors.New("cancelled"))
		wantStates(t, "one is cancelled", []string{"at once", "waits", "cancelled", "waits"}, all...)
		all[2].Release()
		all[0].Release()
		wantStates(t, "the first has ended", []string{"at once", "at once", "cancelled", "waits"}, all...)
		all[1].Release()
		wantStates(t, "the second has ended", []string{"at once", "at once", "cancelled", "at once"}, all...)
		all[3].Release()
		wantIdle(t, tickets)
	})
}

// TestAClaimEndsAQueue: those who wait for a ticket go by main, all at once, when the one in
// front of them ends, if there is a claim by then.
func TestAClaimEndsAQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tickets := NewTickets()
		first, second, third, claimant := newHolder(tickets), newHolder(tickets), newHolder(tickets), newHolder(tickets)
		for _, h := range []*holder{first, second, third} {
			h.wantsTicket(t.Context(), account, 1)
			synctest.Wait()
		}
		claimant.does(func() error { return claimant.Table(t.Context(), account, nil) })
		wantStates(t, "at first", []string{"at once", "waits", "waits", "waits"}, first, second, third, claimant)
		first.Release()
		wantStates(t, "then", []string{"by main", "by main", "by main"}, second, third, claimant)
		claimant.Release()
		last := newHolder(tickets)
		last.wantsTicket(t.Context(), account, 1)
		wantStates(t, "who comes then waits for those", []string{"waits"}, last)
		second.Release()
		wantStates(t, "for all of those", []string{"waits"}, last)
		third.Release()
		wantStates(t, "and then goes at once", []string{"at once"}, last)
		last.Release()
		wantIdle(t, tickets)
	})
}

// TestNobodyWaitsForATicketForEver: a wait ends, and both go on.
func TestNobodyWaitsForATicketForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tickets := NewTickets()
		owner, h, claimant := newHolder(tickets), newHolder(tickets), newHolder(tickets)
		owner.wantsTicket(t.Context(), account, 1)
		synctest.Wait()
		h.wantsTicket(t.Context(), account, 1)
		claimant.does(func() error { return claimant.Everything(t.Context(), nil) })
		time.Sleep(ticketPatience - time.Millisecond)
		wantStates(t, "before", []string{"waits", "waits"}, h, claimant)
		time.Sleep(2 * time.Millisecond)
		wantStates(t, "after", []string{"by main", "by main"}, h, claimant)
		for _, it := range []*holder{owner, h, claimant} {
			it.Release()
		}
		wantIdle(t, tickets)
	})
}

func TestATransactionClaimsTheTableForManyKeys(t *testing.T) {
	tickets := NewTickets()
	h, other := newHolder(tickets), newHolder(tickets)
	for key := range uint64(3 * maxHeldKeys) {
		for range 2 {
			if err := h.Key(t.Context(), account, key, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := len(h.held); n != maxHeldKeys+1 {
		t.Errorf("%d claims are held", n)
	}
	if granted, err := other.AtOnce(t.Context(), account, 1<<40, nil); granted || err != nil {
		t.Errorf("a key that was never claimed: %v, %v", granted, err)
	}
	h.Release()
	other.Release()
	wantIdle(t, tickets)
}

func TestTablesOfWhichNothingIsHeldAreForgotten(t *testing.T) {
	tickets := NewTickets()
	kept := newHolder(tickets)
	if err := kept.Table(t.Context(), account, nil); err != nil {
		t.Fatal(err)
	}
	h := newHolder(tickets)
	for i := range 5 * maxTicketTables {
		if err := h.Table(t.Context(), TicketTable{"public", fmt.Sprint(i)}, nil); err != nil {
			t.Fatal(err)
		}
		h.Release()
	}
	if n := len(tickets.tables); n > maxTicketTables {
		t.Errorf("%d tables are remembered", n)
	}
	if granted, _ := h.AtOnce(t.Context(), account, 1, nil); granted {
		t.Error("a claim was forgotten")
	}
}

// watch notes who is at work, and fails the test when two are that Tickets keep apart.
type watch struct {
	t    *testing.T
	mu   sync.Mutex
	work map[*holder]working
}

type working struct {
	granted, everything bool
	table               TicketTable
	whole               bool
	key                 uint64
}

// conflicts: one of the two goes at once, and the other one may lock its row.
func (a working) conflicts(b working) bool {
	switch {
	case !a.granted && !b.granted:
		return false
	case a.everything || b.everything:
		return true
	case a.table != b.table:
		return false
	}
	return a.whole || b.whole || a.key == b.key
}

func (w *watch) begin(h *holder, it working) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, other := range w.work {
		if it.conflicts(other) {
			w.t.Errorf("%+v works beside %+v", it, other)
		}
	}
	w.work[h] = it
}

func (w *watch) end(h *holder) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.work, h)
}

// TestTicketsKeepConflictsApart has many do what they like, wait, be cancelled and give up: no two
// conflict, everybody comes to an end, and nothing is left.
func TestTicketsKeepConflictsApart(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			tickets := NewTickets()
			w := &watch{t: t, work: map[*holder]working{}}
			var all sync.WaitGroup
			for n := range uint64(8) {
				all.Go(func() { w.play(tickets, rand.New(rand.NewPCG(seed, n))) })
			}
			all.Wait()
			wantIdle(t, tickets)
		})
	}
}

// play is one session's life. Nothing lasts as long as anybody's patience.
func (w *watch) play(tickets *Tickets, r *rand.Rand) {
	h := newHolder(tickets)
	tables := []TicketTable{account, history}
	for range 60 {
		ctx, stop := w.t.Context(), func() {}
		if r.IntN(4) == 0 {
			ctx, stop = context.WithTimeout(ctx, time.Duration(r.IntN(3000))*time.Microsecond)
		}
		it := working{table: tables[r.IntN(2)], key: uint64(r.IntN(3))}
		var err error
		switch r.IntN(12) {
		case 0:
			it.everything = true
			err = h.Everything(ctx, nil)
		case 1:
			it.whole = true
			err = h.Table(ctx, it.table, nil)
		case 2:
			err = h.Key(ctx, it.table, it.key, nil)
		default:
			it.granted, err = h.AtOnce(ctx, it.table, it.key, nil)
		}
		stop()
		if err == nil {
			w.begin(h, it)
			time.Sleep(time.Duration(r.IntN(2000)) * time.Microsecond)
			w.end(h)
			if r.IntN(5) == 0 {
				h.Yield()
			}
		}
		h.Release()
	}
}

func TestExecuteAtOnce(t *testing.T) {
	const all = "start 0 answers, start 1, start 2, finish 0 visible, finish 1, finish 2"
	tests := []struct {
		name    string
		nodes   [][]said
		want    string
		journal string
	}{
		{"all at once", [][]said{ok("UPDATE 1"), ok("UPDATE 1"), ok("UPDATE 1")}, "main 0: UPDATE 1", all},
		{"another row count", [][]said{ok("UPDATE 1"), ok("UPDATE 0"), ok("UPDATE 1")}, "main 0: UPDATE 1; node 1 answered UPDATE 0, main node UPDATE 1", all},
		{"the same error", [][]said{fails("22012"), fails("22012"), fails("22012")}, "main 0: error 22012 (no)", all},
		{"an error on main alone", [][]said{fails("22012"), ok("UPDATE 1"), fails("22012")}, "main 0: error 22012 (no); node 1 answered UPDATE 1, main node error 22012 (no)", all},
		{"another lost when the statement is sent", [][]said{ok("UPDATE 1"), one(said{startLost: true}), ok("UPDATE 1")}, "main 0: UPDATE 1; lost 1",
			"start 0 answers, start 1, start 2, finish 0 visible, finish 2"},
		{"another lost while it runs", [][]said{ok("UPDATE 1"), ok("UPDATE 1"), one(said{lost: true})}, "main 0: UPDATE 1; lost 2", all},
		{"main lost when the statement is sent: nobody answers", [][]said{one(said{startLost: true}), ok("UPDATE 1"), ok("UPDATE 1")}, "nobody; lost 0",
			"start 0 answers, start 1, start 2, finish 1, finish 2"},
		{"main lost while it runs: nobody answers", [][]said{one(said{lost: true}), ok("UPDATE 1"), one(said{lost: true})}, "nobody; lost 0; lost 2", all},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			made, journal := nodes(tt.nodes...)
			if got := shown(ExecuteAtOnce(made, Options{Gate: NewGate()})); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if calls := strings.Join(*journal, ", "); calls != tt.journal {
				t.Errorf("calls %q, want %q", calls, tt.journal)
			}
		})
	}
}

func BenchmarkTicket(b *testing.B) {
	tickets := NewTickets()
	h := newHolder(tickets)
	b.ReportAllocs()
	for i := range b.N {
		if _, err := h.AtOnce(b.Context(), account, uint64(i), nil); err != nil {
			b.Fatal(err)
		}
		h.Release()
	}
}
