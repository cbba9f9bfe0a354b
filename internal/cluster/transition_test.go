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

// parseView reads "0 up, 1 down, 2 waiting" with the marks "disallow", "held",
// "dismissed" and "was up". Every node joined in epoch 1, and that is the view's epoch
// if one is live. With "; primary 1" at the end, -1 for none, the mode has a primary,
// and with "; lost 1" it was lost.
func parseView(t testing.TB, text string) *View {
	t.Helper()
	text, roles, hasRoles := strings.Cut(text, "; ")
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
		n.dismissed = strings.Contains(marks, "dismissed")
		if strings.Contains(marks, "was up") {
			n.resume = Up
		}
		nodes = append(nodes, n)
	}
	v := NewView(1, nodes)
	if !v.served {
		v.Epoch = 0
	}
	if hasRoles {
		giveRoles(t, v, roles)
	}
	return v
}

func giveRoles(t testing.TB, v *View, roles string) {
	t.Helper()
	v.hasPrimary = true
	into := map[string]*config.NodeID{"primary": &v.primary, "lost": &v.lost}
	for part := range strings.SplitSeq(roles, "; ") {
		word, number, _ := strings.Cut(part, " ")
		if _, err := fmt.Sscan(number, into[word]); err != nil {
			t.Fatalf("roles %q: %v", roles, err)
		}
	}
}

// text is the reverse, with the epoch and without the marks.
func (v *View) text() string {
	parts := make([]string, 0, len(v.Nodes))
	for _, n := range v.Nodes {
		parts = append(parts, fmt.Sprintf("%d %s", n.ID, n.Status))
	}
	text := strings.Join(parts, ", ")
	if v.hasPrimary {
		text += fmt.Sprintf("; primary %d", v.primary)
	}
	if v.lost >= 0 {
		text += fmt.Sprintf("; lost %d", v.lost)
	}
	return fmt.Sprintf("%s @%d", text, v.Epoch)
}

