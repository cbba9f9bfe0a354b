package localpg

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// configure writes a node's settings and pg_hba.conf.
func (c *Cluster) configure(n *Node) error {
	conf, err := os.OpenFile(filepath.Join(n.DataDir, "postgresql.conf"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = conf.WriteString(c.settings(n))
	if closeErr := conf.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return c.account.writeFile(filepath.Join(n.DataDir, "pg_hba.conf"), []byte(c.hba()))
}

// settings is what is appended to initdb's postgresql.conf. The last setting of
// a name counts.
func (c *Cluster) settings(n *Node) string {
	settings := map[string]string{
		"listen_addresses":        n.Host,
		"port":                    strconv.Itoa(n.Port),
		"unix_socket_directories": n.SocketDir,
		// Several proxies' pools and the checks beside them fit.
		"max_connections": "200",
		// Many nodes share this machine.
		"shared_buffers": "32MB",
		// Two-phase commit is off by default, and applications may use it.
		"max_prepared_transactions": "10",
		// Shared memory lies in the data directory and goes with it when a node is
		// killed; in /dev/shm it would stay.
		"dynamic_shared_memory_type": "mmap",
		"log_line_prefix":            "%m [%p] %q%u@%d ",
		"log_timezone":               "UTC",
		"timezone":                   "UTC",
	}
	if c.opts.SSL {
		settings["ssl"] = "on"
		settings["ssl_cert_file"] = c.CertFile
		settings["ssl_key_file"] = c.keyFile()
	}
	maps.Copy(settings, c.opts.Settings)

	var text strings.Builder
	fmt.Fprintf(&text, "\n# node %d of a pgchorus cluster\n", n.ID)
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&text, "%s = %s\n", name, quoteSetting(settings[name]))
	}
	fmt.Fprintf(&text, "include = '%s'\n", standbyFile)
	return text.String()
}

// hba lets loopback in by the cluster's method, for replication too.
func (c *Cluster) hba() string {
	lines := slices.Clone(c.opts.HBA)
	for _, database := range []string{"all", "replication"} {
		lines = append(lines,
			"local "+database+" all "+c.opts.AuthMethod,
			"host "+database+" all 127.0.0.1/32 "+c.opts.AuthMethod)
	}
	return strings.Join(lines, "\n") + "\n"
}
