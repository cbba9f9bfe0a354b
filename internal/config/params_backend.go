package config

// backendParams is the part of the table on: backends.
func backendParams() []Param {
	return []Param{
		{Name: "backend_hostname", Type: String, Default: "", Context: OnReload, Index: Nodes,
			Description: "Host name, address or socket directory of the node.", Example: "localhost", at: func(c *Config, i int) any { return &c.node(i).Hostname }},
		{Name: "backend_port", Type: Int, Default: "0", Min: 1024, Max: 65535, Context: OnReload, Index: Nodes,
			Description: "Port of the node; a node exists when this is set.", Example: "5432", at: func(c *Config, i int) any { return &c.node(i).Port }},
		{Name: "backend_weight", Type: Float, Default: "0", Max: 100000000, Context: OnReload, Index: Nodes,
			Description: "Share of load-balanced reads; only the ratio matters.", Example: "1", at: func(c *Config, i int) any { return &c.node(i).Weight }},
		{Name: "backend_data_directory", Type: String, Default: "", Context: OnReload, Index: Nodes,
			Description: "Data directory of the node, handed to scripts.", at: func(c *Config, i int) any { return &c.node(i).DataDirectory }},
		{Name: "backend_flag", Type: String, Default: "ALLOW_TO_FAILOVER", Context: OnReload, Index: Nodes, grammar: parseFlag,
			Description: "Flags of the node, separated by |.", at: func(c *Config, i int) any { return &c.node(i).Flag }},
		{Name: "backend_application_name", Type: String, Default: "", Context: OnReload, Index: Nodes, Scope: WithPrimary,
			Description: "application_name of the node's WAL receiver.", at: func(c *Config, i int) any { return &c.node(i).ApplicationName }},
	}
}
