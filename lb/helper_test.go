package lb

import (
	"errors"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/cluster"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/parser"
)

// viewOf makes a view of three nodes of which the given ones are live.
func viewOf(live ...config.NodeID) *cluster.View { return cluster.NewView(1, nodesOf(live...)) }

func nodesOf(live ...config.NodeID) []cluster.Node {
	nodes := make([]cluster.Node, 3)
	for i := range nodes {
		nodes[i] = cluster.Node{ID: config.NodeID(i), Status: cluster.Down, Weight: 1}
	}
	for _, id := range live {
		nodes[id].Status = cluster.Up
	}
	return nodes
}

// policyOf reads lines of pgpool.conf.
func policyOf(t testing.TB, mode string, lines ...string) *Policy {
	t.Helper()
	file := "backend_clustering_mode = " + mode + "\n" + strings.Join(lines, "\n") +
		"\nbackend_hostname0 = 'a'\nbackend_port0 = 5432\nbackend_hostname1 = 'b'\nbackend_port1 = 5432\nbackend_hostname2 = 'c'\nbackend_port2 = 5432\n"
	cfg, _, err := config.Parse("pgpool.conf", []byte(file), func(string) ([]byte, error) { return nil, errors.New("no such file") })
	if err != nil {
		t.Fatalf("configuration %q: %v", lines, err)
	}
	return PolicyOf(cfg)
}

// names is a catalogue in memory. What it does not have does not exist.
type names struct {
	functions map[catalog.Name]catalog.Function
	relations map[catalog.Name]catalog.Relation
}

func (n names) Function(name catalog.Name) (catalog.Function, bool) {
	return n.functions[name], true
}

func (n names) Relation(name catalog.Name) (catalog.Relation, bool) {
	return n.relations[name], true
}

// someCatalogue has a function and a relation of every nature.
func someCatalogue() names {
	function := func(v catalog.Volatility) catalog.Function { return catalog.Function{Exists: true, Volatility: v} }
	n := names{
		functions: map[catalog.Name]catalog.Function{
			{Name: "imm"}:                 function(catalog.Immutable),
			{Name: "stab"}:                function(catalog.Stable),
			{Name: "vol"}:                 function(catalog.Volatile),
			{Schema: "app", Name: "imm"}:  function(catalog.Immutable),
			{Schema: "app", Name: "stab"}: function(catalog.Stable),
			{Schema: "app", Name: "vol"}:  function(catalog.Volatile),
			{Name: "proc"}:                function(catalog.Volatile),
		},
		relations: map[catalog.Name]catalog.Relation{
			{Name: "pg_class"}:    {System: true},
			{Name: "unl"}:         {Unlogged: true},
			{Name: "tmp"}:         {Temporary: true},
			{Name: "v"}:           {View: true, Base: []catalog.Name{{Schema: "public", Name: "t"}}},
			{Name: "v_vol"}:       {View: true, Volatile: true},
			{Name: "v_unl"}:       {View: true, Unlogged: true, Base: []catalog.Name{{Schema: "public", Name: "unl"}}},
			{Name: "v_tmp"}:       {View: true, Temporary: true},
			{Name: "v_system"}:    {View: true, System: true},
			{Name: "mat"}:         {Materialized: true},
			{Name: "foreign_one"}: {Foreign: true},
		},
	}
	for _, name := range []string{"t", "u", "w", "orders", "log"} {
		n.relations[catalog.Name{Name: name}] = catalog.Relation{}
		n.relations[catalog.Name{Schema: "public", Name: name}] = catalog.Relation{}
	}
	for name, r := range n.relations {
		r.Exists = true
		n.relations[name] = r
	}
	return n
}

// examine parses one statement and draws its traits. EXECUTE is not resolved.
func examine(t testing.TB, p *Policy, sql string) Traits {
	t.Helper()
	traits, missing := Examine(&parser.Classify(sql).Statements[0], sql, p, someCatalogue())
	if missing != nil {
		t.Fatalf("Examine(%q) misses %+v from a catalogue that has everything", sql, *missing)
	}
	return traits
}

// lagging gives each node its lag; one that it does not have is not known.
type lagging map[config.NodeID]Lag

func (l lagging) Lag(id config.NodeID) Lag { return l[id] }
