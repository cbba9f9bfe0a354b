package config

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// ModeSample is one of configs/pgpool.conf.sample-*: the parameters that a cluster
// of one clustering mode begins with.
type ModeSample struct {
	Name   string // what stands behind "pgpool.conf.sample-"
	Mode   ClusteringMode
	about  string            // what the mode is, and what the servers need for it
	values map[string]string // by parameter, with its number when indexed
}

// ModeSamples returns the samples of all clustering modes.
func ModeSamples() []ModeSample {
	return []ModeSample{
		{Name: "native", Mode: NativeReplication, values: with(everyMode(), replicatingValues()), about: `
Every write runs on every node, a read on one of them. The nodes are independent
servers, which hold the same data at the beginning; nothing has to be set on them.
Nobody may write past pgchorus.`},
		{Name: "snapshot", Mode: SnapshotIsolation, values: with(everyMode(), replicatingValues()), about: `
As native_replication, and a transaction sees the same commits on all nodes: each is
raised to REPEATABLE READ, so clients have to be ready to retry after SQLSTATE 40001.
The nodes hold the same data at the beginning, and nobody may write past pgchorus.`},
		{Name: "stream", Mode: StreamingReplication, values: with(everyMode(), primaryValues(), streamingValues()), about: `
PostgreSQL's streaming replication keeps the standbys; writes go to the primary,
reads are spread. Each standby's primary_conninfo has the application_name that
backend_application_nameN gives here. failover_command is what promotes a standby;
without one an operator does, and writes wait for it.`},
		{Name: "logical", Mode: LogicalReplication, values: with(everyMode(), primaryValues(), logicalValues()), about: `
PostgreSQL's logical replication keeps the subscribers; writes go to the publisher,
reads are spread. The servers need wal_level = logical; tables are created on each
node, since logical replication does not copy DDL. backend_application_nameN is the
name of the node's subscription.`},
		{Name: "raw", Mode: Raw, values: everyMode(), about: `
Everything goes to the main node; the others take its place one after the other when
it is lost. Nothing here keeps them equal.`},
	}
}

func with(parts ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, part := range parts {
		maps.Copy(all, part)
	}
	return all
}

// everyMode is three nodes that are checked, and frontends that are asked who
// they are.
func everyMode() map[string]string {
	return map[string]string{
		"listen_addresses": "*",
		"port":             "9999",

		"backend_hostname0": "10.0.0.10", "backend_port0": "5432", "backend_weight0": "1", "backend_data_directory0": "/var/lib/postgresql/data",
		"backend_hostname1": "10.0.0.11", "backend_port1": "5432", "backend_weight1": "1", "backend_data_directory1": "/var/lib/postgresql/data",
		"backend_hostname2": "10.0.0.12", "backend_port2": "5432", "backend_weight2": "1", "backend_data_directory2": "/var/lib/postgresql/data",

		"enable_pool_hba":          "on",
		"num_init_children":        "100",
		"health_check_period":      "5",
		"health_check_timeout":     "5",
		"health_check_user":        "pgchorus_check",
		"health_check_max_retries": "2",
		"failover_command":         "",
	}
}

func replicatingValues() map[string]string {
	return map[string]string{
		"load_balance_mode":                    "on",
		"replicate_select":                     "off",
		"replication_stop_on_mismatch":         "off",
		"failover_if_affected_tuples_mismatch": "off",
	}
}

func primaryValues() map[string]string {
	return map[string]string{
		"load_balance_mode":             "on",
		"disable_load_balance_on_write": "transaction",
		"read_consistency":              "session",
		"sr_check_period":               "1",
		"sr_check_user":                 "pgchorus_check",
		"sr_check_database":             "postgres",
		"delay_threshold_by_time":       "1000",
		"prefer_lower_delay_standby":    "on",
		"backend_application_name0":     "node0",
		"backend_application_name1":     "node1",
		"backend_application_name2":     "node2",
	}
}

func streamingValues() map[string]string {
	return map[string]string{
		"auto_failback":               "on",
		"detach_false_primary":        "on",
		"search_primary_node_timeout": "300",
	}
}

func logicalValues() map[string]string {
	return map[string]string{
		"backend_flag0": "ALWAYS_PRIMARY|DISALLOW_TO_FAILOVER",
		"backend_flag1": "ALLOW_TO_FAILOVER",
		"backend_flag2": "ALLOW_TO_FAILOVER",
	}
}

// Write writes the sample in the order of the table.
func (s ModeSample) Write(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "# pgpool.conf of pgchorus for %s.\n#", s.Mode)
	fmt.Fprintln(out, strings.ReplaceAll(s.about, "\n", "\n# "))
	fmt.Fprint(out, "#\n# What is not set here is at its default; pgpool.conf.sample lists everything.\n")
	s.writeParam(out, byName[clusteringMode], string(s.Mode))
	for i := range table {
		s.writeParam(out, &table[i], "")
	}
	return out.Flush()
}

// writeParam writes the lines of one parameter below its description, if the
// sample has it or one is given.
func (s ModeSample) writeParam(w io.Writer, p *Param, one string) {
	var lines []string
	if one != "" {
		lines = append(lines, p.line(p.Name, one))
	}
	names := slices.Sorted(maps.Keys(s.values))
	for _, name := range names {
		if _, k, err := resolve(name); err == nil && k.name == p.Name {
			lines = append(lines, p.line(name, s.values[name]))
		}
	}
	if len(lines) > 0 {
		fmt.Fprintf(w, "\n# %s\n%s\n", p.comment(), strings.Join(lines, "\n"))
	}
}
