package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// look is what a proxy needs for a unit of work, counted apart from the rounds, since
// counting costs more than the work.
type look struct {
	Scenario, Target string
	Syscalls         float64 // of all kinds
	IOSyscalls       float64 // those that move bytes or wait for them
	// Allocs and AllocBytes are heap objects and their size, where they could be Counted:
	// at pgchorus.
	Allocs, AllocBytes float64
	Counted            bool
	Error              string `json:",omitempty"`
}

// A count is the difference between a short and a long run, so that logging in and
// logging out, and our own questions, are in neither. These are transactions of each client.
const (
	lookFew         = 20
	lookMoreTraced  = 200 // every call is reported to the tracer, which is slow
	lookMoreCounted = 1000
)

// lookClients is the number of clients of the scenarios that are looked at.
const lookClients = 8

// lookPatience bounds one run.
const lookPatience = time.Minute

// isLookedAt tells whether what a unit of the scenario needs is counted.
func (s scenario) isLookedAt() bool { return s.byTransactions() && s.Clients == lookClients }

// look counts, for all scenarios that are looked at, what the proxies need.
func (st *stage) look(ctx context.Context) error {
	if !st.looked || !st.b.opts.look {
		return nil
	}
	for _, s := range st.scenarios {
		for _, t := range st.targets {
			if s.isLookedAt() && t.proxy != nil && t.broken == nil {
				st.b.result.Looks = append(st.b.result.Looks, st.lookAtSyscalls(ctx, s, t))
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	for _, t := range st.targets {
		if err := st.countAllocations(ctx, t); err != nil {
			st.fault(t.name, "count allocations of", err)
		}
	}
	return ctx.Err()
}

func (st *stage) lookAtSyscalls(ctx context.Context, s scenario, t *target) look {
	l := look{Scenario: s.Name, Target: t.name}
	if err := st.countSyscalls(ctx, s, t, &l); err != nil {
		l.Error = err.Error()
	}
	st.b.tell("%-28s %s: %.1f system calls, %.1f of them I/O %s", s.Name, t.name, l.Syscalls, l.IOSyscalls, l.Error)
	return l
}

func (st *stage) countSyscalls(ctx context.Context, s scenario, t *target, l *look) error {
	var counts [2]syscalls
	var done [2]int
	for i, each := range []int{lookFew, lookFew + lookMoreTraced} {
		trace, err := st.b.startTrace(ctx, t.proxy.pid())
		if err != nil {
			return err
		}
		done[i], err = st.workCounted(ctx, s, t, each)
		counted, stopErr := trace.stop()
		if err := errors.Join(err, stopErr); err != nil {
			return err
		}
		counts[i] = counted
	}
	units := float64(done[1] - done[0])
	if units <= 0 {
		return errors.New("the longer run did no more than the short one")
	}
	l.Syscalls = float64(counts[1].all-counts[0].all) / units
	l.IOSyscalls = float64(counts[1].io-counts[0].io) / units
	return nil
}

// workCounted has each client do so many transactions.
func (st *stage) workCounted(ctx context.Context, s scenario, t *target, each int) (int, error) {
	ctx, stop := context.WithTimeout(ctx, lookPatience)
	defer stop()
	o, err := st.work(ctx, s, t, counted(each))
	return o.Done, err
}

// countAllocations has the program that can be asked do the scenarios of a pgchorus, in
// the place of the one that is measured.
func (st *stage) countAllocations(ctx context.Context, t *target) error {
	if base(t.name) != pgchorus || t.broken != nil || st.b.inspectProgram == "" {
		return nil
	}
	// Nobody wants to know who allocates, only how often.
	return st.inspected(ctx, t, []string{"GODEBUG=memprofilerate=0"}, func(d door) error {
		for _, s := range st.scenarios {
			if !s.isLookedAt() {
				continue
			}
			if err := st.allocationsOf(ctx, s, t, d); err != nil {
				return fmt.Errorf("%s: %w", s.Name, err)
			}
		}
		return nil
	})
}

func (st *stage) allocationsOf(ctx context.Context, s scenario, t *target, d door) error {
	var used [2]allocations
	var done [2]int
	for i, each := range []int{lookFew, lookFew + lookMoreCounted} {
		before, err := d.allocations(ctx)
		if err != nil {
			return err
		}
		if done[i], err = st.workCounted(ctx, s, t, each); err != nil {
			return err
		}
		after, err := d.allocations(ctx)
		if err != nil {
			return err
		}
		used[i] = allocations{after.objects - before.objects, after.bytes - before.bytes}
	}
	units := float64(done[1] - done[0])
	l := st.b.result.lookOf(s.Name, t.name)
	if l == nil || units <= 0 {
		return nil // the count of system calls says what was wrong
	}
	l.Counted = true
	l.Allocs, l.AllocBytes = (used[1].objects-used[0].objects)/units, (used[1].bytes-used[0].bytes)/units
	st.b.tell("%-28s %s: %.2f allocations, %.0f bytes", s.Name, t.name, l.Allocs, l.AllocBytes)
	return nil
}

// lookOf finds what was counted, nil where nobody looked.
func (r *result) lookOf(scenario, target string) *look {
	for i := range r.Looks {
		if r.Looks[i].Scenario == scenario && r.Looks[i].Target == target {
			return &r.Looks[i]
		}
	}
	return nil
}
