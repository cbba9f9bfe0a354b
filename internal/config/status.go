package config

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// statusItems is SHOW POOL_STATUS in Pgpool-II's order. A name with N stands for
// a group of items that is repeated for each entry.
var statusItems = strings.Fields(`
backend_clustering_mode listen_addresses port unix_socket_directories unix_socket_group unix_socket_permissions
pcp_listen_addresses pcp_port pcp_socket_dir enable_pool_hba pool_passwd authentication_timeout
allow_clear_text_frontend_auth ssl ssl_key ssl_cert ssl_ca_cert ssl_ca_cert_dir ssl_crl_file ssl_ciphers
ssl_prefer_server_ciphers ssl_ecdh_curve ssl_dh_params_file ssl_passphrase_command listen_backlog_multiplier
serialize_accept reserved_connections max_pool process_management_mode process_management_strategy num_init_children
min_spare_children max_spare_children child_life_time child_max_connections connection_life_time client_idle_limit
log_destination log_line_prefix log_error_verbosity client_min_messages log_min_messages log_connections
log_disconnections log_pcp_processes log_hostname log_statement log_per_node_statement notice_per_node_statement
log_client_messages log_backend_messages log_standby_delay syslog_facility syslog_ident pid_file_name work_dir
connection_cache reset_query_list replicate_select insert_lock lobj_lock_table replication_stop_on_mismatch
failover_if_affected_tuples_mismatch load_balance_mode ignore_leading_white_space read_only_function_list
write_function_list primary_routing_query_pattern_list disable_load_balance_on_write
dml_adaptive_object_relationship_list statement_level_load_balance sr_check_period sr_check_user sr_check_database
delay_threshold delay_threshold_by_time prefer_lower_delay_standby follow_primary_command
user_redirect_preference_list database_redirect_preference_list app_name_redirect_preference_list allow_sql_comments
health_check_period health_check_timeout health_check_user health_check_database health_check_max_retries
health_check_retry_delay connect_timeout failover_command failback_command failover_on_backend_error
failover_on_backend_shutdown detach_false_primary auto_failback auto_failback_interval recovery_user recovery_database
recovery_1st_stage_command recovery_2nd_stage_command recovery_timeout search_primary_node_timeout
client_idle_limit_in_recovery relcache_expire relcache_size check_temp_table check_unlogged_table
enable_shared_relcache relcache_query_target use_watchdog wd_ipc_socket_dir wd_lifecheck_method
clear_memqcache_on_escalation wd_escalation_command wd_de_escalation_command trusted_servers trusted_server_command
delegate_ip wd_priority wd_interval ping_path if_cmd_path if_up_cmd if_down_cmd arping_path arping_cmd
wd_heartbeat_keepalive wd_heartbeat_deadtime wd_life_point wd_lifecheck_query wd_lifecheck_dbname wd_lifecheck_user
hostnameN heartbeat_hostnameN wd_monitoring_interfaces_list memory_cache_enabled memqcache_method
memqcache_memcached_host memqcache_memcached_port memqcache_total_size memqcache_max_num_cache memqcache_expire
memqcache_auto_cache_invalidation memqcache_maxcache memqcache_cache_block_size memqcache_cache_oiddir
memqcache_stats_start_time memqcache_no_cache_hits memqcache_cache_hits cache_safe_memqcache_table_list
cache_unsafe_memqcache_table_list backend_hostnameN
`)

// statusGroups are the items that stand together for each entry.
var statusGroups = map[string][]string{
	"hostnameN":           {"hostname", "pgpool_port", "wd_port"},
	"heartbeat_hostnameN": {"heartbeat_hostname", "heartbeat_device", "heartbeat_port"},
	"backend_hostnameN": {"backend_hostname", "backend_port", "backend_weight", "backend_data_directory",
		"backend_status", "standby_delay", "backend_flag", "backend_application_name"},
}

// liveItems are the items that are not configuration, with their descriptions.
var liveItems = map[string]string{
	"memqcache_stats_start_time": "Start of the query cache's statistics.",
	"memqcache_no_cache_hits":    "SELECTs that were not answered from the query cache.",
	"memqcache_cache_hits":       "SELECTs that were answered from the query cache.",
	"backend_status":             "Status of the node.",
	"standby_delay":              "Replication lag of the node.",
}

// Status gives the rows of SHOW POOL_STATUS and pcp_pool_status. Rows that are
// Live have no value: the caller knows it.
func (c *Config) Status() []Item {
	var rows []Item
	for _, name := range statusItems {
		names, grouped := statusGroups[name]
		if !grouped {
			rows = append(rows, c.statusItem(name, noIndex))
			continue
		}
		for _, i := range c.entries(byName[names[0]].Index) {
			for _, name := range names {
				rows = append(rows, c.statusItem(name, i))
			}
		}
	}
	return rows
}

// statusItem is one row. Pgpool-II shows memqcache_oiddir under another name.
func (c *Config) statusItem(name string, index int) Item {
	k := key{name, index}
	if description, live := liveItems[name]; live {
		return Item{Name: k.String(), Description: description, Live: true}
	}
	item := Item{Name: k.String()}
	if name == "memqcache_cache_oiddir" {
		k.name = "memqcache_oiddir"
	}
	p := byName[k.name]
	const longest = 511
	item.Value = cut(p.statusText(c.lookup(k)), longest)
	item.Description = p.Description
	if k.name == "backend_weight" {
		item.Value = fmt.Sprintf("%f", c.share(NodeID(index)))
	}
	return item
}

// share is the node's part of all weights.
func (c *Config) share(id NodeID) float64 {
	var sum, own float64
	for _, b := range c.Backends {
		sum += b.Weight
		if b.ID == id {
			own = b.Weight
		}
	}
	if sum == 0 {
		return 0
	}
	return own / sum
}

// cut shortens s to at most n bytes without breaking a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
