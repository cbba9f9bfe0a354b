package parser_test

import (
	"testing"

	"github.com/pgchorus/pgchorus/parser"
)

func TestClassOf(t *testing.T) {
	t.Parallel()
	tests := []struct {
		schema, name string
		args         int
		want         parser.FunctionClass
	}{
		{"", "lower", 1, parser.Deterministic},
		{"pg_catalog", "lower", 1, parser.Deterministic},
		{"", "now", 0, parser.Clock},
		{"", "timeofday", 0, parser.Clock},
		{"", "age", 1, parser.Clock},
		{"", "age", 2, parser.Deterministic},
		{"", "random", 0, parser.Random},
		{"", "uuidv7", 0, parser.Random},
		{"", "pg_sleep", 1, parser.Deterministic},
		{"", "has_table_privilege", 2, parser.Deterministic},
		{"", "pg_get_viewdef", 1, parser.Deterministic},
		{"", "pg_table_size", 1, parser.NodeLocal},
		{"", "pg_stat_get_xact_numscans", 1, parser.NodeLocal},
		{"", "pg_stat_get_activity", 1, parser.NodeLocal},
		{"", "pg_ls_dir", 1, parser.NodeLocal},
		{"", "txid_status", 1, parser.NodeLocal},
		{"", "pg_is_in_recovery", 0, parser.NodeLocal},
		{"", "nextval", 1, parser.Sequence},
		{"", "currval", 1, parser.Sequence},
		{"", "lastval", 0, parser.Sequence},
		{"", "set_config", 3, parser.Writer},
		{"", "setseed", 1, parser.Writer},
		{"", "pg_advisory_xact_lock", 1, parser.Writer},
		{"", "pg_try_advisory_lock", 1, parser.Writer},
		{"", "lo_unlink", 1, parser.Writer},
		{"", "lo_open", 2, parser.Writer},
		{"", "pg_notify", 2, parser.Writer},
		{"", "pg_terminate_backend", 1, parser.Writer},
		{"", "pg_create_restore_point", 1, parser.Writer},
		{"", "pg_logical_slot_get_changes", 3, parser.Writer},
		{"", "pg_stat_reset", 0, parser.Writer},
		{"", "query_to_xml", 4, parser.Writer},
		{"", "ts_stat", 1, parser.Writer},
		{"", "pg_reload_conf", 0, parser.Writer},
		{"", "brin_summarize_range", 2, parser.Writer},
		{"", "dblink_exec", 2, parser.UnknownFunction},
		{"", "Lower", 1, parser.UnknownFunction},
		{"public", "lower", 1, parser.UnknownFunction},
		{"pg_catalog", "from_the_future", 0, parser.UnknownFunction},
		{"information_schema", "_pg_truetypid", 2, parser.Deterministic},
		{"information_schema", "mine", 0, parser.UnknownFunction},
	}
	for _, tt := range tests {
		if got := parser.ClassOf(tt.schema, tt.name, tt.args); got != tt.want {
			t.Errorf("ClassOf(%q, %q, %d) = %v, want %v", tt.schema, tt.name, tt.args, got, tt.want)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		parser.Utility.String(), parser.BlockOnly.String(), parser.Writer.String(), parser.TimeString.String(),
	} {
		if name == "" || name == "invalid" {
			t.Errorf("a last constant has no name: %q", name)
		}
	}
	if parser.Utility.String() != "utility" || parser.TimeString.String() != "string" || parser.Writer.String() != "writer" {
		t.Error("names and constants are out of step")
	}
	if parser.Kind(200).String() != "invalid" {
		t.Error("an impossible kind has a name")
	}
}
