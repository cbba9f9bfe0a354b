package driver

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// database is the one that the scripts use. It is not postgres, connections to which
// are never kept for the next frontend.
const database = "app"

// fixture is what a client is shown: the same empty database twice.
type fixture struct {
	bare  *pgtest.Node
	nodes []*pgtest.Node // behind proxy
	proxy *proxy.Proxy
}

// newFixture has every session read from node 1, so that its reads and its writes go to
// different nodes wherever that is possible, and in every run.
func newFixture(t *testing.T) *fixture {
	t.Helper()
	all := pgtest.Start(t, 4)
	f := &fixture{bare: all[3], nodes: all[:3]}
	f.proxy = proxy.Start(t, f.nodes, proxy.WithConfig("backend_weight0 = 0", "backend_weight2 = 0"))
	f.bare.Exec("CREATE DATABASE " + database)
	f.proxy.Exec("CREATE DATABASE " + database)
	return f
}

// server is one of the two things that a client connects to.
type server struct {
	name      string
	host      string
	port      int
	user      string
	socketDir string
	servers   []*pgtest.Node // the PostgreSQL servers that it is or has
}

func (f *fixture) bareServer() server {
	return server{"PostgreSQL", f.bare.Host, f.bare.Port, f.bare.Superuser, f.bare.SocketDir, []*pgtest.Node{f.bare}}
}

func (f *fixture) proxyServer() server {
	return server{"pgchorus", f.proxy.Host, f.proxy.Port, f.proxy.User, f.proxy.SocketDir, f.nodes}
}

// environment tells a client where the server is, in the words of libpq, which the
// scripts of other drivers read too.
func (s server) environment() []string {
	var servers []string
	for _, node := range s.servers {
		servers = append(servers, net.JoinHostPort(node.Host, strconv.Itoa(node.Port)))
	}
	return append(os.Environ(),
		"PGHOST="+s.host, "PGPORT="+strconv.Itoa(s.port), "PGUSER="+s.user, "PGDATABASE="+database, "PGSSLMODE=disable",
		"PGAPPNAME=driver", "PGTZ=UTC", "PGSOCKETDIR="+s.socketDir, "SERVERS="+strings.Join(servers, ","),
		"LC_ALL=C.UTF-8", "PSQLRC=/dev/null", "NODE_PATH="+nodePath(),
	)
}

func (s server) dsn() string {
	return fmt.Sprintf("postgres://%s@%s:%d/%s?sslmode=disable", s.user, s.host, s.port, database)
}
