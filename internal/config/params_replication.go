package config

// replicationParams is the part of the table on: statement replication.
func replicationParams() []Param {
	return []Param{
		{Name: "replicate_select", Type: Bool, Default: "off", Context: OnReload, Scope: Replicating,
			Description: "Send SELECTs to all nodes.", at: func(c *Config, _ int) any { return &c.Replication.ReplicateSelect }},
		{Name: "insert_lock", Type: Bool, Default: "on", Context: OnReload, Scope: Replicating,
			Description: "Keep sequence values of concurrent INSERTs equal on all nodes.", at: func(c *Config, _ int) any { return &c.Replication.InsertLock }},
		{Name: "lobj_lock_table", Type: String, Default: "", Context: OnReload, Scope: Replicating,
			Description: "Table locked while a large object is created.", NoEffect: noLobjLock, at: func(c *Config, _ int) any { return &c.Replication.LobjLockTable }},
		{Name: "replication_stop_on_mismatch", Type: Bool, Default: "off", Context: OnReload, Scope: Replicating,
			Description: "Detach nodes whose answer differs from the majority's.", at: func(c *Config, _ int) any { return &c.Replication.ReplicationStopOnMismatch }},
		{Name: "failover_if_affected_tuples_mismatch", Type: Bool, Default: "off", Context: OnReload, Scope: Replicating,
			Description: "Detach nodes whose row count differs from the majority's.", at: func(c *Config, _ int) any { return &c.Replication.FailoverIfAffectedTuplesMismatch }},
	}
}
