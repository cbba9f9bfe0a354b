package config

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func TestReload(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, before, after string
		changed             []Change
		needRestart         []string
	}{
		{"nothing", "", "", nil, nil},
		{"written in another way", "child_life_time = 300s", "child_life_time = 5min", nil, nil},
		{"what may change", "enable_pool_hba = off", "enable_pool_hba = on", []Change{{"enable_pool_hba", "off", "on"}}, nil},
		{"what needs a restart", "max_pool = 4", "max_pool = 5\nport = 9000", nil, []string{"port", "max_pool"}},
		{"removed lines keep their value", "client_idle_limit = 60", "", nil, nil},
		{"weight of a node", "backend_weight0 = 1", "backend_weight0 = 2", []Change{{"backend_weight0", "1", "2"}}, nil},
		{"address of a node in use", "", "backend_hostname0 = '10.0.0.9'", nil, []string{"backend_hostname0"}},
		{"new node", "", "backend_port2 = 5433 backend_hostname2 = 'c'",
			[]Change{{"backend_hostname2", "", "c"}, {"backend_port2", "0", "5433"}}, nil},
		{"health check of all nodes", "health_check_period = 5", "health_check_period = 10", []Change{{"health_check_period", "5s", "10s"}}, nil},
		{"a node's own value stays", "health_check_period1 = 5", "health_check_period = 10", []Change{{"health_check_period", "0", "10s"}}, nil},
		{"patterns", "write_function_list = 'a'", "write_function_list = 'a,b'", []Change{{"write_function_list", "a", "a,b"}}, nil},
		{"same patterns", "write_function_list = 'a,b'", "write_function_list = 'a, b'", nil, nil},
		{"old name", "write_function_list = 'a'", "black_function_list = 'b'", []Change{{"write_function_list", "a", "b"}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			old := mustParse(t, tt.before)
			cfg, changed, needRestart, err := reload(old, "pgpool.conf", []byte(twoNodes+tt.after), noIncludes)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(changed, tt.changed) || !reflect.DeepEqual(needRestart, tt.needRestart) {
				t.Errorf("changed %v, restart %v\nwant    %v, restart %v", changed, needRestart, tt.changed, tt.needRestart)
			}
			if cfg == old {
				t.Error("the old configuration came back")
			}
		})
	}
}

func TestReloadKeepsWhatNeedsARestart(t *testing.T) {
	t.Parallel()
	old := mustParse(t, "port = 7000 backend_weight1 = 1")
	cfg, _, needRestart, err := reload(old, "pgpool.conf", []byte("port = 7001 backend_port0 = 5432 health_check_period = 3"), noIncludes)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"port", "backend_port1"}; !reflect.DeepEqual(needRestart, want) {
		t.Errorf("restart for %q, want %q", needRestart, want)
	}
	if cfg.Listen.Port != 7000 || len(cfg.Backends) != 2 || cfg.Backends[1].Weight != 1 || cfg.ClusteringMode != NativeReplication {
		t.Errorf("port %d, nodes %+v", cfg.Listen.Port, cfg.Backends)
	}
	if cfg.Backends[0].HealthCheck.Period != 3*time.Second || old.Backends[0].HealthCheck.Period != 0 {
		t.Error("the health check did not change, or changed in the old configuration")
	}
}

func TestAWrongFileChangesNothing(t *testing.T) {
	t.Parallel()
	old := mustParse(t, "")
	for _, lines := range []string{"enable_pool_hba = on\nssl = perhaps", "process_management_mode = dynamic max_spare_children = 4", "x"} {
		cfg, changed, needRestart, err := reload(old, "pgpool.conf", []byte(twoNodes+lines), noIncludes)
		if err == nil || cfg != nil || changed != nil || needRestart != nil {
			t.Errorf("%q: %v, %v, %v, %v", lines, cfg, changed, needRestart, err)
		}
	}
}

func TestReloadReadsTheFileAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pgpool.conf")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(twoNodes)
	old, _, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	write(twoNodes + "replicate_select = on\n")
	cfg, _, _, err := Reload(old, path)
	if err != nil || !cfg.Replication.ReplicateSelect {
		t.Fatalf("replicate_select is off: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := Reload(cfg, path); err == nil {
		t.Error("a missing file was reloaded")
	}
}
