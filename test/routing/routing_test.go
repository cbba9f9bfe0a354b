package routing

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

func TestNativeReplicationAndRaw(t *testing.T) {
	s := NewIndependent(t, "native_replication")
	play(t, s)
	pgtest.WantEqual(t, s.Nodes...)
	play(t, s.Raw())
}

func TestSnapshotIsolation(t *testing.T) {
	s := NewIndependent(t, "snapshot_isolation")
	play(t, s)
	pgtest.WantEqual(t, s.Nodes...)
}

func TestStreamingReplication(t *testing.T) { play(t, NewStreaming(t)) }

func TestLogicalReplication(t *testing.T) { play(t, NewLogical(t)) }

// play plays all tables of the stage's mode.
func play(t *testing.T, s *Stage) {
	for _, table := range s.Tables(t, "testdata") {
		name := strings.TrimSuffix(filepath.Base(table.File), ".routes")
		for _, group := range table.Groups {
			t.Run(s.Mode+"/"+name+"/"+group.Name, func(t *testing.T) { playGroup(t, s, table, &group) })
		}
	}
}

func playGroup(t *testing.T, s *Stage, table *Table, group *Group) {
	p := proxy.Start(t, s.Nodes, proxy.WithConfig(append(s.Config(group.Settings), AllAnswered)...))
	s.Player.DSN = p.DSN
	s.AwaitPrimary(t)
	for _, script := range group.Scripts {
		for _, protocol := range script.Protocols {
			t.Run(fmt.Sprintf("line_%d_%s", script.Line, protocol), func(t *testing.T) {
				seen, err := s.Player.Play(&script, protocol)
				for _, fault := range table.Judge(&script, seen) {
					t.Error(fault)
				}
				if err != nil {
					t.Errorf("%s:%d: %v", table.File, script.Line, err)
				}
			})
		}
	}
}
