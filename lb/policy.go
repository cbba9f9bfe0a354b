package lb

import (
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/parser"
)

// ClusteringMode is backend_clustering_mode.
type ClusteringMode uint8

// The clustering modes.
const (
	// NativeReplication: every write runs on all nodes.
	NativeReplication ClusteringMode = iota
	// SnapshotIsolation: the same, and all nodes take their snapshots in one state.
	SnapshotIsolation
	// StreamingReplication: writes run on the primary, PostgreSQL sends them on.
	StreamingReplication
	// LogicalReplication: the same by publication and subscription.
	LogicalReplication
	// Raw: everything runs on the main node; the others stand by.
	Raw
)

// ModeOf returns the routing mode of a configured clustering mode.
func ModeOf(mode config.ClusteringMode) ClusteringMode {
	switch mode {
	case config.SnapshotIsolation:
		return SnapshotIsolation
	case config.StreamingReplication:
		return StreamingReplication
	case config.LogicalReplication:
		return LogicalReplication
	case config.Raw:
		return Raw
	}
	return NativeReplication
}

// Replicates reports whether writes go to all nodes (Pgpool-II's replication modes).
func (m ClusteringMode) Replicates() bool { return m == NativeReplication || m == SnapshotIsolation }

// HasPrimary reports whether one node takes the writes and PostgreSQL sends them on.
func (m ClusteringMode) HasPrimary() bool {
	return m == StreamingReplication || m == LogicalReplication
}

// Policy is the part of a configuration that routing asks. It is made once for each
// configuration, by PolicyOf, and never changes.
type Policy struct {
	Mode             ClusteringMode
	LoadBalance      bool // load_balance_mode
	StatementLevel   bool // statement_level_load_balance
	ReplicateSelect  bool // replicate_select
	AllowSQLComments bool // allow_sql_comments

	ReadOnlyFunctions config.Patterns // read_only_function_list
	WriteFunctions    config.Patterns // write_function_list
	PrimaryPatterns   config.Patterns // primary_routing_query_pattern_list
	CheckTempTable    bool            // check_temp_table is catalog: the catalogue is asked
	TraceTempTable    bool            // check_temp_table is not none: the session's own count
	CheckUnlogged     bool            // check_unlogged_table

	WriteRule     config.WriteRule      // disable_load_balance_on_write
	Relationships []config.Relationship // dml_adaptive_object_relationship_list
	TTLFactor     float64               // track_table_mutation_ttl_factor
	MaxStaleness  time.Duration         // track_table_mutation_max_staleness; 0: no limit
	ColdStart     time.Duration         // track_table_mutation_cold_start_duration

	ByApplication []config.Redirect // app_name_redirect_preference_list
	ByDatabase    []config.Redirect // database_redirect_preference_list
	ByUser        []config.Redirect // user_redirect_preference_list

	DelayThreshold     int64         // delay_threshold, bytes; 0: lag does not matter
	DelayThresholdTime time.Duration // delay_threshold_by_time; 0: lag in time does not matter
	PreferLowerDelay   bool          // prefer_lower_delay_standby
}

// PolicyOf takes from a configuration what routing asks. The thresholds of lag are off
// while nothing measures it (sr_check_period 0 and no replication_delay_source_cmd).
func PolicyOf(cfg *config.Config) *Policy {
	b, s := &cfg.LoadBalance, &cfg.StreamingCheck
	p := &Policy{
		Mode:              ModeOf(cfg.ClusteringMode),
		LoadBalance:       b.LoadBalanceMode,
		StatementLevel:    b.StatementLevelLoadBalance,
		ReplicateSelect:   cfg.Replication.ReplicateSelect,
		AllowSQLComments:  b.AllowSQLComments,
		ReadOnlyFunctions: b.ReadOnlyFunctionList,
		WriteFunctions:    b.WriteFunctionList,
		PrimaryPatterns:   b.PrimaryRoutingQueryPatternList,
		CheckTempTable:    cfg.RelationCache.CheckTempTable == "catalog",
		TraceTempTable:    cfg.RelationCache.CheckTempTable != "none",
		CheckUnlogged:     cfg.RelationCache.CheckUnloggedTable,
		WriteRule:         b.DisableLoadBalanceOnWrite,
		Relationships:     b.DMLAdaptiveRelationships,
		TTLFactor:         b.TrackTableMutationTTLFactor,
		MaxStaleness:      b.TrackTableMutationMaxStaleness,
		ColdStart:         b.TrackTableMutationColdStart,
		ByApplication:     b.AppNameRedirectPreferenceList,
		ByDatabase:        b.DatabaseRedirectPreferenceList,
		ByUser:            b.UserRedirectPreferenceList,
		PreferLowerDelay:  s.PreferLowerDelayStandby,
	}
	if s.SRCheckPeriod > 0 || s.ReplicationDelaySourceCmd != "" {
		p.DelayThreshold, p.DelayThresholdTime = s.DelayThreshold, s.DelayThresholdByTime
	}
	return p
}

// Adaptive reports whether it matters which relations are written: dml_adaptive and
// dml_adaptive_global, which mean something in the modes with a primary only.
func (p *Policy) Adaptive() bool {
	return p.Mode.HasPrimary() && (p.WriteRule == config.WriteRuleDMLAdaptive || p.Global())
}

// Global reports whether writes of other sessions matter: dml_adaptive_global.
func (p *Policy) Global() bool {
	return p.Mode.HasPrimary() && p.WriteRule == config.WriteRuleDMLAdaptiveGlobal
}

// followsWrites: a transaction that has written reads on the main node.
func (p *Policy) followsWrites() bool {
	switch p.WriteRule {
	case config.WriteRuleOff, config.WriteRuleDMLAdaptive, config.WriteRuleDMLAdaptiveGlobal:
		return false
	}
	return true
}

// HasFunctionLists: the lists say what writes, and not the catalogue.
func (p *Policy) HasFunctionLists() bool {
	return !p.ReadOnlyFunctions.Empty() || !p.WriteFunctions.Empty()
}

// listed judges a function by the lists. If there are both, read_only_function_list
// wins, as in Pgpool-II.
func (p *Policy) listed(f *parser.Function) (writes Reason) {
	if !p.ReadOnlyFunctions.Empty() {
		if matches(p.ReadOnlyFunctions, f) {
			return None
		}
		return NotReadOnlyListed
	}
	if matches(p.WriteFunctions, f) {
		return WriteListed
	}
	return None
}

// matches looks a function up by its name and, if the statement gives its schema, by
// both.
func matches(list config.Patterns, f *parser.Function) bool {
	return list.Match(f.Name) || f.Schema != "" && list.Match(f.String())
}
