package config

import "math"

// ourParams is the part of the table that Pgpool-II does not have.
func ourParams() []Param {
	params := append(authQueryParams(), consistencyParams()...)
	params = append(params, safetyParams()...)
	params = append(params, writeParams()...)
	params = append(params, loanParams()...)
	params = append(params, followParams()...)
	for i := range params {
		params[i].Ours = true
	}
	return params
}

func consistencyParams() []Param {
	return []Param{
		{Name: "read_consistency", Type: Enum, Default: "session", Words: []string{"eventual", "session", "strict"}, Context: OnReload, Scope: WithPrimary,
			Description: "What a standby must have replayed for a read: nothing, own writes, all.", at: func(c *Config, _ int) any { return &c.LoadBalance.ReadConsistency }},
		{Name: "read_consistency_timeout", Type: Duration, Unit: Millisecond, Default: "10", Max: 60000, Context: OnReload, Scope: WithPrimary,
			Description: "How long a read waits for that before it goes to the primary.", at: func(c *Config, _ int) any { return &c.LoadBalance.ReadConsistencyTimeout }},
	}
}

func followParams() []Param {
	return []Param{
		{Name: "cache_follow_wal", Type: Bool, Default: "off",
			Description: "End cached answers that others write around us, by logical decoding.", at: func(c *Config, _ int) any { return &c.Cache.CacheFollowWAL }},
		{Name: "cache_follow_wal_delay", Type: Duration, Unit: Millisecond, Default: "1000", Min: 100, Max: 60000,
			Description: "How old the news of others' writes may be for cached answers.", at: func(c *Config, _ int) any { return &c.Cache.CacheFollowWALDelay }},
	}
}

func authQueryParams() []Param {
	return []Param{
		{Name: "auth_query", Type: String, Context: OnReload,
			Description: "Query that gives a user's name and password; $1 is the name.", at: func(c *Config, _ int) any { return &c.Auth.AuthQuery }},
		{Name: "auth_query_user", Type: String, Context: OnReload,
			Description: "Role that runs auth_query.", at: func(c *Config, _ int) any { return &c.Auth.AuthQueryUser }},
		{Name: "auth_query_password", Type: String, Context: OnReload, Secret: true,
			Description: "Password of that role.", at: func(c *Config, _ int) any { return &c.Auth.AuthQueryPassword }},
		{Name: "auth_query_database", Type: String, Context: OnReload,
			Description: "Database of auth_query; empty is the one the frontend asked for.", at: func(c *Config, _ int) any { return &c.Auth.AuthQueryDatabase }},
	}
}

func safetyParams() []Param {
	return []Param{
		{Name: "replication_safety", Type: Enum, Default: "mixed", Words: []string{"compat", "mixed", "strict"}, Context: OnReload, Scope: Replicating,
			Description: "What happens to statements whose result could differ.", at: func(c *Config, _ int) any { return &c.Replication.ReplicationSafety }},
		{Name: "function_deny_list", Type: List, Separator: ",", Context: OnReload, grammar: parsePatternList,
			Description: "Functions whose statements are refused.", at: func(c *Config, _ int) any { return &c.Replication.FunctionDenyList }},
		{Name: "function_policy", Type: String, Context: OnReload, grammar: parseFunctionPolicy,
			Default: defaultFunctionPolicy(), Scope: Replicating,
			Description: "What happens to calls of a class of functions.", at: func(c *Config, _ int) any { return &c.Replication.FunctionPolicy }},
		{Name: "unparsed_statement", Type: Enum, Default: "warn", Words: []string{"allow", "warn", "refuse"}, Context: OnReload, Scope: Replicating,
			Description: "What happens to statements that our parser does not know.", at: func(c *Config, _ int) any { return &c.Replication.UnparsedStatement }},
		{Name: "admin_broadcast", Type: Bool, Default: "off", Context: OnReload, Scope: Replicating,
			Description: "Run ALTER SYSTEM and the functions of class admin on all nodes.", at: func(c *Config, _ int) any { return &c.Replication.AdminBroadcast }},
		{Name: "checksum_interval", Type: Duration, Unit: Second, Default: "86400", Max: math.MaxInt32, Context: OnReload, Scope: Replicating,
			Description: "Time between comparisons of a table on all nodes; 0 is never.", at: func(c *Config, _ int) any { return &c.Replication.ChecksumInterval }},
		{Name: "node_check_interval", Type: Duration, Unit: Second, Default: "600", Max: math.MaxInt32, Context: OnReload, Scope: Replicating,
			Description: "Time between looks whether nodes are set up alike; 0 is never.", at: func(c *Config, _ int) any { return &c.Replication.NodeCheckInterval }},
		{Name: "repair", Type: Enum, Default: "report", Words: []string{"report", "repair", "fence"}, Context: OnReload, Scope: Replicating,
			Description: "What happens when such a comparison finds a difference.", at: func(c *Config, _ int) any { return &c.Replication.Repair }},
		{Name: "verify_digest", Type: Enum, Default: "auto", Words: []string{"auto", "on", "off"}, Context: OnReload, Scope: Replicating,
			Description: "Compare digests of the written rows before COMMIT.", at: func(c *Config, _ int) any { return &c.Replication.VerifyDigest }},
	}
}

