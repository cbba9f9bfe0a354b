package admin

import (
	"context"
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
)

// Reporter is what the parts have to offer to be shown. Its methods may be called
// from any goroutine and do not wait, but for Ping.
type Reporter interface {
	Nodes() []Node
	Sessions() []Session
	Sets() []Set
	// Cache is nil while the query cache is off.
	Cache() *Cache
	// Followed is empty while others' writes are not followed.
	Followed() []Followed
	// Ping finds out whether a node's server is up, for pg_status.
	Ping(ctx context.Context, id config.NodeID) bool
}

// Node is one node with its figures.
type Node struct {
	ID     config.NodeID
	Host   string
	Port   int
	Status string
	Reason string // why it has this status, in a sentence
	Role   string
	// ServerRole is what the server says of itself, for pg_role; empty where it has no
	// role of its own.
	ServerRole string
	// Delay, ReplicationState and SyncState are the replication check's; empty where
	// nothing is known. Delay is "0" where nodes cannot lag.
	Delay, ReplicationState, SyncState string
	Weight                             float64
	Since                              time.Time
	Reads                              uint64
	Checked                            bool // health_check_period is not 0
	Commands                           Commands
	Health                             Health
}

// Commands count what a node was sent and what it answered badly.
type Commands struct {
	Select, Insert, Update, Delete, DDL, Other uint64
	Panic, Fatal, Error                        uint64
}

// Health are the figures of the health check.
type Health struct {
	Total, Success, Fail, Skip, Retry          uint64
	AverageRetry                               float64
	MaxRetry                                   int
	MaxDuration, MinDuration                   time.Duration
	AverageDuration                            float64 // milliseconds
	LastCheck, LastSuccess, LastSkip, LastFail time.Time
}

// Cache are the figures of the query cache.
type Cache struct {
	Hits, Misses        uint64
	Entries, MaxEntries int64
	Bytes, MaxBytes     int64
}

// Session is one frontend that is logged in.
type Session struct {
	ID             uint32
	User, Database string
	Frontend       string
	State          string
	// Pin is why it keeps its connections between transactions, in transaction pooling;
	// empty if it does not.
	Pin             string
	Started         time.Time
	Connected       time.Time
	Uses            int
	LoadBalanceNode config.NodeID
	Backends        map[config.NodeID]uint32
}

// Set is a kept set of connections that no session uses.
type Set struct {
	User, Database          string
	Created                 time.Time
	Connected, Disconnected time.Time
	Uses                    int
	Backends                map[config.NodeID]uint32
}
