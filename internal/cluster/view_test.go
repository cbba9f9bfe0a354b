package cluster

import (
	"slices"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/config"
)

func TestView(t *testing.T) {
	tests := []struct {
		name  string
		nodes []Node
		live  []config.NodeID
		main  config.NodeID
	}{
		{"all live", []Node{{ID: 0, Status: Up}, {ID: 1, Status: Waiting}}, []config.NodeID{0, 1}, 0},
		{"main is the lowest live one", []Node{{ID: 0, Status: Down}, {ID: 1, Status: Up}, {ID: 2, Status: Up}}, []config.NodeID{1, 2}, 1},
		{"in any order", []Node{{ID: 2, Status: Up}, {ID: 1, Status: Up}}, []config.NodeID{1, 2}, 1},
		{"with gaps, up to the highest ID", []Node{{ID: 63, Status: Quarantine}, {ID: 64, Status: Up}, {ID: 127, Status: Up}}, []config.NodeID{64, 127}, 64},
		{"none live", []Node{{ID: 0, Status: Down}, {ID: 1, Status: Unused}}, nil, -1},
		{"none configured", nil, nil, -1},
		{"IDs that cannot be", []Node{{ID: -1, Status: Up}, {ID: 128, Status: Up}}, nil, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := NewView(1, tt.nodes)
			if got := v.Live(); !slices.Equal(got, tt.live) {
				t.Errorf("Live = %v, want %v", got, tt.live)
			}
			if got, ok := v.Main(); got != tt.main || ok != (tt.main >= 0) {
				t.Errorf("Main = %d, %t, want %d", got, ok, tt.main)
			}
			for id := config.NodeID(-2); id < config.MaxNodes+2; id++ {
				if got, want := v.Up(id), slices.Contains(tt.live, id); got != want {
					t.Errorf("Up(%d) = %t, want %t", id, got, want)
				}
			}
		})
	}
}

func TestViewFindsNodesByIDAlsoWithGaps(t *testing.T) {
	v := NewView(1, []Node{{ID: 0, Port: 1}, {ID: 5, Port: 2}, {ID: 7, Port: 3}})
	for id, want := range map[config.NodeID]int{0: 1, 5: 2, 7: 3} {
		if n, ok := v.Node(id); !ok || n.Port != want {
			t.Errorf("Node(%d) = %+v, %t, want port %d", id, n, ok, want)
		}
	}
	for _, id := range []config.NodeID{-1, 1, 2, 6, 128} {
		if n, ok := v.Node(id); ok {
			t.Errorf("Node(%d) = %+v, want none", id, n)
		}
	}
}

func TestRoles(t *testing.T) {
	nodes := []Node{{ID: 0, Status: Up}, {ID: 1, Status: Waiting}, {ID: 2, Status: Down}}
	tests := []struct {
		name  string
		view  *View
		main  config.NodeID
		roles string
	}{
		{"no primary in this mode", NewView(1, nodes), 0, "main replica replica"},
		{"the primary is not the lowest", NewPrimaryView(1, nodes, 1), 1, "standby primary standby"},
		{"the primary is not known", NewPrimaryView(1, nodes, -1), -1, "standby standby standby"},
		{"the primary is not live", NewPrimaryView(1, nodes, 2), -1, "standby standby standby"},
	}
	for _, tt := range tests {
		main, ok := tt.view.Main()
		roles := strings.Join([]string{tt.view.Role(0), tt.view.Role(1), tt.view.Role(2)}, " ")
		if main != tt.main || ok != (main >= 0) || roles != tt.roles {
			t.Errorf("%s: main %d, %t, roles %s", tt.name, main, ok, roles)
		}
	}
}

func TestStatusWords(t *testing.T) {
	tests := []struct {
		status Status
		word   string
		number int
		live   bool
	}{
		{Unused, "unused", 0, false},
		{Waiting, "waiting", 1, true},
		{Up, "up", 2, true},
		{Down, "down", 3, false},
		{Quarantine, "quarantine", 3, false},
		{Status(9), "unknown", 9, false},
	}
	for _, tt := range tests {
		if tt.status.String() != tt.word || tt.status.Number() != tt.number || tt.status.Live() != tt.live {
			t.Errorf("status %d: %q, %d, %t, want %q, %d, %t", tt.status,
				tt.status, tt.status.Number(), tt.status.Live(), tt.word, tt.number, tt.live)
		}
	}
}

func BenchmarkView(b *testing.B) {
	m := newManager(nil, Config{Nodes: []NodeConfig{{ID: 0}, {ID: 1}, {ID: 2}}})
	b.Run("load_up_main", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			v := m.View()
			if _, ok := v.Main(); ok || v.Up(1) {
				b.Fatal("no node is live before Init")
			}
		}
	})
}
