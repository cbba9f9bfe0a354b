package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// The units in which scenarios count.
const (
	transactions = "transactions"
	connections  = "connections"
	rows         = "rows"
)

// scenario is one kind of work with a number of clients.
type scenario struct {
	Name    string
	Clients int
	Unit    string   // what Rate of a run counts
	writes  bool     // three bare servers at once are a yardstick
	args    []string // pgbench's; nil for COPY, which psql does
}

// family is a kind of work and the numbers of clients that it is measured with.
type family struct {
	name    string
	clients []int
	unit    string
	writes  bool
	args    []string
}

// families is everything that is measured. A new kind of work is a line here.
func families() []family {
	return []family{
		{"read-simple", []int{1, 8, 32}, transactions, false, []string{"-S", "-M", "simple"}},
		{"read-extended", []int{1, 8, 32}, transactions, false, []string{"-S", "-M", "extended"}},
		{"read-prepared", []int{1, 8, 32}, transactions, false, []string{"-S", "-M", "prepared"}},
		{"update-simple", []int{1, 8}, transactions, true, []string{"-f", updateScript, "-D", "scale=" + strconv.Itoa(scale), "-M", "simple"}},
		{"simple-update-simple", []int{8}, transactions, true, []string{"-N", "-M", "simple"}},
		{"simple-update-prepared", []int{8}, transactions, true, []string{"-N", "-M", "prepared"}},
		{"tpcb-simple", []int{8}, transactions, true, []string{"-b", "tpcb-like", "-M", "simple"}},
		{"connect", []int{8}, connections, false, []string{"-S", "-C", "-M", "simple"}},
		{copyFamily, []int{1}, rows, true, nil},
	}
}

// copyFamily always has one client: one COPY is the bulk load that people wait for.
const copyFamily = "copy"

// scenarios are those of all families that match, with clients instead of the
// families' own numbers where there are any.
func scenarios(match *regexp.Regexp, clients []int) []scenario {
	var chosen []scenario
	for _, f := range families() {
		numbers := f.clients
		if clients != nil && f.name != copyFamily {
			numbers = clients
		}
		for _, n := range numbers {
			s := scenario{Name: fmt.Sprintf("%s-%d", f.name, n), Clients: n, Unit: f.unit, writes: f.writes, args: f.args}
			if match.MatchString(s.Name) {
				chosen = append(chosen, s)
			}
		}
	}
	return chosen
}

// pgbenchArguments are all of pgbench's but where to connect. pgbench's own VACUUM is
// left out (-n): it would go through the proxies; see bench.tidy.
func (s scenario) pgbenchArguments(seconds int) []string {
	args := []string{"-n", "-c", strconv.Itoa(s.Clients), "-j", strconv.Itoa(min(s.Clients, pgbenchThreads)), "-T", strconv.Itoa(seconds)}
	return slices.Concat(args, s.args)
}

// pgbenchThreads is enough for pgbench not to be the bottleneck and leaves the machine to the others.
const pgbenchThreads = 2

// suits tells whether a target has anything to say in this scenario.
func (s scenario) suits(target string) bool { return target != trio || s.writes }
