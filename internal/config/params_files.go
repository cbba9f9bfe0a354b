package config

// filesParams is the part of the table on: files.
func filesParams() []Param {
	return []Param{
		{Name: "pid_file_name", Type: String, Default: "/var/run/pgpool/pgpool.pid", File: true,
			Description: "File that holds the process number.", at: func(c *Config, _ int) any { return &c.Files.PIDFileName }},
		{Name: "work_dir", Type: String, Default: "/tmp", File: true,
			Description: "Directory of pgpool_status.", at: func(c *Config, _ int) any { return &c.Files.WorkDir }},
		{Name: "logdir", Type: String, Default: "",
			Description: "Old name of work_dir.", AliasOf: "work_dir"},
	}
}
