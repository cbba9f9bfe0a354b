package cluster

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/pgchorus/pgchorus/internal/config"
)

// parseView reads "0 up, 1 down, 2 waiting" with the marks "disallow", "held" and
// "was up". Every node joined in epoch 1, and that is the view's epoch if one is live.
func parseView(t testing.TB, text string) *View {
	t.Helper()
	words := map[string]Status{"unused": Unused, "waiting": Waiting, "up": Up, "down": Down, "quarantine": Quarantine}
	var nodes []Node
	for part := range strings.SplitSeq(text, ", ") {
		fields := strings.Fields(part)
		n := Node{ID: config.NodeID(len(nodes)), Status: words[fields[1]], resume: Waiting, joined: 1}
		if fmt.Sprint(n.ID) != fields[0] {
			t.Fatalf("view %q: node %d is missing", text, n.ID)
		}
		marks := strings.Join(fields[2:], " ")
		n.DisallowToFailover = strings.Contains(marks, "disallow")
		n.held = strings.Contains(marks, "held")
		if strings.Contains(marks, "was up") {
			n.resume = Up
		}
		nodes = append(nodes, n)
	}
	v := NewView(1, nodes)
	if !v.served {
		v.Epoch = 0
	}
	return v
}

// text is the reverse, with the epoch and without the marks.
func (v *View) text() string {
	parts := make([]string, 0, len(v.Nodes))
	for _, n := range v.Nodes {
		parts = append(parts, fmt.Sprintf("%d %s", n.ID, n.Status))
	}
	return fmt.Sprintf("%s @%d", strings.Join(parts, ", "), v.Epoch)
}

