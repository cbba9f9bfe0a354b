package nodecheck

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/logkey"
)

// Watch looks at the nodes in service again and again.
type Watch struct {
	// Interval is node_check_interval; 0 is never. It is asked anew every minute.
	Interval func() time.Duration
	// Nodes are those in service, main first.
	Nodes func() []Node
	// Fence takes a node out of service.
	Fence func(ctx context.Context, id config.NodeID, reason string) error
	Log   *zap.Logger

	said map[Difference]bool // what the log was told of
}

const (
	// intervalCheck is how soon a changed interval is noticed.
	intervalCheck = time.Minute
	// confirmAfter is the time between the two looks that have to agree before a node is
	// fenced: a setting may just be on its way to all nodes.
	confirmAfter = 5 * time.Second
)

// Run looks until ctx ends.
func (w *Watch) Run(ctx context.Context) error {
	last := time.Now() // they were looked at when they came into service
	for ctx.Err() == nil {
		interval := w.Interval()
		if wait := untilNext(interval, time.Since(last)); wait > 0 {
			pause(ctx, wait)
			continue
		}
		last = time.Now()
		w.look(ctx)
	}
	return nil
}

// untilNext is how long to wait before it is asked again whether a look is due.
func untilNext(interval, passed time.Duration) time.Duration {
	if interval <= 0 {
		return intervalCheck
	}
	return max(min(interval-passed, intervalCheck), 0)
}

// look compares once, and once more if a node would have to go.
func (w *Watch) look(ctx context.Context) {
	found := w.compare(ctx)
	wrong := AtLeast(Fence, found)
	if len(wrong) > 0 {
		pause(ctx, confirmAfter)
		again := w.compare(ctx)
		wrong = slices.DeleteFunc(wrong, func(d Difference) bool { return !slices.Contains(again, d) })
	}
	if ctx.Err() != nil {
		return
	}
	w.tell(found)
	for _, id := range Culprits(wrong, len(w.Nodes())) {
		unlike := &Unlike{slices.DeleteFunc(slices.Clone(wrong), func(d Difference) bool { return d.Node != id })}
		if err := w.Fence(ctx, id, unlike.Error()); err != nil {
			w.Log.Error("node not fenced", zap.Int(logkey.Node, int(id)), zap.Error(err))
		}
	}
}

func (w *Watch) compare(ctx context.Context) []Difference {
	nodes := w.Nodes()
	if len(nodes) < 2 {
		return nil
	}
	result := Look(ctx, nodes)
	if len(result.Compared) > 0 && result.Compared[0] != nodes[0].ID {
		result.Differences = nil // without main there is nothing to be held against
	}
	for id, err := range result.Failed {
		if !errors.Is(err, context.Canceled) {
			w.Log.Warn("node could not be compared with the others", zap.Int(logkey.Node, int(id)), zap.Error(err))
		}
	}
	return result.Differences
}

// Culprits are the nodes that stand alone with a difference. Main is right where there are
// two, since it decides the values that the others are given; where most others stand
// together against it nothing is proven, and nobody is fenced.
func Culprits(wrong []Difference, nodes int) []config.NodeID {
	against := map[[4]string]int{}
	key := func(d Difference) [4]string { return [4]string{d.Kind, d.Database, d.Name, d.Want} }
	for _, d := range wrong {
		against[key(d)]++
	}
	var ids []config.NodeID
	for _, d := range wrong {
		if nodes > 2 && 2*against[key(d)] > nodes || slices.Contains(ids, d.Node) {
			continue
		}
		ids = append(ids, d.Node)
	}
	return ids
}

// tell logs what was not said the last time.
func (w *Watch) tell(found []Difference) {
	now := make(map[Difference]bool, len(found))
	for _, d := range found {
		now[d] = true
		if w.said[d] {
			continue
		}
		say := w.Log.Warn
		if d.Action() > Warn {
			say = w.Log.Error
		}
		say("nodes are not alike", zap.Int(logkey.Node, int(d.Node)), zap.String("difference", d.String()), zap.String("remedy", d.Remedy()))
	}
	w.said = now
}

// pause ends early when ctx does.
func pause(ctx context.Context, length time.Duration) {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
