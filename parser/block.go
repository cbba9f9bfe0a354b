package parser

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v5"
)

// utilityBlock follows the callers of PreventInTransactionBlock in PostgreSQL 13
// to 18 (utility.c, vacuum.c, cluster.c, indexcmds.c, tablecmds.c, dbcommands.c,
// subscriptioncmds.c). ALTER TYPE ADD VALUE and REFRESH MATERIALIZED VIEW
// CONCURRENTLY are not among them.
func utilityBlock(node *pg.Node) Block {
	if refusesBlock(node) {
		return BlockNever
	}
	return BlockAny
}

func refusesBlock(node *pg.Node) bool {
	switch n := node.Node.(type) {
	case *pg.Node_CreatedbStmt, *pg.Node_DropdbStmt, *pg.Node_CreateTableSpaceStmt, *pg.Node_DropTableSpaceStmt,
		*pg.Node_AlterSystemStmt:
		return true
	case *pg.Node_ClusterStmt, *pg.Node_ReindexStmt:
		// Refused for partitioned tables too, which the text does not tell; both
		// change no data, so that they need no block of ours.
		return true
	case *pg.Node_VacuumStmt:
		return n.VacuumStmt.IsVacuumcmd
	case *pg.Node_IndexStmt:
		return n.IndexStmt.Concurrent
	case *pg.Node_DropStmt:
		return n.DropStmt.Concurrent
	case *pg.Node_AlterTableStmt:
		return detachesConcurrently(n.AlterTableStmt)
	case *pg.Node_AlterDatabaseStmt:
		return hasOption(n.AlterDatabaseStmt.Options, "tablespace")
	case *pg.Node_CreateSubscriptionStmt:
		o := n.CreateSubscriptionStmt.Options
		return switchedOn(o, "create_slot", switchedOn(o, "connect", true))
	case *pg.Node_DropSubscriptionStmt:
		return true // unless it has no slot, which the text does not tell
	case *pg.Node_AlterSubscriptionStmt:
		return altersSlot(n.AlterSubscriptionStmt)
	}
	return false
}

func detachesConcurrently(n *pg.AlterTableStmt) bool {
	for _, cmd := range n.Cmds {
		if cmd.GetAlterTableCmd().GetDef().GetPartitionCmd().GetConcurrent() {
			return true
		}
	}
	return false
}

// altersSlot: a refresh, and two_phase and failover (17), talk to the publisher.
func altersSlot(n *pg.AlterSubscriptionStmt) bool {
	switch n.Kind {
	case pg.AlterSubscriptionType_ALTER_SUBSCRIPTION_REFRESH:
		return true
	case pg.AlterSubscriptionType_ALTER_SUBSCRIPTION_SET_PUBLICATION,
		pg.AlterSubscriptionType_ALTER_SUBSCRIPTION_ADD_PUBLICATION,
		pg.AlterSubscriptionType_ALTER_SUBSCRIPTION_DROP_PUBLICATION:
		return switchedOn(n.Options, "refresh", true)
	case pg.AlterSubscriptionType_ALTER_SUBSCRIPTION_OPTIONS:
		return hasOption(n.Options, "two_phase") || hasOption(n.Options, "failover")
	}
	return false
}

// subscribes: the subscription asks its publisher for something from then on.
func subscribes(n *pg.AlterSubscriptionStmt) bool {
	if n.Kind == pg.AlterSubscriptionType_ALTER_SUBSCRIPTION_ENABLED {
		return switchedOn(n.Options, "enabled", true)
	}
	return n.Kind != pg.AlterSubscriptionType_ALTER_SUBSCRIPTION_OPTIONS && altersSlot(n)
}

func hasOption(options []*pg.Node, name string) bool {
	for _, o := range options {
		if o.GetDefElem().GetDefname() == name {
			return true
		}
	}
	return false
}

// switchedOn reads a boolean option as defGetBoolean of PostgreSQL does: the last
// mention counts, and no value means on.
func switchedOn(options []*pg.Node, name string, otherwise bool) bool {
	on := otherwise
	for _, o := range options {
		if o.GetDefElem().GetDefname() == name {
			on = !saysOff(o.GetDefElem().Arg)
		}
	}
	return on
}

func saysOff(arg *pg.Node) bool {
	switch v := arg.GetNode().(type) {
	case *pg.Node_Integer:
		return v.Integer.Ival == 0
	case *pg.Node_String_:
		return strings.EqualFold(v.String_.Sval, "false") || strings.EqualFold(v.String_.Sval, "off")
	case *pg.Node_Boolean:
		return !v.Boolean.Boolval
	}
	return false
}
