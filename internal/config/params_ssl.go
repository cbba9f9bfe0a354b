package config

// sslParams is the part of the table on: SSL/TLS.
func sslParams() []Param {
	return []Param{
		{Name: "ssl", Type: Bool, Default: "off",
			Description: "Offer SSL to frontends and try it towards nodes.", at: func(c *Config, _ int) any { return &c.SSL.Enabled }},
		{Name: "ssl_cert", Type: String, Default: "", Context: OnReload, File: true,
			Description: "Server certificate (PEM).", at: func(c *Config, _ int) any { return &c.SSL.Cert }},
		{Name: "ssl_key", Type: String, Default: "", Context: OnReload, File: true,
			Description: "Private key of the server certificate (PEM).", at: func(c *Config, _ int) any { return &c.SSL.Key }},
		{Name: "ssl_ca_cert", Type: String, Default: "", Context: OnReload, File: true,
			Description: "Trusted CA certificates (PEM).", at: func(c *Config, _ int) any { return &c.SSL.CACert }},
		{Name: "ssl_ca_cert_dir", Type: String, Default: "", Context: OnReload, File: true,
			Description: "Directory of trusted CA certificates.", at: func(c *Config, _ int) any { return &c.SSL.CACertDir }},
		{Name: "ssl_crl_file", Type: String, Default: "", Context: OnReload, File: true,
			Description: "Certificate revocation list (PEM).", at: func(c *Config, _ int) any { return &c.SSL.CRLFile }},
		{Name: "ssl_ciphers", Type: String, Default: "HIGH:MEDIUM:+3DES:!aNULL", Context: OnReload,
			Description: "OpenSSL cipher list for TLS up to 1.2.", at: func(c *Config, _ int) any { return &c.SSL.Ciphers }},
		{Name: "ssl_prefer_server_ciphers", Type: Bool, Default: "off", Context: OnReload,
			Description: "Let the server's order of ciphers win.", NoEffect: noCipherOrder, at: func(c *Config, _ int) any { return &c.SSL.PreferServerCiphers }},
		{Name: "ssl_ecdh_curve", Type: String, Default: "prime256v1", Context: OnReload,
			Description: "Curve of the ECDHE key exchange.", at: func(c *Config, _ int) any { return &c.SSL.ECDHCurve }},
		{Name: "ssl_dh_params_file", Type: String, Default: "", Context: OnReload, File: true,
			Description: "Parameters of the DHE key exchange (PEM).", NoEffect: noDHE, at: func(c *Config, _ int) any { return &c.SSL.DHParamsFile }},
		{Name: "ssl_passphrase_command", Type: String, Default: "", Context: OnReload,
			Description: "Command that prints the passphrase of the private key.", at: func(c *Config, _ int) any { return &c.SSL.PassphraseCommand }},
	}
}
