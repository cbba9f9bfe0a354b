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

// scenario is one kind of work with a number of clients in a setup.
type scenario struct {
	Name    string
	Setup   string
	Clients int
	Unit    string   // what Rate of a run counts
	writes  bool     // bare servers at once are a yardstick, and the small tables are tidied up before
	args    []string // pgbench's; nil where psql does the work
	psql    []string // commands; the last one is timed
	tries   int      // see setup
	each    int      // transactions of each client, instead of a time; see crowds
}

// family is a kind of work and the numbers of clients that it is measured with.
type family struct {
	name    string
	clients []int
	unit    string
	writes  bool
	args    []string
	psql    []string
}

// usual is what is measured on the usual setup. A new kind of work is a line here.
func usual() []family {
	return []family{
		{"read-simple", []int{1, 8, 32}, transactions, false, []string{"-S", "-M", "simple"}, nil},
		{"read-extended", []int{1, 8, 32}, transactions, false, []string{"-S", "-M", "extended"}, nil},
		{"read-prepared", []int{1, 8, 32}, transactions, false, []string{"-S", "-M", "prepared"}, nil},
		{"read-1000-rows", []int{8}, transactions, false, script("rows.sql", "simple"), nil},
		{"update-simple", []int{1, 8, 32}, transactions, true, script("update.sql", "simple"), nil},
		{"hot-row-simple", []int{8}, transactions, true, script("hot-row.sql", "simple"), nil},
		{"insert-simple", []int{8}, transactions, true, script("insert.sql", "simple"), nil},
		{"insert-serial-simple", []int{8}, transactions, true, script("insert-serial.sql", "simple"), nil},
		{"mix-90-10-simple", []int{8}, transactions, true, append([]string{"-b", "select-only@9"}, script("update.sql@1", "simple")...), nil},
		{"simple-update-simple", []int{8}, transactions, true, []string{"-N", "-M", "simple"}, nil},
		{"simple-update-prepared", []int{8}, transactions, true, []string{"-N", "-M", "prepared"}, nil},
		{"tpcb-simple", []int{8}, transactions, true, []string{"-b", "tpcb-like", "-M", "simple"}, nil},
		{"connect", []int{8}, connections, false, []string{"-S", "-C", "-M", "simple"}, nil},
		{"copy", []int{1}, rows, true, nil, []string{"TRUNCATE bench_copy", `\copy bench_copy FROM '` + copyFile + `'`}},
		{"copy-out", []int{1}, rows, false, nil, []string{`\copy pgbench_accounts TO '/dev/null'`}},
	}
}

// cacheReads are reads that the cache has always, or nearly never, the answer to.
func cacheReads() []family {
	return []family{
		{"hit", []int{8}, transactions, false, script("hit.sql", "simple"), nil},
		{"hit-prepared", []int{8}, transactions, false, script("hit.sql", "prepared"), nil},
		{"miss", []int{8}, transactions, false, []string{"-S", "-M", "simple"}, nil},
	}
}

// ways are writes that nodes may do differently by themselves, and one that they may not.
// Pgpool-II runs them on each node.
func ways() []family {
	return []family{
		{"update-simple", []int{8}, transactions, true, script("update.sql", "simple"), nil},
		{"range-update-simple", []int{8}, transactions, true, script("range-update.sql", "simple"), nil},
		{"trigger-simple", []int{8}, transactions, true, script("trigger.sql", "simple"), nil},
	}
}

// pointWrites are writes of one row by its key, and what they meet.
func pointWrites() []family {
	return []family{
		{"update-simple", []int{1, 8, 32}, transactions, true, script("update.sql", "simple"), nil},
		{"update-prepared", []int{1, 8}, transactions, true, script("update.sql", "prepared"), nil},
		{"insert-simple", []int{8}, transactions, true, script("insert.sql", "simple"), nil},
		{"insert-serial-simple", []int{1, 8}, transactions, true, script("insert-serial.sql", "simple"), nil},
		{"hot-row-simple", []int{8}, transactions, true, script("hot-row.sql", "simple"), nil},
		{"simple-update-simple", []int{8}, transactions, true, []string{"-N", "-M", "simple"}, nil},
	}
}

