package streaming

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/cluster"
	"github.com/pgchorus/pgchorus/internal/config"
)

// Settings is what the monitor has to know. It is asked for again in each round, so
// a reload takes effect by itself. The parameters named below are those of
// pgpool.conf.
type Settings struct {
	// Logical says that the mode is logical_replication; else it is
	// streaming_replication.
	Logical bool
	// Nodes are the configured nodes, in any order, each ID once. One that is left
	// out later is not asked any more.
	Nodes []Node
	// CheckPeriod is sr_check_period: how often lag is measured. With 0 it is not,
	// and no Delay is known; the primary is looked for all the same.
	CheckPeriod time.Duration
	// DelayThreshold is delay_threshold in bytes, 0 for none. It is for the log.
	DelayThreshold int64
	// DelayThresholdByTime is delay_threshold_by_time, 0 for none. It is for the log.
	DelayThresholdByTime time.Duration
	// LogStandbyDelay is log_standby_delay: always, if_over_threshold or none.
	LogStandbyDelay string
	// SourceCommand is replication_delay_source_cmd; empty for none.
	SourceCommand string
	// SourceTimeout is replication_delay_source_timeout; 0 for maxSourceTime.
	SourceTimeout time.Duration
	// DetachFalsePrimary is detach_false_primary.
	DetachFalsePrimary bool
	// AutoFailback is auto_failback. It needs ApplicationName of the nodes, and
	// works in streaming_replication only.
	AutoFailback bool
	// AutoFailbackInterval is auto_failback_interval: the least time between two
	// tries with one node.
	AutoFailbackInterval time.Duration
}

// Node is one node as configured.
type Node struct {
	ID config.NodeID
	// Host is backend_hostname: a name or address, a folder of a Unix socket, or
	// empty.
	Host string
	// Port is backend_port.
	Port int
	// ApplicationName is backend_application_name: that of the node's WAL receiver,
	// or the name of its subscription.
	ApplicationName string
	// AlwaysPrimary is the flag ALWAYS_PRIMARY in backend_flag.
	AlwaysPrimary bool
}

// Connect opens a connection to a node as sr_check_user. ctx bounds the opening.
type Connect func(ctx context.Context, id config.NodeID) (*pgx.Conn, error)

// Cluster is what the monitor needs of a cluster.Manager, whose methods say what
// they do. Its calls may come from several goroutines.
type Cluster interface {
	View() *cluster.View
	Changed() <-chan struct{}
	SetPrimary(ctx context.Context, id config.NodeID, reason string) (*cluster.View, error)
	DetachFalsePrimary(ctx context.Context, id config.NodeID, reason string) error
	Return(ctx context.Context, id config.NodeID, reason string) error
}

func (s Settings) node(id config.NodeID) (Node, bool) {
	for _, n := range s.Nodes {
		if n.ID == id {
			return n, true
		}
	}
	return Node{}, false
}
