package config

import (
	"fmt"
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

// otherValues are values that differ from the default, for parameters whose type
// does not say one. Empty: the parameter is left out, with the reason.
var otherValues = map[string]string{
	"log_destination":                       "syslog",
	"user_redirect_preference_list":         "a:primary",
	"database_redirect_preference_list":     "a:primary",
	"app_name_redirect_preference_list":     "a:primary",
	"dml_adaptive_object_relationship_list": "a:b",
	"function_policy":                       "time:deny",
	"backend_clustering_mode":               "raw",
	"backend_flag":                          "DISALLOW_TO_FAILOVER",
	"auth_query":                            "SELECT $1",
	"process_management_mode":               "", // other values have to agree with it
	"reserved_connections":                  "31",
	"backend_port":                          "5433",
	"auth_query_user":                       "",
	"use_watchdog":                          "", // needs other settings
	"recovery_1st_stage_command":            "",
	"recovery_2nd_stage_command":            "",
}

// otherValue is a value of p that is allowed and not its default.
func otherValue(p *Param) string {
	if text, ok := otherValues[p.Name]; ok {
		return text
	}
	switch p.Type {
	case Bool:
		return boolText(1 - convertDefault(p).number)
	case Enum:
		for _, word := range p.Words[1:] {
			if v, _ := convert(p, word); !same(v, convertDefault(p)) {
				return word
			}
		}
		return p.Words[0]
	case Int, Duration:
		if n := convertDefault(p).number + 1; n >= p.Min && n <= p.Max {
			return fmt.Sprint(n)
		}
		return fmt.Sprint(p.Min)
	case Float:
		return fmt.Sprint(p.Min + 2)
	}
	return "x"
}

// TestEveryParameterIsReloadedAsTheTableSays changes one parameter at a time: it
// either takes effect, or is named as one that needs a restart.
func TestEveryParameterIsReloadedAsTheTableSays(t *testing.T) {
	t.Parallel()
	const nodes = twoNodes + "hostname1 = 'p' heartbeat_hostname1 = 'p' auth_query_user = 'u'\n"
	old, _, err := Parse("pgpool.conf", []byte(nodes), noIncludes)
	if err != nil {
		t.Fatal(err)
	}
	for i := range table {
		p := &table[i]
		text := otherValue(p)
		if text == "" || p.AliasOf != "" || p.Name == replicationMode {
			continue
		}
		k := key{p.Name, noIndex}
		if p.Index != NoIndex {
			k.index = 1
		}
		t.Run(p.Name, func(t *testing.T) {
			cfg, changed, needRestart, err := reload(old, "pgpool.conf", []byte(nodes+k.String()+" = '"+text+"'"), noIncludes)
			if err != nil {
				t.Fatal(err)
			}
			restart := fixed(old, k)
			if restart != (len(needRestart) == 1 && needRestart[0] == k.String()) || restart == (len(changed) == 1 && changed[0].Name == k.String()) {
				t.Errorf("changed %v, restart %v, restart wanted: %v", changed, needRestart, restart)
			}
			if took := !same(cfg.lookup(k), old.lookup(k)); took == restart {
				t.Errorf("value is %q, was %q", cfg.lookup(k).text, old.lookup(k).text)
			}
		})
	}
}

func TestReloadRefusesImpossibleCombinations(t *testing.T) {
	t.Parallel()
	old := mustParse(t, "")
	for _, lines := range []string{
		"user_redirect_preference_list = 'a:7'",
		"backend_hostname4 = 'x'",
		"master_slave_mode = on", // beside twoNodes' mode
		"backend_clustering_mode = slony",
		"read_consistency = maybe",
		"read_consistency_timeout = 2min",
		"disable_load_balance_on_write = never",
		"write_function_list = '('",
	} {
		cfg, changed, _, err := reload(old, "pgpool.conf", []byte(twoNodes+lines), noIncludes)
		if err == nil || cfg != nil || changed != nil {
			t.Errorf("%q: %v, %v", lines, changed, err)
		}
	}
}
