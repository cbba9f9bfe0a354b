package streaming

import (
	"fmt"
	"testing"

	"github.com/pgchorus/pgchorus/internal/config"
)

// The nodes of the tests: node N listens on host hN, port 5432.
func nodeOf(id config.NodeID) finding {
	return finding{Node: Node{ID: id, Host: fmt.Sprintf("h%d", id), Port: 5432, ApplicationName: fmt.Sprintf("app%d", id)}, answered: true, timeline: 1}
}

func writable(id config.NodeID) finding { return nodeOf(id) }

func silent(id config.NodeID) finding {
	f := nodeOf(id)
	f.answered = false
	return f
}

// follower streams from a host.
func follower(id config.NodeID, host string) finding {
	f := nodeOf(id)
	f.inRecovery = true
	f.facts.Receiver = &receiver{Status: "streaming", Host: host, Port: 5432}
	return f
}

func idle(id config.NodeID) finding {
	f := nodeOf(id)
	f.inRecovery = true
	return f
}

func (f finding) on(timeline uint32) finding {
	f.timeline = timeline
	return f
}

func (f finding) serving(names ...string) finding {
	for _, name := range names {
		f.facts.Senders = append(f.facts.Senders, sender{Name: name, State: "streaming"})
	}
	return f
}

func (f finding) always() finding {
	f.AlwaysPrimary = true
	return f
}

func (c choice) text() string {
	text := fmt.Sprintf("%d", c.primary)
	if len(c.others) > 0 {
		text += " not " + names(c.others)
	}
	if c.proven {
		text += " proven"
	}
	return text
}

func TestChooseWritable(t *testing.T) {
	tests := []struct {
		name    string
		present config.NodeID
		found   []finding
		want    string
	}{
		{"the only one that takes writes", -1, []finding{idle(0), writable(1)}, "1"},
		{"and a standby says so", -1, []finding{follower(0, "h1"), writable(1)}, "1 proven"},
		{"all are in recovery", -1, []finding{idle(0), idle(1)}, "-1"},
		{"nobody answers, none was known", -1, []finding{silent(0), silent(1)}, "-1"},
		{"nobody answers", 1, []finding{silent(0), silent(1)}, "1"},
		{"the present one is in recovery, and nobody else", 0, []finding{idle(0), idle(1)}, "-1"},
		{"the present one is in recovery, and another was promoted", 0, []finding{idle(0), writable(1)}, "1"},
		{"the present one is silent, and the others are standbys", 0, []finding{silent(0), idle(1)}, "0"},
		{"the present one is silent, and another takes writes", 0, []finding{silent(0), writable(1)}, "0"},
		{"the present one is silent, and the standbys follow another", 0, []finding{silent(0), writable(1), follower(2, "h1")}, "1 proven"},
		{"the present one has left the service", -1, []finding{writable(1)}, "1"},

		{"two, none is known", -1, []finding{writable(0), writable(1)}, "0 not 1"},
		{"two, the present one stays", 1, []finding{writable(0), writable(1)}, "1 not 0"},
		{"two, the standby follows the other", 0, []finding{writable(0), writable(1), follower(2, "h1")}, "1 not 0 proven"},
		{"two, the standby follows the present one", 0, []finding{writable(0), writable(1), follower(2, "h0")}, "0 not 1 proven"},
		{"two, the standbys are divided", 1, []finding{writable(0), writable(1), follower(2, "h0"), follower(3, "h1")}, "1 not 0"},
		{"two, the standby's WAL receiver waits", 0, []finding{writable(0), writable(1), idle(2)}, "0 not 1"},
		{"by way of another standby", 0, []finding{writable(0), writable(1), follower(2, "h1"), follower(3, "h2")}, "1 not 0 proven"},
		{"standbys in a circle", 0, []finding{writable(0), writable(1), follower(2, "h3"), follower(3, "h2")}, "0 not 1"},
		{"on another timeline", 0, []finding{writable(0), writable(1).on(2), follower(2, "h0").on(2)}, "1 not 0 proven"},
		{"an address from elsewhere, and the name it is served under", 0, []finding{writable(0), writable(1).serving("app2"), follower(2, "10.0.0.9")}, "1 not 0 proven"},
		{"an address from elsewhere, and both serve the name", 0, []finding{writable(0).serving("app2"), writable(1).serving("app2"), follower(2, "10.0.0.9")}, "0 not 1"},
		{"an address from elsewhere, and the timeline", 0, []finding{writable(0), writable(1).on(2), follower(2, "10.0.0.9").on(2)}, "1 not 0 proven"},
		{"three", -1, []finding{writable(0), writable(1), writable(2), follower(3, "h2")}, "2 not 0, 1 proven"},

		{"ALWAYS_PRIMARY", 0, []finding{writable(0), silent(1).always()}, "1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			same := func(a, b string) bool { return a == b }
			if got := choose(false, tt.present, tt.found, same).text(); got != tt.want {
				t.Errorf("choice %q, want %q", got, tt.want)
			}
		})
	}
}

