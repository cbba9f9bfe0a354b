package config

import (
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

const secrets = `
	health_check_password = 'geheim1' health_check_password0 = 'geheim2' sr_check_password = 'geheim3'
	recovery_password = 'geheim4' wd_lifecheck_password = 'geheim5' wd_authkey = 'geheim6'
	auth_query_password = 'geheim7' pool_passwd = 'geheim8'`

func TestShow(t *testing.T) {
	t.Parallel()
	cfg := mustParse(t, "health_check_timeout1 = 1min backend_weight1 = 2.5 reset_query_list = 'ABORT ; DISCARD ALL'")
	for name, want := range map[string]string{
		"port": "9999", "child_life_time": "5min", "memqcache_total_size": "64MB", "connection_cache": "on",
		"log_min_messages": "warning", "track_table_mutation_ttl_factor": "5", "unix_socket_permissions": "0777",
		"log_file_mode": "384", "health_check_timeout1": "60", "health_check_timeout0": "20", "backend_weight1": "2.5",
		"backend_flag0": "ALLOW_TO_FAILOVER", "reset_query_list": "ABORT ; DISCARD ALL", "pool_passwd": "*****",
		"delegate_IP": "", "replication_mode": "off", "replication_safety": "mixed", "log_rotation_age": "1d",
	} {
		got, description, ok := cfg.Show(name)
		if !ok || got != want || description == "" {
			t.Errorf("Show(%s) = %q, %q, %v, want %q", name, got, description, ok, want)
		}
	}
	for _, name := range []string{"nothing", "backend_port", "health_check_period", "backend_port128", "port0", "backend", ""} {
		if got, _, ok := cfg.Show(name); ok {
			t.Errorf("Show(%q) = %q", name, got)
		}
	}
}

// names is the first column.
func names(rows []Item) string {
	var list []string
	for _, row := range rows {
		list = append(list, row.Name)
	}
	return strings.Join(list, " ")
}

func TestShowRows(t *testing.T) {
	t.Parallel()
	cfg := mustParse(t, "hostname0 = 'p0' heartbeat_port0 = 9694")
	for name, want := range map[string]string{
		"backend": "backend_hostname0 backend_port0 backend_weight0 backend_data_directory0 backend_application_name0 backend_flag0 " +
			"backend_hostname1 backend_port1 backend_weight1 backend_data_directory1 backend_application_name1 backend_flag1",
		"watchdog":        "hostname0 pgpool_port0 wd_port0",
		"heartbeat":       "heartbeat_device0 heartbeat_hostname0 heartbeat_port0",
		"backend_port":    "backend_port0 backend_port1",
		"connect_timeout": "connect_timeout connect_timeout0 connect_timeout1",
	} {
		rows, ok := cfg.ShowRows(name)
		if got := names(rows); !ok || got != want {
			t.Errorf("ShowRows(%s) = %q, %v, want %q", name, got, ok, want)
		}
	}
	for _, name := range []string{"port", "nothing", "backend_port0"} {
		if _, ok := cfg.ShowRows(name); ok {
			t.Errorf("ShowRows(%q) is known", name)
		}
	}
}

func TestShowAllHasEveryParameterOnce(t *testing.T) {
	t.Parallel()
	cfg := mustParse(t, "hostname0 = 'p0' heartbeat_port0 = 9694")
	rows, _ := cfg.ShowRows("ALL")
	seen := map[string]int{}
	for _, row := range rows {
		seen[row.Name]++
	}
	for _, p := range Params() {
		name := p.Name
		if p.Index != NoIndex && !p.IndexFree {
			name += "0"
		}
		want := 1
		if p.AliasOf != "" {
			want = 0
		}
		if seen[name] != want {
			t.Errorf("%s is shown %d times, want %d", name, seen[name], want)
		}
	}
	plain := rows[len(rows)-150:]
	for i := range plain[1:] {
		if len(plain[i].Name) < len(plain[i+1].Name) {
			t.Errorf("%s stands before %s", plain[i].Name, plain[i+1].Name)
		}
	}
}

// TestStatusIsInPgpoolsOrder compares with testdata/status_items.txt, the list
// that Pgpool-II documents, where N stands for a number.
func TestStatusIsInPgpoolsOrder(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("testdata/status_items.txt")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, name := range strings.Fields(string(src)) {
		if base, indexed := strings.CutSuffix(name, "N"); indexed {
			name = base + "0"
		}
		want = append(want, name)
	}
	cfg, _, err := Parse("pgpool.conf", []byte("backend_port0 = 5432 hostname0 = 'p' heartbeat_port0 = 9694"), noIncludes)
	if err != nil {
		t.Fatal(err)
	}
	if got := names(cfg.Status()); sorted(got) != sorted(strings.Join(want, " ")) {
		t.Errorf("items differ:\ngot  %s\nwant %s", got, strings.Join(want, " "))
	}
	got, plain := strings.Fields(names(cfg.Status())), 0
	for i, name := range want {
		if !strings.HasSuffix(name, "0") { // the groups' inner order is that of their own tables
			plain++
			if got[i] != name {
				t.Errorf("item %d is %s, want %s", i, got[i], name)
			}
		}
	}
	if plain < 140 {
		t.Errorf("only %d items compared", plain)
	}
}

func sorted(text string) string {
	fields := strings.Fields(text)
	seen := map[string]bool{}
	var list []string
	for _, f := range fields {
		if !seen[f] {
			seen[f] = true
			list = append(list, f)
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func TestStatusValues(t *testing.T) {
	t.Parallel()
	cfg := mustParse(t, "backend_weight0 = 1 backend_weight1 = 3 listen_addresses = 'a , b' log_rotation_age = 2d child_life_time = 1min")
	values := map[string]Item{}
	for _, item := range cfg.Status() {
		values[item.Name] = item
	}
	for name, want := range map[string]string{
		"backend_clustering_mode": "2", "listen_addresses": "a,b", "port": "9999", "enable_pool_hba": "0", "connection_cache": "1",
		"child_life_time": "60", "unix_socket_permissions": "0777", "log_min_messages": "19", "client_min_messages": "18",
		"log_error_verbosity": "1", "syslog_facility": "LOCAL0", "disable_load_balance_on_write": "2", "memqcache_method": "1",
		"backend_weight0": "0.250000", "backend_weight1": "0.750000", "backend_flag0": "ALLOW_TO_FAILOVER",
		"memqcache_cache_oiddir": "/var/log/pgpool/oiddir", "memqcache_total_size": "67108864", "relcache_query_target": "1",
		"log_standby_delay": "2", "wd_lifecheck_method": "2", "check_temp_table": "1",
	} {
		if got, ok := values[name]; !ok || got.Value != want || got.Live {
			t.Errorf("%s = %+v, want %q", name, got, want)
		}
	}
	for _, name := range []string{"backend_status0", "standby_delay1", "memqcache_cache_hits"} {
		if got := values[name]; !got.Live || got.Value != "" {
			t.Errorf("%s = %+v, want it left to the caller", name, got)
		}
	}
}

func TestStatusIsBounded(t *testing.T) {
	t.Parallel()
	cfg := mustParse(t, "failover_command = '"+strings.Repeat("é", 400)+"'")
	for _, item := range cfg.Status() {
		if len(item.Name) > 63 || len(item.Value) > 511 || len(item.Description) > 79 {
			t.Errorf("%s is too long", item.Name)
		}
		if item.Name == "failover_command" && (len(item.Value) != 510 || strings.TrimLeft(item.Value, "é") != "") {
			t.Errorf("value is cut to %q", item.Value)
		}
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	t.Parallel()
	cfg := mustParse(t, secrets)
	rows, _ := cfg.ShowRows("all")
	rows = append(rows, cfg.Status()...)
	var report strings.Builder
	if err := Report(&report, cfg, cfg.Warnings()); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		report.WriteString(row.Value + "\n")
	}
	_, changed, _, err := reload(cfg, "pgpool.conf", []byte(strings.ReplaceAll(secrets, "geheim", "geheim0")), noIncludes)
	if err != nil || len(changed) < 6 {
		t.Fatalf("reload: %v, %v", changed, err)
	}
	for _, c := range changed {
		report.WriteString(c.Old + c.New + "\n")
	}
	if strings.Contains(report.String(), "geheim") {
		t.Errorf("a secret is shown:\n%s", report.String())
	}
}

func TestWithSession(t *testing.T) {
	t.Parallel()
	file := mustParse(t, "client_idle_limit = 30")
	session, err := file.WithSession("client_idle_limit", "5min")
	if err != nil {
		t.Fatal(err)
	}
	session, err = session.WithSession("log_statement", "on")
	if err != nil {
		t.Fatal(err)
	}
	if session.Pool.ClientIdleLimit != 5*time.Minute || !session.Log.LogStatement {
		t.Errorf("session has %v, %v", session.Pool.ClientIdleLimit, session.Log.LogStatement)
	}
	if got, _, _ := session.Show("client_idle_limit"); got != "5min" {
		t.Errorf("Show is %q", got)
	}
	if file.Pool.ClientIdleLimit != 30*time.Second || file.Log.LogStatement {
		t.Error("the session's change reached the file's configuration")
	}
	back, err := session.WithDefault("client_idle_limit")
	if err != nil {
		t.Fatal(err)
	}
	if got, _, _ := back.Show("client_idle_limit"); got != "30s" || back.Pool.ClientIdleLimit != 30*time.Second || !back.Log.LogStatement {
		t.Errorf("after the reset: %q, %v, %v", got, back.Pool.ClientIdleLimit, back.Log.LogStatement)
	}
}

func TestWhatASessionMaySet(t *testing.T) {
	t.Parallel()
	want := "client_idle_limit log_error_verbosity client_min_messages log_min_messages log_statement log_per_node_statement " +
		"notice_per_node_statement log_client_messages log_backend_messages allow_sql_comments client_idle_limit_in_recovery check_unlogged_table"
	var got []string
	for _, p := range Params() {
		if p.Context == InSession {
			got = append(got, p.Name)
		}
	}
	if strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
}

func TestRefusedSessionSettings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, value string
		want        SessionError
	}{
		{"no_such", "1", SessionError{UnknownName, "no_such", `unrecognized configuration parameter "no_such"`, ""}},
		{"port", "1", SessionError{NotInSession, "port", `invalid Context, value for parameter "port" cannot be changed`, ""}},
		{"health_check_period0", "1", SessionError{NotInSession, "health_check_period0", `invalid Context, value for parameter "health_check_period0" cannot be changed`, ""}},
		{"backend_weight", "1", SessionError{UnknownName, "backend_weight", `parameter "backend_weight" expects the index value`, ""}},
		{"log_error_verbosity", "loud", SessionError{BadValue, "log_error_verbosity", `invalid value for parameter "log_error_verbosity": "loud"`, "Available values: terse, default, verbose."}},
		{"client_idle_limit", "-2", SessionError{BadValue, "client_idle_limit", `-2 is outside the valid range for parameter "client_idle_limit" (0 .. 2147483647)`, ""}},
		{"client_idle_limit", "5 weeks", SessionError{BadValue, "client_idle_limit", `invalid value for parameter "client_idle_limit": "5 weeks"`, `Valid units for this parameter are "us", "ms", "s", "min", "h", "d".`}},
	}
	cfg := mustParse(t, "")
	for _, tt := range tests {
		_, err := cfg.WithSession(tt.name, tt.value)
		var got *SessionError
		if !errors.As(err, &got) || !reflect.DeepEqual(*got, tt.want) {
			t.Errorf("SET %s TO %s: %+v, want %+v", tt.name, tt.value, got, tt.want)
		}
	}
}
