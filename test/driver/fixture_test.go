package driver

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// clusterings are the modes in which a cluster and one server have to be alike.
var clusterings = []config.ClusteringMode{config.NativeReplication, config.SnapshotIsolation, config.StreamingReplication}

// server is something that a client connects to.
type server struct {
	name      string
	host      string
	port      int
	user      string
	database  string
	socketDir string
	servers   []*pgtest.Node // the PostgreSQL servers that it is or has
}

// with is the same server with another database.
func (s server) with(database string) server {
	s.database = database
	return s
}

// newBare is a PostgreSQL that stands alone, with a database for each driver.
func newBare(t *testing.T) server {
	t.Helper()
	node := pgtest.Start(t, 1)[0]
	for _, d := range drivers {
		node.Exec("CREATE DATABASE " + d.name)
	}
	return server{"PostgreSQL", node.Host, node.Port, node.Superuser, "", node.SocketDir, []*pgtest.Node{node}}
}

// cluster is three nodes and the server in front of them.
type cluster struct {
	mode  config.ClusteringMode
	nodes []*pgtest.Node
	proxy *proxy.Proxy
}

// newCluster has a database for each driver. Every session reads from node 1, so that
// its reads and its writes go to different nodes wherever that is possible, and in
// every run.
func newCluster(t *testing.T, mode config.ClusteringMode) *cluster {
	t.Helper()
	c := startCluster(t, mode, "backend_weight0 = 0", "backend_weight2 = 0")
	for _, d := range drivers {
		c.proxy.Exec("CREATE DATABASE " + d.name)
	}
	return c
}

func startCluster(t *testing.T, mode config.ClusteringMode, lines ...string) *cluster {
	t.Helper()
	c := &cluster{mode: mode}
	lines = append(lines, "backend_clustering_mode = "+string(mode))
	if mode == config.StreamingReplication {
		c.nodes = pgtest.StartStreaming(t, 3)
		lines = append(lines, "sr_check_user = "+c.nodes[0].Superuser,
			// A script's connections read what others of them have written.
			"read_consistency = strict", "read_consistency_timeout = 30000")
	} else {
		c.nodes = pgtest.Start(t, 3)
	}
	lines = append(lines, "commit_marker = off")     // its schema would be listed
	lines = append(lines, "sequence_lease_size = 1") // no gaps, so that the transcripts have the same numbers
	c.proxy = proxy.Start(t, c.nodes, proxy.WithConfig(lines...))
	return c
}

func (c *cluster) server(database string) server {
	return server{"pgchorus", c.proxy.Host, c.proxy.Port, c.proxy.User, database, c.proxy.SocketDir, c.nodes}
}

// wantEqual fails the test unless the nodes hold the same.
func (c *cluster) wantEqual(t *testing.T) {
	if c.mode == config.StreamingReplication {
		for _, standby := range c.nodes[1:] {
			standby.In(t).WaitCaughtUp(c.nodes[0])
		}
	}
	pgtest.WantEqual(t, c.nodes...)
}

// environment tells a client where the server is, in the words of libpq, which the
// scripts of other drivers read too.
func (s server) environment() []string {
	var servers []string
	for _, node := range s.servers {
		servers = append(servers, net.JoinHostPort(node.Host, strconv.Itoa(node.Port)))
	}
	return append(os.Environ(),
		"PGHOST="+s.host, "PGPORT="+strconv.Itoa(s.port), "PGUSER="+s.user, "PGDATABASE="+s.database, "PGSSLMODE=disable",
		"PGAPPNAME=driver", "PGTZ=UTC", "PGSOCKETDIR="+s.socketDir, "SERVERS="+strings.Join(servers, ","),
		"LC_ALL=C.UTF-8", "PSQLRC=/dev/null", "NODE_PATH="+nodePath(),
	)
}

func (s server) dsn() string {
	return fmt.Sprintf("postgres://%s@%s:%d/%s?sslmode=disable", s.user, s.host, s.port, s.database)
}