func actionsText(actions []Action) string {
	names := map[ActionKind]string{
		SaveStatus: "save", LogAttached: "log attached", LogDetached: "log detached", LogLost: "log lost",
		LogDownAtStart: "log down", LogKept: "log kept", LogNoneAnswers: "log none", LogAddressKept: "log address",
		RunFailover: "failover", RunFailback: "failback", Refuse: "refuse",
		LogPrimary: "log primary", LogNoPrimary: "log no primary", RunFollow: "follow",
	}
	why := map[error]string{
		ErrLastNode: "last", ErrDisallowed: "disallowed", ErrNoSuchNode: "unknown",
		ErrInService: "in service", ErrNotInService: "not in service",
		ErrNoPrimaryMode: "no such mode", ErrIsPrimary: "is the primary", ErrDismissed: "dismissed",
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

		{"the primary does not answer", "0 up, 1 up; primary 0", Event{Kind: NotAnswering, Node: 0, Seen: 1}, "0 down, 1 up; primary -1; lost 0 @2", "save, log lost 0, failover 0"},
		{"a standby does not answer", "0 up, 1 up; primary 0", Event{Kind: NotAnswering, Node: 1, Seen: 1}, "0 up, 1 down; primary 0 @2", "save, log lost 1, failover 1"},
		{"the primary is the last node and does not answer", "0 up, 1 down; primary 0", Event{Kind: NotAnswering, Node: 0, Seen: 1}, "0 up, 1 down; primary 0 @1", "log kept 0: last"},
		{"detach of the primary", "0 up, 1 up; primary 1", Event{Kind: Detached, Node: 1}, "0 up, 1 down; primary -1; lost 1 @2", "save, log detached 1, failover 1"},
		{"another node is lost before there is a primary", "0 down, 1 up, 2 up; primary -1; lost 0", Event{Kind: NotAnswering, Node: 2, Seen: 1}, "0 down, 1 up, 2 down; primary -1; lost 0 @2", "save, log lost 2, failover 2"},
		{"the first primary", "0 up, 1 up; primary -1", Event{Kind: PrimaryFound, Node: 1, Follow: true}, "0 up, 1 up; primary 1 @2", "log primary 1"},
		{"the same primary again", "0 up, 1 up; primary 1", Event{Kind: PrimaryFound, Node: 1, Follow: true}, "0 up, 1 up; primary 1 @1", ""},
		{"a new primary", "0 down, 1 up, 2 up; primary -1; lost 0", Event{Kind: PrimaryFound, Node: 1}, "0 down, 1 up, 2 up; primary 1 @2", "log primary 1"},
		{"a new primary that the others are made to follow", "0 down, 1 up, 2 up; primary -1; lost 0", Event{Kind: PrimaryFound, Node: 1, Follow: true}, "0 down, 1 up, 2 down; primary 1 @2", "log primary 1, save, follow 0, log detached 2, follow 2"},
		{"the lost primary is found again", "0 up, 1 up; primary -1; lost 0", Event{Kind: PrimaryFound, Node: 0, Follow: true}, "0 up, 1 up; primary 0 @2", "log primary 0"},
		{"somebody else has made another primary", "0 up, 1 up; primary 0", Event{Kind: PrimaryFound, Node: 1, Follow: true}, "0 up, 1 up; primary 1 @2", "log primary 1"},
		{"no primary any more", "0 up, 1 up; primary 0", Event{Kind: PrimaryFound, Node: -1}, "0 up, 1 up; primary -1 @2", "log no primary 0"},
		{"still no primary", "0 up, 1 up; primary -1", Event{Kind: PrimaryFound, Node: -1}, "0 up, 1 up; primary -1 @1", ""},
		{"a primary that is out of service", "0 up, 1 down; primary 0", Event{Kind: PrimaryFound, Node: 1}, "0 up, 1 down; primary 0 @1", "refuse 1: not in service"},
		{"a primary in a mode without", "0 up, 1 up", Event{Kind: PrimaryFound, Node: 1}, "0 up, 1 up @1", "refuse 1: no such mode"},
		{"a false primary", "0 up, 1 up; primary 0", Event{Kind: FalsePrimary, Node: 1}, "0 up, 1 down; primary 0 @2", "save, log lost 1, failover 1"},
		{"the primary is no false one", "0 up, 1 up; primary 1", Event{Kind: FalsePrimary, Node: 1}, "0 up, 1 up; primary 1 @1", "refuse 1: is the primary"},
		{"a false primary that must not fail over", "0 up, 1 up disallow; primary 0", Event{Kind: FalsePrimary, Node: 1}, "0 up, 1 up; primary 0 @1", "refuse 1: disallowed"},
		{"a false primary in a mode without", "0 up, 1 up", Event{Kind: FalsePrimary, Node: 1}, "0 up, 1 up @1", "refuse 1: no such mode"},
		{"a standby returns", "0 up, 1 down; primary 0", Event{Kind: Returned, Node: 1}, "0 up, 1 waiting; primary 0 @2", "save, log attached 1, failback 1"},
		{"a standby returns that the status file held", "0 up, 1 down held; primary 0", Event{Kind: Returned, Node: 1}, "0 up, 1 waiting; primary 0 @2", "save, log attached 1, failback 1"},
		{"a standby that an operator detached", "0 up, 1 down dismissed; primary 0", Event{Kind: Returned, Node: 1}, "0 up, 1 down; primary 0 @1", "refuse 1: dismissed"},
		{"a standby returns that is there", "0 up, 1 up; primary 0", Event{Kind: Returned, Node: 1}, "0 up, 1 up; primary 0 @1", "refuse 1: in service"},
		{"a node returns in a mode without", "0 up, 1 down", Event{Kind: Returned, Node: 1}, "0 up, 1 down @1", "refuse 1: no such mode"},

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

func TestOperatorBringsBackWhatAnOperatorDetached(t *testing.T) {
	v, _ := transition(parseView(t, "0 up, 1 up; primary 0"), Event{Kind: Detached, Node: 1})
	if same, _ := transition(v, Event{Kind: Returned, Node: 1}); same != v {
		t.Errorf("it came back by itself: %q", same.text())
	}
	v, _ = transition(v, Event{Kind: Attached, Node: 1})
	v, _ = transition(v, Event{Kind: NotAnswering, Node: 1, Seen: v.Epoch})
	if v, _ = transition(v, Event{Kind: Returned, Node: 1}); !v.Up(1) {
		t.Errorf("it does not come back by itself after an operator has attached it: %q", v.text())
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

// TestPrimaryIsAlwaysLive plays any events in a mode with a primary.
func TestPrimaryIsAlwaysLive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := firstView(Config{HasPrimary: true, Nodes: []NodeConfig{{ID: 0}, {ID: 1}, {ID: 2}}}, nil, time.Time{})
		v, _ = transition(v, Event{Kind: StartRound, Answers: map[config.NodeID]error{0: nil, 1: nil, 2: errors.New("dead")}})
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			e := Event{
				Kind:   EventKind(rapid.IntRange(int(StartRound), int(Returned)).Draw(t, "kind")),
				Node:   config.NodeID(rapid.IntRange(-1, 3).Draw(t, "node")),
				Seen:   rapid.Uint64Range(0, v.Epoch).Draw(t, "seen"),
				Follow: rapid.Bool().Draw(t, "follow"),
			}
			next, _ := transition(v, e)
			main, ok := next.Main()
			if len(next.Live()) == 0 || ok != (main >= 0) || ok && (!next.Up(main) || next.Role(main) != "primary") || !next.HasPrimary() {
				t.Fatalf("%+v: %q to %q", e, v.text(), next.text())
			}
			if changed := v.live != next.live || v.primary != next.primary; changed != (next.Epoch == v.Epoch+1) || next.Epoch > v.Epoch+1 {
				t.Fatalf("%+v: %q to %q", e, v.text(), next.text())
			}
			v = next
		}
	})
}

// TestTransitionNeverLosesTheLastNode plays any events and checks what must hold
// after each.
func TestTransitionNeverLosesTheLastNode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := firstView(Config{Nodes: []NodeConfig{{ID: 0}, {ID: 1, DisallowToFailover: true}, {ID: 2}}}, nil, time.Time{})
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