func writeParams() []Param {
	return []Param{
		{Name: "commit_mode", Type: Enum, Default: "auto", Words: []string{"auto", "parallel", "main_last", "main_first", "last_agent"},
			Description: "Order of COMMIT over the nodes.", Scope: Replicating, at: func(c *Config, _ int) any { return &c.Replication.CommitMode }},
		{Name: "commit_marker", Type: Enum, Default: "auto", Words: []string{"off", "auto", "on"}, Scope: Replicating,
			Description: "Note each transaction on each node, so that a split one is found.", at: func(c *Config, _ int) any { return &c.Replication.CommitMarker }},
		{Name: "set_write_strategy", Type: Enum, Default: "auto", Words: []string{"auto", "capture", "verify", "lock"}, Context: OnReload, Scope: Replicating,
			Description: "How a write that reads other rows is kept equal.", at: func(c *Config, _ int) any { return &c.Replication.SetWriteStrategy }},
		{Name: "capture_rows_hint", Type: Int, Default: "10000", Max: math.MaxInt32, Context: OnReload, Scope: Replicating,
			Description: "Rows beyond which a write locks its tables instead of being captured.", at: func(c *Config, _ int) any { return &c.Replication.CaptureRowsHint }},
		{Name: "capture_max_bytes", Type: Int, Unit: Byte, Default: "16777216", Max: math.MaxInt64, Context: OnReload, Scope: Replicating,
			Description: "Bytes of captured rows beyond which a write locks its tables.", at: func(c *Config, _ int) any { return &c.Replication.CaptureMaxBytes }},
		{Name: "early_reply", Type: Bool, Default: "on", Context: OnReload, Scope: Replicating,
			Description: "Answer a statement in a transaction when main has done it.", at: func(c *Config, _ int) any { return &c.Replication.EarlyReply }},
		{Name: "parallel_dispatch", Type: Bool, Default: "on", Scope: Replicating,
			Description: "Send a write of one row, by its key or an INSERT, to all nodes at once.", at: func(c *Config, _ int) any { return &c.Replication.ParallelDispatch }},
		{Name: "autocommit_fast", Type: Bool, Default: "off", Context: OnReload, Scope: Replicating,
			Description: "Have such a write committed by the message that it is sent in.", at: func(c *Config, _ int) any { return &c.Replication.AutocommitFast }},
		{Name: "sequence_strategy", Type: Enum, Default: "auto", Words: []string{"auto", "lease", "capture", "lock"}, Context: OnReload,
			Description: "How sequence values are kept equal.", at: func(c *Config, _ int) any { return &c.Replication.SequenceStrategy }},
		{Name: "sequence_lease_size", Type: Int, Default: "32", Min: 1, Max: 10000, Context: OnReload,
			Description: "Sequence values taken from main at a time.", at: func(c *Config, _ int) any { return &c.Replication.SequenceLeaseSize }},
		{Name: "insert_lock_mode", Type: Enum, Default: "auto", Words: []string{"auto", "literal"}, Context: OnReload,
			Description: "Satisfy insert_lock by sequence_strategy, or by the real lock.", at: func(c *Config, _ int) any { return &c.Replication.InsertLockMode }},
		{Name: "time_source", Type: Enum, Default: "proxy", Words: []string{"main", "proxy"}, Context: OnReload, Scope: Replicating,
			Description: "Whose clock gives the time of a transaction.", at: func(c *Config, _ int) any { return &c.Replication.TimeSource }},
		{Name: "deadlock_check_interval", Type: Duration, Unit: Millisecond, Default: "1000", Max: math.MaxInt32, Context: OnReload,
			Description: "Time between searches for deadlocks over several nodes; 0 is never.", Scope: Replicating, at: func(c *Config, _ int) any { return &c.Replication.DeadlockCheckInterval }},
		{Name: "replica_ddl_lock_timeout", Type: Duration, Unit: Millisecond, Default: "5000", Max: math.MaxInt32, Context: OnReload, Scope: Replicating,
			Description: "Limit of waiting for a DDL lock on the other nodes; 0 is none.", at: func(c *Config, _ int) any { return &c.Replication.ReplicaDDLLockTimeout }},
		{Name: "auto_prepare", Type: Bool, Default: "on", Context: OnReload,
			Description: "Have the nodes prepare what reads and writes one row by its key.", at: func(c *Config, _ int) any { return &c.Replication.AutoPrepare }},
	}
}

// loanParams are those of transaction pooling. All but the first have PgBouncer's names.
func loanParams() []Param {
	return []Param{
		{Name: "pool_mode", Type: Enum, Default: "session", Words: []string{"session", "transaction"},
			Description: "How long a frontend has its connections to the nodes.", at: func(c *Config, _ int) any { return &c.Pool.PoolMode }},
		{Name: "default_pool_size", Type: Int, Default: "20", Max: math.MaxInt32, Context: OnReload,
			Description: "Connections to a node for a user and database; 0 is no limit.", at: func(c *Config, _ int) any { return &c.Pool.DefaultPoolSize }},
		{Name: "max_user_connections", Type: Int, Default: "0", Max: math.MaxInt32, Context: OnReload,
			Description: "The same for a user in all databases.", at: func(c *Config, _ int) any { return &c.Pool.MaxUserConnections }},
		{Name: "max_db_connections", Type: Int, Default: "0", Max: math.MaxInt32, Context: OnReload,
			Description: "The same for a database and all users.", at: func(c *Config, _ int) any { return &c.Pool.MaxDBConnections }},
		{Name: "query_wait_timeout", Type: Duration, Unit: Second, Default: "120", Max: math.MaxInt32, Context: OnReload,
			Description: "How long a statement waits for connections; 0 is no limit.", at: func(c *Config, _ int) any { return &c.Pool.QueryWaitTimeout }},
		{Name: "max_prepared_statements", Type: Int, Default: "200", Min: 1, Max: math.MaxInt32, Context: OnReload,
			Description: "Prepared statements kept on a connection that is lent.", at: func(c *Config, _ int) any { return &c.Pool.MaxPreparedStatements }},
	}
}