func (f finding) publishing(slots ...string) finding {
	f.facts.Slots = slots
	return f
}

func (f finding) subscribing(slots ...string) finding {
	for _, slot := range slots {
		f.subscriptions = append(f.subscriptions, subscription{Name: slot, Slot: slot, Enabled: true})
	}
	return f
}

func TestChoosePublisher(t *testing.T) {
	tests := []struct {
		name    string
		present config.NodeID
		found   []finding
		want    string
	}{
		{"the one that others subscribe to", -1, []finding{writable(0).subscribing("s0"), writable(1).publishing("s0")}, "1"},
		{"the one with most subscriptions", -1, []finding{writable(0).subscribing("s0").publishing("s1"), writable(1).publishing("s0", "s2").subscribing("s1"), writable(2).subscribing("s2")}, "1"},
		{"each subscribes to the other", -1, []finding{writable(0).subscribing("s0").publishing("s1"), writable(1).publishing("s0").subscribing("s1")}, "0"},
		{"nobody subscribes", -1, []finding{writable(1), writable(2)}, "1"},
		{"nobody subscribes, and one is silent", -1, []finding{silent(0), writable(1), writable(2)}, "-1"},
		{"a subscriber answers before its publisher", -1, []finding{silent(0), writable(1).subscribing("s0")}, "-1"},
		{"a publisher answers before another node", -1, []finding{silent(0), writable(1).subscribing("s2"), writable(2).publishing("s2")}, "2"},
		{"a subscriber and a node that is on its own", -1, []finding{writable(0).subscribing("s9"), writable(1)}, "1"},
		{"subscribers whose publisher has left the service", -1, []finding{writable(1).subscribing("s0"), writable(2).subscribing("s1")}, "1"},
		{"a slot of its own subscription", -1, []finding{writable(0), writable(1).publishing("s").subscribing("s")}, "0"},
		{"a slot of nobody's subscription", -1, []finding{writable(0), writable(1).publishing("s")}, "0"},
		{"the present one stays", 1, []finding{writable(0).publishing("s2"), writable(1), writable(2).subscribing("s2")}, "1"},
		{"the present one stays also when silent", 1, []finding{writable(0), silent(1)}, "1"},
		{"a physical standby is no publisher", -1, []finding{idle(0), writable(1)}, "1"},
		{"nobody answers", -1, []finding{silent(0), silent(1)}, "-1"},
		{"ALWAYS_PRIMARY", 0, []finding{writable(0), writable(1).always()}, "1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := choose(true, tt.present, tt.found, nil).text(); got != tt.want {
				t.Errorf("choice %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSameHost(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"db1", "DB1", true},
		{"10.0.0.1", "10.0.0.1", true},
		{"10.0.0.1", "10.0.0.2", false},
		{"::1", "127.0.0.1", true},
		{"", "/var/run/postgresql", true},
		{"/tmp", "127.0.0.1", true},
		{"2001:db8::1", "2001:db8:0::1", true},
	}
	for _, tt := range tests {
		if got := sameHost(t.Context())(tt.a, tt.b); got != tt.want {
			t.Errorf("%q and %q are the same: %t, want %t", tt.a, tt.b, got, tt.want)
		}
	}
}
