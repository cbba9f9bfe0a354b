package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestOldNamesSetTheNewOnes(t *testing.T) {
	t.Parallel()
	tests := []struct{ line, name, want string }{
		{"fail_over_on_backend_error = off", "failover_on_backend_error", "off"},
		{"delegate_IP = '10.1.1.1'", "delegate_ip", "10.1.1.1"},
		{"logdir = '/var/log'", "work_dir", "/var/log"},
		{"black_function_list = 'f'", "write_function_list", "f"},
		{"white_function_list = 'g'", "read_only_function_list", "g"},
		{"black_query_pattern_list = 'q'", "primary_routing_query_pattern_list", "q"},
		{"black_memqcache_table_list = 't'", "cache_unsafe_memqcache_table_list", "t"},
		{"white_memqcache_table_list = 't'", "cache_safe_memqcache_table_list", "t"},
		{"follow_master_command = 'c'", "follow_primary_command", "c"},
		{"socket_dir = '/run'", "unix_socket_directories", "/run"},
		{"ifconfig_path = '/usr/sbin'", "if_cmd_path", "/usr/sbin"},
		{"load_balance_enabled = off", "load_balance_mode", "off"},
		{"enable_multiple_failover_requests_from_node = on", "allow_multiple_failover_requests_from_node", "on"},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			t.Parallel()
			cfg, warnings, err := parse(tt.line)
			if err != nil {
				t.Fatal(err)
			}
			old, _, _ := strings.Cut(tt.line, " ")
			if got, _, _ := cfg.Show(tt.name); got != tt.want {
				t.Errorf("%s is %q, want %q", tt.name, got, tt.want)
			}
			if got, _, _ := cfg.Show(old); got != tt.want {
				t.Errorf("%s is %q, want %q", old, got, tt.want)
			}
			want := []string{fmt.Sprintf("pgpool.conf:1: %s: old name of %s, which is set to this value", old, tt.name)}
			if got := warningLines(warnings); !reflect.DeepEqual(got, want) {
				t.Errorf("warnings %q, want %q", got, want)
			}
		})
	}
}

func TestOldWordsBecomeNewOnes(t *testing.T) {
	t.Parallel()
	cfg, warnings, err := parseOld("relcache_query_target = master\nbackend_flag0 = 'DISALLOW_TO_FAILOVER|ALWAYS_MASTER'\ncheck_temp_table = on")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.RelationCache.RelcacheQueryTarget != "primary" || cfg.RelationCache.CheckTempTable != "catalog" {
		t.Errorf("relation cache is %+v", cfg.RelationCache)
	}
	if want := (Flag{AlwaysPrimary: true}); cfg.Backends[0].Flag != want {
		t.Errorf("flag is %v, want %v", cfg.Backends[0].Flag, want)
	}
	want := []string{
		"pgpool.conf:1: relcache_query_target: old word master is read as primary",
		"pgpool.conf:2: backend_flag0: old flag ALWAYS_MASTER is read as ALWAYS_PRIMARY",
	}
	if got := warningLines(warnings); !reflect.DeepEqual(got, want) {
		t.Errorf("warnings %q, want %q", got, want)
	}
}

func TestRemovedNamesAreSkippedWithAWarning(t *testing.T) {
	t.Parallel()
	for name, hint := range removed {
		_, warnings, err := parse(name + " = '1'")
		want := []string{"pgpool.conf:1: " + name + ": no longer used and skipped; " + hint}
		if got := warningLines(warnings); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: error %v, warnings %q, want %q", name, err, got, want)
		}
	}
	for _, name := range []string{"other_pgpool_hostname0", "heartbeat_destination_port1"} {
		if _, warnings, err := parse(name + " = '1'"); err != nil || len(warnings) != 1 {
			t.Errorf("%s: error %v, warnings %v", name, err, warnings)
		}
	}
}

func TestOldAndNewNamesAreApart(t *testing.T) {
	t.Parallel()
	for old, name := range renamed {
		if byName[old] != nil || byName[name] == nil {
			t.Errorf("%s is still known, or %s is not", old, name)
		}
	}
	for old := range removed {
		if byName[old] != nil && old != "wd_port" {
			t.Errorf("%s is still known", old)
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"num_init_childern":           "num_init_children",
		"health_check_perod":          "health_check_period",
		"health_check_perod2":         "health_check_period2",
		"backend_wieght1":             "backend_weight1",
		"replication_saftey":          "replication_safety",
		"a":                           "",
		strings.Repeat("port", 10000): "",
	} {
		if got := nearest(name); got != want {
			t.Errorf("nearest(%.20q) = %q, want %q", name, got, want)
		}
	}
}
