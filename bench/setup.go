package main

import (
	"fmt"
	"slices"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

// Values of backend_clustering_mode.
const (
	nativeReplication = "native_replication"
	snapshotIsolation = "snapshot_isolation"
	streaming         = "streaming_replication"
	raw               = "raw"
)

// setup is a way in which servers and proxies are put together, with the work that is
// measured on it. One is up at a time.
type setup struct {
	name     string // before its scenarios' names, with a slash; empty for the usual one
	mode     string
	nodes    int
	targets  []string // those of the command line that have a part in it
	families []family

	settings  string // more of pgpool.conf, for Pgpool-II and pgchorus alike
	database  string // settings of its databases, as ALTER DATABASE wants them
	tries     int    // how often pgbench repeats what could not be serialised; 0 for never
	maxRounds int    // unless the command line says how many; 0 for no limit
	fixed     bool   // -clients does not change the numbers of clients
	alone     bool   // proxies are up for their own turns only
	cached    bool   // proxies that cannot answer from memory are left out
	memcached bool   // the answers of each are in a memcached of its own
	// named: it is left out where no scenarios are named.
	named bool
	// looked tells to count system calls and allocations too.
	looked bool
}

const (
	// nodeCount is the number of servers behind the proxies that replicate, where it
	// is not what changes.
	nodeCount = 3
	// maxNodeCount is where the growth by nodes ends.
	maxNodeCount = 5
)

// cacheMegabytes is room for all that scenarios ask again and again.
const cacheMegabytes = 64

// cacheSettings make Pgpool-II and pgchorus keep the answers to reads, in their own memory
// (shmem) or in a memcached, with nothing expiring.
func cacheSettings(method string) string {
	return fmt.Sprintf(`memory_cache_enabled = on
memqcache_method = '%s'
memqcache_total_size = %dMB
memqcache_max_num_cache = 200000
memqcache_expire = 0
`, method, cacheMegabytes)
}

// setups is everything that is measured, in its order.
func setups() []setup {
	all := []string{bare, pgbouncer, pgpool, pgchorus, trio}
	return []setup{
		{mode: nativeReplication, nodes: nodeCount, targets: all, families: usual(), looked: true},
		{name: "cache", mode: nativeReplication, nodes: nodeCount, targets: []string{bare, pgpool, pgchorus, uncached}, families: cacheReads(), settings: cacheSettings("shmem"), cached: true, looked: true},
		{name: "memcached", mode: nativeReplication, nodes: nodeCount, targets: []string{bare, pgpool, pgchorus, uncached}, families: cacheReads(), settings: cacheSettings("memcached"), cached: true, memcached: true, named: true, looked: true},
		{name: "ways", mode: nativeReplication, nodes: nodeCount, targets: []string{pgpool, pgchorus, verifying, locking, digesting, trio}, families: ways(), named: true},
		{name: "dispatch", mode: nativeReplication, nodes: nodeCount, targets: []string{pgpool, pgchorus, mainFirst, oneMessage, trio}, families: pointWrites(), named: true},
		{name: "pooling", mode: nativeReplication, nodes: nodeCount, targets: []string{bare, pgbouncer, pgchorus, lending}, families: pooled(), named: true},
		{name: "snapshot", mode: snapshotIsolation, nodes: nodeCount, targets: []string{bare, pgpool, pgchorus, trio}, families: few(), database: "default_transaction_isolation = 'repeatable read'", tries: 10, maxRounds: 2},
		{name: "streaming", mode: streaming, nodes: nodeCount, targets: []string{bare, pgpool, pgchorus}, families: few(), settings: "sr_check_period = 1\nsr_check_user = '" + superuser + "'\n", maxRounds: 2},
		{name: "raw", mode: raw, nodes: 1, targets: []string{bare, pgbouncer, pgpool, pgchorus}, families: few(), maxRounds: 2},
		byNodes(1, bare, pgpool, pgchorus), byNodes(2, bare, pgpool, pgchorus, trio), byNodes(maxNodeCount, bare, pgpool, pgchorus, trio),
		{name: "clients", mode: nativeReplication, nodes: nodeCount, targets: all, families: crowds(), maxRounds: 1, fixed: true, alone: true},
	}
}

// byNodes is a point of the growth by nodes; that of nodeCount is the usual setup.
func byNodes(n int, targets ...string) setup {
	return setup{
		name: nodesName(n), mode: nativeReplication, nodes: n, targets: targets, families: growth(), maxRounds: 2,
	}
}

// nodesName is the name of a setup with so many nodes.
func nodesName(n int) string {
	if n == nodeCount {
		return ""
	}
	return fmt.Sprintf("nodes-%d", n)
}

// scenarioName is how a scenario of the setup called name is known.
func scenarioName(name, family string, clients int) string {
	if name != "" {
		name += "/"
	}
	return fmt.Sprintf("%s%s-%d", name, family, clients)
}

// chosen are the setup's targets among those that were asked for, in its own order.
func (u setup) chosen(asked []string) []string {
	return slices.DeleteFunc(slices.Clone(u.targets), func(name string) bool {
		return !slices.Contains(asked, base(name))
	})
}

// rounds is how often every target has its turn. Where nobody said how often, it is
// fewer times in what costs much or is of less interest.
func (u setup) rounds(opts options) int {
	if u.maxRounds > 0 && !opts.roundsGiven {
		return min(opts.rounds, u.maxRounds)
	}
	return opts.rounds
}

// mostClients is the greatest number of clients of some scenarios, at least as many as
// memory is measured with.
func mostClients(all []scenario) int {
	most := memoryClients
	for _, s := range all {
		most = max(most, s.Clients)
	}
	return most
}

// sessions is what each proxy is prepared for: the most clients and our own questions
// beside them.
func sessions(all []scenario) int { return mostClients(all) + ownSessions }

// ownSessions is the room for our own questions and for the proxies' own checks.
const ownSessions = 8

// connectionsWanted is what a server has to admit: all proxies that are up at the same
// time with all their sessions, and clients that come directly.
func (u setup) connectionsWanted(all []scenario) int {
	proxies := 0
	for _, name := range u.targets {
		if isProxy(name) {
			proxies++
		}
	}
	if u.alone {
		proxies = 1
	}
	return (proxies+1)*sessions(all) + 20
}

// serversOf are the servers of the setup: those that are strangers to each other.
func (u setup) serversOf(cluster *localpg.Cluster) []*localpg.Node { return cluster.Nodes()[:u.nodes] }
