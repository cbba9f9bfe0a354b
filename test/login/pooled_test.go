package login

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/test/proxy"
)

// lends has connections lent for a transaction, so that most log-ins need none.
const lends = "pool_mode = transaction"

// A connection in the pool was opened with somebody's proof. Each way in which a
// frontend may come without it has to fail, with the connection kept before and after.
func TestKeptConnectionIsNotLentWithoutProof(t *testing.T) {
	nodes := startNodes(t, 2)
	verifier := verifierOf(nodes[0], secret)
	for _, method := range backendMethods {
		user := "u_" + group(method)
		everywhere(nodes, fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD %s IN ROLE %s", user, quote(storedFor(method, user, verifier)), group(method)))
	}
	for _, settings := range [][]string{
		{"allow_clear_text_frontend_auth = on"}, {"enable_pool_hba = on"},
		{"allow_clear_text_frontend_auth = on", lends}, {"enable_pool_hba = on", lends},
	} {
		t.Run(strings.Join(settings, ", "), func(t *testing.T) {
			p := proxy.Start(t, nodes, proxy.WithConfig(settings...), proxy.WithFile("pool_hba.conf", "host all all all password\n"))
			for _, method := range backendMethods[1:] {
				user := "u_" + group(method)
				for range 2 {
					if err := logIn(p, user, secret); err != nil {
						t.Errorf("%s: right password: %v", user, err)
					}
					for _, wrong := range wrongSecrets {
						wantRefused(t, user+" with a wrong password", logIn(p, user, wrong))
					}
				}
			}
		})
	}
}

// With clear text that is passed on, only the nodes know a password: the old one serves
// kept connections until they are gone, and never opens a new one.
func TestOldPasswordOpensNoNewConnection(t *testing.T) {
	nodes := startNodes(t, 2)
	everywhere(nodes, "CREATE ROLE fickle LOGIN PASSWORD 'old' IN ROLE by_password")
	p := proxy.Start(t, nodes, proxy.WithConfig("connection_cache = off"))
	if err := logIn(p, "fickle", "old"); err != nil {
		t.Fatal(err)
	}
	everywhere(nodes, "ALTER ROLE fickle PASSWORD 'new'")
	wantRefused(t, "old password", logIn(p, "fickle", "old"))
	if err := logIn(p, "fickle", "new"); err != nil {
		t.Errorf("new password: %v", err)
	}
}

func TestOldPasswordDoesNotServeKeptConnectionsAfterAChangeThroughTheServer(t *testing.T) {
	nodes := startNodes(t, 2)
	for i, mode := range []string{"pool_mode = session", lends} {
		t.Run(mode, func(t *testing.T) {
			fickle := fmt.Sprintf("fickle%d", i)
			everywhere(nodes, fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD 'old' IN ROLE by_password", fickle))
			p := proxy.Start(t, nodes, proxy.WithConfig(mode))
			for range 2 {
				if err := logIn(p, fickle, "old"); err != nil {
					t.Fatal(err)
				}
			}
			p.Exec(fmt.Sprintf("ALTER ROLE %s PASSWORD 'new'", fickle))
			wantRefused(t, "old password", logIn(p, fickle, "old"))
			for range 2 {
				if err := logIn(p, fickle, "new"); err != nil {
					t.Errorf("new password: %v", err)
				}
			}
		})
	}
}

func TestPoolPasswdIsReadAgainByReload(t *testing.T) {
	nodes := startNodes(t, 2)
	everywhere(nodes, "CREATE ROLE fickle LOGIN IN ROLE by_trust")
	p := proxy.Start(t, nodes,
		proxy.WithConfig("enable_pool_hba = on", "pool_passwd = 'pool_passwd'"),
		proxy.WithFile("pool_hba.conf", "host all all all scram-sha-256\n"), proxy.WithFile("pool_passwd", "fickle:TEXTold\n"))
	if err := logIn(p, "fickle", "old"); err != nil {
		t.Fatal(err)
	}
	replaceFile(t, p, "pool_passwd", "fickle:TEXTnew\n")
	wantRefused(t, "old password", logIn(p, "fickle", "old"))
	if err := logIn(p, "fickle", "new"); err != nil {
		t.Errorf("new password: %v", err)
	}
}
