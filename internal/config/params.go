package config

import "slices"

// Param is one row of the table of parameters.
type Param struct {
	Name        string
	Type        Type
	Unit        Unit     // of a number without a unit; NoUnit refuses units
	Default     string   // as it would stand in the file, without quotes
	Min, Max    int64    // both allowed, in Unit; for Int, Duration and Float
	Words       []string // for Enum, in Pgpool-II's order
	Separator   string   // for List
	Context     Context
	Index       Index
	IndexFree   bool // an Index parameter that may be given for all nodes at once
	Octal       bool // shown in octal
	File        bool // a relative name starts at the configuration file's directory
	Secret      bool // never shown
	Ours        bool // not one of Pgpool-II's
	Description string
	Example     string // stands in the sample file where the default is "not set"
	Scope       Scope  // the clustering modes in which it has an effect
	NoEffect    string // why it has no effect; empty when it works
	AliasOf     string // the name that replaced this one

	grammar grammar                    // for values that are more than their Type says
	at      func(c *Config, i int) any // pointer to the field; nil for aliases
}

// grammar turns the text of a value into what its field holds.
type grammar func(text string) (any, error)

// Type is the kind of a parameter's value.
type Type int

// The types.
const (
	Bool Type = iota
	Int
	Duration // an Int with a unit of time
	Float
	String
	Enum
	List
)

var typeNames = [...]string{"bool", "int", "duration", "float", "string", "enum", "list"}

func (t Type) String() string { return typeNames[t] }

// Context says when a parameter may change.
type Context int

// The contexts.
const (
	AtStart   Context = iota // only when the server starts
	OnReload                 // also by SIGHUP
	InSession                // also by PGPOOL SET
)

var contextNames = [...]string{"start", "reload", "session"}

func (c Context) String() string { return contextNames[c] }

// Index says what the number behind an indexed name counts.
type Index int

// The indexes.
const (
	NoIndex Index = iota
	Nodes
	WatchdogNodes
	Heartbeats
)

// Scope says in which clustering modes a parameter has an effect.
type Scope int

// The scopes.
const (
	EveryMode     Scope = iota
	Replicating         // native_replication and snapshot_isolation
	WithPrimary         // streaming_replication and logical_replication
	StreamingOnly       // streaming_replication
)

// Covers reports whether m is one of the modes.
func (s Scope) Covers(m ClusteringMode) bool {
	switch s {
	case Replicating:
		return m.Replicates()
	case WithPrimary:
		return m.HasPrimary()
	case StreamingOnly:
		return m == StreamingReplication
	}
	return true
}

var scopeNames = [...]string{"every clustering mode", "native_replication and snapshot_isolation",
	"streaming_replication and logical_replication", "streaming_replication"}

func (s Scope) String() string { return scopeNames[s] }

// limit is the number of entries that an index may have (Pgpool-II's
// MAX_NUM_BACKENDS, MAX_WATCHDOG_NUM and WD_MAX_IF_NUM).
func (x Index) limit() int {
	const heartbeats = 256
	if x == Heartbeats {
		return heartbeats
	}
	return MaxNodes
}

// Why a parameter has no effect, or none yet.
const (
	notYet        = "not built yet"
	parserKnows   = "the real parser finds the statement wherever it begins"
	noPassword    = "a server that asks for a password is alive: none is needed"
	noPCP         = "PCP over TCP is not served yet"
	noWatchdog    = "agreement between several proxies is not built yet"
	noLobjLock    = "no lock is needed: lo_creat gives the main node's number on every node"
	noBuckets     = "the table is a Go map; it has no buckets to set"
	noTarget      = "a fact is asked once for all sessions, so there is no load to move"
	noBlocks      = "the memory for cached answers has no blocks"
	noOidMap      = "there is no such map: answers know the versions of their tables"
	noSyslog      = "the log goes to stderr only"
	noCollector   = "the log goes to stderr only; let the service manager keep it"
	noText        = "log lines are structured; their layout is fixed"
	noProcesses   = "sessions are served by one process; there are no workers"
	noCipherOrder = "Go's TLS chooses the order of ciphers itself"
	noDHE         = "Go's TLS has no DHE, only ECDHE"
)

// NotYet reports whether p is to get an effect; without one for good are parameters
// of what is not needed here.
func (p Param) NotYet() bool {
	return slices.Contains([]string{notYet, noPCP, noWatchdog, noSyslog}, p.NoEffect)
}

// section is one topic of the table, under its heading in the sample file.
type section struct {
	title  string
	params []Param
}

// sections is the one list of parameters, in the order of Pgpool-II's
// documentation with ours at the end. It never changes.
var sections = []section{
	{"Clustering mode", clusteringParams()},
	{"Listening for frontends and for PCP", listenParams()},
	{"Backends (one set for each node, numbered from 0)", backendParams()},
	{"Client authentication", authParams()},
	{"SSL/TLS", sslParams()},
	{"Sessions and kept connections", poolParams()},
	{"Logging", logParams()},
	{"Files", filesParams()},
	{"Statement replication", replicationParams()},
	{"Load balancing", loadBalanceParams()},
	{"Streaming replication check", streamingParams()},
	{"Health check (a number behind the name means one node, none means all)", healthCheckParams()},
	{"Failover and failback", failoverParams()},
	{"Online recovery", recoveryParams()},
	{"Watchdog (indexed names: one set for each proxy)", watchdogParams()},
	{"Query cache", cacheParams()},
	{"Relation cache", relationCacheParams()},
	{"Parameters that Pgpool-II does not have", ourParams()},
}

// table is the parameters of all sections. It never changes.
var table = joinSections()

func joinSections() []Param {
	var all []Param
	for _, s := range sections {
		all = append(all, s.params...)
	}
	return all
}

// byName finds a row of table. It never changes.
var byName = indexTable()

func indexTable() map[string]*Param {
	m := make(map[string]*Param, len(table))
	for i := range table {
		m[table[i].Name] = &table[i]
	}
	return m
}

// Params returns the table: every parameter of Pgpool-II in the order of its
// documentation, then ours.
func Params() []Param { return slices.Clone(table) }

// Lookup finds the parameter called name, without an index.
func Lookup(name string) (Param, bool) {
	p, ok := byName[name]
	if !ok {
		return Param{}, false
	}
	return *p, true
}
