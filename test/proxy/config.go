package proxy

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// Option changes what Start makes.
type Option func(*options)

type options struct {
	lines []string
	files map[string]string
	race  bool
	door  bool
}

// WithConfig adds lines to pgpool.conf, which replace ours for the same parameters.
func WithConfig(lines ...string) Option {
	return func(o *options) { o.lines = append(o.lines, lines...) }
}

// WithFile puts a file beside pgpool.conf, such as pool_hba.conf, pool_passwd or a
// certificate, with mode 0600. Its name in the configuration may be relative.
func WithFile(name, content string) Option {
	return func(o *options) { o.files[name] = content }
}

// WithRace runs a server that was built with the race detector.
func WithRace() Option { return func(o *options) { o.race = true } }

// WithCounters runs a server that can be asked for Counters.
func WithCounters() Option { return func(o *options) { o.door = true } }

// writeFiles writes pgpool.conf and the files beside it.
func (p *Proxy) writeFiles(nodes []*pgtest.Node, o *options) error {
	for name, content := range o.files {
		if err := os.WriteFile(filepath.Join(p.Dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	lines := p.baseConfig(nodes)
	if _, given := o.files["pool_passwd"]; !given {
		lines = append(lines, "pool_passwd = ''")
	}
	// What the test sets replaces ours, so that nothing is given twice, which would
	// be warned of.
	lines = slices.DeleteFunc(lines, func(line string) bool {
		return slices.ContainsFunc(o.lines, func(set string) bool { return parameter(set) == parameter(line) })
	})
	lines = append(lines, o.lines...)
	return os.WriteFile(p.ConfigFile, []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

// parameter is the name that a line of pgpool.conf sets.
func parameter(line string) string {
	name, _, _ := strings.Cut(line, "=")
	return strings.TrimSpace(name)
}

// baseConfig has short times for checks, since tests wait for what they find.
func (p *Proxy) baseConfig(nodes []*pgtest.Node) []string {
	lines := []string{
		"backend_clustering_mode = native_replication",
		"listen_addresses = '" + p.Host + "'",
		fmt.Sprintf("port = %d", p.Port),
		"unix_socket_directories = '" + p.SocketDir + "'",
		"pcp_socket_dir = '" + p.SocketDir + "'",
		"work_dir = '" + p.Dir + "'",
		"pid_file_name = '" + filepath.Join(p.Dir, "pgpool.pid") + "'",
		"num_init_children = 100",
		"connect_timeout = 2000",
		"health_check_period = 1",
		"health_check_timeout = 2",
		"health_check_max_retries = 0",
		"health_check_user = '" + nodes[0].Superuser + "'",
		"health_check_password = '" + nodes[0].Password + "'",
		"health_check_database = '" + pgtest.Database + "'",
	}
	for i, node := range nodes {
		lines = append(lines,
			fmt.Sprintf("backend_hostname%d = '%s'", i, node.Host),
			fmt.Sprintf("backend_port%d = %d", i, node.Port),
			fmt.Sprintf("backend_weight%d = 1", i),
			fmt.Sprintf("backend_data_directory%d = '%s'", i, node.DataDir),
		)
	}
	return lines
}
