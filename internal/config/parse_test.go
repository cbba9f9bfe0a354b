package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestAcceptedForms(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, lines, param, want string
	}{
		{"equals sign", "port = 5433", "port", "5433"},
		{"no equals sign", "port 5433", "port", "5433"},
		{"no blanks", "port=5433", "port", "5433"},
		{"quoted number", "port = '5433'", "port", "5433"},
		{"two settings on a line", "max_pool = 7 port = 5433", "port", "5433"},
		{"comment behind", "port = 5433 # comment", "port", "5433"},
		{"comment at once", "port = 5433#comment", "port", "5433"},
		{"carriage return", "port = 5433\r", "port", "5433"},
		{"byte order mark", "\xef\xbb\xbfport = 5433", "port", "5433"},
		{"last one wins", "port = 5433\nport = 5434", "port", "5434"},
		{"star", "listen_addresses = *", "listen_addresses", "*"},
		{"empty text", "listen_addresses = ''", "listen_addresses", ""},
		{"host name without quotes", "wd_listen_address = server1.example.com", "wd_listen_address", "server1.example.com"},
		{"path in quotes", "work_dir = '/var/tmp'", "work_dir", "/var/tmp"},
		{"hash in quotes", "log_line_prefix = '# '", "log_line_prefix", "# "},
		{"quote in quotes", `lobj_lock_table = 'a\'b'`, "lobj_lock_table", `a\'b`},
		{"backslash at the end", `lobj_lock_table = 'c:\'`, "lobj_lock_table", `c:\`},
		{"boolean word", "load_balance_mode = off", "load_balance_mode", "off"},
		{"boolean in capitals", "load_balance_mode = FALSE", "load_balance_mode", "off"},
		{"boolean prefix", "load_balance_mode = n", "load_balance_mode", "off"},
		{"boolean two letters", "load_balance_mode = of", "load_balance_mode", "off"},
		{"boolean digit", "load_balance_mode = 0", "load_balance_mode", "off"},
		{"hexadecimal", "port = 0x2000", "port", "8192"},
		{"octal", "unix_socket_permissions = 0770", "unix_socket_permissions", "0770"},
		{"fraction in quotes", "num_init_children = '32.4'", "num_init_children", "32"},
		{"exponent", "num_init_children = 1e2", "num_init_children", "100"},
		{"sign", "client_idle_limit_in_recovery = -1", "client_idle_limit_in_recovery", "-1"},
		{"own unit", "child_life_time = 300", "child_life_time", "5min"},
		{"other unit", "child_life_time = 2h", "child_life_time", "2h"},
		{"unit in quotes behind a blank", "child_life_time = '5 min'", "child_life_time", "5min"},
		{"smaller unit", "child_life_time = 2000ms", "child_life_time", "2s"},
		{"fraction of a unit", "child_life_time = '1.5min'", "child_life_time", "90s"},
		{"memory", "memqcache_total_size = 64MB", "memqcache_total_size", "64MB"},
		{"memory in kB", "log_rotation_size = 10MB", "log_rotation_size", "10MB"},
		{"zero with a unit", "child_life_time = 0min", "child_life_time", "0"},
		{"enum in capitals", "memqcache_method = MEMCACHED", "memqcache_method", "memcached"},
		{"enum written in capitals", "syslog_facility = local3", "syslog_facility", "LOCAL3"},
		{"unit of the index-free form", "health_check_period = 10s", "health_check_period2", "10"},
		{"index with leading zero", "health_check_period01 = 10", "health_check_period1", "10"},
		{"float", "backend_weight0 = '2.5'", "backend_weight0", "2.5"},
		{"float without quotes", "backend_weight0 = .5", "backend_weight0", "0.5"},
		{"flags", "backend_flag1 = 'ALWAYS_PRIMARY|DISALLOW_TO_FAILOVER'", "backend_flag1", "DISALLOW_TO_FAILOVER|ALWAYS_PRIMARY"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			third := "\nbackend_port2 = 6000"
			cfg := mustParse(t, tt.lines+third)
			if got, _, ok := cfg.Show(tt.param); !ok || got != tt.want {
				t.Errorf("Show(%s) = %q, %v, want %q", tt.param, got, ok, tt.want)
			}
		})
	}
}

func TestRefusedLines(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, lines, want string
	}{
		{"word that is no boolean", "load_balance_mode = maybe", `pgpool.conf:1: load_balance_mode = "maybe": expected on or off`},
		{"boolean prefix of two words", "load_balance_mode = o", `pgpool.conf:1: load_balance_mode = "o": expected on or off`},
		{"unknown name", "load_balance_mod = on", "pgpool.conf:1: load_balance_mod: unknown parameter; did you mean load_balance_mode?"},
		{"unknown indexed name", "backend_hostnam3 = 'x'", "pgpool.conf:1: backend_hostnam3: unknown parameter; did you mean backend_hostname3?"},
		{"unknown name like none", "xyzzy_plugh_frotz = 1", "pgpool.conf:1: xyzzy_plugh_frotz: unknown parameter"},
		{"wrong case", "Port = 5433", "pgpool.conf:1: Port: unknown parameter; did you mean port?"},
		{"word behind an indexed name", "hostname_of = 1", "pgpool.conf:1: hostname_of: unknown parameter"},
		{"index missing", "backend_weight = 1", `pgpool.conf:1: backend_weight: parameter "backend_weight" expects the index value: backend_weight0`},
		{"index too large", "backend_weight128 = 1", `pgpool.conf:1: backend_weight128: 128 index outside the valid range for parameter "backend_weight" (0 .. 127)`},
		{"index far too large", "backend_weight99999999999999999999 = 1", `pgpool.conf:1: backend_weight99999999999999999999: 99999999999999999999 index outside the valid range for parameter "backend_weight" (0 .. 127)`},
		{"below the range", "port = 80", `pgpool.conf:1: port = "80": outside the valid range 1024 to 65535`},
		{"above the range", "port = 65536", `pgpool.conf:1: port = "65536": outside the valid range 1024 to 65535`},
		{"above any range", "port = 99999999999999999999", `pgpool.conf:1: port = "99999999999999999999": outside the valid range 1024 to 65535`},
		{"above any range in a unit", "child_life_time = 9223372036854775807d", `pgpool.conf:1: child_life_time = "9223372036854775807d": outside the valid range 0 to 2147483647 s`},
		{"exponent without end", "num_init_children = 1e999", `pgpool.conf:1: num_init_children = "1e999": outside the valid range 1 to 2147483647`},
		{"port of zero", "wd_port0 = 0", `pgpool.conf:1: wd_port0 = "0": outside the valid range 1024 to 65535`},
		{"permissions in decimal", "unix_socket_permissions = 777", `pgpool.conf:1: unix_socket_permissions = "777": outside the valid range 0000 to 0777; write it in octal, with a leading 0`},
		{"word for a number", "port = abc", `pgpool.conf:1: port = "abc": expected a whole number from 1024 to 65535`},
		{"no octal number", "port = 089", `pgpool.conf:1: port = "089": expected a whole number from 1024 to 65535`},
		{"unit refused", "num_init_children = 5s", `pgpool.conf:1: num_init_children = "5s": expected a number without a unit`},
		{"unit in the wrong case", "child_life_time = 5MIN", `pgpool.conf:1: child_life_time = "5MIN": expected a number in s, or with one of the units "us", "ms", "s", "min", "h", "d"`},
		{"unit of another kind", "memqcache_total_size = 5s", `pgpool.conf:1: memqcache_total_size = "5s": expected a number in B, or with one of the units "B", "kB", "MB", "GB", "TB"`},
		{"text behind a float", "backend_weight0 = '1 x'", `pgpool.conf:1: backend_weight0 = "1 x": expected a number from 0 to 100000000`},
		{"float out of range", "track_table_mutation_ttl_factor = 0.5", `pgpool.conf:1: track_table_mutation_ttl_factor = "0.5": outside the valid range 1 to 100`},
		{"word of no enum", "memqcache_method = redis", `pgpool.conf:1: memqcache_method = "redis": expected one of shmem, memcached`},
		{"path without quotes", "work_dir = /tmp", `pgpool.conf:1: work_dir = "/tmp": the value needs single quotes`},
		{"address without quotes", "hostname0 = 192.168.1.1", `pgpool.conf:1: hostname0 = "192.168.1.1": the value needs single quotes`},
		{"unit behind a blank", "child_life_time = 5 min", "pgpool.conf:1: min: expected a value"},
		{"doubled quote", "wd_lifecheck_query = 'it''s'", `pgpool.conf:1: wd_lifecheck_query = "it": a quote inside a value is written \', not ''`},
		{"quote left open", "work_dir = '/tmp", "pgpool.conf:1: work_dir: the value's closing quote is missing"},
		{"no value", "port =", "pgpool.conf:1: port: expected a value"},
		{"no value but a comment", "port = # 5432", "pgpool.conf:1: port: expected a value"},
		{"no name", "= 5432", `pgpool.conf:1: expected the name of a parameter, found "= 5432"`},
		{"both failover flags", "backend_flag0 = 'ALLOW_TO_FAILOVER|DISALLOW_TO_FAILOVER'", `pgpool.conf:1: backend_flag0 = "ALLOW_TO_FAILOVER|DISALLOW_TO_FAILOVER": ALLOW_TO_FAILOVER and DISALLOW_TO_FAILOVER exclude each other`},
		{"unknown flag", "backend_flag0 = 'MAIN'", `pgpool.conf:1: backend_flag0 = "MAIN": "MAIN" is no flag; flags are ALLOW_TO_FAILOVER, DISALLOW_TO_FAILOVER and ALWAYS_PRIMARY, separated by |`},
		{"unknown log destination", "log_destination = 'eventlog'", `pgpool.conf:1: log_destination = "eventlog": unknown destination :eventlog; destinations are stderr and syslog`},
		{"pattern that does not compile", "write_function_list = 'a(b'", `pgpool.conf:1: write_function_list = "a(b": pattern "a(b" is no regular expression`},
		{"redirect without a node", "database_redirect_preference_list = 'db'", `pgpool.conf:1: database_redirect_preference_list = "db": "db" is not pattern:node or pattern:node(weight)`},
		{"redirect to a wrong node", "database_redirect_preference_list = 'db:third'", `pgpool.conf:1: database_redirect_preference_list = "db:third": wrong redirect db node spec: "third"; a node is primary, standby or 0 to 127`},
		{"redirect with a wrong weight", "database_redirect_preference_list = 'db:1(2)'", `pgpool.conf:1: database_redirect_preference_list = "db:1(2)": weight "(2)" is not (0) to (1)`},
		{"secret in a refused line", "health_check_password = se-cr-et*", `pgpool.conf:1: health_check_password = "*****": the value needs single quotes`},
		{"file that is not there", "include 'more.conf'", `pgpool.conf:1: include = "more.conf": open more.conf: no such file`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := parse(tt.lines)
			if got := errorLines(err); len(got) != 1 || got[0] != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestAllProblemsAreListed(t *testing.T) {
	t.Parallel()
	_, _, err := parse("port = 80\nssl = perhaps\nwork_dir = /tmp\nreserved_connections = 40\n")
	want := []string{
		`pgpool.conf:1: port = "80": outside the valid range 1024 to 65535`,
		`pgpool.conf:2: ssl = "perhaps": expected on or off`,
		`pgpool.conf:3: work_dir = "/tmp": the value needs single quotes`,
		`pgpool.conf:4: reserved_connections = "40": must be less than num_init_children, which is 32`,
	}
	if got := errorLines(err); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	var first *Problem
	if !errors.As(err, &first) || first.Line != 1 || first.Name != "port" {
		t.Errorf("first problem is %+v", first)
	}
}

func TestTheNumberOfProblemsIsBounded(t *testing.T) {
	t.Parallel()
	_, _, err := parse(strings.Repeat("port = 1\n", 5000))
	if got := len(errorLines(err)); got != maxProblems {
		t.Errorf("%d problems, want %d", got, maxProblems)
	}
}

func TestSizesAreBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxValue+1)
	for name, lines := range map[string]string{
		"quoted value":   "work_dir = '" + long + "'",
		"unquoted value": "work_dir = " + long,
		"file":           strings.Repeat("# comment\n", maxFileSize/10+1),
	} {
		if _, _, err := parse(lines); err == nil || !strings.Contains(err.Error(), "is longer than") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, lines, want string
	}{
		{"given twice", "port = 5433\nport = 5434", "pgpool.conf:2: port: given twice; this replaces pgpool.conf:1"},
		{"rounded", "health_check_period = '100ms'", `pgpool.conf:1: health_check_period: "100ms" is rounded to 0 s`},
		{"node without a port", "backend_weight7 = 1", "pgpool.conf:1: backend_weight7: node 7 does not exist, since backend_port7 is not set"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, warnings, err := parse(tt.lines)
			if err != nil {
				t.Fatal(err)
			}
			if got := warningLines(warnings); !reflect.DeepEqual(got, []string{tt.want}) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNodes(t *testing.T) {
	t.Parallel()
	cfg, _, err := Parse("/etc/pgpool.conf", []byte(`
		backend_clustering_mode = raw
		health_check_period1 = 5
		backend_port3 = 5434
		backend_hostname3 = '/run/pg'
		backend_weight3 = 3
		backend_port1 = 5433
		backend_hostname1 = 'db1'
		backend_data_directory1 = '/data/1'
		backend_flag1 = 'DISALLOW_TO_FAILOVER'
		backend_application_name1 = 'one'
		health_check_period = 10
		connect_timeout = 2s
		connect_timeout3 = 500
		health_check_user = 'checker'
		health_check_password3 = 'TEXTpw'
	`), noIncludes)
	if err != nil {
		t.Fatal(err)
	}
	check := HealthCheck{Period: 10 * time.Second, Timeout: 20 * time.Second, User: "checker", Database: "postgres",
		RetryDelay: time.Second, ConnectTimeout: 2 * time.Second}
	check1, check3 := check, check
	check1.Period = 5 * time.Second
	check3.ConnectTimeout, check3.Password = 500*time.Millisecond, "TEXTpw"
	want := []Backend{
		{ID: 1, Hostname: "db1", Port: 5433, DataDirectory: "/data/1", ApplicationName: "one", HealthCheck: check1},
		{ID: 3, Hostname: "/run/pg", Port: 5434, Weight: 3, Flag: Flag{AllowToFailover: true}, HealthCheck: check3},
	}
	if !reflect.DeepEqual(cfg.Backends, want) {
		t.Errorf("got  %+v\nwant %+v", cfg.Backends, want)
	}
	if cfg.HealthCheckDefaults != check || cfg.Pool.ConnectTimeout != 2*time.Second {
		t.Errorf("defaults %+v, connect_timeout %v", cfg.HealthCheckDefaults, cfg.Pool.ConnectTimeout)
	}
	if got := cfg.NodeSlots(); got != 4 {
		t.Errorf("NodeSlots() = %d, want 4", got)
	}
	if _, ok := cfg.Backend(2); ok {
		t.Error("node 2 exists")
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	tests := []struct{ host, want string }{
		{"db1", "tcp db1:5432"},
		{"::1", "tcp [::1]:5432"},
		{"/run/pg/", "unix /run/pg/.s.PGSQL.5432"},
		{"", "unix /tmp/.s.PGSQL.5432"},
	}
	for _, tt := range tests {
		network, address := Backend{Hostname: tt.host, Port: 5432}.Address()
		if got := network + " " + address; got != tt.want {
			t.Errorf("Address of %q is %q, want %q", tt.host, got, tt.want)
		}
	}
}

func TestRelativeNamesStartAtTheFile(t *testing.T) {
	t.Parallel()
	cfg, _, err := Parse("/etc/pgchorus/pgpool.conf", []byte(twoNodes+"ssl_cert = 'server.crt'\nssl_key = '/keys/server.key'"), noIncludes)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{cfg.Auth.PoolPasswd, cfg.Auth.PoolHBAFile, cfg.PCP.ConfFile, cfg.SSL.Cert, cfg.SSL.Key, cfg.SSL.CACert, cfg.Files.ConfigDir}
	want := []string{"/etc/pgchorus/pool_passwd", "/etc/pgchorus/pool_hba.conf", "/etc/pgchorus/pcp.conf",
		"/etc/pgchorus/server.crt", "/keys/server.key", "", "/etc/pgchorus"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	cfg := mustParse(t, `
		listen_addresses = 'localhost , 10.0.0.9'
		reset_query_list = 'ABORT; DISCARD ALL'
		trusted_servers = 'a,b'
		log_destination = 'stderr, syslog'
		heartbeat_hostname0 = 'h1;h2'
		primary_routing_query_pattern_list = 'select .*\;;.*for it\'s'
		database_redirect_preference_list = 'postgres:primary,mydb[01]:1(0.3)'
		dml_adaptive_object_relationship_list = 'f():t1,t1:t2'
		function_policy = 'time:rewrite,dblink:deny'
	`)
	lists := []any{cfg.Listen.ListenAddresses, cfg.Pool.ResetQueryList, cfg.Watchdog.TrustedServers, cfg.Log.LogDestination,
		cfg.Watchdog.Heartbeats[0].Hostname, cfg.LoadBalance.PrimaryRoutingQueryPatternList.Texts(),
		cfg.LoadBalance.DMLAdaptiveRelationships, cfg.Replication.FunctionPolicy}
	want := []any{[]string{"localhost", "10.0.0.9"}, []string{"ABORT", "DISCARD ALL"}, []string{"a", "b"}, []string{"stderr", "syslog"},
		[]string{"h1", "h2"}, []string{`select .*\;`, ".*for it's"},
		[]Relationship{{Object{"f", true}, Object{"t1", false}}, {Object{"t1", false}, Object{"t2", false}}},
		[]FunctionRule{{"time", "rewrite"}, {"dblink", "deny"}}}
	if !reflect.DeepEqual(lists, want) {
		t.Errorf("got  %q\nwant %q", lists, want)
	}
	redirects := cfg.LoadBalance.DatabaseRedirectPreferenceList
	if len(redirects) != 2 || redirects[0].Target != RedirectPrimary || redirects[1].Target != RedirectNode ||
		redirects[1].Node != 1 || redirects[1].Weight != 0.3 || !redirects[1].Pattern.MatchString("MYDB1") || redirects[1].Pattern.MatchString("mydb10") {
		t.Errorf("redirects are %+v", redirects)
	}
}

func TestPatternsMatchTheWholeName(t *testing.T) {
	t.Parallel()
	cfg := mustParse(t, "write_function_list = 'nextval, set.*|currval'")
	list := cfg.LoadBalance.WriteFunctionList
	for name, want := range map[string]bool{"nextval": true, "NextVal": true, "setval": true, "currval": true,
		"nextvals": false, "currvalue": false, "my_set": false} {
		if got := list.Match(name); got != want {
			t.Errorf("Match(%q) = %v, want %v", name, got, want)
		}
	}
	if list.Empty() || !cfg.LoadBalance.ReadOnlyFunctionList.Empty() {
		t.Error("Empty() is wrong")
	}
}

func TestInclude(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("sub/one.conf", "port = 7001\ninclude = 'two.conf'\n")
	write("sub/two.conf", "max_pool = 9\nssl = perhaps\n")
	main := write("pgpool.conf", twoNodes+"include 'sub/one.conf'\n")

	_, _, err := Load(main)
	want := fmt.Sprintf(`%s:2: ssl = "perhaps": expected on or off`, filepath.Join(dir, "sub/two.conf"))
	if got := errorLines(err); !reflect.DeepEqual(got, []string{want}) {
		t.Fatalf("got %q, want %q", got, want)
	}

	write("sub/two.conf", "max_pool = 9\n")
	cfg, _, err := Load(main)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Listen.Port != 7001 || cfg.Pool.MaxPool != 9 {
		t.Errorf("port %d, max_pool %d, want 7001 and 9", cfg.Listen.Port, cfg.Pool.MaxPool)
	}
}

func TestIncludesEnd(t *testing.T) {
	t.Parallel()
	self := func(string) ([]byte, error) { return []byte("include 'a'\ninclude 'a'\n"), nil }
	_, _, err := Parse("a", []byte("include 'a'\n"), self)
	if err == nil || !strings.Contains(err.Error(), "more than 10 levels deep") {
		t.Errorf("got %v", err)
	}
}

func TestAFileThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	if _, _, err := Load(filepath.Join(t.TempDir(), "none.conf")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestValuesHaveToAgree(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, lines, want string
	}{
		{"two nodes at one address", "backend_port2 = 5432 backend_hostname2 = '10.0.0.1'",
			`pgpool.conf:1: backend_port2 = "5432": node 2 is at the same host and port as node 0`},
		{"node without a port", "backend_hostname2 = '10.0.0.3'",
			`pgpool.conf:1: backend_hostname2 = "10.0.0.3": node 2 has no port; set backend_port2, or remove the node's lines`},
		{"node that is the proxy", "backend_port2 = 9999 backend_hostname2 = '127.0.0.1'",
			`pgpool.conf:1: backend_port2 = "9999": node 2 is where frontends connect to: the proxy would talk to itself; change port or this`},
		{"node that is the proxy's socket", "backend_port2 = 9999 backend_hostname2 = '/tmp/'",
			`pgpool.conf:1: backend_port2 = "9999": node 2 is where frontends connect to: the proxy would talk to itself; change port or this`},
		{"redirect to a node that does not exist", "user_redirect_preference_list = 'a:1,b:2'",
			`pgpool.conf:1: user_redirect_preference_list = "a:1,b:2": node 2 does not exist; the nodes are 0, 1`},
		{"memcached nowhere", "memory_cache_enabled = on memqcache_method = memcached memqcache_memcached_host = ''",
			"pgpool.conf:1: memqcache_memcached_host: is empty, but memqcache_method is memcached; name its host, or a socket by its path"},
		{"nowhere to connect to", "listen_addresses = '' unix_socket_directories = ''",
			"pgpool.conf:1: listen_addresses: both this and unix_socket_directories are empty, so no frontend could connect"},
		{"all connections reserved", "num_init_children = 5 reserved_connections = 5",
			`pgpool.conf:1: reserved_connections = "5": must be less than num_init_children, which is 5`},
		{"empty element", "listen_addresses = 'a,,b'", `pgpool.conf:1: listen_addresses = "a,,b": an element of the list is empty`},
		{"one port for both", "pcp_port = 9999", `pgpool.conf:1: pcp_port = "9999": is the same as port`},
		{"spare children", "process_management_mode = dynamic max_spare_children = 5",
			`pgpool.conf:1: max_spare_children = "5": must be greater than min_spare_children, which is 5`},
		{"more spare children than children", "process_management_mode = dynamic num_init_children = 8",
			"pgpool.conf: max_spare_children: must not be greater than num_init_children, which is 8"},
		{"recovery without a directory", "recovery_1st_stage_command = 'x' backend_data_directory0 = '/d'",
			"pgpool.conf: backend_data_directory1: must be set when a recovery command is"},
		{"watchdog alone", "use_watchdog = on", `pgpool.conf:1: use_watchdog = "on": needs hostnameN, wd_portN and pgpool_portN of every proxy`},
		{"cache block", "memory_cache_enabled = on memqcache_maxcache = 2MB",
			`pgpool.conf:1: memqcache_maxcache = "2MB": must not be greater than memqcache_cache_block_size, which is 1048576`},
		{"auth_query without a role", "auth_query = 'SELECT * FROM f($1)'",
			`pgpool.conf:1: auth_query = "SELECT * FROM f($1)": needs auth_query_user, the role that runs it`},
		{"auth_query without a parameter", "auth_query = 'SELECT 1' auth_query_user = 'u'",
			`pgpool.conf:1: auth_query = "SELECT 1": needs $1 where the user's name belongs`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := parse(tt.lines)
			if got := errorLines(err); len(got) != 1 || got[0] != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// TestOddCombinationsAreWarnedOf has the mode in front, since twoNodes' is native.
func TestOddCombinationsAreWarnedOf(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, mode, lines string
		want              []string
	}{
		{"both function lists", "native_replication", "write_function_list = 'f'\nread_only_function_list = 'g'",
			[]string{"pgpool.conf:1: write_function_list: is not asked, since read_only_function_list is given, too; keep one of them"}},
		{"primary where there is none", "native_replication", "backend_flag0 = ALWAYS_PRIMARY",
			[]string{"pgpool.conf:1: backend_flag0: ALWAYS_PRIMARY has an effect in streaming_replication and logical_replication only"}},
		{"no role to find the primary", "streaming_replication", "",
			[]string{"pgpool.conf: sr_check_user: is empty: without a role that may log in to the nodes no primary is found, and writes wait for one; name a role with pg_monitor"}},
		{"no role to find the publisher", "logical_replication", "\nsr_check_user = ''",
			[]string{"pgpool.conf:2: sr_check_user: is empty: without a role that may log in to the nodes no primary is found, and writes wait for one; name a role with pg_monitor"}},
		{"a role is not needed for a fixed primary", "streaming_replication", "backend_flag1 = ALWAYS_PRIMARY", nil},
		{"lag that is not measured", "streaming_replication", "sr_check_user = u\nsr_check_period = 0\ndelay_threshold = 1000",
			[]string{"pgpool.conf:3: delay_threshold: changes nothing, since no lag is measured with sr_check_period = 0; set sr_check_period"}},
		{"lag that a command measures", "streaming_replication", "sr_check_user = u\nsr_check_period = 0\ndelay_threshold_by_time = 1s replication_delay_source_cmd = 'x'", nil},
		{"failback of an unknown standby", "streaming_replication", "sr_check_user = u\nauto_failback = on\nbackend_application_name0 = a",
			[]string{"pgpool.conf:2: auto_failback: does not know node 1 among the standbys that stream; set backend_application_name1"}},
		{"two thresholds", "streaming_replication", "sr_check_user = u\ndelay_threshold = 1000 delay_threshold_by_time = 1s",
			[]string{"pgpool.conf:2: delay_threshold: is not asked, since delay_threshold_by_time is given, too"}},
		{"nothing to prefer", "streaming_replication", "sr_check_user = u\nprefer_lower_delay_standby = on",
			[]string{"pgpool.conf:2: prefer_lower_delay_standby: changes nothing without delay_threshold_by_time or delay_threshold"}},
		{"times against bytes", "streaming_replication", "sr_check_user = u\ndelay_threshold = 1000\nreplication_delay_source_cmd = 'x'",
			[]string{"pgpool.conf:3: replication_delay_source_cmd: gives times, which delay_threshold does not compare; set delay_threshold_by_time"}},
		{"adaptive without lag", "native_replication", "disable_load_balance_on_write = dml_adaptive",
			[]string{"pgpool.conf:1: disable_load_balance_on_write: dml_adaptive is off in native_replication, whose nodes all have the write"}},
		{"relationships of nothing", "streaming_replication", "sr_check_user = u\ndml_adaptive_object_relationship_list = 'a:b'",
			[]string{"pgpool.conf:2: dml_adaptive_object_relationship_list: changes nothing, since disable_load_balance_on_write is transaction"}},
		{"redirect of nothing", "streaming_replication", "sr_check_user = u\nload_balance_mode = off user_redirect_preference_list = 'a:primary'",
			[]string{"pgpool.conf:2: user_redirect_preference_list: changes nothing, since load_balance_mode is off"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, warnings, err := parseOld(tt.lines + "\nbackend_clustering_mode = " + tt.mode)
			if err != nil {
				t.Fatal(err)
			}
			if got := warningLines(warnings); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestTwoPrimariesAreRefused(t *testing.T) {
	t.Parallel()
	_, _, err := parseOld("backend_flag0 = 'ALWAYS_PRIMARY'\nbackend_flag1 = 'ALWAYS_PRIMARY'")
	want := []string{`pgpool.conf:2: backend_flag1 = "ALWAYS_PRIMARY": node 0 is ALWAYS_PRIMARY, too; only one node may be`}
	if got := errorLines(err); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNoBackendIsRefused(t *testing.T) {
	t.Parallel()
	_, _, err := Parse("pgpool.conf", nil, noIncludes)
	want := []string{"pgpool.conf: no backend is configured; give at least backend_hostname0 and backend_port0"}
	if got := errorLines(err); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBacklogIsBounded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ children, multiplier, want int }{{32, 2, 64}, {2147483647, 2147483647, 65535}, {65535, 1, 65535}} {
		l := Listen{NumInitChildren: tt.children, ListenBacklogMultiplier: tt.multiplier}
		if got := l.Backlog(); got != tt.want {
			t.Errorf("Backlog of %d times %d = %d, want %d", tt.children, tt.multiplier, got, tt.want)
		}
	}
}
