package login

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// authQuery reads what the main node stores for a role that may log in now.
const authQuery = "auth_query = 'SELECT rolname, rolpassword FROM pg_catalog.pg_authid WHERE rolname = $1 AND rolcanlogin AND (rolvaliduntil IS NULL OR rolvaliduntil > now())'"

// startQuerying starts a server that knows passwords from the nodes only.
func startQuerying(t *testing.T, nodes []*pgtest.Node, hba string) *proxy.Proxy {
	t.Helper()
	return proxy.Start(t, nodes,
		proxy.WithConfig("enable_pool_hba = on", authQuery, "auth_query_user = 'postgres'"),
		proxy.WithFile("pool_hba.conf", hba))
}

const scramForAll = "host all all all scram-sha-256\n"

func TestLogInWithVerifiersFromANode(t *testing.T) {
	nodes := startNodes(t, 3)
	verifier := verifierOf(nodes[0], secret)
	for _, method := range backendMethods {
		everywhere(nodes, fmt.Sprintf("CREATE ROLE u_%s LOGIN PASSWORD %s IN ROLE %s", group(method), quote(verifier), group(method)))
	}
	p := startQuerying(t, nodes, scramForAll)
	for _, method := range backendMethods {
		t.Run("nodes ask "+method, func(t *testing.T) {
			user := "u_" + group(method)
			// PostgreSQL asks for SCRAM under md5, too, where the role has a verifier.
			works := method != "password"
			if err := logIn(p, user, secret); (err == nil) != works {
				t.Errorf("right password: %v", err)
			}
			for _, wrong := range wrongSecrets {
				wantRefused(t, "wrong password", logIn(p, user, wrong))
			}
		})
	}
}

func TestVerifiersThatDifferBetweenNodesLetNobodyIn(t *testing.T) {
	nodes := startNodes(t, 2)
	for _, node := range nodes {
		node.Exec("CREATE ROLE salted LOGIN PASSWORD " + quote(secret) + " IN ROLE by_scram_sha_256")
	}
	p := startQuerying(t, nodes, scramForAll)
	wantRefused(t, "right password", logIn(p, "salted", secret))
	if strings.Contains(p.Log(), "node detached") {
		t.Error("a node was detached for a log-in that it refused")
	}
}

// Who may not log in is told the same whether he exists or not, unless he has shown the
// right password of a role without LOGIN: PostgreSQL tells him so.
func TestUsersWhoMayNotLogInCannotBeToldApart(t *testing.T) {
	nodes := startNodes(t, 2)
	verifier := quote(verifierOf(nodes[0], secret))
	everywhere(nodes, "CREATE ROLE good LOGIN PASSWORD "+verifier+" IN ROLE by_scram_sha_256;"+
		"CREATE ROLE expired LOGIN PASSWORD "+verifier+" VALID UNTIL '2020-01-01' IN ROLE by_scram_sha_256;"+
		"CREATE ROLE nologin NOLOGIN PASSWORD "+verifier+" IN ROLE by_scram_sha_256;"+
		"CREATE ROLE nopassword LOGIN IN ROLE by_scram_sha_256")
	for _, method := range []string{"scram-sha-256", "password"} {
		t.Run(method, func(t *testing.T) {
			p := startQuerying(t, nodes, "host all all all "+method+"\n")
			if err := logIn(p, "good", secret); err != nil {
				t.Fatalf("right password: %v", err)
			}
			refused := toldOf(logIn(p, "good", "wrong"), "good")
			for _, user := range []string{"expired", "nologin", "nopassword", "unknown"} {
				for _, password := range []string{secret, "wrong", ""} {
					want := refused
					if user == "nologin" && password == secret && method == "password" {
						want = "FATAL|28000|role \"USER\" is not permitted to log in||"
					}
					if got := toldOf(logIn(p, user, password), user); got != want {
						t.Errorf("%s with %q was told\n%s\nand a user with a wrong password\n%s", user, password, got, want)
					}
				}
			}
		})
	}
}

func TestChangedPasswordIsAskedForAtOnce(t *testing.T) {
	nodes := startNodes(t, 2)
	everywhere(nodes, "CREATE ROLE fickle LOGIN PASSWORD "+quote(verifierOf(nodes[0], "old"))+" IN ROLE by_scram_sha_256")
	p := startQuerying(t, nodes, scramForAll)
	if err := logIn(p, "fickle", "old"); err != nil {
		t.Fatalf("old password: %v", err)
	}
	everywhere(nodes, "ALTER ROLE fickle PASSWORD "+quote(verifierOf(nodes[0], "new")))
	wantRefused(t, "old password after the change", logIn(p, "fickle", "old"))
	for range 2 {
		if err := logIn(p, "fickle", "new"); err != nil {
			t.Errorf("new password: %v", err)
		}
	}
	everywhere(nodes, "ALTER ROLE fickle NOLOGIN")
	wantRefused(t, "after NOLOGIN", logIn(p, "fickle", "new"))
}

// A password that is changed through the server is the same text on all nodes
// afterwards, so that SCRAM works on.
func TestPasswordChangedThroughTheServer(t *testing.T) {
	nodes := startNodes(t, 3)
	p := startQuerying(t, nodes, "host all postgres all trust\n"+scramForAll)
	p.Exec("CREATE ROLE made LOGIN PASSWORD 'first' IN ROLE by_scram_sha_256")
	if err := logIn(p, "made", "first"); err != nil {
		t.Errorf("first password: %v", err)
	}
	p.Exec("ALTER ROLE made PASSWORD 'second'")
	if err := logIn(p, "made", "second"); err != nil {
		t.Errorf("second password: %v", err)
	}
	wantRefused(t, "first password after the change", logIn(p, "made", "first"))
}

// A start-up packet must not reach the query for verifiers (CVE-2025-12819).
func TestStartupParametersDoNotReachTheQueryForVerifiers(t *testing.T) {
	nodes := startNodes(t, 2)
	everywhere(nodes, "CREATE ROLE good LOGIN PASSWORD "+quote(verifierOf(nodes[0], secret))+" IN ROLE by_scram_sha_256;"+
		"CREATE SCHEMA evil; CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT ''1970-01-01''::timestamptz'; GRANT USAGE ON SCHEMA evil TO PUBLIC;"+
		"CREATE ROLE expired LOGIN PASSWORD "+quote(verifierOf(nodes[0], secret))+" VALID UNTIL '2020-01-01' IN ROLE by_scram_sha_256")
	p := startQuerying(t, nodes, scramForAll)
	for _, parameter := range []string{"search_path=evil,pg_catalog", "options=-csearch_path%3Devil%2Cpg_catalog"} {
		if err := logIn(p, "good", secret, parameter); err != nil {
			t.Errorf("%s: %v", parameter, err)
		}
		wantRefused(t, "expired role with "+parameter, logIn(p, "expired", secret, parameter))
	}
}
