package config

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Config is one configuration, typed and validated, in one part for each
// consumer. Fields carry the name of their parameter in camel case, without the
// prefix that a part's name already says. Parameters measured in time are
// time.Duration, sizes are bytes, and names of files are absolute or relative to
// the working directory (relative names in the file are relative to the file).
//
// A Config must not be changed after Load, Parse, Reload or WithSession made it.
type Config struct {
	ClusteringMode ClusteringMode // backend_clustering_mode

	Listen              Listen
	PCP                 PCP
	Backends            []Backend // the configured nodes by rising ID; numbers may be left out
	Auth                Auth
	SSL                 SSL
	Pool                Pool
	Log                 Log
	Files               Files
	Replication         Replication
	LoadBalance         LoadBalance
	StreamingCheck      StreamingCheck
	HealthCheckDefaults HealthCheck // the index-free health_check_* and connect_timeout
	Failover            Failover
	Recovery            Recovery
	Watchdog            Watchdog
	Cache               Cache
	RelationCache       RelationCache

	values   valueSet  // what the file says, by parameter and index
	session  valueSet  // what PGPOOL SET changed on top of it
	warnings []Warning // what reading the file warned about
}

// Listen says where frontends are accepted and how many.
type Listen struct {
	ListenAddresses         []string // "*" is all interfaces; empty is no TCP
	Port                    int
	UnixSocketDirectories   []string
	UnixSocketGroup         string      // name or number; empty keeps the process's group
	UnixSocketPermissions   os.FileMode // permission bits of the socket file
	NumInitChildren         int         // sessions at the same time
	ReservedConnections     int         // > 0: refuse instead of queueing when fewer places than this would be left
	ListenBacklogMultiplier int         // backlog = NumInitChildren times this
	SerializeAccept         bool
}

// Backlog is the second argument of listen(2), bounded to what a kernel keeps in
// 16 bits.
func (l Listen) Backlog() int {
	const most = 65535
	if l.NumInitChildren > most/l.ListenBacklogMultiplier {
		return most
	}
	return l.NumInitChildren * l.ListenBacklogMultiplier
}

// PCP says where the control protocol is served (pcp_*).
type PCP struct {
	ListenAddresses []string
	Port            int
	SocketDir       []string
	ConfFile        string // pcp.conf beside the configuration file
}

// Backend is one node as configured: backend_hostnameN and what belongs to it.
type Backend struct {
	ID              NodeID
	Hostname        string // a leading / is a directory of Unix sockets; empty is /tmp
	Port            int
	Weight          float64 // share of reads; only the ratio between nodes matters
	DataDirectory   string
	Flag            Flag
	ApplicationName string // of the node's WAL receiver
	HealthCheck     HealthCheck
}

// SocketDir is the directory of the node's Unix socket, and false for a node that
// is reached by TCP.
func (b Backend) SocketDir() (string, bool) {
	switch {
	case b.Hostname == "":
		return "/tmp", true
	case b.Hostname[0] == '/':
		return filepath.Clean(b.Hostname), true
	}
	return "", false
}

// Address is where the node listens, in the forms of net.Dial: "unix" and the
// socket file, or "tcp" and host:port.
func (b Backend) Address() (network, address string) {
	port := strconv.Itoa(b.Port)
	if dir, ok := b.SocketDir(); ok {
		return "unix", filepath.Join(dir, ".s.PGSQL."+port)
	}
	return "tcp", net.JoinHostPort(b.Hostname, port)
}

// Flag is backend_flagN.
type Flag struct {
	AllowToFailover bool // false: never detached by us
	AlwaysPrimary   bool // primary without asking the server
}

// HealthCheck is health_check_* and connect_timeout for one node.
type HealthCheck struct {
	Period         time.Duration // 0: the node is not checked
	Timeout        time.Duration // for one check, connecting included; 0: none
	User           string
	Password       string // as written: plain, TEXT..., AES... or md5...
	Database       string
	MaxRetries     int
	RetryDelay     time.Duration
	ConnectTimeout time.Duration // 0: none
}

// Auth says how frontends prove who they are.
type Auth struct {
	EnablePoolHBA              bool
	PoolHBAFile                string        // pool_hba.conf beside the configuration file
	PoolPasswd                 string        // path of the password file; empty: none is used
	AuthenticationTimeout      time.Duration // 0: none
	AllowClearTextFrontendAuth bool

	// The query that finds a user's password on a node; it has one parameter, the
	// user's name, and gives name and password as pg_shadow has them. Empty: off.
	AuthQuery         string
	AuthQueryUser     string
	AuthQueryPassword string
	AuthQueryDatabase string // empty: the database that the frontend asked for
}

// SSL is ssl and ssl_*.
type SSL struct {
	Enabled             bool // ssl
	Cert                string
	Key                 string
	CACert              string
	CACertDir           string
	CRLFile             string
	Ciphers             string // OpenSSL's cipher list for TLS up to 1.2
	PreferServerCiphers bool
	ECDHCurve           string
	DHParamsFile        string
	PassphraseCommand   string // %p is the prompt, %% a percent sign
}

