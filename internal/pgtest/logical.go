package pgtest

import (
	"maps"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

// publication has all tables of the database postgres, later ones too.
const publication = "everything"

// StartLogical starts n nodes of which node 0 publishes all tables of the database
// postgres and the others subscribe to them. A subscription, its slot and its
// application_name are all called nodeN. There are no tables yet: make them by
// CreateEverywhere, since PostgreSQL does not replicate definitions.
func StartLogical(t testing.TB, n int, opts ...Option) []*Node {
	t.Helper()
	ctx, cancel := patiently()
	defer cancel()
	settings := localpg.StreamingSettings()
	maps.Copy(settings, quickReplication())
	settings["wal_level"] = "logical"
	nodes := start(ctx, t, n, settings, opts)
	nodes[0].Exec("CREATE PUBLICATION " + publication + " FOR ALL TABLES")
	for _, subscriber := range nodes[1:] {
		subscriber.Exec("CREATE SUBSCRIPTION " + subscriber.ReplicationName() +
			" CONNECTION '" + strings.ReplaceAll(nodes[0].Conninfo(Database, subscriber.ReplicationName()), "'", "''") + "'" +
			" PUBLICATION " + publication)
	}
	for _, subscriber := range nodes[1:] {
		subscriber.waitStreams(nodes[0])
	}
	return nodes
}

// CreateEverywhere runs ddl on the publisher, which is the first node, and on its
// subscribers, and has them subscribe to the tables that it makes. Rows that ddl
// inserts are inserted on each node once. When it returns, the tables replicate.
func CreateEverywhere(nodes []*Node, ddl string) {
	publisher, subscribers := nodes[0], nodes[1:]
	publisher.t.Helper()
	// Subscribers first: rows that come for a table which is not there stop the
	// subscription. Rows for one that is there but not subscribed to are passed over.
	for _, node := range subscribers {
		node.Exec(ddl)
	}
	publisher.Exec(ddl)
	for _, node := range subscribers {
		node.WaitCaughtUp(publisher)
	}
	for _, node := range subscribers {
		node.Exec("ALTER SUBSCRIPTION " + node.ReplicationName() + " REFRESH PUBLICATION WITH (copy_data = false)")
	}
}
