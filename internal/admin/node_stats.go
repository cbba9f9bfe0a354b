package admin

import "strconv"

// poolHealthCheckStats has durations in milliseconds.
func (t *Tables) poolHealthCheckStats() Table {
	table := Table{Columns: []string{
		"node_id", "hostname", "port", "status", "role", "last_status_change",
		"total_count", "success_count", "fail_count", "skip_count", "retry_count", "average_retry_count", "max_retry_count",
		"max_duration", "min_duration", "average_duration",
		"last_health_check", "last_successful_health_check", "last_skip_health_check", "last_failed_health_check",
	}}
	for _, n := range t.reporter.Nodes() {
		h := n.Health
		table.add(
			n.ID.String(), n.Host, strconv.Itoa(n.Port), n.Status, n.Role, timeText(n.Since),
			countText(h.Total), countText(h.Success), countText(h.Fail), countText(h.Skip), countText(h.Retry),
			floatText(h.AverageRetry), strconv.Itoa(h.MaxRetry),
			millisecondText(h.MaxDuration), millisecondText(h.MinDuration), floatText(h.AverageDuration),
			timeText(h.LastCheck), timeText(h.LastSuccess), timeText(h.LastSkip), timeText(h.LastFail),
		)
	}
	return table
}

func (t *Tables) poolBackendStats() Table {
	table := Table{Columns: []string{
		"node_id", "hostname", "port", "status", "role", "select_cnt", "insert_cnt", "update_cnt", "delete_cnt", "ddl_cnt",
		"other_cnt", "panic_cnt", "fatal_cnt", "error_cnt",
	}}
	for _, n := range t.reporter.Nodes() {
		c := n.Commands
		table.add(
			n.ID.String(), n.Host, strconv.Itoa(n.Port), n.Status, n.Role,
			countText(c.Select), countText(c.Insert), countText(c.Update), countText(c.Delete), countText(c.DDL),
			countText(c.Other), countText(c.Panic), countText(c.Fatal), countText(c.Error),
		)
	}
	return table
}
