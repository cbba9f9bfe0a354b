package localpg

import (
	"fmt"
	"os"
	"strings"
)

// MaxNodes bounds Options.Nodes: the nodes of one machine share its memory.
const MaxNodes = 32

// Methods by which the nodes authenticate (pg_hba.conf's names).
const (
	AuthTrust = "trust"
	AuthSCRAM = "scram-sha-256"
)

// Options says what Create makes. The zero value is one node in a temporary
// folder.
type Options struct {
	// Dir is the folder of the cluster. It is made if missing and stays when the
	// cluster is closed. Empty means a temporary folder, which Close removes.
	Dir string
	// Nodes is how many servers there are, 1 to MaxNodes; 0 means 1.
	Nodes int
	// Port is the first node's TCP port; the others follow it. 0 means free
	// ports, which stay reserved for this process until Close.
	Port int
	// Settings go into postgresql.conf after ours, and so replace them.
	Settings map[string]string
	// Superuser is the role that initdb makes; empty means postgres.
	Superuser string
	// AuthMethod is AuthTrust (the default) or AuthSCRAM, for all of loopback.
	AuthMethod string
	// Password is the superuser's; empty means the superuser's name where
	// AuthMethod asks for one.
	Password string
	// HBA are lines of pg_hba.conf. They stand before ours, so they win.
	HBA []string
	// SSL makes the servers accept TLS with a certificate made for localhost and
	// 127.0.0.1, Cluster.CertFile.
	SSL bool
	// BinDir is where PostgreSQL's programs are; empty means FindBinDir.
	BinDir string
	// InitDBArgs are given to initdb as well.
	InitDBArgs []string
	// TemplateDir keeps what initdb made, for the next Create with the same
	// version, superuser and arguments on this machine. Empty means not to.
	TemplateDir string
	// OwnSystems runs initdb for each node, so that each has a system identifier of
	// its own. It has no effect with TemplateDir.
	OwnSystems bool
	// Outlive lets the servers run on after this process. It needs a Dir.
	Outlive bool
}

// complete fills in the defaults and refuses what cannot work.
func (o Options) complete() (Options, error) {
	var err error
	if o.Nodes == 0 {
		o.Nodes = 1
	}
	if o.Nodes < 0 || o.Nodes > MaxNodes {
		return o, fmt.Errorf("%d nodes: expected 1 to %d", o.Nodes, MaxNodes)
	}
	if o.Port < 0 || o.Port+o.Nodes-1 > 65535 {
		return o, fmt.Errorf("port %d: the ports of %d nodes would not lie between 1 and 65535", o.Port, o.Nodes)
	}
	if o.Outlive && o.Dir == "" {
		return o, fmt.Errorf("nodes that outlive this process need a folder that does too")
	}
	if o.Superuser == "" {
		o.Superuser = "postgres"
	}
	if o.AuthMethod == "" {
		o.AuthMethod = AuthTrust
	}
	if o.AuthMethod != AuthTrust && o.AuthMethod != AuthSCRAM {
		return o, fmt.Errorf("authentication method %q: expected %s or %s", o.AuthMethod, AuthTrust, AuthSCRAM)
	}
	if o.Password == "" && o.AuthMethod != AuthTrust {
		o.Password = o.Superuser
	}
	if o.BinDir == "" {
		o.BinDir, err = FindBinDir()
	}
	return o, err
}

// environment is what the programs see: none of the PG* variables that steer
// libpq and the servers, and messages in English.
func environment() []string {
	env := []string{"LC_ALL=C", "TZ=UTC"}
	for _, name := range []string{"PATH", "TMPDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// quoteSetting writes a value as postgresql.conf wants it.
func quoteSetting(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(value) + "'"
}
