package config

import "math"

// streamingParams is the part of the table on: streaming replication check.
func streamingParams() []Param {
	return []Param{
		{Name: "sr_check_period", Type: Duration, Unit: Second, Default: "10", Max: math.MaxInt32, Context: OnReload, Scope: WithPrimary,
			Description: "Interval of the check of lag and primary; 0 is off.", at: func(c *Config, _ int) any { return &c.StreamingCheck.SRCheckPeriod }},
		{Name: "sr_check_user", Type: String, Default: "", Context: OnReload, Scope: WithPrimary,
			Description: "Role of that check.", at: func(c *Config, _ int) any { return &c.StreamingCheck.SRCheckUser }},
		{Name: "sr_check_password", Type: String, Default: "", Context: OnReload, Secret: true, Scope: WithPrimary,
			Description: "Password of that role.", at: func(c *Config, _ int) any { return &c.StreamingCheck.SRCheckPassword }},
		{Name: "sr_check_database", Type: String, Default: "postgres", Context: OnReload, Scope: WithPrimary,
			Description: "Database of that check.", at: func(c *Config, _ int) any { return &c.StreamingCheck.SRCheckDatabase }},
		{Name: "delay_threshold", Type: Int, Unit: Byte, Default: "0", Max: math.MaxInt64, Context: OnReload, Scope: WithPrimary,
			Description: "Lag in bytes beyond which a standby gets no reads; 0 ignores it.", at: func(c *Config, _ int) any { return &c.StreamingCheck.DelayThreshold }},
		{Name: "delay_threshold_by_time", Type: Duration, Unit: Millisecond, Default: "0", Max: math.MaxInt32, Context: OnReload, Scope: WithPrimary,
			Description: "Lag in time beyond which a standby gets no reads; 0 ignores it.", at: func(c *Config, _ int) any { return &c.StreamingCheck.DelayThresholdByTime }},
		{Name: "prefer_lower_delay_standby", Type: Bool, Default: "off", Context: OnReload, Scope: WithPrimary,
			Description: "Prefer another standby to the primary when one lags.", at: func(c *Config, _ int) any { return &c.StreamingCheck.PreferLowerDelayStandby }},
		{Name: "replication_delay_source_cmd", Type: String, Default: "", Context: OnReload, Scope: WithPrimary,
			Description: "Command that prints the lag of the nodes.", at: func(c *Config, _ int) any { return &c.StreamingCheck.ReplicationDelaySourceCmd }},
		{Name: "replication_delay_source_timeout", Type: Duration, Unit: Second, Default: "10", Min: 1, Max: 3600, Context: OnReload, Scope: WithPrimary,
			Description: "Time after which that command is given up.", at: func(c *Config, _ int) any { return &c.StreamingCheck.ReplicationDelaySourceTimeout }},
	}
}
