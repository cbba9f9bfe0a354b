package config

import (
	"fmt"
	"strings"
)

// flags checks ALWAYS_PRIMARY: two such nodes would leave open where writes go.
func (v *validator) flags() {
	mode, first := v.c.ClusteringMode, NodeID(-1)
	for _, b := range v.c.Backends {
		switch {
		case !b.Flag.AlwaysPrimary:
		case !mode.HasPrimary():
			v.warn("backend_flag", int(b.ID), "ALWAYS_PRIMARY has an effect in %s only", WithPrimary)
		case first >= 0:
			v.refuse("backend_flag", int(b.ID), "node %d is ALWAYS_PRIMARY, too; only one node may be", first)
		default:
			first = b.ID
		}
	}
}

// hasFixedPrimary reports whether the primary is known without asking a server.
func (c *Config) hasFixedPrimary() bool {
	for _, b := range c.Backends {
		if b.Flag.AlwaysPrimary {
			return true
		}
	}
	return false
}

// redirectLists are the redirect lists by their parameter.
func (c *Config) redirectLists() map[string][]Redirect {
	l := c.LoadBalance
	return map[string][]Redirect{
		"app_name_redirect_preference_list": l.AppNameRedirectPreferenceList,
		"database_redirect_preference_list": l.DatabaseRedirectPreferenceList,
		"user_redirect_preference_list":     l.UserRedirectPreferenceList,
	}
}

// redirects refuses entries for nodes that do not exist. Pgpool-II skips them, so
// that a wrong number shows in the load of the nodes only.
func (v *validator) redirects() {
	lists := v.c.redirectLists()
	for _, name := range []string{"user_redirect_preference_list", "database_redirect_preference_list", "app_name_redirect_preference_list"} {
		for _, r := range lists[name] {
			if r.Target == RedirectNode && !v.c.has(Nodes, int(r.Node)) {
				v.refuse(name, noIndex, "node %d does not exist; the nodes are %s", r.Node, v.c.nodeList())
			}
		}
		if len(lists[name]) > 0 && !v.c.LoadBalance.LoadBalanceMode {
			v.warn(name, noIndex, "changes nothing, since load_balance_mode is off")
		}
	}
}

// nodeList is the numbers of the nodes, for a message.
func (c *Config) nodeList() string {
	var ids []string
	for _, b := range c.Backends {
		ids = append(ids, fmt.Sprint(b.ID))
	}
	return strings.Join(ids, ", ")
}

func (v *validator) functionLists() {
	l := v.c.LoadBalance
	if !l.ReadOnlyFunctionList.Empty() && !l.WriteFunctionList.Empty() {
		v.warn("write_function_list", noIndex, "is not asked, since read_only_function_list is given, too; keep one of them")
	}
}

// writeRule speaks of what belongs to dml_adaptive and cannot take effect.
func (v *validator) writeRule() {
	l := v.c.LoadBalance
	adaptive := l.DisableLoadBalanceOnWrite == WriteRuleDMLAdaptive || l.DisableLoadBalanceOnWrite == WriteRuleDMLAdaptiveGlobal
	switch {
	case adaptive && v.c.ClusteringMode.Replicates():
		v.warn("disable_load_balance_on_write", noIndex, "%s is off in %s, whose nodes all have the write",
			l.DisableLoadBalanceOnWrite, v.c.ClusteringMode)
	case !adaptive && len(l.DMLAdaptiveRelationships) > 0:
		v.warn("dml_adaptive_object_relationship_list", noIndex, "changes nothing, since disable_load_balance_on_write is %s",
			l.DisableLoadBalanceOnWrite)
	}
}

// streamingCheck warns of a cluster whose primary would not be found. Pgpool-II
// starts then, and sends writes to the first node.
func (v *validator) streamingCheck() {
	if v.c.ClusteringMode.HasPrimary() && v.c.StreamingCheck.SRCheckUser == "" && !v.c.hasFixedPrimary() {
		v.warn("sr_check_user", noIndex, "is empty: without a role that may log in to the nodes no primary is found, and writes wait for one; "+
			"name a role with pg_monitor")
	}
}

// failback warns of auto_failback for nodes whose return would not be noticed.
func (v *validator) failback() {
	if !v.c.Failover.AutoFailback || v.c.ClusteringMode != StreamingReplication {
		return
	}
	for _, b := range v.c.Backends {
		if b.ApplicationName == "" && !b.Flag.AlwaysPrimary {
			v.warn("auto_failback", noIndex, "does not know node %d among the standbys that stream; set backend_application_name%d", b.ID, b.ID)
		}
	}
}

// lag speaks of limits on the lag of standbys that would not do what they say.
func (v *validator) lag() {
	s := v.c.StreamingCheck
	if !v.c.ClusteringMode.HasPrimary() {
		return
	}
	name := "delay_threshold"
	if s.DelayThresholdByTime > 0 {
		name = "delay_threshold_by_time"
	}
	limited := s.DelayThreshold > 0 || s.DelayThresholdByTime > 0
	if limited && s.SRCheckPeriod == 0 && s.ReplicationDelaySourceCmd == "" {
		v.warn(name, noIndex, "changes nothing, since no lag is measured with sr_check_period = 0; set sr_check_period")
	}
	if s.DelayThreshold > 0 && s.DelayThresholdByTime > 0 {
		v.warn("delay_threshold", noIndex, "is not asked, since delay_threshold_by_time is given, too")
	}
	if s.PreferLowerDelayStandby && !limited {
		v.warn("prefer_lower_delay_standby", noIndex, "changes nothing without delay_threshold_by_time or delay_threshold")
	}
	if s.ReplicationDelaySourceCmd != "" && s.DelayThresholdByTime == 0 && s.DelayThreshold > 0 {
		v.warn("replication_delay_source_cmd", noIndex, "gives times, which delay_threshold does not compare; set delay_threshold_by_time")
	}
}
