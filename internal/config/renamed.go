package config

import (
	"cmp"
	"strings"
)

// renamed maps names of older releases to today's, with the same meaning.
// (The three that Pgpool-II itself still knows are rows of the table.)
var renamed = map[string]string{
	"black_function_list":                         "write_function_list",
	"white_function_list":                         "read_only_function_list",
	"black_query_pattern_list":                    "primary_routing_query_pattern_list",
	"black_memqcache_table_list":                  "cache_unsafe_memqcache_table_list",
	"white_memqcache_table_list":                  "cache_safe_memqcache_table_list",
	"follow_master_command":                       "follow_primary_command",
	"socket_dir":                                  "unix_socket_directories",
	"ifconfig_path":                               "if_cmd_path",
	"load_balance_enabled":                        "load_balance_mode",
	"enable_multiple_failover_requests_from_node": "allow_multiple_failover_requests_from_node",
}

// removed maps names of older releases that are skipped to what to do instead.
// Names of indexed parameters stand without their number.
var removed = map[string]string{
	"wd_hostname":                "list every proxy as hostnameN, where N is its number",
	"wd_port":                    "list every proxy as wd_portN, where N is its number",
	"other_pgpool_hostname":      "list every proxy, this one too, as hostnameN",
	"other_pgpool_port":          "list every proxy, this one too, as pgpool_portN",
	"other_wd_port":              "list every proxy, this one too, as wd_portN",
	"wd_heartbeat_port":          "use heartbeat_portN of this proxy",
	"heartbeat_destination":      "use heartbeat_hostnameN, where N is the proxy's number",
	"heartbeat_destination_port": "use heartbeat_portN, where N is the proxy's number",
	"enable_query_cache":         "the query cache is switched on by memory_cache_enabled",
	"pgpool2_hostname":           "parallel mode is gone",
	"system_db_hostname":         "parallel mode is gone",
	"system_db_port":             "parallel mode is gone",
	"system_db_dbname":           "parallel mode is gone",
	"system_db_schema":           "parallel mode is gone",
	"system_db_user":             "parallel mode is gone",
	"system_db_password":         "parallel mode is gone",
	"pcp_timeout":                "there is nothing in its place",
	"backend_socket_dir":         "put the directory into backend_hostnameN",
	"print_timestamp":            "log lines always have the time",
	"print_user":                 "log lines have the user where it is known",
	"debug_level":                "use log_min_messages",
	"allow_inet_domain_socket":   "use listen_addresses",
	"replication_strict":         "there is nothing in its place",
	"replication_timeout":        "there is nothing in its place",
}

// rename turns a setting of an older release into today's name and value, with
// a warning. It returns no name for settings that are dealt with.
func (p *parser) rename(file string, set setting) (name, text string) {
	if p.oldMode(file, set) {
		return "", ""
	}
	text = p.renameValue(file, set)
	if hint, ok := removed[baseOf(set.name)]; ok && removedForm(set.name) {
		p.warn(file, set.line, set.name, "no longer used and skipped; "+hint)
		return "", ""
	}
	if name, ok := newName(set.name); ok {
		p.warn(file, set.line, set.name, "old name of "+name+", which is set to this value")
		return name, text
	}
	return set.name, text
}

// removedForm keeps today's wd_portN apart from wd_port of older releases.
func removedForm(name string) bool { return name == "wd_port" || baseOf(name) != "wd_port" }

func baseOf(name string) string { return strings.TrimRight(name, "0123456789") }

func newName(old string) (string, bool) {
	if name, ok := renamed[old]; ok {
		return name, true
	}
	if param, ok := byName[old]; ok && param.AliasOf != "" {
		return param.AliasOf, true
	}
	return "", false
}

// renameValue turns words of older releases into today's.
func (p *parser) renameValue(file string, set setting) string {
	switch {
	case set.name == "relcache_query_target" && strings.EqualFold(set.text, "master"):
		p.warn(file, set.line, set.name, "old word master is read as primary")
		return "primary"
	case baseOf(set.name) == "backend_flag" && strings.Contains(set.text, "ALWAYS_MASTER"):
		p.warn(file, set.line, set.name, "old flag ALWAYS_MASTER is read as ALWAYS_PRIMARY")
		return strings.ReplaceAll(set.text, "ALWAYS_MASTER", "ALWAYS_PRIMARY")
	}
	return set.text
}

// nearest is the known name that resembles an unknown one most, or nothing.
func nearest(name string) string {
	const longest, least = 64, 2
	if len(name) > longest {
		return ""
	}
	digits := name[len(baseOf(name)):]
	best, distance := "", max(least, len(name)/4)+1
	for i := range table {
		if d := editDistance(baseOf(name), table[i].Name); d < distance && table[i].AliasOf == "" {
			best, distance = table[i].Name, d
		}
	}
	if best != "" && byName[best].Index != NoIndex && (digits != "" || !byName[best].IndexFree) {
		best += cmp.Or(digits, "0")
	}
	return best
}

// editDistance is the number of letters to insert, delete or replace.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
