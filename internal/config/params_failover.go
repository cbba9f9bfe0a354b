package config

import "math"

// failoverParams is the part of the table on: failover and failback.
func failoverParams() []Param {
	return []Param{
		{Name: "failover_command", Type: String, Default: "", Context: OnReload,
			Description: "Command run after a node was detached.", at: func(c *Config, _ int) any { return &c.Failover.FailoverCommand }},
		{Name: "failback_command", Type: String, Default: "", Context: OnReload,
			Description: "Command run after a node was attached.", at: func(c *Config, _ int) any { return &c.Failover.FailbackCommand }},
		{Name: "follow_primary_command", Type: String, Default: "", Context: OnReload, Scope: StreamingOnly,
			Description: "Command run for each standby after a new primary took over.", at: func(c *Config, _ int) any { return &c.Failover.FollowPrimaryCommand }},
		{Name: "failover_on_backend_error", Type: Bool, Default: "on", Context: OnReload,
			Description: "Detach a node when its connection breaks.", at: func(c *Config, _ int) any { return &c.Failover.FailoverOnBackendError }},
		{Name: "fail_over_on_backend_error", Type: Bool, Default: "on", Context: OnReload,
			Description: "Old name of failover_on_backend_error.", AliasOf: "failover_on_backend_error"},
		{Name: "failover_on_backend_shutdown", Type: Bool, Default: "off", Context: OnReload,
			Description: "Detach a node when it says that it shuts down.", at: func(c *Config, _ int) any { return &c.Failover.FailoverOnBackendShutdown }},
		{Name: "detach_false_primary", Type: Bool, Default: "off", Context: OnReload, Scope: StreamingOnly,
			Description: "Detach a node that wrongly claims to be primary.", at: func(c *Config, _ int) any { return &c.Failover.DetachFalsePrimary }},
		{Name: "auto_failback", Type: Bool, Default: "off", Context: OnReload, Scope: StreamingOnly,
			Description: "Attach a detached standby again when it streams.", at: func(c *Config, _ int) any { return &c.Failover.AutoFailback }},
		{Name: "auto_failback_interval", Type: Duration, Unit: Second, Default: "60", Max: math.MaxInt32, Context: OnReload, Scope: StreamingOnly,
			Description: "Least time between two such attachments.", at: func(c *Config, _ int) any { return &c.Failover.AutoFailbackInterval }},
		{Name: "search_primary_node_timeout", Type: Duration, Unit: Second, Default: "300", Max: math.MaxInt32, Context: OnReload,
			Description: "How long a new primary or main node is waited for; 0 is for ever.", at: func(c *Config, _ int) any { return &c.Failover.SearchPrimaryNodeTimeout }},
		{Name: "failover_when_quorum_exists", Type: Bool, Default: "on",
			Description: "Detach nodes only while the proxies have a quorum.", NoEffect: noWatchdog, at: func(c *Config, _ int) any { return &c.Failover.FailoverWhenQuorumExists }},
		{Name: "failover_require_consensus", Type: Bool, Default: "on",
			Description: "Detach nodes only when a majority of proxies reports them.", NoEffect: noWatchdog, at: func(c *Config, _ int) any { return &c.Failover.FailoverRequireConsensus }},
		{Name: "allow_multiple_failover_requests_from_node", Type: Bool, Default: "off",
			Description: "Count repeated reports of one proxy as votes.", NoEffect: noWatchdog, at: func(c *Config, _ int) any { return &c.Failover.AllowMultipleFailoverRequestsFromNode }},
		{Name: "enable_consensus_with_half_votes", Type: Bool, Default: "off",
			Description: "Half of the votes are enough when proxies are even in number.", NoEffect: noWatchdog, at: func(c *Config, _ int) any { return &c.Failover.EnableConsensusWithHalfVotes }},
	}
}
