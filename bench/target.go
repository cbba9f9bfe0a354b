package main

import (
	"github.com/pgchorus/pgchorus/internal/localpg"
)

// Names of the targets, which are also the ends of their databases' names.
const (
	bare      = "bare"      // one PostgreSQL server
	pgbouncer = "pgbouncer" // before one server
	pgpool    = "pgpool"    // Pgpool-II in native_replication before three servers
	pgchorus  = "pgchorus"  // what all is about, before the same three
	trio      = "trio"      // three servers worked at once
)

// targetNames in the order in which they are shown and have their first turn.
func targetNames() []string { return []string{bare, pgbouncer, pgpool, pgchorus, trio} }

// target is something that work can be given to.
type target struct {
	name     string
	database string
	ports    []int           // where the work goes; several get the same at once
	nodes    []*localpg.Node // where the work arrives
	proxy    *proxy          // nil for bare servers
}

// makeTarget gives the target that is called name its nodes.
func (b *bench) makeTarget(name string) (*target, error) {
	all := b.cluster.Nodes()
	t := &target{name: name, database: "bench_" + name, nodes: all[:1]}
	switch name {
	case bare:
		t.ports = []int{all[0].Port}
		return t, nil
	case trio:
		t.nodes = all
		for _, n := range all {
			t.ports = append(t.ports, n.Port)
		}
		return t, nil
	}
	if name != pgbouncer {
		t.nodes = all
	}
	var err error
	t.proxy, err = b.makeProxy(t)
	if err == nil {
		t.ports = []int{t.proxy.port.Number}
	}
	return t, err
}
