package setup

import (
	"fmt"
	"strings"
)

// readme tells the operator what is where.
func (w *work) readme() string {
	var text strings.Builder
	fmt.Fprintf(&text, `A pgchorus cluster, made by pgchorus setup
==========================================

Clustering mode %s. Everything is in %s and run by user %s.

  ./startall       starts the PostgreSQL servers, then pgchorus
  ./shutdownall    stops pgchorus, then the servers
  ./pgpool_reload  has pgchorus read etc/pgpool.conf again

Connect through pgchorus, and ask it about its nodes:

  %s
  %s -c 'SHOW POOL_NODES'

Superusers: %s, with their names as passwords.
Databases: %s.
Nobody is asked for a password; the ports are open on this machine only.

Ports:

`, w.mode, w.cluster.Dir, w.cluster.User, w.connect(), w.connect(), and(w.roles()), and(w.databases()))
	fmt.Fprintf(&text, "  pgchorus  %d\n  PCP       %d\n", w.opts.Port, w.opts.Port+1)
	for _, node := range w.cluster.Nodes() {
		fmt.Fprintf(&text, "  node %-4d %d  %s  %s\n", node.ID, node.Port, node.DataDir, node.LogFile)
	}
	text.WriteString(notes[w.opts.Mode])
	return text.String()
}

func (w *work) roles() []string {
	if w.owner == superuser {
		return []string{superuser}
	}
	return []string{superuser, w.owner}
}

func (w *work) databases() []string { return append(w.roles(), testDatabase) }

func and(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// notes are what is special about a mode.
var notes = map[string]string{
	streaming: `
Node 0 begins as the primary, the others are its standbys. When the primary dies,
etc/failover.sh promotes a standby and etc/follow_primary.sh has the others follow
it. A node that was out comes back as a standby of the present primary by

  ./rejoin NODE
`,
	native: `
All nodes are equal and independent; pgchorus runs every write on each of them. So
write through pgchorus only: what is written to one node directly makes it different
from the others.
`,
	snapshot: `
All nodes are equal and independent; pgchorus runs every write on each of them. So
write through pgchorus only. default_transaction_isolation is repeatable read on all
nodes, which this mode needs.
`,
	logical: `
Node 0 publishes all tables of the database test, the others subscribe to them.
PostgreSQL does not replicate definitions: make tables on all nodes at once with

  ./everywhere 'CREATE TABLE t (x int PRIMARY KEY)'
`,
	raw: `
The nodes are independent and nothing replicates. pgchorus uses the first that is
alive.
`,
}
