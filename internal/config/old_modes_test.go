package config

import (
	"reflect"
	"strings"
	"testing"
)

// parseOld reads lines without twoNodes' clustering mode.
func parseOld(lines string) (*Config, []Warning, error) {
	nodes := strings.Replace(twoNodes, "backend_clustering_mode = native_replication", "", 1)
	return Parse("pgpool.conf", []byte(lines+"\n"+nodes), noIncludes)
}

const slonyText = "slony is gone, from Pgpool-II too (4.7); for one writable origin whose subscribers are only read, " +
	"use logical_replication with ALWAYS_PRIMARY in the origin's backend_flagN, or move to streaming_replication"

func TestOldSwitchesBecomeAClusteringMode(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, lines, want string
	}{
		{"nothing", "", "streaming_replication"},
		{"replication", "replication_mode = on master_slave_mode = off", "native_replication"},
		{"replication alone", "replication_mode = on", "native_replication"},
		{"replication of 2.x", "replication_enabled = true", "native_replication"},
		{"streaming", "replication_mode = off master_slave_mode = on master_slave_sub_mode = 'stream'", "streaming_replication"},
		{"streaming in capitals", "master_slave_mode = on master_slave_sub_mode = 'STREAM'", "streaming_replication"},
		{"streaming by default", "master_slave_mode = on", "streaming_replication"},
		{"logical", "master_slave_mode = on master_slave_sub_mode = 'logical'", "logical_replication"},
		{"both off", "replication_mode = off master_slave_mode = off", "raw"},
		{"both off, reads balanced", "replication_mode = off master_slave_mode = off load_balance_mode = on", "raw"},
		{"master_slave_mode off alone", "master_slave_mode = off", "raw"},
		{"a left-over says nothing", "replication_mode = off", "streaming_replication"},
		{"parallel mode off", "parallel_mode = off replication_mode = on", "native_replication"},
		{"off beside the new name", "replication_mode = off master_slave_mode = off backend_clustering_mode = snapshot_isolation", "snapshot_isolation"},
		{"on beside the new name, the same", "backend_clustering_mode = native_replication replication_mode = on", "native_replication"},
		{"sub mode beside the new name, the same", "backend_clustering_mode = logical_replication master_slave_mode = on master_slave_sub_mode = logical", "logical_replication"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg, _, err := parseOld(tt.lines)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(cfg.ClusteringMode); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestContradictingSwitchesAreRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, lines, want string
	}{
		{"both on", "replication_mode = on\nmaster_slave_mode = on",
			`pgpool.conf:2: master_slave_mode = "on": replication_mode is on, too (pgpool.conf:1), and they exclude each other; decide for one backend_clustering_mode`},
		{"replication beside another mode", "replication_mode = on\nbackend_clustering_mode = raw",
			`pgpool.conf:1: replication_mode = "on": means native_replication, but backend_clustering_mode is raw (pgpool.conf:2); remove one of the two`},
		{"streaming beside another mode", "backend_clustering_mode = native_replication\nmaster_slave_mode = on",
			`pgpool.conf:2: master_slave_mode = "on": means streaming_replication, but backend_clustering_mode is native_replication (pgpool.conf:1); remove one of the two`},
		{"logical beside streaming", "backend_clustering_mode = streaming_replication\nmaster_slave_mode = on\nmaster_slave_sub_mode = 'logical'",
			`pgpool.conf:2: master_slave_mode = "on": means logical_replication, but backend_clustering_mode is streaming_replication (pgpool.conf:1); remove one of the two`},
		{"slony by its old name", "master_slave_mode = on\nmaster_slave_sub_mode = 'slony'",
			`pgpool.conf:2: master_slave_sub_mode = "slony": ` + slonyText},
		{"slony", "backend_clustering_mode = 'slony'", `pgpool.conf:1: backend_clustering_mode = "slony": ` + slonyText},
		{"unknown sub mode", "master_slave_mode = on master_slave_sub_mode = 'x'",
			`pgpool.conf:1: master_slave_sub_mode = "x": expected stream or logical; better, replace it by backend_clustering_mode`},
		{"unknown mode", "backend_clustering_mode = master_slave",
			`pgpool.conf:1: backend_clustering_mode = "master_slave": expected one of streaming_replication, native_replication, logical_replication, raw, snapshot_isolation`},
		{"parallel mode", "parallel_mode = on",
			`pgpool.conf:1: parallel_mode = "on": parallel mode, where each node held other rows, is gone (from Pgpool-II in 3.5); nothing takes its place`},
		{"no boolean", "master_slave_mode = maybe", `pgpool.conf:1: master_slave_mode = "maybe": expected on or off`},
		{"with quorum", "replication_mode = on failover_when_quorum_exists = on",
			`pgpool.conf:1: failover_when_quorum_exists = "on": not allowed in native replication mode`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := parseOld(tt.lines)
			if got := errorLines(err); len(got) != 1 || got[0] != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestOldSwitchesNameTheNewSpelling(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, lines string
		want        []string
	}{
		{"replication", "replication_mode = on\nmaster_slave_mode = off", []string{
			"pgpool.conf:1: replication_mode: old name; write backend_clustering_mode = native_replication instead",
			"pgpool.conf:2: master_slave_mode: old name; write backend_clustering_mode = native_replication instead"}},
		{"left over", "backend_clustering_mode = raw\nreplication_mode = off", []string{
			"pgpool.conf:2: replication_mode: old name; remove the line, backend_clustering_mode says it"}},
		{"nothing said", "replication_mode = off\nparallel_mode = off sr_check_user = u", []string{
			"pgpool.conf:1: replication_mode: old name; remove the line, it says nothing",
			"pgpool.conf:2: parallel_mode: old name; remove the line, it says nothing"}},
		{"2.x", "replication_enabled = true", []string{
			"pgpool.conf:1: replication_enabled: old name of replication_mode",
			"pgpool.conf:1: replication_mode: old name; write backend_clustering_mode = native_replication instead"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, warnings, err := parseOld(tt.lines)
			if err != nil {
				t.Fatal(err)
			}
			if got := warningLines(warnings); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestReloadWithOldSwitchesKeepsTheMode(t *testing.T) {
	t.Parallel()
	old := mustParse(t, "")
	same := "backend_port0 = 5432 backend_port1 = 5432 replication_mode = on"
	cfg, _, needRestart, err := reload(old, "pgpool.conf", []byte(same), noIncludes)
	if err != nil || len(needRestart) > 0 || cfg.ClusteringMode != NativeReplication {
		t.Errorf("restart for %v, error %v", needRestart, err)
	}
	other := "backend_port0 = 5432 backend_port1 = 5432 master_slave_mode = on"
	cfg, _, needRestart, err = reload(old, "pgpool.conf", []byte(other), noIncludes)
	if err != nil || !reflect.DeepEqual(needRestart, []string{"backend_clustering_mode"}) || cfg.ClusteringMode != NativeReplication {
		t.Errorf("restart for %v, error %v", needRestart, err)
	}
}
