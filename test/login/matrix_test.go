package login

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// entries are the kinds of entry in pool_passwd.
var entries = []string{"none", "md5", "text", "plain", "verifier"}

// cell is one way to log in: what pool_hba.conf says (off: it is not used), what
// pool_passwd has, and what the nodes ask.
type cell struct{ hba, entry, backend string }

func (c cell) user() string {
	return strings.ReplaceAll(strings.Join([]string{"u", c.hba, c.entry, c.backend}, "_"), "-", "_")
}

// line is the user's line in pool_passwd.
func (c cell) line(verifier string) string {
	switch c.entry {
	case "md5":
		return c.user() + ":" + md5Of(c.user(), secret) + "\n"
	case "text":
		return c.user() + ":TEXT" + secret + "\n"
	case "plain":
		return c.user() + ":" + secret + "\n"
	case "verifier":
		return c.user() + ":" + strings.ReplaceAll(verifier, ":", `\:`) + "\n"
	}
	return ""
}

// clear: the entry has the password itself.
func (c cell) clear() bool { return c.entry == "text" || c.entry == "plain" }

// works says whether the right password gets in: whether the frontend can be checked
// and the nodes be answered (Pgpool-II's tables of combinations; a verifier takes a
// frontend's SCRAM proof on to nodes that have the same).
func (c cell) works(allowClearText bool) bool {
	switch c.hba {
	case "off":
		return c.worksByBackend(allowClearText)
	case "trust":
		return c.answers()
	case "password":
		// Clear text that nothing was compared with opens nothing that asks nothing.
		return (c.entry != "none" || c.backend != "trust")
	case "md5":
		// With a verifier the frontend is asked for SCRAM, as PostgreSQL does it.
		return (c.entry == "md5" || c.clear()) && c.answers() || c.provesOn()
	case "scram-sha-256":
		return c.clear() || c.provesOn()
	}
	return false
}

// provesOn: the frontend's SCRAM proof against the verifier is all that nodes need.
func (c cell) provesOn() bool {
	return c.entry == "verifier" && (c.backend == "trust" || c.backend == "scram-sha-256")
}

// answers: the entry alone answers what the nodes ask.
func (c cell) answers() bool {
	return c.backend == "trust" || c.clear() || c.entry == "md5" && c.backend == "md5"
}

// worksByBackend: without pool_hba.conf the frontend is asked what the nodes ask.
func (c cell) worksByBackend(allowClearText bool) bool {
	switch c.backend {
	case "trust", "password":
		return true
	case "md5":
		return c.entry == "md5" || c.clear() || allowClearText
	}
	return c.entry == "verifier" || c.clear() || allowClearText
}

// asksNothing: the operator has said that this frontend needs no password.
func (c cell) asksNothing() bool {
	return c.hba == "trust" || c.hba == "off" && c.backend == "trust"
}

func cellsOf(hbas ...string) []cell {
	var cells []cell
	for _, hba := range hbas {
		for _, entry := range entries {
			for _, backend := range backendMethods {
				cells = append(cells, cell{hba, entry, backend})
			}
		}
	}
	return cells
}

// createUsers makes the users on the nodes and returns pool_passwd.
func createUsers(nodes []*pgtest.Node, cells []cell) (passwd string) {
	verifier := verifierOf(nodes[0], secret)
	var sql strings.Builder
	for _, c := range cells {
		fmt.Fprintf(&sql, "CREATE ROLE %s LOGIN PASSWORD %s IN ROLE %s;", c.user(), quote(storedFor(c.backend, c.user(), verifier)), group(c.backend))
		passwd += c.line(verifier)
	}
	everywhere(nodes, sql.String())
	return passwd
}