func actionsText(actions []Action) string {
	names := map[ActionKind]string{
		SaveStatus: "save", LogAttached: "log attached", LogDetached: "log detached", LogLost: "log lost",
		LogDownAtStart: "log down", LogKept: "log kept", LogNoneAnswers: "log none", LogAddressKept: "log address",
		RunFailover: "failover", RunFailback: "failback", Refuse: "refuse",
	}
	why := map[error]string{
		ErrLastNode: "last", ErrDisallowed: "disallowed", ErrNoSuchNode: "unknown",
		ErrInService: "in service", ErrNotInService: "not in service",
	}
	parts := make([]string, 0, len(actions))
	for _, a := range actions {
		part := names[a.Kind]
		if a.Kind != SaveStatus && a.Kind != LogNoneAnswers {
			part += fmt.Sprintf(" %d", a.Node)
		}
		for err, word := range why {
			if errors.Is(a.Err, err) {
				part += ": " + word
			}
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

func TestTransition(t *testing.T) {
	dead := errors.New("connection refused")
	answers := func(errs ...error) map[config.NodeID]error {
		m := make(map[config.NodeID]error)
		for id, err := range errs {
			m[config.NodeID(id)] = err
		}
		return m
	}
	type test struct {
		name    string
		view    string
		event   Event
		want    string
		actions string
	}
	tests := []test{
		{"a node does not answer", "0 up, 1 up", Event{Kind: NotAnswering, Node: 1, Seen: 1}, "0 up, 1 down @2", "save, log lost 1, failover 1"},
		{"the main node does not answer", "0 up, 1 waiting", Event{Kind: NotAnswering, Node: 0, Seen: 1}, "0 down, 1 waiting @2", "save, log lost 0, failover 0"},
		{"a waiting node does not answer", "0 up, 1 waiting", Event{Kind: NotAnswering, Node: 1, Seen: 1}, "0 up, 1 down @2", "save, log lost 1, failover 1"},
		{"the last node does not answer", "0 down, 1 up", Event{Kind: NotAnswering, Node: 1, Seen: 1}, "0 down, 1 up @1", "log kept 1: last"},
		{"a node that must not fail over does not answer", "0 up, 1 up disallow", Event{Kind: NotAnswering, Node: 1, Seen: 1}, "0 up, 1 up @1", "log kept 1: disallowed"},
		{"a node that is down does not answer", "0 up, 1 down", Event{Kind: NotAnswering, Node: 1, Seen: 1}, "0 up, 1 down @1", ""},
		{"an old verdict about a node that came back since", "0 up, 1 up", Event{Kind: NotAnswering, Node: 1, Seen: 0}, "0 up, 1 up @1", ""},
		{"no such node", "0 up, 1 up", Event{Kind: NotAnswering, Node: 7, Seen: 1}, "0 up, 1 up @1", "refuse 7: unknown"},

		{"fence", "0 up, 1 up, 2 up", Event{Kind: Fenced, Node: 2}, "0 up, 1 up, 2 down @2", "save, log lost 2, failover 2"},
		{"fence of a node that must not fail over", "0 up, 1 up disallow", Event{Kind: Fenced, Node: 1}, "0 up, 1 down @2", "save, log lost 1, failover 1"},
		{"fence of the last node", "0 up, 1 down", Event{Kind: Fenced, Node: 0}, "0 up, 1 down @1", "log kept 0: last, refuse 0: last"},
		{"fence of a node that is down", "0 up, 1 down", Event{Kind: Fenced, Node: 1}, "0 up, 1 down @1", ""},
		{"fence of no such node", "0 up", Event{Kind: Fenced, Node: 1}, "0 up @1", "refuse 1: unknown"},

		{"detach", "0 up, 1 up", Event{Kind: Detached, Node: 0}, "0 down, 1 up @2", "save, log detached 0, failover 0"},
		{"detach of a node that must not fail over", "0 up, 1 up disallow", Event{Kind: Detached, Node: 1}, "0 up, 1 up @1", "refuse 1: disallowed"},
		{"detach of the last node", "0 up, 1 down", Event{Kind: Detached, Node: 0}, "0 up, 1 down @1", "refuse 0: last"},
		{"detach of a node that is down", "0 up, 1 down", Event{Kind: Detached, Node: 1}, "0 up, 1 down @1", "refuse 1: not in service"},

		{"attach", "0 up, 1 down", Event{Kind: Attached, Node: 1}, "0 up, 1 waiting @2", "save, log attached 1, failback 1"},
		{"attach of a node that the status file holds", "0 up, 1 down held", Event{Kind: Attached, Node: 1}, "0 up, 1 waiting @2", "save, log attached 1, failback 1"},
		{"attach of an unused node", "0 up, 1 unused", Event{Kind: Attached, Node: 1}, "0 up, 1 waiting @2", "save, log attached 1, failback 1"},
		{"attach of a quarantined node", "0 up, 1 quarantine", Event{Kind: Attached, Node: 1}, "0 up, 1 waiting @2", "save, log attached 1, failback 1"},
		{"attach when none is in service", "0 down, 1 down held", Event{Kind: Attached, Node: 1}, "0 down, 1 waiting @1", "save, log attached 1, failback 1"},
		{"attach of a node in service", "0 up, 1 up", Event{Kind: Attached, Node: 1}, "0 up, 1 up @1", "refuse 1: in service"},

		{"first connection", "0 waiting, 1 waiting", Event{Kind: Connected, Node: 1}, "0 waiting, 1 up @1", ""},
		{"another connection", "0 up", Event{Kind: Connected, Node: 0}, "0 up @1", ""},
		{"a connection to a node that went down meanwhile", "0 up, 1 down", Event{Kind: Connected, Node: 1}, "0 up, 1 down @1", ""},

		{"start, all answer", "0 down, 1 down", Event{Kind: StartRound, Answers: answers(nil, nil)}, "0 waiting, 1 waiting @1", "save, log attached 0, log attached 1"},
		{"start, nodes that were up before", "0 down was up, 1 down", Event{Kind: StartRound, Answers: answers(nil, nil)}, "0 up, 1 waiting @1", "save, log attached 0, log attached 1"},
		{"start, one is dead", "0 down, 1 down", Event{Kind: StartRound, Answers: answers(dead, nil)}, "0 down, 1 waiting @1", "save, log down 0, log attached 1"},
		{"start, all are dead", "0 down, 1 down", Event{Kind: StartRound, Answers: answers(dead, dead)}, "0 down, 1 down @0", "log none"},
		{"start, a node that was down answers", "0 down was up, 1 down held", Event{Kind: StartRound, Answers: answers(nil, nil)}, "0 up, 1 down @1", "save, log attached 0, log down 1"},
		{"start, only a node that was down answers", "0 down was up, 1 down held", Event{Kind: StartRound, Answers: answers(dead, nil)}, "0 down, 1 down @0", "log none"},
		{"a start round that comes late", "0 up, 1 down", Event{Kind: StartRound, Answers: answers(nil, nil)}, "0 up, 1 down @1", ""},

		{"reload with a new node", "0 up", Event{Kind: Reloaded, Nodes: []NodeConfig{{ID: 0}, {ID: 1}}}, "0 up, 1 unused @1", ""},
		{"reload with another address", "0 up, 1 up", Event{Kind: Reloaded, Nodes: []NodeConfig{{ID: 0}, {ID: 1, Host: "b"}}}, "0 up, 1 up @1", "log address 1"},
		{"reload without a node", "0 up, 1 up", Event{Kind: Reloaded, Nodes: []NodeConfig{{ID: 0}}}, "0 up, 1 up @1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before := parseView(t, tt.view)
			wantBefore := before.text()
			next, actions := transition(before, tt.event)
			if got := next.text(); got != tt.want {
				t.Errorf("view %q, want %q", got, tt.want)
			}
			if got := actionsText(actions); got != tt.actions {
				t.Errorf("actions %q, want %q", got, tt.actions)
			}
			if got := before.text(); got != wantBefore {
				t.Errorf("the view it was given changed from %q to %q", wantBefore, got)
			}
		})
	}
}

func TestTransitionKeepsTimeAndReasonOfAChange(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	v, _ := transition(parseView(t, "0 up, 1 up"), Event{Kind: Fenced, Node: 1, At: at, Reason: "fenced: COMMIT of session 7 was refused"})
	n, _ := v.Node(1)
	if !n.Since.Equal(at) || n.Reason != "fenced: COMMIT of session 7 was refused" {
		t.Errorf("since %v, reason %q", n.Since, n.Reason)
	}
	v, _ = transition(v, Event{Kind: Connected, Node: 1, At: at.Add(time.Hour)})
	if n, _ := v.Node(1); !n.Since.Equal(at) {
		t.Errorf("since %v after an event that changes no status, want %v", n.Since, at)
	}
}

func TestReloadTakesOverWeightAndFlag(t *testing.T) {
	v, _ := transition(parseView(t, "0 up"), Event{Kind: Reloaded, Nodes: []NodeConfig{{ID: 0, Weight: 3, DisallowToFailover: true}}})
	if n, _ := v.Node(0); n.Weight != 3 || !n.DisallowToFailover {
		t.Errorf("node %+v, want weight 3 and the flag", n)
	}
}

func TestNodeAddedByReloadDoesNotComeUpByItself(t *testing.T) {
	v, _ := transition(parseView(t, "0 down"), Event{Kind: Reloaded, Nodes: []NodeConfig{{ID: 0}, {ID: 1}}})
	v, _ = transition(v, Event{Kind: StartRound, Answers: map[config.NodeID]error{1: nil}})
	if v.Up(1) {
		t.Error("a node of which nothing is known came into service by itself")
	}
}

// TestTransitionNeverLosesTheLastNode plays any events and checks what must hold
// after each.
func TestTransitionNeverLosesTheLastNode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := firstView([]NodeConfig{{ID: 0}, {ID: 1, DisallowToFailover: true}, {ID: 2}}, nil, time.Time{})
		v, _ = transition(v, Event{Kind: StartRound, Answers: map[config.NodeID]error{0: nil, 1: nil, 2: errors.New("dead")}})
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			e := Event{
				Kind: rapid.SampledFrom([]EventKind{StartRound, NotAnswering, Fenced, Detached, Attached, Connected}).Draw(t, "kind"),
				Node: config.NodeID(rapid.IntRange(0, 3).Draw(t, "node")),
				Seen: rapid.Uint64Range(0, v.Epoch).Draw(t, "seen"),
			}
			next, actions := transition(v, e)
			checkStep(t, v, next, e, actions)
			v = next
		}
	})
}

func checkStep(t *rapid.T, old, next *View, e Event, actions []Action) {
	if len(next.Live()) == 0 {
		t.Fatalf("%+v left no node in service", e)
	}
	if changed := old.live != next.live; changed != (next.Epoch == old.Epoch+1) || next.Epoch > old.Epoch+1 {
		t.Fatalf("%+v: epoch %d to %d, live nodes %v to %v", e, old.Epoch, next.Epoch, old.Live(), next.Live())
	}
	for _, id := range next.Live() {
		if !old.Up(id) && e.Kind != Attached {
			t.Fatalf("%+v brought node %d into service without an operator", e, id)
		}
	}
	if saved := strings.Contains(actionsText(actions), "save"); saved != (old.Epoch != next.Epoch) {
		t.Fatalf("%+v: status file saved = %t, epoch %d to %d", e, saved, old.Epoch, next.Epoch)
	}
}