// pooled is what hangs on how long a client has its connections.
func pooled() []family {
	return []family{
		{"connect", []int{8}, connections, false, []string{"-S", "-C", "-M", "simple"}, nil},
		{"read-simple", []int{8}, transactions, false, []string{"-S", "-M", "simple"}, nil},
		{"read-prepared", []int{8}, transactions, false, []string{"-S", "-M", "prepared"}, nil},
		{"update-simple", []int{8}, transactions, true, script("update.sql", "simple"), nil},
	}
}

// few says how a clustering mode does beside the others.
func few() []family {
	return []family{
		{"read-simple", []int{8}, transactions, false, []string{"-S", "-M", "simple"}, nil},
		{"update-simple", []int{8}, transactions, true, script("update.sql", "simple"), nil},
		{"simple-update-simple", []int{8}, transactions, true, []string{"-N", "-M", "simple"}, nil},
	}
}

// growth is what is measured with several numbers of nodes.
func growth() []family { return few()[:2] }

// crowds is what many clients at once do. Each does a number of transactions, not what it
// can in a time: pgbench's time begins before it connects, and to connect a thousand
// clients takes longer than a turn.
func crowds() []family {
	return []family{
		{"read-simple", []int{256, 1000}, transactions, false, []string{"-S", "-M", "simple"}, nil},
		{"read-prepared", []int{256}, transactions, false, []string{"-S", "-M", "prepared"}, nil},
		{"update-simple", []int{256, 1000}, transactions, true, script("update.sql", "simple"), nil},
	}
}

// crowdWork is how many transactions a crowd does together: a second's or two.
func crowdWork(writes bool) int {
	if writes {
		return 6_000
	}
	return 40_000
}

// script has pgbench run a file of scripts().
func script(file, protocol string) []string {
	return []string{"-f", file, "-D", "scale=" + strconv.Itoa(scale), "-M", protocol}
}

// byTransactions tells whether the work is a number of transactions, so that it can be
// done in parts of any size.
func (s scenario) byTransactions() bool { return s.args != nil }

// scenariosOf are those of a setup that match, with clients instead of the families' own
// numbers where there are any. What psql does always has one client: one COPY is the
// bulk load that people wait for.
func scenariosOf(u setup, match *regexp.Regexp, clients []int) []scenario {
	var chosen []scenario
	for _, f := range u.families {
		numbers := f.clients
		if clients != nil && f.args != nil && !u.fixed {
			numbers = clients
		}
		for _, n := range numbers {
			s := scenario{
				Name: scenarioName(u.name, f.name, n), Setup: u.name, Clients: n, Unit: f.unit,
				writes: f.writes, args: f.args, psql: f.psql, tries: u.tries,
			}
			if u.alone {
				s.each = max(crowdWork(f.writes)/n, 1)
			}
			if match.MatchString(s.Name) {
				chosen = append(chosen, s)
			}
		}
	}
	return chosen
}

// scenarios are those of all setups that match.
func scenarios(match *regexp.Regexp, clients []int) []scenario {
	var chosen []scenario
	for _, u := range setups() {
		chosen = append(chosen, scenariosOf(u, match, clients)...)
	}
	return chosen
}

// pgbenchArguments are all of pgbench's but how long and where to connect. pgbench's
// own VACUUM is left out (-n): it would go through the proxies; see target.tidy.
func (s scenario) pgbenchArguments() []string {
	args := []string{"-n", "-c", strconv.Itoa(s.Clients), "-j", strconv.Itoa(min(s.Clients, pgbenchThreads))}
	if s.tries > 0 {
		args = append(args, "--max-tries="+strconv.Itoa(s.tries))
	}
	return slices.Concat(args, s.args)
}

// pgbenchThreads is enough for pgbench not to be the bottleneck and leaves the machine to the others.
const pgbenchThreads = 2

// suits tells whether a target has anything to say in this scenario.
func (s scenario) suits(target string) bool { return target != trio || s.writes }

// String names the scenario for the list.
func (s scenario) String() string { return fmt.Sprintf("%-34s %s", s.Name, s.Unit) }
