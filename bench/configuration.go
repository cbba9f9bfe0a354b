package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

func (st *stage) configurePgBouncer(p *proxy, t *target, dir string) error {
	p.program = st.b.peers[pgbouncer]
	config, users := filepath.Join(dir, "pgbouncer.ini"), filepath.Join(dir, "userlist.txt")
	p.args = []string{config}
	p.stopSignal = syscall.SIGTERM // SIGINT waits for the clients
	if err := st.b.writeFile(users, fmt.Sprintf("%q %q\n", superuser, "")); err != nil {
		return err
	}
	return st.b.writeFile(config, st.pgbouncerConfig(t, p.port.Number, users))
}

// pgbouncerConfig pools sessions, as the others do: PgBouncer 1.18 has no prepared
// statements in transaction pooling.
func (st *stage) pgbouncerConfig(t *target, port int, users string) string {
	return fmt.Sprintf(`[databases]
%s = host=127.0.0.1 port=%d

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = trust
auth_file = %s
pool_mode = session
default_pool_size = %d
max_client_conn = %d
log_connections = 0
log_disconnections = 0
`, t.database, t.nodes[0].Port, port, users, sessions(st.scenarios), 2*sessions(st.scenarios))
}

func (st *stage) configurePgpool(p *proxy, t *target, dir string) (err error) {
	p.program = st.b.peers[pgpool]
	if p.controls, err = localpg.ReservePort(); err != nil {
		return err
	}
	st.ends.add(p.controls.Release)
	p.args = []string{"-n", "-D", "-f", filepath.Join(dir, "pgpool.conf"), "-F", filepath.Join(dir, "pcp.conf"), "-a", filepath.Join(dir, "pool_hba.conf")}
	for _, name := range []string{"pcp.conf", "pool_hba.conf"} {
		if err := st.b.writeFile(filepath.Join(dir, name), ""); err != nil {
			return err
		}
	}
	// Names of Debian's version, 4.3.
	own := fmt.Sprintf("socket_dir = '%[1]s'\npcp_port = %[2]d\nlogdir = '%[1]s'\nwd_ipc_socket_dir = '%[1]s'\nmemqcache_oiddir = '%[1]s'\n", dir, p.controls.Number)
	return st.b.writeFile(filepath.Join(dir, "pgpool.conf"), st.poolConfig(t, p.port.Number, dir)+own)
}

func (st *stage) configurePgchorus(p *proxy, t *target, dir string) error {
	config := filepath.Join(dir, "pgpool.conf")
	p.program, p.args = st.b.serverProgram, []string{"-n", "-D", "-f", config}
	own := fmt.Sprintf("unix_socket_directories = ''\npcp_listen_addresses = ''\nwork_dir = '%s'\n", dir)
	return st.b.writeFile(config, st.poolConfig(t, p.port.Number, dir)+own)
}

// poolConfig is the part of pgpool.conf that Pgpool-II and pgchorus are given alike;
// whatever is not in it has its default.
func (st *stage) poolConfig(t *target, port int, dir string) string {
	var text strings.Builder
	fmt.Fprintf(&text, `backend_clustering_mode = '%[5]s'
listen_addresses = '127.0.0.1'
port = %[1]d
pcp_socket_dir = '%[2]s'
pid_file_name = '%[2]s/proxy.pid'
pool_passwd = ''
enable_pool_hba = off
num_init_children = %[3]d
load_balance_mode = on
health_check_period = 10
health_check_timeout = 5
health_check_user = '%[4]s'
health_check_database = 'postgres'
`, port, dir, sessions(st.scenarios), superuser, st.mode)
	for _, n := range t.nodes {
		fmt.Fprintf(&text, "backend_hostname%[1]d = '%[2]s'\nbackend_port%[1]d = %[3]d\nbackend_weight%[1]d = 1\n", n.ID, n.Host, n.Port)
	}
	if v := variantOf(t.name); v != nil {
		text.WriteString(v.settings)
	} else {
		text.WriteString(st.settings)
	}
	if t.memcached != nil {
		text.WriteString(t.memcached.config())
	}
	return text.String()
}
