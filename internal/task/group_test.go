package task

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// diary collects what happened, in order, from several goroutines.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) add(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) want(t *testing.T, want ...string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.lines, want) {
		t.Errorf("happened: %s\nwant:     %s", strings.Join(d.lines, ", "), strings.Join(want, ", "))
	}
}

// part writes its life into the diary and runs until it is stopped.
func (d *diary) part(name string) Part {
	return Part{
		Name: name,
		Init: func(context.Context) error { d.add("init " + name); return nil },
		Run: func(ctx context.Context) error {
			<-ctx.Done()
			d.add("end " + name)
			return context.Cause(ctx)
		},
	}
}

func TestGroupStartsInOrderAndStopsInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		var g Group
		for _, name := range []string{"a", "b", "c"} {
			g.Add(d.part(name))
		}
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error)
		go func() { result <- g.Run(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-result; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
		d.want(t, "init a", "init b", "init c", "end c", "end b", "end a")
	})
}

func TestGroupEndsWithThePartThatEnds(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"with an error", broken, "b: broken"},
		{"by itself without an error", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var d diary
				var g Group
				g.Add(d.part("a"))
				g.Add(Part{Name: "b", Run: func(context.Context) error { return tt.err }})
				got := ""
				if err := g.Run(t.Context()); err != nil {
					got = err.Error()
				}
				if got != tt.want {
					t.Errorf("Run = %q, want %q", got, tt.want)
				}
				d.want(t, "init a", "end a")
			})
		})
	}
}

func TestGroupStopsWhatItStartedWhenAnInitRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("port in use")
		var d diary
		var g Group
		g.Add(d.part("a"))
		g.Add(Part{Name: "b", Init: func(context.Context) error { return refused }})
		g.Add(d.part("c"))
		if err := g.Run(t.Context()); !errors.Is(err, refused) {
			t.Errorf("Run = %v, want %v", err, refused)
		}
		d.want(t, "init a", "end a")
	})
}

func TestGroupTellsItsPartsWhyTheyEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cause error
		var g Group
		g.Add(Part{Name: "a", Run: func(ctx context.Context) error {
			<-ctx.Done()
			cause = context.Cause(ctx)
			return nil
		}})
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error)
		go func() { result <- g.Run(ctx) }()
		synctest.Wait()
		cancel()
		<-result
		if !errors.Is(cause, ErrStopping) {
			t.Errorf("cause = %v, want ErrStopping", cause)
		}
	})
}

func TestGroupStartsNothingOnceItsContextHasEnded(t *testing.T) {
	var d diary
	var g Group
	g.Add(d.part("a"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v, want context.Canceled", err)
	}
	d.want(t)
}
