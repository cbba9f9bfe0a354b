package cluster

import (
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
)

// Config is what the manager has to know. The parameters named below are those of
// pgpool.conf.
type Config struct {
	// Nodes are the configured nodes, in any order, each ID once.
	Nodes []NodeConfig
	// HasPrimary says that the clustering mode has a primary, which is found and
	// told by SetPrimary (streaming_replication, logical_replication). A reload
	// cannot change it.
	HasPrimary bool
	// FailoverOnBackendError is failover_on_backend_error: whether Suspect may
	// detach a node. If off, only the health check does.
	FailoverOnBackendError bool
	// FailoverOnBackendShutdown is failover_on_backend_shutdown: whether
	// SuspectShutdown may detach a node though FailoverOnBackendError is off.
	FailoverOnBackendShutdown bool
	// FailoverCommand is failover_command, run after a node was taken out of
	// service; empty for none.
	FailoverCommand string
	// FailbackCommand is failback_command, run after a node was attached.
	FailbackCommand string
	// FollowPrimaryCommand is follow_primary_command, run for every other node
	// after a new primary has taken the place of a lost one. The other nodes are
	// taken out of service then, as Pgpool-II does: what they follow is gone, and
	// the command attaches them when they follow the new one. Leave it empty in
	// the modes other than streaming_replication.
	FollowPrimaryCommand string
	// CommandTimeout bounds one run of a command; 0 for defaultCommandTimeout.
	CommandTimeout time.Duration
	// StartWait is how long the start waits for nodes that do not answer yet once
	// one does; those that stay silent start as down. 0 for one probe each.
	StartWait time.Duration
	// DiscardStatus is the letter -D: the status file is removed at start.
	DiscardStatus bool
}

// NodeConfig is one node as configured.
type NodeConfig struct {
	ID config.NodeID
	// Host is backend_hostname: a name or address; a folder of a Unix socket if
	// it starts with a slash; empty for the Unix socket in /tmp.
	Host string
	// Port is backend_port.
	Port int
	// DataDirectory is backend_data_directory, for %D in commands only.
	DataDirectory string
	// Weight is backend_weight.
	Weight float64
	// DisallowToFailover is the flag DISALLOW_TO_FAILOVER in backend_flag.
	DisallowToFailover bool
	// AlwaysPrimary is the flag ALWAYS_PRIMARY in backend_flag. It is for the one
	// who looks for the primary; nothing here depends on it.
	AlwaysPrimary bool
	// ApplicationName is backend_application_name: the name of the node's WAL
	// receiver or subscription, likewise.
	ApplicationName string
	// ConnectTimeout is connect_timeout; 0 for none.
	ConnectTimeout time.Duration
	HealthCheck    HealthCheck
}

// HealthCheck holds the health_check parameters of one node. There is no
// password: a probe ends where the server asks for one.
type HealthCheck struct {
	// Period is health_check_period, from the end of one round to the next; 0
	// for no health check.
	Period time.Duration
	// Timeout is health_check_timeout for one try; 0 for maxProbe.
	Timeout time.Duration
	// MaxRetries is health_check_max_retries: tries after the first.
	MaxRetries int
	// RetryDelay is health_check_retry_delay, between tries.
	RetryDelay time.Duration
	// User is health_check_user; empty for "postgres".
	User string
	// Database is health_check_database; empty for "postgres".
	Database string
}

const (
	// maxProbe bounds a try for which no timeout is configured.
	maxProbe = time.Minute
	// maxSuspicion bounds the probe for a session that waits for it, if neither
	// timeout is configured: connect_timeout's default.
	maxSuspicion = 10 * time.Second
	// startRetry is the pause between rounds while no node has been in service.
	startRetry = time.Second
	// defaultCommandTimeout lets a command take what an ssh to a machine that is
	// gone takes, and some more.
	defaultCommandTimeout = 5 * time.Minute
	// maxCommands is how many commands may wait for their turn: more than one for
	// each node that can be configured.
	maxCommands = 2 * config.MaxNodes
)

// Address returns network and address for net.Dial.
func (n NodeConfig) Address() (network, address string) {
	switch {
	case n.Host == "":
		return "unix", socketFile("/tmp", n.Port)
	case n.Host[0] == '/':
		return "unix", socketFile(n.Host, n.Port)
	}
	return "tcp", net.JoinHostPort(n.Host, strconv.Itoa(n.Port))
}

func socketFile(folder string, port int) string {
	return filepath.Join(folder, ".s.PGSQL."+strconv.Itoa(port))
}

// probeTimeout is the bound on one try of the health check.
func (n NodeConfig) probeTimeout() time.Duration {
	if n.HealthCheck.Timeout > 0 {
		return n.HealthCheck.Timeout
	}
	return maxProbe
}

// suspicionTimeout is the bound on a probe that a session waits for: the shorter
// of the two timeouts that are set.
func (n NodeConfig) suspicionTimeout() time.Duration {
	limit := time.Duration(0)
	for _, d := range []time.Duration{n.ConnectTimeout, n.HealthCheck.Timeout} {
		if d > 0 && (limit == 0 || d < limit) {
			limit = d
		}
	}
	if limit == 0 {
		return maxSuspicion
	}
	return limit
}

// settings is a Config in force. It is replaced as a whole by a reload.
type settings struct {
	Config
	replaced chan struct{} // closed when the next settings are in force
}

func newSettings(cfg Config) *settings {
	cfg.Nodes = slices.Clone(cfg.Nodes)
	return &settings{Config: cfg, replaced: make(chan struct{})}
}

func (s *settings) node(id config.NodeID) (NodeConfig, bool) {
	i := slices.IndexFunc(s.Nodes, func(n NodeConfig) bool { return n.ID == id })
	if i < 0 {
		return NodeConfig{}, false
	}
	return s.Nodes[i], true
}

func (s *settings) commandTimeout() time.Duration {
	if s.CommandTimeout > 0 {
		return s.CommandTimeout
	}
	return defaultCommandTimeout
}
