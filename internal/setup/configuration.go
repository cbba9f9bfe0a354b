package setup

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

// configuration is etc/pgpool.conf. What it does not name is at its default.
func (w *work) configuration() string {
	var text strings.Builder
	fmt.Fprintf(&text, `# Written by pgchorus setup.
backend_clustering_mode = '%s'

listen_addresses = 'localhost'
port = %d
unix_socket_directories = '%s'
pcp_listen_addresses = 'localhost'
pcp_port = %d
pcp_socket_dir = '%s'
pid_file_name = '%s'
work_dir = '%s'
pool_passwd = 'pool_passwd'

load_balance_mode = on
log_per_node_statement = on

# Everything is on one machine, where a server that is silent for seconds is dead.
health_check_period = 5
health_check_timeout = 5
health_check_user = '%s'
health_check_database = 'postgres'
health_check_max_retries = 1
health_check_retry_delay = 1
connect_timeout = 1000
`, w.mode, w.opts.Port, w.sockets, w.opts.Port+1, w.path("run"), w.path("run/pgpool.pid"), w.path("log"), superuser)
	text.WriteString(w.modeSettings())
	for _, node := range w.cluster.Nodes() {
		text.WriteString(w.backend(node))
	}
	return text.String()
}

// path is an absolute path in the cluster's folder.
func (w *work) path(name string) string { return filepath.Join(w.cluster.Dir, name) }

// modeSettings are for the modes with a primary.
func (w *work) modeSettings() string {
	var text strings.Builder
	if w.opts.Mode == streaming || w.opts.Mode == logical {
		fmt.Fprintf(&text, "\nsr_check_period = 1\nsr_check_user = '%s'\nsr_check_database = '%s'\n", superuser, w.checkDatabase())
	}
	if w.opts.Mode == streaming {
		fmt.Fprintf(&text, `
# When the primary dies, a standby is promoted and the other standbys follow it. The
# old primary comes back as a standby by ./rejoin.
failover_command = '"%s" %%d %%h %%p "%%D" %%m %%H %%M %%P %%r "%%R" %%N %%S'
follow_primary_command = '"%s" %%d %%h %%p "%%D" %%m %%H %%M %%P %%r "%%R"'
`, w.path("etc/failover.sh"), w.path("etc/follow_primary.sh"))
	}
	return text.String()
}

// checkDatabase is where subscriptions are; a standby has its position anywhere.
func (w *work) checkDatabase() string {
	if w.opts.Mode == logical {
		return testDatabase
	}
	return superuser
}

// backend is what is said of one node.
func (w *work) backend(node *localpg.Node) string {
	text := fmt.Sprintf(`
backend_hostname%[1]d = '%[2]s'
backend_port%[1]d = %[3]d
backend_weight%[1]d = 1
backend_data_directory%[1]d = '%[4]s'
`, node.ID, node.Host, node.Port, node.DataDir)
	switch {
	case w.opts.Mode == logical && node.ID == 0:
		text += "backend_flag0 = 'ALWAYS_PRIMARY'\n"
	case w.opts.Mode != raw:
		text += fmt.Sprintf("backend_flag%d = 'ALLOW_TO_FAILOVER'\n", node.ID)
	}
	if w.opts.Mode == streaming || w.opts.Mode == logical {
		text += fmt.Sprintf("backend_application_name%d = '%s'\n", node.ID, node.ReplicationName())
	}
	return text
}
