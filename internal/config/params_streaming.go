package config

import "math"

// streamingParams is the part of the table on: streaming replication check.
func streamingParams() []Param {
	return []Param{
		{Name: "sr_check_period", Type: Duration, Unit: Second, Default: "10", Max: math.MaxInt32, Context: OnReload,
			Description: "Interval of the check of lag and primary; 0 is off.", NoEffect: noStreaming, at: func(c *Config, _ int) any { return &c.StreamingCheck.SRCheckPeriod }},
		{Name: "sr_check_user", Type: String, Default: "", Context: OnReload,
			Description: "Role of that check.", NoEffect: noStreaming, at: func(c *Config, _ int) any { return &c.StreamingCheck.SRCheckUser }},
		{Name: "sr_check_password", Type: String, Default: "", Context: OnReload, Secret: true,
			Description: "Password of that role.", NoEffect: noStreaming, at: func(c *Config, _ int) any { return &c.StreamingCheck.SRCheckPassword }},
		{Name: "sr_check_database", Type: String, Default: "postgres", Context: OnReload,
			Description: "Database of that check.", NoEffect: noStreaming, at: func(c *Config, _ int) any { return &c.StreamingCheck.SRCheckDatabase }},
		{Name: "delay_threshold", Type: Int, Unit: Byte, Default: "0", Max: math.MaxInt64, Context: OnReload,
			Description: "Lag in bytes beyond which a standby gets no reads; 0 ignores it.", NoEffect: noStreaming, at: func(c *Config, _ int) any { return &c.StreamingCheck.DelayThreshold }},
		{Name: "delay_threshold_by_time", Type: Duration, Unit: Millisecond, Default: "0", Max: math.MaxInt32, Context: OnReload,
			Description: "Lag in time beyond which a standby gets no reads; 0 ignores it.", NoEffect: noStreaming, at: func(c *Config, _ int) any { return &c.StreamingCheck.DelayThresholdByTime }},
		{Name: "prefer_lower_delay_standby", Type: Bool, Default: "off", Context: OnReload,
			Description: "Prefer another standby to the primary when one lags.", NoEffect: noStreaming, at: func(c *Config, _ int) any { return &c.StreamingCheck.PreferLowerDelayStandby }},
		{Name: "replication_delay_source_cmd", Type: String, Default: "", Context: OnReload,
			Description: "Command that prints the lag of the nodes.", NoEffect: noStreaming, at: func(c *Config, _ int) any { return &c.StreamingCheck.ReplicationDelaySourceCmd }},
		{Name: "replication_delay_source_timeout", Type: Duration, Unit: Second, Default: "10", Min: 1, Max: 3600, Context: OnReload,
			Description: "Time after which that command is given up.", NoEffect: noStreaming, at: func(c *Config, _ int) any { return &c.StreamingCheck.ReplicationDelaySourceTimeout }},
	}
}
