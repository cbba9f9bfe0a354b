package config

import "math"

// recoveryParams is the part of the table on: online recovery.
func recoveryParams() []Param {
	return []Param{
		{Name: "recovery_user", Type: String, Default: "", Context: OnReload,
			Description: "Role that calls the recovery functions.", NoEffect: notYet, at: func(c *Config, _ int) any { return &c.Recovery.RecoveryUser }},
		{Name: "recovery_password", Type: String, Default: "", Context: OnReload, Secret: true,
			Description: "Password of that role.", NoEffect: notYet, at: func(c *Config, _ int) any { return &c.Recovery.RecoveryPassword }},
		{Name: "recovery_database", Type: String, Default: "postgres", Context: OnReload,
			Description: "Database that has the recovery functions.", NoEffect: notYet, at: func(c *Config, _ int) any { return &c.Recovery.RecoveryDatabase }},
		{Name: "recovery_1st_stage_command", Type: String, Default: "", Context: OnReload,
			Description: "Script of the first stage, while sessions go on.", NoEffect: notYet, at: func(c *Config, _ int) any { return &c.Recovery.Recovery1stStageCommand }},
		{Name: "recovery_2nd_stage_command", Type: String, Default: "", Context: OnReload,
			Description: "Script of the second stage, while sessions are stopped.", NoEffect: notYet, at: func(c *Config, _ int) any { return &c.Recovery.Recovery2ndStageCommand }},
		{Name: "recovery_timeout", Type: Duration, Unit: Second, Default: "90", Max: math.MaxInt32, Context: OnReload,
			Description: "Limit of waiting for sessions and for the recovered node.", NoEffect: notYet, at: func(c *Config, _ int) any { return &c.Recovery.RecoveryTimeout }},
		{Name: "client_idle_limit_in_recovery", Type: Duration, Unit: Second, Default: "0", Min: -1, Max: math.MaxInt32, Context: InSession,
			Description: "client_idle_limit of the second stage; 0 is never, -1 at once.", NoEffect: notYet, at: func(c *Config, _ int) any { return &c.Recovery.ClientIdleLimitInRecovery }},
	}
}
