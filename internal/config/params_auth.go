package config

import "math"

// authParams is the part of the table on: client authentication.
func authParams() []Param {
	return []Param{
		{Name: "enable_pool_hba", Type: Bool, Default: "off", Context: OnReload,
			Description: "Authenticate frontends by pool_hba.conf.", at: func(c *Config, _ int) any { return &c.Auth.EnablePoolHBA }},
		{Name: "pool_passwd", Type: String, Default: "pool_passwd", File: true, Secret: true,
			Description: "Password file; empty for none.", at: func(c *Config, _ int) any { return &c.Auth.PoolPasswd }},
		{Name: "authentication_timeout", Type: Duration, Unit: Second, Default: "60", Max: math.MaxInt32,
			Description: "Time in which a frontend must have logged in; 0 is no limit.", at: func(c *Config, _ int) any { return &c.Auth.AuthenticationTimeout }},
		{Name: "allow_clear_text_frontend_auth", Type: Bool, Default: "off", Context: OnReload,
			Description: "Ask for a clear-text password where pool_passwd has no usable entry.", at: func(c *Config, _ int) any { return &c.Auth.AllowClearTextFrontendAuth }},
	}
}