// Pool says how long connections to nodes are kept, and for how long frontends.
type Pool struct {
	ProcessManagementMode     string
	ProcessManagementStrategy string
	MinSpareChildren          int
	MaxSpareChildren          int
	MaxPool                   int           // kept connection sets, times num_init_children
	ChildLifeTime             time.Duration // 0: no limit
	ChildMaxConnections       int           // 0: no limit
	ConnectionLifeTime        time.Duration // since last use; 0: no limit
	ClientIdleLimit           time.Duration // 0: no limit
	ConnectionCache           bool
	ResetQueryList            []string
	ConnectTimeout            time.Duration // the index-free connect_timeout; 0: none

	PoolMode              string        // session, transaction
	DefaultPoolSize       int           // sets lent and idle for a user and database; 0: no limit
	MaxUserConnections    int           // for a user; 0: no limit
	MaxDBConnections      int           // for a database; 0: no limit
	QueryWaitTimeout      time.Duration // in the queue; 0: no limit
	MaxPreparedStatements int           // on a connection
}

// LendsForTransactions reports whether frontends have connections for a transaction only.
func (p *Pool) LendsForTransactions() bool { return p.PoolMode == "transaction" }

// Log says what is logged and where.
type Log struct {
	LogDestination         []string // stderr, syslog
	LogLinePrefix          string
	SyslogFacility         string // LOCAL0 to LOCAL7
	SyslogIdent            string
	LogErrorVerbosity      Verbosity
	ClientMinMessages      LogLevel
	LogMinMessages         LogLevel
	LogStatement           bool
	LogPerNodeStatement    bool
	NoticePerNodeStatement bool
	LogClientMessages      bool
	LogBackendMessages     string // none, terse, verbose
	LogConnections         bool
	LogDisconnections      bool
	LogPCPProcesses        bool
	LogHostname            bool
	LogStandbyDelay        string // always, if_over_threshold, none
	LoggingCollector       bool
	LogDirectory           string
	LogFilename            string // a strftime pattern
	LogFileMode            os.FileMode
	LogTruncateOnRotation  bool
	LogRotationAge         time.Duration // 0: never
	LogRotationSize        int64         // bytes; 0: never
}

// Files names what is read and written beside sockets and certificates.
type Files struct {
	ConfigFile  string // the file that was loaded
	ConfigDir   string // its directory; relative names start here
	PIDFileName string
	WorkDir     string // pgpool_status and locks
}

// Replication says how statements reach all nodes alike.
type Replication struct {
	ReplicateSelect                  bool
	InsertLock                       bool
	LobjLockTable                    string
	ReplicationStopOnMismatch        bool
	FailoverIfAffectedTuplesMismatch bool

	// Our own parameters.
	ReplicationSafety     Safety
	CommitMode            CommitMode
	SetWriteStrategy      string // auto, capture, verify, lock
	CaptureRowsHint       int
	CaptureMaxBytes       int64
	CommitMarker          CommitMarker
	EarlyReply            bool
	ParallelDispatch      bool
	AutocommitFast        bool
	VerifyDigest          string // auto, on, off
	SequenceStrategy      string // auto, lease, capture, lock
	SequenceLeaseSize     int
	InsertLockMode        string // auto, literal
	FunctionDenyList      Patterns
	FunctionPolicy        []FunctionRule
	TimeSource            string // main, proxy
	DeadlockCheckInterval time.Duration
	ReplicaDDLLockTimeout time.Duration
	ChecksumInterval      time.Duration
	NodeCheckInterval     time.Duration
	Repair                string // report, repair, fence
	UnparsedStatement     string // warn, allow, refuse
	AdminBroadcast        bool
	AutoPrepare           bool
}

// LoadBalance says where reads go.
type LoadBalance struct {
	LoadBalanceMode                bool
	IgnoreLeadingWhiteSpace        bool
	ReadOnlyFunctionList           Patterns
	WriteFunctionList              Patterns
	PrimaryRoutingQueryPatternList Patterns
	UserRedirectPreferenceList     []Redirect
	DatabaseRedirectPreferenceList []Redirect
	AppNameRedirectPreferenceList  []Redirect
	AllowSQLComments               bool
	DisableLoadBalanceOnWrite      WriteRule
	DMLAdaptiveRelationships       []Relationship // dml_adaptive_object_relationship_list
	StatementLevelLoadBalance      bool
	TrackTableMutationTTLFactor    float64
	TrackTableMutationMaxStaleness time.Duration // 0: no limit
	TrackTableMutationColdStart    time.Duration // track_table_mutation_cold_start_duration
	TrackTableMutationTableBuckets int
	TrackTableMutationTableSize    int

	// Our own parameters.
	ReadConsistency        Consistency
	ReadConsistencyTimeout time.Duration // a read waits that long for a standby; 0: not at all
}

// StreamingCheck says how the primary and the lag of standbys are found.
type StreamingCheck struct {
	SRCheckPeriod                 time.Duration // 0: off
	SRCheckUser                   string
	SRCheckPassword               string // as written: plain, TEXT..., AES... or md5...
	SRCheckDatabase               string
	DelayThreshold                int64         // bytes; 0: ignore lag
	DelayThresholdByTime          time.Duration // 0: ignore lag
	PreferLowerDelayStandby       bool
	ReplicationDelaySourceCmd     string
	ReplicationDelaySourceTimeout time.Duration
}

