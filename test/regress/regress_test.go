//go:build regress

package regress

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// settings are the same for all servers. pg_regress sets the like for servers that it
// starts itself.
var settings = map[string]string{
	"shared_buffers":            "128MB",
	"max_prepared_transactions": "10",
	"max_locks_per_transaction": "128",
	"autovacuum":                "on",
}

func TestSuitesPassAsTheyDoDirectly(t *testing.T) {
	accepted, err := ReadAccepted("../../docs/regression.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range suites {
		t.Run(s.name, func(t *testing.T) {
			chosen, some := s.chosen(t)
			if !some {
				t.Log("nothing of it was chosen")
				return
			}
			direct := s.onServer(t, chosen)
			through := s.throughProxy(t, chosen, accepted)
			compare(t, s, accepted, direct, through)
		})
	}
}

// onServer runs the suite on one server.
func (s suite) onServer(t *testing.T, chosen []string) Report {
	node := pgtest.Start(t, 1, pgtest.WithSettings(settings))[0]
	at := server{name: "direct", host: node.Host, port: node.Port, user: node.Superuser}
	return s.run(t, at, ownerOf(t, node.DataDir), chosen)
}

// throughProxy runs the suite on three nodes behind pgchorus and compares the nodes.
func (s suite) throughProxy(t *testing.T, chosen []string, accepted Accepted) Report {
	nodes := pgtest.Start(t, 3, pgtest.WithSettings(settings))
	p := proxy.Start(t, nodes, proxy.WithConfig(append(slices.Clone(configuration), s.config...)...))
	at := server{name: "pgchorus", host: p.Host, port: p.Port, user: p.User}
	report := s.run(t, at, ownerOf(t, nodes[0].DataDir), chosen)
	keepLog(t, s, p)
	for _, node := range nodes {
		if status := p.NodeStatus(node.ID); status != "up" {
			t.Errorf("node %d is %s", node.ID, status)
		}
	}
	s.dropAccepted(t, p, accepted)
	wantEqual(t, p, nodes)
	return report
}

// dropAccepted drops the tables that the suite leaves and that may differ between the nodes.
func (s suite) dropAccepted(t *testing.T, p *proxy.Proxy, accepted Accepted) {
	conn := p.Connect(s.database)
	for name := range accepted {
		if table, found := strings.CutPrefix(name, s.name+"/table "); found {
			if _, err := conn.Exec(context.Background(), "DROP TABLE IF EXISTS "+table+" CASCADE"); err != nil {
				t.Errorf("drop %s: %v", table, err)
			}
		}
	}
}

// wantEqual compares the nodes in two ways.
func wantEqual(t *testing.T, p *proxy.Proxy, nodes []*pgtest.Node) {
	for _, node := range nodes[1:] {
		differences, err := pgtest.Differences(context.Background(), nodes[0], node)
		if err != nil {
			t.Errorf("compare nodes 0 and %d: %v", node.ID, err)
		}
		for _, difference := range differences {
			t.Errorf("nodes 0 and %d differ: %s", node.ID, difference)
		}
	}
	if said, err := p.Command("verify"); err != nil {
		t.Errorf("pgchorus verify: %v\n%s", err, said)
	}
}

// compare prints how many tests passed, and fails for each that deviates and is not
// accepted.
func compare(t *testing.T, s suite, accepted Accepted, direct, through Report) {
	t.Logf("%s: %d of %d pass directly, %d of %d through pgchorus", s.name, direct.Passed(), len(direct), through.Passed(), len(through))
	var names []string
	for name := range direct {
		names = append(names, name)
	}
	slices.Sort(names)
	var failing, deviating []string
	for _, name := range names {
		full := s.name + "/" + name
		listed := accepted[full] != ""
		switch {
		case !direct[name]:
			failing = append(failing, name)
		case !through[name] && !listed:
			deviating = append(deviating, name)
		case through[name] && listed && !accepted.Sometimes(full):
			t.Errorf("%s passes, and docs/regression.md lists it", full)
		}
	}
	if len(failing) > 0 {
		t.Logf("fail directly: %s", strings.Join(failing, " "))
	}
	if len(deviating) > 0 {
		t.Errorf("pass directly and not through pgchorus: %s", strings.Join(deviating, " "))
	}
}
