package config

// ClusteringMode is backend_clustering_mode: how the nodes are kept identical.
type ClusteringMode string

// The clustering modes.
const (
	StreamingReplication ClusteringMode = "streaming_replication"
	NativeReplication    ClusteringMode = "native_replication"
	LogicalReplication   ClusteringMode = "logical_replication"
	Raw                  ClusteringMode = "raw"
	SnapshotIsolation    ClusteringMode = "snapshot_isolation"
)

// Replicates reports whether the mode sends writes to all nodes itself.
func (m ClusteringMode) Replicates() bool {
	return m == NativeReplication || m == SnapshotIsolation
}

// HasPrimary reports whether one node takes the writes and the others follow it by
// PostgreSQL's own replication.
func (m ClusteringMode) HasPrimary() bool {
	return m == StreamingReplication || m == LogicalReplication
}

// Consistency is read_consistency: what a read on another node than the primary
// must have seen.
type Consistency string

// The consistencies.
const (
	ConsistencyEventual Consistency = "eventual" // whatever the node has
	ConsistencySession  Consistency = "session"  // what the session itself has written
	ConsistencyStrict   Consistency = "strict"   // every commit that was acknowledged before the read
)

// WriteRule is disable_load_balance_on_write: where reads go after a write.
type WriteRule string

// The write rules.
const (
	WriteRuleOff               WriteRule = "off"
	WriteRuleTransaction       WriteRule = "transaction"
	WriteRuleTransTransaction  WriteRule = "trans_transaction"
	WriteRuleAlways            WriteRule = "always"
	WriteRuleDMLAdaptive       WriteRule = "dml_adaptive"
	WriteRuleDMLAdaptiveGlobal WriteRule = "dml_adaptive_global"
)

// LogLevel is log_min_messages and client_min_messages, in lower case.
type LogLevel string

// The levels; Pgpool-II ranks log between error and fatal for log_min_messages.
const (
	LevelDebug5  LogLevel = "debug5"
	LevelDebug4  LogLevel = "debug4"
	LevelDebug3  LogLevel = "debug3"
	LevelDebug2  LogLevel = "debug2"
	LevelDebug1  LogLevel = "debug1"
	LevelInfo    LogLevel = "info"
	LevelNotice  LogLevel = "notice"
	LevelWarning LogLevel = "warning"
	LevelError   LogLevel = "error"
	LevelLog     LogLevel = "log"
	LevelFatal   LogLevel = "fatal"
	LevelPanic   LogLevel = "panic"
)

// Verbosity is log_error_verbosity.
type Verbosity string

// The verbosities.
const (
	VerbosityTerse   Verbosity = "terse"
	VerbosityDefault Verbosity = "default"
	VerbosityVerbose Verbosity = "verbose"
)

// Safety is replication_safety: what happens to a statement whose result could
// differ between nodes.
type Safety string

// The safety policies.
const (
	SafetyCompat Safety = "compat" // as Pgpool-II, but not silent
	SafetyMixed  Safety = "mixed"  // capture or lock where needed
	SafetyStrict Safety = "strict" // refuse what cannot be made equal
)

// CommitMode is commit_mode: the order of COMMIT over the nodes.
type CommitMode string

// The commit modes.
const (
	CommitAuto      CommitMode = "auto"       // parallel alone, main_last with several servers (use_watchdog)
	CommitParallel  CommitMode = "parallel"   // all at once
	CommitMainLast  CommitMode = "main_last"  // the others, then main
	CommitMainFirst CommitMode = "main_first" // main, then the others
	CommitLastAgent CommitMode = "last_agent" // PREPARE on the others, COMMIT on main
)

// CommitMarker is commit_marker: whether transactions note themselves on the nodes.
type CommitMarker string

// The values of commit_marker.
const (
	CommitMarkerOff  CommitMarker = "off"
	CommitMarkerAuto CommitMarker = "auto" // where the objects for it are there or can be made
	CommitMarkerOn   CommitMarker = "on"   // and without them nothing is written
)
