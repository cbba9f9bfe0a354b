package streaming

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pgchorus/pgchorus/internal/config"
)

// finding is what a look at one live node has found.
type finding struct {
	Node
	answered   bool
	inRecovery bool
	timeline   uint32
	facts      facts
	// subscriptions are those of the node, for logical replication.
	subscriptions []subscription
}

// choice is which node is the primary.
type choice struct {
	primary config.NodeID // -1: none
	reason  string
	// others take writes too.
	others []config.NodeID
	// proven: every standby that streams does so from the primary, and there is one.
	proven bool
}

// choose decides which of the live nodes is the primary. present is the one so far,
// or -1. sameHost says whether two host names are the same machine.
func choose(logical bool, present config.NodeID, found []finding, sameHost func(a, b string) bool) choice {
	for _, f := range found {
		if f.AlwaysPrimary {
			return choice{primary: f.ID, reason: "backend_flag is ALWAYS_PRIMARY"}
		}
	}
	if logical {
		return choosePublisher(present, found)
	}
	return chooseWritable(present, found, sameHost)
}

// chooseWritable is for streaming replication, where a server knows whether it is
// the primary. A present primary that has not answered stays: whether it is dead is
// the health check's to say, unless the standbys have left it.
func chooseWritable(present config.NodeID, found []finding, sameHost func(a, b string) bool) choice {
	writable := writableOf(found)
	silent := isSilent(present, found)
	switch {
	case len(writable) == 0 && silent:
		return choice{primary: present}
	case len(writable) == 0:
		return choice{primary: -1, reason: "every node that answers is in recovery"}
	}
	followed := followers(writable, found, sameHost)
	if len(writable) == 1 && (!silent || followed[writable[0].ID] > 0) {
		return choice{primary: writable[0].ID, reason: "it is not in recovery", proven: followed[writable[0].ID] > 0}
	}
	if len(writable) == 1 {
		return choice{primary: present}
	}
	return preferred(present, writable, followed)
}

// preferred: the node that the standbys follow, else the present primary, else the
// lowest.
func preferred(present config.NodeID, writable []finding, followed map[config.NodeID]int) choice {
	best := writable[0].ID
	if slices.ContainsFunc(writable, func(f finding) bool { return f.ID == present }) {
		best = present
	}
	reason := "it is the present primary"
	if best != present {
		reason = "it is the lowest of those that are not in recovery"
	}
	total := 0
	for _, f := range writable {
		total += followed[f.ID]
	}
	for _, f := range writable {
		if total > 0 && followed[f.ID] == total {
			best, reason = f.ID, "it is the one that the standbys follow"
		}
	}
	c := choice{primary: best, reason: reason, proven: total > 0 && followed[best] == total}
	for _, f := range writable {
		if f.ID != best {
			c.others = append(c.others, f.ID)
		}
	}
	return c
}

func writableOf(found []finding) []finding {
	var writable []finding
	for _, f := range found {
		if f.answered && !f.inRecovery {
			writable = append(writable, f)
		}
	}
	return writable
}

// isSilent: it is in service and has not answered.
func isSilent(id config.NodeID, found []finding) bool {
	return slices.ContainsFunc(found, func(f finding) bool { return f.ID == id && !f.answered })
}

// followers counts the standbys of each node that takes writes, those that follow by
// way of another standby, too.
func followers(writable, found []finding, sameHost func(a, b string) bool) map[config.NodeID]int {
	count := make(map[config.NodeID]int)
	for _, f := range found {
		if id := rootOf(f, writable, found, sameHost); id >= 0 {
			count[id]++
		}
	}
	return count
}

// rootOf goes up from a standby to the node that takes writes, or returns -1. The
// number of steps is bounded, for configurations that go in circles.
func rootOf(f finding, writable, found []finding, sameHost func(a, b string) bool) config.NodeID {
	for range len(found) {
		if !f.streams() {
			return -1
		}
		if id := sourceOf(f, writable, sameHost); id >= 0 {
			return id
		}
		i := slices.IndexFunc(found, func(up finding) bool { return up.ID != f.ID && up.at(f.facts.Receiver, sameHost) })
		if i < 0 {
			return -1
		}
		f = found[i]
	}
	return -1
}

