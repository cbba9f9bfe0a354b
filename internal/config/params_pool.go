package config

import "math"

// poolParams is the part of the table on: sessions and kept connections.
func poolParams() []Param {
	return []Param{
		{Name: "process_management_mode", Type: Enum, Default: "static", Words: []string{"static", "dynamic"}, Context: OnReload,
			Description: "Fixed or dynamic number of worker processes.", NoEffect: noProcesses, at: func(c *Config, _ int) any { return &c.Pool.ProcessManagementMode }},
		{Name: "process_management_strategy", Type: Enum, Default: "gentle", Words: []string{"aggressive", "gentle", "lazy"}, Context: OnReload,
			Description: "How eagerly idle worker processes are removed.", NoEffect: noProcesses, at: func(c *Config, _ int) any { return &c.Pool.ProcessManagementStrategy }},
		{Name: "num_init_children", Type: Int, Default: "32", Min: 1, Max: math.MaxInt32,
			Description: "Frontend sessions at the same time.", at: func(c *Config, _ int) any { return &c.Listen.NumInitChildren }},
		{Name: "min_spare_children", Type: Int, Default: "5", Min: 1, Max: math.MaxInt32, Context: OnReload,
			Description: "Lower bound of idle worker processes.", NoEffect: noProcesses, at: func(c *Config, _ int) any { return &c.Pool.MinSpareChildren }},
		{Name: "max_spare_children", Type: Int, Default: "10", Min: 1, Max: math.MaxInt32, Context: OnReload,
			Description: "Upper bound of idle worker processes.", NoEffect: noProcesses, at: func(c *Config, _ int) any { return &c.Pool.MaxSpareChildren }},
		{Name: "max_pool", Type: Int, Default: "4", Max: math.MaxInt32,
			Description: "Connection sets kept for each place of num_init_children.", at: func(c *Config, _ int) any { return &c.Pool.MaxPool }},
		{Name: "child_life_time", Type: Duration, Unit: Second, Default: "300", Max: math.MaxInt32,
			Description: "Idle time after which kept connections of a place are given up; 0 is never.", at: func(c *Config, _ int) any { return &c.Pool.ChildLifeTime }},
		{Name: "child_max_connections", Type: Int, Default: "0", Max: math.MaxInt32,
			Description: "Sessions after which kept connections are given up; 0 is never.", at: func(c *Config, _ int) any { return &c.Pool.ChildMaxConnections }},
		{Name: "connection_life_time", Type: Duration, Unit: Second, Default: "0", Max: math.MaxInt32,
			Description: "Unused time after which a kept connection is closed; 0 is never.", at: func(c *Config, _ int) any { return &c.Pool.ConnectionLifeTime }},
		{Name: "client_idle_limit", Type: Duration, Unit: Second, Default: "0", Max: math.MaxInt32, Context: InSession,
			Description: "Idle time after which a frontend is disconnected; 0 is never.", at: func(c *Config, _ int) any { return &c.Pool.ClientIdleLimit }},
		{Name: "connection_cache", Type: Bool, Default: "on",
			Description: "Keep connections to nodes after the frontend has left.", at: func(c *Config, _ int) any { return &c.Pool.ConnectionCache }},
		{Name: "reset_query_list", Type: List, Default: "ABORT;DISCARD ALL", Separator: ";", Context: OnReload,
			Description: "Statements sent to a node before its connection is kept.", at: func(c *Config, _ int) any { return &c.Pool.ResetQueryList }},
	}
}