// tryCells logs in to each cell with the right and with wrong passwords, twice: the
// second time meets connections that are kept.
func tryCells(t *testing.T, p *proxy.Proxy, cells []cell, allowClearText bool) {
	for _, c := range cells {
		t.Run(fmt.Sprintf("%s, entry %s, nodes ask %s", c.hba, c.entry, c.backend), func(t *testing.T) {
			for round := range 2 {
				err := logIn(p, c.user(), secret)
				if works := c.works(allowClearText); works != (err == nil) {
					t.Errorf("round %d: right password: %v, want it to work: %v", round, err, works)
				}
				for _, wrong := range wrongSecrets {
					err := logIn(p, c.user(), wrong)
					if c.asksNothing() {
						continue
					}
					wantRefused(t, fmt.Sprintf("round %d: password %q", round, wrong), err)
				}
			}
		})
	}
}

func TestLogInByPoolHBA(t *testing.T) {
	nodes := startNodes(t, 2)
	cells := cellsOf("trust", "password", "md5", "scram-sha-256")
	passwd := createUsers(nodes, cells)
	var hba strings.Builder
	for _, c := range cells {
		fmt.Fprintf(&hba, "host all %s 127.0.0.1/32 %s\n", c.user(), c.hba)
	}
	p := proxy.Start(t, nodes,
		proxy.WithConfig("enable_pool_hba = on", "pool_passwd = 'pool_passwd'"),
		proxy.WithFile("pool_hba.conf", hba.String()), proxy.WithFile("pool_passwd", passwd))
	tryCells(t, p, cells, false)
}

func TestLogInAsTheBackendsAsk(t *testing.T) {
	for _, allow := range []string{"off", "on"} {
		t.Run("allow_clear_text_frontend_auth "+allow, func(t *testing.T) {
			nodes := startNodes(t, 2)
			cells := cellsOf("off")
			passwd := createUsers(nodes, cells)
			p := proxy.Start(t, nodes,
				proxy.WithConfig("enable_pool_hba = off", "allow_clear_text_frontend_auth = "+allow, "pool_passwd = 'pool_passwd'"),
				proxy.WithFile("pool_passwd", passwd))
			tryCells(t, p, cells, allow == "on")
		})
	}
}

func TestPoolHBADecidesByItsFirstMatchingLine(t *testing.T) {
	nodes := startNodes(t, 2)
	everywhere(nodes, "CREATE ROLE alice LOGIN IN ROLE by_trust; CREATE ROLE bob LOGIN IN ROLE by_trust; CREATE ROLE carol LOGIN IN ROLE by_trust")
	everywhere(nodes, "CREATE DATABASE carol")
	p := proxy.Start(t, nodes, proxy.WithConfig("enable_pool_hba = on"), proxy.WithFile("pool_hba.conf", `
host all bob all reject
host app alice 127.0.0.1/32 trust
hostssl all carol all trust
host sameuser carol samehost trust
host all all 10.0.0.0/8 trust
`))
	if err := logIn(p, "alice", ""); err != nil {
		t.Errorf("alice: %v", err)
	}
	for _, user := range []string{"bob", "carol", "postgres", "nobody"} {
		wantRefused(t, user, logIn(p, user, ""))
	}
}

func TestBrokenPoolHBALetsNobodyIn(t *testing.T) {
	nodes := startNodes(t, 2)
	for name, text := range map[string]string{
		"unknown method": "host all all all trust\nhost all all all kerberos\n",
		"no line":        "# nothing\n",
		"bad mask":       "host all all 127.0.0.1/40 trust\nhost all all all trust\n",
	} {
		t.Run(name, func(t *testing.T) {
			p := proxy.Start(t, nodes, proxy.WithConfig("enable_pool_hba = on"), proxy.WithFile("pool_hba.conf", text))
			wantRefused(t, "postgres", logIn(p, "postgres", ""))
		})
	}
	t.Run("no file", func(t *testing.T) {
		p := proxy.Start(t, nodes, proxy.WithConfig("enable_pool_hba = on"))
		wantRefused(t, "postgres", logIn(p, "postgres", ""))
	})
}