// Failover says when a node is detached, attached, and what is run then.
type Failover struct {
	FailoverCommand                       string
	FailbackCommand                       string
	FollowPrimaryCommand                  string
	FailoverOnBackendError                bool
	FailoverOnBackendShutdown             bool
	DetachFalsePrimary                    bool
	AutoFailback                          bool
	AutoFailbackInterval                  time.Duration
	SearchPrimaryNodeTimeout              time.Duration // 0: for ever
	FailoverWhenQuorumExists              bool
	FailoverRequireConsensus              bool
	AllowMultipleFailoverRequestsFromNode bool
	EnableConsensusWithHalfVotes          bool
	HealthCheckTest                       bool
}

// Recovery is online recovery.
type Recovery struct {
	RecoveryUser              string
	RecoveryPassword          string // as written: plain, TEXT... or AES...
	RecoveryDatabase          string
	Recovery1stStageCommand   string
	Recovery2ndStageCommand   string
	RecoveryTimeout           time.Duration
	ClientIdleLimitInRecovery time.Duration // client_idle_limit_in_recovery; 0: never, negative: at once
}

// Cache is the query cache.
type Cache struct {
	MemoryCacheEnabled             bool
	MemqcacheMethod                string // shmem, memcached
	MemqcacheMemcachedHost         string
	MemqcacheMemcachedPort         int
	MemqcacheTotalSize             int64 // bytes
	MemqcacheMaxNumCache           int
	MemqcacheExpire                time.Duration // 0: none
	MemqcacheAutoCacheInvalidation bool
	MemqcacheMaxcache              int64 // bytes
	MemqcacheCacheBlockSize        int64 // bytes
	MemqcacheOiddir                string
	CacheSafeMemqcacheTableList    Patterns
	CacheUnsafeMemqcacheTableList  Patterns
	CacheFollowWAL                 bool
	CacheFollowWALDelay            time.Duration
}

// RelationCache is what is remembered of the catalogue.
type RelationCache struct {
	RelcacheExpire       time.Duration // 0: none
	RelcacheSize         int
	EnableSharedRelcache bool
	RelcacheQueryTarget  string // primary, load_balance_node
	CheckTempTable       string // catalog, trace, none
	CheckUnloggedTable   bool
}

// Watchdog is how several proxies know of each other.
type Watchdog struct {
	UseWatchdog                bool
	Nodes                      []WatchdogNode // by rising ID
	Heartbeats                 []Heartbeat    // by rising ID
	WDPriority                 int
	WDAuthkey                  string
	WDIPCSocketDir             string
	WDListenAddress            string
	WDListenPort               int // 0: the node's own wd_port
	DelegateIP                 string
	IfCmdPath                  string
	IfUpCmd                    string
	IfDownCmd                  string
	ArpingPath                 string
	ArpingCmd                  string
	PingPath                   string
	TrustedServers             []string
	TrustedServerCommand       string
	WDEscalationCommand        string
	WDDeEscalationCommand      string
	ClearMemqcacheOnEscalation bool
	WDMonitoringInterfacesList []string
	WDRemoveShutdownNodes      bool
	WDLostNodeRemovalTimeout   time.Duration // 0: never
	WDNoShowNodeRemovalTimeout time.Duration // 0: never
	WDLifecheckMethod          string        // heartbeat, query, external
	WDInterval                 time.Duration
	WDHeartbeatKeepalive       time.Duration
	WDHeartbeatDeadtime        time.Duration
	WDHeartbeatListenAddresses []string
	WDHeartbeatListenPort      int // 0: the node's own heartbeat_port
	WDLifePoint                int
	WDLifecheckQuery           string
	WDLifecheckDBName          string
	WDLifecheckUser            string
	WDLifecheckPassword        string // as written: plain, TEXT... or AES...
}

// WatchdogNode is hostnameN, wd_portN and pgpool_portN.
type WatchdogNode struct {
	ID         int
	Hostname   string
	WDPort     int // 0: not given
	PgpoolPort int // 0: not given
}

// Heartbeat is heartbeat_hostnameN, heartbeat_portN and heartbeat_deviceN.
type Heartbeat struct {
	ID       int
	Hostname []string
	Port     int // 0: not given
	Device   []string
}

// Backend returns the node with the given ID, and false for a number that no
// backend_portN was given for.
func (c *Config) Backend(id NodeID) (Backend, bool) {
	for i := range c.Backends {
		if c.Backends[i].ID == id {
			return c.Backends[i], true
		}
	}
	return Backend{}, false
}

// NodeSlots is the highest configured node number plus one: what SHOW POOL_NODES
// and pgpool_status count, holes included.
func (c *Config) NodeSlots() int {
	if len(c.Backends) == 0 {
		return 0
	}
	return int(c.Backends[len(c.Backends)-1].ID) + 1
}

// Warnings returns what reading the files warned about.
func (c *Config) Warnings() []Warning { return c.warnings }
