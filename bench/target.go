package main

import (
	"github.com/pgchorus/pgchorus/internal/localpg"
)

// Names of the targets, which are also the ends of their databases' names. There are variants
// of pgchorus too.
const (
	bare      = "bare"      // one PostgreSQL server
	pgbouncer = "pgbouncer" // before one server
	pgpool    = "pgpool"    // Pgpool-II before all servers of the setup
	pgchorus  = "pgchorus"  // what all is about, before the same
	trio      = "trio"      // bare servers worked at once, as many as the setup has
)

// targetNames in the order in which they are shown, of those that can be asked for.
func targetNames() []string { return []string{bare, pgbouncer, pgpool, pgchorus, trio} }

// base is the target of targetNames that name is a kind of.
func base(name string) string {
	if variantOf(name) != nil {
		return pgchorus
	}
	return name
}

// isProxy tells whether there is a program between clients and servers.
func isProxy(name string) bool { return name != bare && name != trio }

// replicates tells whether the target knows all nodes of its setup.
func replicates(name string) bool { return base(name) == pgpool || base(name) == pgchorus }

// target is something that work can be given to.
type target struct {
	name     string
	database string
	ports    []int           // where the work goes; several get the same at once
	nodes    []*localpg.Node // where the work arrives
	proxy    *proxy          // nil for bare servers
	// memcached has the proxy's answers; nil for none.
	memcached *memcached
	broken    error // why it cannot work; nil where it can
}

// makeTarget gives the target that is called name its nodes.
func (st *stage) makeTarget(name string) (*target, error) {
	t := &target{name: name, database: "bench_" + name, nodes: st.nodes[:1]}
	switch {
	case name == bare:
		t.ports = []int{st.nodes[0].Port}
		return t, nil
	case name == trio:
		t.nodes = st.nodes
		for _, n := range st.nodes {
			t.ports = append(t.ports, n.Port)
		}
		return t, nil
	case replicates(name):
		t.nodes = st.nodes
	}
	var err error
	if st.memcached && st.caches(t) {
		if t.memcached, err = st.makeMemcached(t); err != nil {
			return t, err
		}
	}
	t.proxy, err = st.makeProxy(t)
	if err == nil {
		t.ports = []int{t.proxy.port.Number}
	}
	return t, err
}

// has tells whether work of t arrives at n.
func (t *target) has(n *localpg.Node) bool {
	for _, own := range t.nodes {
		if own == n {
			return true
		}
	}
	return false
}
