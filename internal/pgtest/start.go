package pgtest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

// patience bounds everything that a test waits for here. It is long because it
// only ends what hangs: on a loaded machine with two cores, starting a server
// may take seconds.
const patience = 60 * time.Second

// logLines is how much of each server's log a failed test shows.
const logLines = 40

// Option changes what Start makes.
type Option func(*localpg.Options)

// WithSettings adds lines to postgresql.conf.
func WithSettings(settings map[string]string) Option {
	return func(o *localpg.Options) {
		for name, value := range settings {
			o.Settings[name] = value
		}
	}
}

// WithSCRAM makes the nodes ask for a password with SCRAM-SHA-256; the
// superuser's is password.
func WithSCRAM(password string) Option {
	return func(o *localpg.Options) {
		o.AuthMethod = localpg.AuthSCRAM
		o.Password = password
	}
}

// WithHBA puts lines in front of pg_hba.conf.
func WithHBA(lines ...string) Option {
	return func(o *localpg.Options) { o.HBA = append(o.HBA, lines...) }
}

// WithTLS makes the nodes accept TLS; Node.CertFile returns the certificate.
func WithTLS() Option {
	return func(o *localpg.Options) { o.SSL = true }
}

// Start starts n nodes with empty databases, strangers to each other. They are
// stopped and removed when the test and its subtests have finished. A crash of the
// machine may cost them their data (fsync is off).
func Start(t testing.TB, n int, opts ...Option) []*Node {
	t.Helper()
	ctx, cancel := patiently()
	defer cancel()
	return start(ctx, t, n, nil, opts)
}

// start makes and starts n nodes with settings, which opts may replace.
func start(ctx context.Context, t testing.TB, n int, settings map[string]string, opts []Option) []*Node {
	t.Helper()
	if testing.Short() {
		t.Skip("needs PostgreSQL servers, which -short leaves out")
	}
	cluster, err := localpg.Create(ctx, optionsOf(n, settings, opts))
	if err != nil {
		t.Fatalf("make PostgreSQL nodes: %v", err)
	}
	t.Cleanup(func() { finish(t, cluster) })
	if err := cluster.Start(ctx); err != nil {
		t.Fatalf("start PostgreSQL nodes: %v", err)
	}
	return nodesOf(t, cluster)
}

func optionsOf(n int, settings map[string]string, opts []Option) localpg.Options {
	options := localpg.Options{
		Nodes: n,
		Settings: map[string]string{
			"fsync": "off",
			// Small segments make a small template; see InitDBArgs.
			"max_wal_size": "1GB",
		},
		InitDBArgs:  []string{"--wal-segsize=1"}, // MB
		TemplateDir: filepath.Join(os.TempDir(), fmt.Sprintf("pgchorus-templates-%d", os.Geteuid())),
	}
	maps.Copy(options.Settings, settings)
	for _, opt := range opts {
		opt(&options)
	}
	return options
}

func nodesOf(t testing.TB, cluster *localpg.Cluster) []*Node {
	var nodes []*Node
	for _, node := range cluster.Nodes() {
		nodes = append(nodes, &Node{Node: node, Cluster: cluster, t: t})
	}
	return nodes
}

// finish shows the logs of a failed test and removes the nodes.
func finish(t testing.TB, cluster *localpg.Cluster) {
	if t.Failed() {
		for _, node := range cluster.Nodes() {
			t.Logf("end of the log of node %d:\n%s", node.ID, node.LogTail(logLines))
		}
	}
	if err := cluster.Close(); err != nil {
		t.Errorf("remove PostgreSQL nodes: %v", err)
	}
}

// FreePort returns a TCP port on 127.0.0.1 that nobody else of ours is given
// before the test has finished.
func FreePort(t testing.TB) int {
	t.Helper()
	port, err := localpg.ReservePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := port.Release(); err != nil {
			t.Errorf("release port %d: %v", port.Number, err)
		}
	})
	return port.Number
}
