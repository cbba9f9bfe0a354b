package config

// clusteringParams is the part of the table on: clustering mode.
func clusteringParams() []Param {
	return []Param{
		{Name: "backend_clustering_mode", Type: Enum, Default: "streaming_replication", Words: []string{"streaming_replication", "native_replication", "logical_replication", "raw", "snapshot_isolation"},
			Description: "How the nodes are kept identical.", at: func(c *Config, _ int) any { return &c.ClusteringMode }},
		{Name: "replication_mode", Type: Bool, Default: "off",
			Description: "Old switch for native_replication; sets backend_clustering_mode.", NoEffect: "replaced by backend_clustering_mode"},
	}
}
