package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/pgchorus/pgchorus/internal/config"
)

// ErrUnlike is wrapped by what Attach returns for a node that must not come in.
var ErrUnlike = errors.New("it is not attached")

// check looks at a node that is to be attached. Why it must not come in stays with the node.
func (m *Manager) check(ctx context.Context, id config.NodeID) error {
	if m.checker == nil {
		return nil
	}
	v := m.View()
	err := m.checker.Check(ctx, mainFirst(v), []config.NodeID{id})[id]
	if err == nil {
		return nil
	}
	m.submit(ctx, Event{Kind: KeptOut, Node: id, Reason: err.Error()}) //nolint:errcheck // the one who asked hears it
	return fmt.Errorf("node %d: %w: %w", id, ErrUnlike, err)
}

// checkCandidates has those that answer at start looked at.
func (m *Manager) checkCandidates(ctx context.Context, answers map[config.NodeID]error) {
	if m.checker == nil {
		return
	}
	var candidates []config.NodeID
	for id, err := range answers {
		if err == nil {
			candidates = append(candidates, id)
		}
	}
	slices.Sort(candidates)
	if len(candidates) < 2 {
		return
	}
	for id, err := range m.checker.Check(ctx, nil, candidates) {
		answers[id] = &unlikeError{err}
	}
}

// unlikeError is why a node that answers does not come in at start.
type unlikeError struct{ err error }

func (e *unlikeError) Error() string { return e.err.Error() }
func (e *unlikeError) Unwrap() error { return e.err }

// mainFirst are the live nodes.
func mainFirst(v *View) []config.NodeID {
	live := slices.Clone(v.Live())
	main, known := v.Main()
	if i := slices.Index(live, main); known && i > 0 {
		live = slices.Insert(slices.Delete(live, i, i+1), 0, main)
	}
	return live
}