func (f finding) streams() bool {
	return f.answered && f.inRecovery && f.facts.Receiver != nil && f.facts.Receiver.Status == "streaming"
}

// sourceOf is the node that takes writes and that a standby streams from: by the
// address, else by the name under which one of them serves it, else by the timeline
// if it is the only one on it. Names of hosts may differ between here and there.
func sourceOf(f finding, writable []finding, sameHost func(a, b string) bool) config.NodeID {
	return onlyOne(writable,
		func(w finding) bool { return w.timeline == f.timeline && w.at(f.facts.Receiver, sameHost) },
		func(w finding) bool { return w.timeline == f.timeline && w.serves(f.ApplicationName) },
		func(w finding) bool {
			return w.timeline == f.timeline && len(writable) > 1 && w.timelineIsOwn(writable)
		},
	)
}

// onlyOne returns the only node for which the first test that fits any says yes.
func onlyOne(nodes []finding, tests ...func(finding) bool) config.NodeID {
	for _, fits := range tests {
		id, count := config.NodeID(-1), 0
		for _, n := range nodes {
			if fits(n) {
				id, count = n.ID, count+1
			}
		}
		if count == 1 {
			return id
		}
	}
	return -1
}

// at reports whether the WAL receiver is connected to this node.
func (f finding) at(r *receiver, sameHost func(a, b string) bool) bool {
	return r.Port == f.Port && sameHost(r.Host, f.Host)
}

func (f finding) serves(name string) bool {
	return name != "" && slices.ContainsFunc(f.facts.Senders, func(s sender) bool { return s.Name == name && s.State == "streaming" })
}

func (f finding) timelineIsOwn(writable []finding) bool {
	return !slices.ContainsFunc(writable, func(other finding) bool { return other.ID != f.ID && other.timeline == f.timeline })
}

// choosePublisher is for logical replication, where every server takes writes. The
// present primary stays as long as it is in service, because a publisher that comes
// back lacks what was written meanwhile. The first one is the one that most
// subscriptions of the other nodes come from. Without any it is the lowest node that
// subscribes to nothing, or, if all do and their publisher is out of service, the lowest;
// but not before every node in service has answered: the silent one may be the publisher.
func choosePublisher(present config.NodeID, found []finding) choice {
	var free, lowest, silent *finding
	most, best := 0, choice{}
	for i := range found {
		f := &found[i]
		switch {
		case f.ID == present:
			return choice{primary: present}
		case !f.answered:
			silent = f
			continue
		case f.inRecovery:
			continue
		}
		lowest = cmp.Or(lowest, f)
		if !f.subscribes() {
			free = cmp.Or(free, f)
		}
		if n := subscribers(*f, found); n > most {
			most, best = n, choice{primary: f.ID, reason: fmt.Sprintf("%d subscriptions of other nodes come from it", n)}
		}
	}
	switch {
	case most > 0:
		return best
	case silent != nil:
		return choice{primary: -1, reason: fmt.Sprintf("node %d is in service, may be the publisher and does not answer", silent.ID)}
	case free != nil:
		return choice{primary: free.ID, reason: "it is the lowest node that subscribes to nothing"}
	case lowest != nil:
		return choice{primary: lowest.ID, reason: "all nodes are subscribers of one out of service, and it is the lowest"}
	}
	return choice{primary: -1, reason: "no node answers"}
}

// subscribes reports whether the node is fed by another one.
func (f finding) subscribes() bool {
	return slices.ContainsFunc(f.subscriptions, func(s subscription) bool { return s.Enabled })
}

func subscribers(publisher finding, found []finding) int {
	count := 0
	for _, f := range found {
		for _, s := range f.subscriptions {
			if f.ID != publisher.ID && s.Enabled && slices.Contains(publisher.facts.Slots, s.Slot) {
				count++
			}
		}
	}
	return count
}

// names writes node numbers for a log line.
func names(ids []config.NodeID) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return strings.Join(texts, ", ")
}
