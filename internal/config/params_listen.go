package config

import "math"

// listenParams is the part of the table on: listening for frontends and for PCP.
func listenParams() []Param {
	return []Param{
		{Name: "listen_addresses", Type: List, Default: "localhost", Separator: ",",
			Description: "TCP addresses for frontends; * is all, empty is none.", at: func(c *Config, _ int) any { return &c.Listen.ListenAddresses }},
		{Name: "port", Type: Int, Default: "9999", Min: 1024, Max: 65535,
			Description: "TCP port and suffix of the Unix socket for frontends.", at: func(c *Config, _ int) any { return &c.Listen.Port }},
		{Name: "unix_socket_directories", Type: List, Default: "/tmp", Separator: ",",
			Description: "Directories of the Unix socket for frontends.", at: func(c *Config, _ int) any { return &c.Listen.UnixSocketDirectories }},
		{Name: "unix_socket_group", Type: String, Default: "",
			Description: "Group that owns the Unix socket; empty keeps the process's group.", at: func(c *Config, _ int) any { return &c.Listen.UnixSocketGroup }},
		{Name: "unix_socket_permissions", Type: Int, Default: "0777", Max: 0777, Octal: true,
			Description: "Mode of the Unix socket, in octal.", at: func(c *Config, _ int) any { return &c.Listen.UnixSocketPermissions }},
		{Name: "pcp_listen_addresses", Type: List, Default: "localhost", Separator: ",",
			Description: "TCP addresses for PCP; * is all, empty is none.", NoEffect: noPCP, at: func(c *Config, _ int) any { return &c.PCP.ListenAddresses }},
		{Name: "pcp_port", Type: Int, Default: "9898", Min: 1024, Max: 65535,
			Description: "TCP port and suffix of the Unix socket for PCP.", NoEffect: noPCP, at: func(c *Config, _ int) any { return &c.PCP.Port }},
		{Name: "pcp_socket_dir", Type: List, Default: "/tmp", Separator: ",",
			Description: "Directories of the control socket.", at: func(c *Config, _ int) any { return &c.PCP.SocketDir }},
		{Name: "wd_ipc_socket_dir", Type: String, Default: "/tmp",
			Description: "Directory of the watchdog's command socket.", NoEffect: noWatchdog, at: func(c *Config, _ int) any { return &c.Watchdog.WDIPCSocketDir }},
		{Name: "listen_backlog_multiplier", Type: Int, Default: "2", Min: 1, Max: math.MaxInt32,
			Description: "Listen backlog is num_init_children times this.", at: func(c *Config, _ int) any { return &c.Listen.ListenBacklogMultiplier }},
		{Name: "serialize_accept", Type: Bool, Default: "off",
			Description: "Serialise accept() between worker processes.", NoEffect: noProcesses, at: func(c *Config, _ int) any { return &c.Listen.SerializeAccept }},
		{Name: "reserved_connections", Type: Int, Default: "0", Max: math.MaxInt32,
			Description: "Refuse frontends instead of queueing when fewer places are free.", at: func(c *Config, _ int) any { return &c.Listen.ReservedConnections }},
	}
}
