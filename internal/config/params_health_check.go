package config

import "math"

// healthCheckParams is the part of the table on: health check.
func healthCheckParams() []Param {
	return []Param{
		{Name: "health_check_period", Type: Duration, Unit: Second, Default: "0", Max: math.MaxInt32, Context: OnReload, Index: Nodes, IndexFree: true,
			Description: "Interval of the health check; 0 is off.", at: func(c *Config, i int) any { return &c.health(i).Period }},
		{Name: "health_check_timeout", Type: Duration, Unit: Second, Default: "20", Max: math.MaxInt32, Context: OnReload, Index: Nodes, IndexFree: true,
			Description: "Limit of one health check; 0 is none.", at: func(c *Config, i int) any { return &c.health(i).Timeout }},
		{Name: "health_check_user", Type: String, Default: "", Context: OnReload, Index: Nodes, IndexFree: true,
			Description: "Role of the health check.", at: func(c *Config, i int) any { return &c.health(i).User }},
		{Name: "health_check_password", Type: String, Default: "", Context: OnReload, Index: Nodes, IndexFree: true, Secret: true,
			Description: "Password of that role.", NoEffect: noPassword, at: func(c *Config, i int) any { return &c.health(i).Password }},
		{Name: "health_check_database", Type: String, Default: "postgres", Context: OnReload, Index: Nodes, IndexFree: true,
			Description: "Database of the health check.", at: func(c *Config, i int) any { return &c.health(i).Database }},
		{Name: "health_check_max_retries", Type: Int, Default: "0", Max: math.MaxInt32, Context: OnReload, Index: Nodes, IndexFree: true,
			Description: "Retries before a node is taken for dead.", at: func(c *Config, i int) any { return &c.health(i).MaxRetries }},
		{Name: "health_check_retry_delay", Type: Duration, Unit: Second, Default: "1", Max: math.MaxInt32, Context: OnReload, Index: Nodes, IndexFree: true,
			Description: "Pause between retries.", at: func(c *Config, i int) any { return &c.health(i).RetryDelay }},
		{Name: "connect_timeout", Type: Duration, Unit: Millisecond, Default: "10000", Max: math.MaxInt32, Context: OnReload, Index: Nodes, IndexFree: true,
			Description: "Limit of connecting to a node; 0 is none.", at: func(c *Config, i int) any { return &c.health(i).ConnectTimeout }},
		{Name: "health_check_test", Type: Bool, Default: "off",
			Description: "Let the file backend_down_request declare nodes dead, for tests.", NoEffect: notYet, at: func(c *Config, _ int) any { return &c.Failover.HealthCheckTest }},
	}
}
