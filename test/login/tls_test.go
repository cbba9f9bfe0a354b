package login

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// withTLS makes the server speak TLS with a certificate of the authority.
func withTLS(a *authority, extra ...string) []proxy.Option {
	cert, key := a.issue("localhost")
	lines := append([]string{"ssl = on", "ssl_cert = 'server.crt'", "ssl_key = 'server.key'"}, extra...)
	return []proxy.Option{
		proxy.WithConfig(lines...),
		proxy.WithFile("server.crt", cert), proxy.WithFile("server.key", key), proxy.WithFile("ca.crt", a.text()),
	}
}

// verifying are the parameters of a frontend that wants TLS and checks the server.
func verifying(a *authority) []string {
	return []string{"sslmode=verify-full", "sslrootcert=" + a.file("root.crt", a.text())}
}

func TestFrontendsOverTLS(t *testing.T) {
	nodes := startNodes(t, 2)
	everywhere(nodes, "CREATE ROLE alice LOGIN PASSWORD "+quote(verifierOf(nodes[0], secret))+" IN ROLE by_scram_sha_256")
	a, other := newAuthority(t), newAuthority(t)
	p := proxy.Start(t, nodes, append(withTLS(a, "enable_pool_hba = on", "pool_passwd = 'pool_passwd'"),
		proxy.WithFile("pool_passwd", "alice:TEXT"+secret+"\n"),
		proxy.WithFile("pool_hba.conf", "hostssl app alice all scram-sha-256\nhostnossl app postgres all trust\n"))...)

	if err := logIn(p, "alice", secret, verifying(a)...); err != nil {
		t.Errorf("over TLS: %v", err)
	}
	wantRefused(t, "wrong password over TLS", logIn(p, "alice", "wrong", verifying(a)...))
	wantRefused(t, "without TLS where hostssl is asked for", logIn(p, "alice", secret))
	if err := logIn(p, "postgres", ""); err != nil {
		t.Errorf("without TLS: %v", err)
	}
	wantRefused(t, "with TLS where hostnossl is asked for", logIn(p, "postgres", "", verifying(a)...))
	if err := logIn(p, "alice", secret, verifying(other)...); err == nil {
		t.Error("a frontend accepted a certificate of another authority")
	}
}

func TestChannelBindingIsOfferedOverTLS(t *testing.T) {
	nodes := startNodes(t, 2)
	everywhere(nodes, "CREATE ROLE alice LOGIN PASSWORD "+quote(verifierOf(nodes[0], secret))+" IN ROLE by_scram_sha_256")
	a := newAuthority(t)
	p := proxy.Start(t, nodes, append(withTLS(a, "enable_pool_hba = on", authQuery, "auth_query_user = 'postgres'"),
		proxy.WithFile("pool_hba.conf", "host all all all scram-sha-256\n"))...)
	dsn := "host=" + p.Host + " user=alice dbname=app sslmode=verify-full channel_binding=require sslrootcert=" + a.file("root.crt", a.text())
	if output, err := psql(nodes[0], p, dsn, secret); err != nil {
		t.Errorf("channel_binding=require: %v\n%s", err, output)
	}
	if output, err := psql(nodes[0], p, dsn, "wrong"); err == nil {
		t.Errorf("wrong password: let in\n%s", output)
	}
}

// psql runs SELECT 1; pgx does not know channel binding.
func psql(node *pgtest.Node, p *proxy.Proxy, dsn, password string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := node.Cluster.Command(ctx, "psql", "-X", "-w", "-c", "SELECT 1", dsn+" port="+strconv.Itoa(p.Port))
	cmd.SysProcAttr = nil // as ourselves, who own the certificates
	cmd.Env = append(cmd.Env, "PGPASSWORD="+password)
	output, err := cmd.CombinedOutput()
	return string(output), err
}

func TestFrontendsByCertificate(t *testing.T) {
	nodes := startNodes(t, 2)
	everywhere(nodes, "CREATE ROLE alice LOGIN IN ROLE by_trust; CREATE ROLE bob LOGIN IN ROLE by_trust; CREATE ROLE carol LOGIN PASSWORD "+
		quote(verifierOf(nodes[0], secret))+" IN ROLE by_scram_sha_256")
	a, other := newAuthority(t), newAuthority(t)
	p := proxy.Start(t, nodes, append(withTLS(a, "ssl_ca_cert = 'ca.crt'", "enable_pool_hba = on", "pool_passwd = 'pool_passwd'"),
		proxy.WithFile("pool_passwd", "carol:TEXT"+secret+"\n"),
		proxy.WithFile("pool_hba.conf", "hostssl all all all cert\nhostnossl all all all cert\n"))...)

	with := func(by *authority, name string) []string {
		cert, key := by.issue(name)
		return append(verifying(a), "sslcert="+by.file(name+".crt", cert), "sslkey="+by.file(name+".key", key))
	}
	for _, user := range []string{"alice", "carol"} {
		if err := logIn(p, user, "", with(a, user)...); err != nil {
			t.Errorf("%s by certificate: %v", user, err)
		}
	}
	wantRefused(t, "somebody else's certificate", logIn(p, "bob", "", with(a, "alice")...))
	wantRefused(t, "no certificate", logIn(p, "alice", "", verifying(a)...))
	wantRefused(t, "no TLS", logIn(p, "alice", ""))
	if err := logIn(p, "alice", "", with(other, "alice")...); err == nil {
		t.Error("a certificate of another authority was accepted")
	}
}

// nodesWithTLS ask nobody, and let nobody in without TLS but the superuser of the test.
func nodesWithTLS(t *testing.T) []*pgtest.Node {
	t.Helper()
	nodes := pgtest.Start(t, 2, pgtest.WithTLS(), pgtest.WithHBA("hostssl all alice 127.0.0.1/32 scram-sha-256", "hostnossl all alice 127.0.0.1/32 reject"))
	everywhere(nodes, "CREATE DATABASE app")
	everywhere(nodes, "CREATE ROLE alice LOGIN PASSWORD "+quote(verifierOf(nodes[0], secret)))
	return nodes
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestBackendsOverTLS(t *testing.T) {
	nodes := nodesWithTLS(t)
	a := newAuthority(t)
	tests := []struct {
		name      string
		authority string // in ssl_ca_cert; empty for none
		works     bool
	}{
		{"certificate is not checked", "", true},
		{"certificate of a known authority", readFile(t, nodes[0].CertFile()), true},
		{"certificate of an unknown authority", newAuthority(t).text(), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			options := append(withTLS(a), proxy.WithConfig("allow_clear_text_frontend_auth = on"))
			if tt.authority != "" {
				options = append(options, proxy.WithConfig("ssl_ca_cert = 'nodes.crt'"), proxy.WithFile("nodes.crt", tt.authority))
			}
			p := proxy.Start(t, nodes, options...)
			conn, err := connect(p, "alice", secret)
			if !tt.works {
				if err == nil {
					t.Error("a node was trusted that could not be verified")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(context.Background())
			for _, node := range nodes {
				node.WantRows("SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'alice'", "t")
			}
		})
	}
	t.Run("ssl = off", func(t *testing.T) {
		p := proxy.Start(t, nodes, proxy.WithConfig("allow_clear_text_frontend_auth = on"))
		wantRefused(t, "where the nodes want TLS", logIn(p, "alice", secret))
	})
}

// replaceFile writes a file of the server anew and waits until that was reloaded.
func replaceFile(t testing.TB, p *proxy.Proxy, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.Dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Signal(syscall.SIGHUP)
	p.WaitLog("configuration reloaded")
}
