package cluster

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/pgchorus/pgchorus/internal/config"
)

var errOtherZone = errors.New("setting TimeZone differs")

// fakeChecker keeps nodes out and notes what it was asked.
type fakeChecker struct {
	unlike                map[config.NodeID]error
	inService, candidates []config.NodeID
}

func (c *fakeChecker) Check(_ context.Context, inService, candidates []config.NodeID) map[config.NodeID]error {
	c.inService, c.candidates = inService, candidates
	out := map[config.NodeID]error{}
	for _, id := range candidates {
		if err := c.unlike[id]; err != nil {
			out[id] = err
		}
	}
	return out
}

func TestNodeThatIsUnlikeTheOthersIsKeptOut(t *testing.T) {
	checker := &fakeChecker{unlike: map[config.NodeID]error{2: errOtherZone}}
	inWorld(t, threeNodes(), []config.NodeID{2}, func(t *testing.T, w *world) {
		w.UseChecker(checker)
		w.prober.revive(2)
		err := w.Attach(t.Context(), 2)
		if !errors.Is(err, ErrUnlike) || !errors.Is(err, errOtherZone) {
			t.Errorf("got %v", err)
		}
		if n, _ := w.View().Node(2); n.Status.Live() || n.Reason != errOtherZone.Error() {
			t.Errorf("it is %v: %s", n.Status, n.Reason)
		}
		if !slices.Equal(checker.inService, []config.NodeID{0, 1}) || !slices.Equal(checker.candidates, []config.NodeID{2}) {
			t.Errorf("asked about %v against %v", checker.candidates, checker.inService)
		}
		checker.unlike = nil
		if err := w.Attach(t.Context(), 2); err != nil {
			t.Errorf("made alike: %v", err)
		}
	})
}

func TestNodeThatIsUnlikeTheOthersDoesNotStart(t *testing.T) {
	w := newManager(nil, threeNodes())
	checker := &fakeChecker{unlike: map[config.NodeID]error{1: errOtherZone}}
	w.UseChecker(checker)
	w.prober.kill(2)
	if err := w.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := w.View().text(), "0 waiting, 1 down, 2 down @1"; got != want {
		t.Errorf("view %q, want %q", got, want)
	}
	if n, _ := w.View().Node(1); n.Reason != errOtherZone.Error() {
		t.Errorf("reason %q", n.Reason)
	}
	if len(checker.inService) != 0 || !slices.Equal(checker.candidates, []config.NodeID{0, 1}) {
		t.Errorf("asked about %v against %v", checker.candidates, checker.inService)
	}
}
