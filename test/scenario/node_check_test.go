package scenario

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// A node that would compute other results than the others is kept out of service.

// unalike are ways in which a node is unlike the others, with what an operator is told.
var unalike = []struct {
	name, change, back string
	restart            bool
	want               []string
}{
	{"setting", "ALTER SYSTEM SET timezone = 'Asia/Tokyo'", "ALTER SYSTEM RESET timezone", true,
		[]string{"setting TimeZone", `"Asia/Tokyo"`, "postgresql.conf"}},
	{"setting of a role", "ALTER ROLE postgres SET datestyle = 'German'", "ALTER ROLE postgres RESET datestyle", false,
		[]string{"DateStyle=German"}},
	{"role", "CREATE ROLE stranger", "DROP ROLE stranger", false, []string{"role stranger", "none"}},
	{"attribute of a role", "ALTER ROLE clerk CREATEDB", "ALTER ROLE clerk NOCREATEDB", false, []string{"role clerk", "rolcreatedb"}},
	{"membership", "GRANT clerk TO other", "REVOKE clerk FROM other", false, []string{"membership other in clerk"}},
	{"database", "CREATE DATABASE extra", "DROP DATABASE extra", false, []string{"database extra"}},
}

func TestNodeThatIsUnlikeTheOthersIsNotAttached(t *testing.T) {
	s := newStage(t)
	s.exec(s.connect(), "CREATE ROLE clerk; CREATE ROLE other")
	s.leave(2)
	for _, tt := range unalike {
		t.Run(tt.name, func(t *testing.T) {
			s := s.in(t)
			node := s.nodes[2]
			node.Start()
			node.Exec(tt.change)
			if tt.restart {
				node.Restart()
			}
			err := s.proxy.Node("attach", 2)
			if err == nil {
				t.Fatal("it was attached")
			}
			for _, word := range append(tt.want, "node 2", "node 0") {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q is not in: %v", word, err)
				}
			}
			if status := s.proxy.NodeStatus(2); status != "down" {
				t.Errorf("its status is %s", status)
			}
			if rows := s.proxy.Query("SHOW POOL_NODE_REASONS"); !strings.Contains(rows[2][5], tt.want[0]) {
				t.Errorf("SHOW POOL_NODE_REASONS gives %q", rows[2])
			}
			node.Exec(tt.back)
			node.Restart()
			if err := s.proxy.Node("attach", 2); err != nil {
				t.Fatalf("changed back: %v", err)
			}
			s.leave(2)
		})
	}
}

func TestNodeThatIsUnlikeTheOthersDoesNotComeInAtStart(t *testing.T) {
	nodes := pgtest.Start(t, 3)
	nodes[0].Exec("ALTER SYSTEM SET work_mem = '5MB'")
	nodes[1].Exec("ALTER SYSTEM SET extra_float_digits = 0")
	nodes[0].Restart()
	nodes[1].Restart()
	p := proxy.Start(t, nodes)
	for id, want := range []string{"up", "down", "up"} {
		p.WaitNodeStatus(id, want)
	}
	p.WaitLog("extra_float_digits")
	if log := p.Log(); !strings.Contains(log, "nodes are not alike") || !strings.Contains(log, "work_mem") {
		t.Errorf("the log does not warn of work_mem:\n%s", log)
	}
}

func TestNodeThatBecomesUnlikeTheOthersIsFenced(t *testing.T) {
	s := newStage(t, proxy.WithConfig("node_check_interval = 1"))
	s.nodes[1].Exec("ALTER SYSTEM SET random_page_cost = 2")
	s.nodes[2].Exec("ALTER SYSTEM SET intervalstyle = 'iso_8601'")
	s.nodes[1].Exec("SELECT pg_reload_conf()")
	s.nodes[2].Exec("SELECT pg_reload_conf()")
	s.proxy.WaitNodeStatus(2, "down")
	s.proxy.WaitLog("random_page_cost")
	if status := s.proxy.NodeStatus(1); status != "up" {
		t.Errorf("node 1, which only plans otherwise, is %s", status)
	}
	s.want(s.connect(), "SELECT 1", "1")
}

func TestCheckNodesSaysWhatDiffers(t *testing.T) {
	s := newStage(t)
	output, err := s.proxy.Command("check", "--nodes", s.proxy.ConfigFile)
	if err != nil || !strings.Contains(output, "3 nodes compared, 0 differences") {
		t.Errorf("nodes that are alike: %v\n%s", err, output)
	}
	s.nodes[1].Exec("CREATE ROLE stranger; SELECT 1")
	s.nodes[1].Exec("ALTER SYSTEM SET jit = off")
	s.nodes[1].Exec("SELECT pg_reload_conf()")
	output, err = s.proxy.Command("check", "--nodes", s.proxy.ConfigFile)
	if err == nil {
		t.Error("no exit code")
	}
	for _, want := range []string{"node 1: refuse: role stranger", "node 1: warn: planner setting jit", "2 differences"} {
		if !strings.Contains(output, want) {
			t.Errorf("%q is not in:\n%s", want, output)
		}
	}
	s.nodes[2].Stop()
	output, _ = s.proxy.Command("check", "--nodes", s.proxy.ConfigFile)
	if want := fmt.Sprintf("node %d: ", 2); !strings.Contains(output, want) {
		t.Errorf("%q is not in:\n%s", want, output)
	}
}
