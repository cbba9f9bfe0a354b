package task

import (
	"context"
	"errors"
	"fmt"
)

// ErrStopping is the cause (context.Cause) with which a part's context ends when
// its group stops.
var ErrStopping = errors.New("stopping")

// Part is something that lives as long as the program.
type Part struct {
	// Name stands in front of the part's errors.
	Name string
	// Init, if set, runs to its end before Run is started and before any later
	// part is. Its context ends when the group is told to stop.
	Init func(ctx context.Context) error
	// Run works until ctx ends and returns when nothing that it started is
	// still running. The error of a part that was asked to stop is not looked at.
	Run func(ctx context.Context) error
}

// Group is an ordered list of parts. The zero Group is empty and ready for Add.
// Not safe for concurrent use; Run may be called once.
type Group struct {
	parts   []Part
	running []*running
}

type running struct {
	part   Part
	cancel context.CancelCauseFunc
	done   chan struct{} // closed by the part's goroutine
	err    error         // set before done is closed
}

// Add appends a part: it starts after, and stops before, those added earlier.
func (g *Group) Add(p Part) { g.parts = append(g.parts, p) }

// Run starts all parts, waits until ctx ends or a part ends by itself, and stops
// them in reverse order. It returns when none is left, with the error of the part
// that ended by itself or of the Init that refused, or nil.
func (g *Group) Run(ctx context.Context) error {
	defer g.stop()

	ended := make(chan *running, len(g.parts))
	for _, p := range g.parts {
		if err := initialise(ctx, p); err != nil {
			return err
		}
		g.start(ctx, p, ended)
	}
	select {
	case <-ctx.Done():
		return nil
	case r := <-ended:
		return r.failure()
	}
}

func initialise(ctx context.Context, p Part) error {
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	if p.Init == nil {
		return nil
	}
	if err := p.Init(ctx); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	return nil
}

// start runs the part under a context of its own, which keeps the values of ctx
// but not its end: the order of stopping is the group's to decide.
func (g *Group) start(ctx context.Context, p Part, ended chan<- *running) {
	own, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	r := &running{part: p, cancel: cancel, done: make(chan struct{})}
	g.running = append(g.running, r)
	go func() {
		r.err = p.Run(own)
		close(r.done)
		ended <- r // has room for every part
	}()
}

// stop ends the parts, the last started first, each before the one below it.
func (g *Group) stop() {
	for i := len(g.running) - 1; i >= 0; i-- {
		r := g.running[i]
		r.cancel(ErrStopping)
		<-r.done
	}
	g.running = nil
}

func (r *running) failure() error {
	if r.err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", r.part.Name, r.err)
}
