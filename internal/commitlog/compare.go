package commitlog

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pgchorus/pgchorus/internal/config"
)

// place is where a slot's number stands.
type place struct {
	database    string
	proxy, slot int
}

func (p place) String() string {
	return fmt.Sprintf("database %q proxy %d slot %d", p.database, p.proxy, p.slot)
}

// ledger is what the slots of one node say: the last transaction of each.
type ledger map[place]int64

// Split is a transaction that some nodes have and others lack.
type Split struct {
	place
	Seq int64
	Has []config.NodeID
	// Lacks have, instead, an earlier transaction of the slot as their last one, or none.
	Lacks []config.NodeID
}

func (s Split) String() string {
	return fmt.Sprintf("%s seq %d is on nodes %v and not on %v", s.place, s.Seq, s.Has, s.Lacks)
}

// verdict is what follows from a comparison.
type verdict struct {
	splits []Split
	// out are the nodes that lack something which a node that stays has.
	out []config.NodeID
	// unsafe: no node has everything, so one that goes has something that those that
	// stay lack.
	unsafe bool
}

// reason names what a node lacks, for the log; at most a few of them.
func (v verdict) reason(id config.NodeID) string {
	const most = 3
	var lacks []string
	for _, s := range v.splits {
		if slices.Contains(s.Lacks, id) {
			lacks = append(lacks, s.place.String()+fmt.Sprintf(" seq %d", s.Seq))
		}
	}
	more := ""
	if len(lacks) > most {
		lacks, more = lacks[:most], fmt.Sprintf(" and %d more", len(lacks)-most)
	}
	if len(lacks) == 0 {
		return "has other transactions than the nodes that stay"
	}
	return "lacks transactions: " + strings.Join(lacks, ", ") + more
}

// compare finds the transactions that only some nodes have, and who has to go; pure.
//
// Nodes that have everything which any node has stay: whatever a frontend was told of is
// kept. If there is none, those stay who agree with most others, in a tie those of the
// lowest number.
func compare(ledgers map[config.NodeID]ledger) verdict {
	ids := slices.Sorted(maps.Keys(ledgers))
	var v verdict
	for at, newest := range latest(ledgers) {
		s := Split{place: at, Seq: newest}
		for _, id := range ids {
			if ledgers[id][at] == newest {
				s.Has = append(s.Has, id)
			} else {
				s.Lacks = append(s.Lacks, id)
			}
		}
		if len(s.Lacks) > 0 {
			v.splits = append(v.splits, s)
		}
	}
	if len(v.splits) == 0 {
		return v
	}
	slices.SortFunc(v.splits, func(a, b Split) int {
		return cmp.Or(strings.Compare(a.database, b.database), a.proxy-b.proxy, a.slot-b.slot)
	})
	stay := v.complete(ids)
	if len(stay) == 0 {
		v.unsafe = true
		stay = largest(ids, ledgers)
	}
	v.out = slices.DeleteFunc(ids, func(id config.NodeID) bool { return slices.Contains(stay, id) })
	return v
}

// latest is the last transaction of each slot on any node.
func latest(ledgers map[config.NodeID]ledger) ledger {
	newest := ledger{}
	for _, l := range ledgers {
		for at, seq := range l {
			newest[at] = max(newest[at], seq)
		}
	}
	return newest
}

// complete are the nodes that lack nothing.
func (v verdict) complete(ids []config.NodeID) []config.NodeID {
	return slices.DeleteFunc(slices.Clone(ids), func(id config.NodeID) bool {
		return slices.ContainsFunc(v.splits, func(s Split) bool { return slices.Contains(s.Lacks, id) })
	})
}

// largest is the biggest group of nodes that have the same.
func largest(ids []config.NodeID, ledgers map[config.NodeID]ledger) (group []config.NodeID) {
	for _, id := range ids {
		var alike []config.NodeID
		for _, other := range ids {
			if maps.Equal(ledgers[id], ledgers[other]) {
				alike = append(alike, other)
			}
		}
		if len(alike) > len(group) {
			group = alike
		}
	}
	return group
}
