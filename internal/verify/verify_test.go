package verify_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/internal/verify"
)

func TestNodesThatHoldTheSameAreEqual(t *testing.T) {
	t.Parallel()
	nodes := startEqual(t, 3)
	// Another order of rows and columns, other OIDs, and what is ours or only there for a while, are no differences.
	nodes[1].Exec("CREATE TABLE extra (); DROP TABLE extra; UPDATE shop.item SET name = 'x' WHERE id = 1; UPDATE shop.item SET name = 'item 1' WHERE id = 1")
	nodes[2].Exec("CREATE SCHEMA pgchorus; CREATE TABLE pgchorus.own (x int)")
	nodes[2].Exec("INSERT INTO unlogged VALUES (1)")
	nodes[0].Exec("ALTER TABLE dropped ADD c int; ALTER TABLE dropped ADD d int")
	for _, node := range nodes[1:] {
		node.Exec("ALTER TABLE dropped ADD d int; ALTER TABLE dropped ADD c int")
	}
	for _, opts := range []struct {
		name   string
		change func(*verify.Options)
	}{
		{"one job", func(*verify.Options) {}},
		{"four jobs", func(o *verify.Options) { o.Jobs = 4 }},
		{"in pieces", func(o *verify.Options) { o.ChunkBytes = 8192 }},
		{"quick", func(o *verify.Options) { o.Quick = true }},
	} {
		t.Run(opts.name, func(t *testing.T) {
			o := optionsFor(nodes...)
			opts.change(&o)
			report := run(t, o)
			wantEqual(t, report)
			if len(report.Warnings)+len(report.Notes)+len(report.Unchecked) > 0 {
				t.Errorf("the report has warnings or notes:\n%s", text(t, report))
			}
			if len(report.Databases) != 2 || report.Databases[0].Rows < 500 || report.Databases[0].Tables < 9 || report.Databases[0].Sequences != 3 {
				t.Errorf("compared %+v", report.Databases)
			}
			wantNothingLeft(t, nodes...)
		})
	}
}

func TestEveryKindOfDifferenceIsNamed(t *testing.T) {
	t.Parallel()
	nodes := startEqual(t, 2)
	tests := []struct {
		name     string
		do, undo string
		want     string // a part of what is said
	}{
		{"changed value", "UPDATE shop.item SET price = 0, note = 'n' WHERE id = 7", "UPDATE shop.item SET price = 7 / 7.0, note = NULL WHERE id = 7",
			"table shop.item: (id)=(7): changed on node 1 in note, price; node 0 has NULL, '1.00000000000000000000'; node 1 has 'n', '0'"},
		{"missing row", "DELETE FROM shop.item WHERE id = 8", "INSERT INTO shop.item (id, name, price) VALUES (8, 'item 8', 8 / 7.0)", "table shop.item: (id)=(8): missing on node 1"},
		{"extra row", "INSERT INTO shop.item (id, name) VALUES (9999, 'more')", "DELETE FROM shop.item WHERE id = 9999", "table shop.item: (id)=(9999): extra on node 1"},
		{"another key", "UPDATE shop.item SET id = 10001 WHERE id = 1", "UPDATE shop.item SET id = 1 WHERE id = 10001", "table shop.item: (id)=(1): missing on node 1"},
		{"quoted names", `UPDATE "Odd ""Name" SET plain = 9 WHERE "Key'2" = 'ä'`, `UPDATE "Odd ""Name" SET plain = 3 WHERE "Key'2" = 'ä'`,
			`table public."Odd ""Name": ("Key 1", "Key'2")=(2, ä): changed on node 1 in plain`},
		{"null and empty", "UPDATE types SET v = NULL WHERE n = 'NaN'", "UPDATE types SET v = '' WHERE n = 'NaN'", "changed on node 1 in v; node 0 has ''; node 1 has NULL"},
		{"last digit of a float", "UPDATE types SET f8 = 1e300/3 + 1e284 WHERE i2 = 1", "UPDATE types SET f8 = 1e300/3 WHERE i2 = 1", "changed on node 1 in f8"},
		{"microsecond", "UPDATE types SET ts = '2024-02-29 12:00:00.123457' WHERE i2 = 1", "UPDATE types SET ts = '2024-02-29 12:00:00.123456' WHERE i2 = 1", "changed on node 1 in ts"},
		{"swapped values without a key", "UPDATE keyless SET b = CASE a WHEN 1 THEN 'b' ELSE 'a' END WHERE a IS NOT NULL", "UPDATE keyless SET b = CASE a WHEN 1 THEN 'a' ELSE 'b' END WHERE a IS NOT NULL",
			"table public.keyless: row (2,b): missing on node 1; node 0 has 2 of it; node 1 has 0 of it"},
		{"one copy more", "INSERT INTO part VALUES (1, 'one')", "TRUNCATE part1; INSERT INTO part VALUES (1, 'one')", "table public.part1: row (1,one): extra on node 1; node 0 has 1 of it; node 1 has 2 of it"},
		{"row without columns", "INSERT INTO nocolumns DEFAULT VALUES", "TRUNCATE nocolumns; INSERT INTO nocolumns DEFAULT VALUES", "table public.nocolumns: row (): extra"},
		{"materialized view", "INSERT INTO part VALUES (1); REFRESH MATERIALIZED VIEW shop.counted", "TRUNCATE part1; INSERT INTO part VALUES (1, 'one'); REFRESH MATERIALIZED VIEW shop.counted", "table shop.counted"},
		{"large object", "SELECT lo_put(4711, 3000, 'X')", "SELECT lo_put(4711, 3000, 'l')", "table large objects: (loid, pageno)=(4711, 1): changed on node 1 in data"},
		{"large object more", "SELECT lo_create(4712)", "SELECT lo_unlink(4712)", "large object 4712: extra on node 1"},
		{"sequence behind", "SELECT setval('shop.item_id_seq', 499)", "SELECT setval('shop.item_id_seq', 500)", "sequence shop.item_id_seq: behind on node 1; node 0 has 500; node 1 has 499"},
		{"falling sequence behind", "SELECT setval('down', -1, false)", "SELECT setval('down', -1)", "sequence public.down: behind on node 1; node 0 has -1; node 1 has 2"},
		{"sequence ahead", "SELECT setval('shop.item_id_seq', 501)", "SELECT setval('shop.item_id_seq', 500)", "warning: database postgres: sequence shop.item_id_seq: ahead on node 1"},
		{"missing index", "DROP INDEX shop.item_name", "CREATE INDEX item_name ON shop.item (name)", "index shop.item_name: missing on node 1"},
		{"other default", "ALTER TABLE shop.item ALTER name SET DEFAULT 'y'", "ALTER TABLE shop.item ALTER name SET DEFAULT 'x'",
			"column shop.item.name: changed on node 1; node 0 has text not null default 'x'::text; node 1 has text not null default 'y'::text"},
		{"table", "CREATE TABLE more (x int)", "DROP TABLE more", "table public.more: extra on node 1"},
		{"other type", "ALTER TABLE shop.item ALTER note TYPE varchar(9)", "ALTER TABLE shop.item ALTER note TYPE text", "column shop.item.note: changed on node 1; node 0 has text; node 1 has character varying(9)"},
		{"function", "CREATE OR REPLACE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT 3 * $1'", "CREATE OR REPLACE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT 2 * $1'", "function public.twice(integer): changed on node 1"},
		{"trigger switched off", "ALTER TABLE dropped DISABLE TRIGGER touched", "ALTER TABLE dropped ENABLE TRIGGER touched", "trigger touched on public.dropped: changed on node 1"},
		{"enum label", "ALTER TYPE shop.mood RENAME VALUE 'sad' TO 'blue'", "ALTER TYPE shop.mood RENAME VALUE 'blue' TO 'sad'", "type shop.mood: changed on node 1"},
		{"privilege", "REVOKE SELECT ON shop.item FROM reader", "GRANT SELECT ON shop.item TO reader", "table shop.item: changed on node 1"},
		{"row security", "ALTER TABLE shop.item DISABLE ROW LEVEL SECURITY", "ALTER TABLE shop.item ENABLE ROW LEVEL SECURITY", "table shop.item: changed on node 1"},
		{"comment", "COMMENT ON TABLE shop.item IS 'other'", "COMMENT ON TABLE shop.item IS 'things'", "comment table shop.item: changed on node 1; node 0 has things; node 1 has other"},
		{"role", "CREATE ROLE writer", "DROP ROLE writer", "role writer: extra on node 1"},
		{"role attribute", "ALTER ROLE reader CREATEDB", "ALTER ROLE reader NOCREATEDB", "role reader: changed on node 1"},
		{"membership", "GRANT pg_monitor TO reader", "REVOKE pg_monitor FROM reader", "membership reader in pg_monitor: extra on node 1"},
		{"setting of a role", "ALTER ROLE reader SET work_mem = '6MB'", "ALTER ROLE reader SET work_mem = '5MB'", "setting of role reader in database all: changed on node 1; node 0 has work_mem=5MB; node 1 has work_mem=6MB"},
		{"database", "ALTER DATABASE second CONNECTION LIMIT 7", "ALTER DATABASE second CONNECTION LIMIT -1", "database second: changed on node 1"},
		{"database missing", "DROP DATABASE second", "CREATE DATABASE second", "database second: missing on node 1"},
		{"setting", "ALTER SYSTEM SET datestyle = 'German'; SELECT pg_reload_conf()", "ALTER SYSTEM RESET datestyle; SELECT pg_reload_conf()", "setting DateStyle: changed on node 1; node 0 has ISO, MDY; node 1 has German"},
		{"setting that only costs", "ALTER SYSTEM SET work_mem = '7MB'; SELECT pg_reload_conf()", "ALTER SYSTEM RESET work_mem; SELECT pg_reload_conf()", "warning: planner setting work_mem: changed on node 1; node 0 has 4096 kB; node 1 has 7168 kB"},
		{"prepared transaction", "BEGIN; INSERT INTO part VALUES (1); PREPARE TRANSACTION 'half'", "ROLLBACK PREPARED 'half'", "prepared transaction half: extra on node 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			node := nodes[1].In(t)
			execEach(node, tt.do)
			said := text(t, run(t, optionsFor(nodes...)))
			if !strings.Contains(said, tt.want) {
				t.Errorf("after %s: said\n%s\nwant %q in it", tt.do, said, tt.want)
			}
			if warned := strings.HasPrefix(tt.want, "warning"); warned == strings.Contains(said, "different: nodes 0, 1") {
				t.Errorf("the result does not fit a warning or a difference:\n%s", said)
			}
			execEach(node, tt.undo)
		})
	}
	wantEqual(t, run(t, optionsFor(nodes...)))
	wantNothingLeft(t, nodes...)
}

// execEach runs ALTER SYSTEM commands, which may not be part of a string of several, each
// for itself, and waits until new sessions have the setting.
func execEach(node *pgtest.Node, sql string) {
	if !strings.Contains(sql, "SYSTEM") {
		node.Exec(sql)
		return
	}
	before := node.Query("SELECT pg_conf_load_time()::text")[0][0]
	for _, statement := range strings.Split(sql, "; ") {
		node.Exec(statement)
	}
	node.WaitRows("SELECT pg_conf_load_time()::text <> '"+before+"'", "t")
}

func TestMainAloneAgainstAMajorityIsReportedAsUnproven(t *testing.T) {
	t.Parallel()
	nodes := startEqual(t, 3)
	nodes[0].Exec("UPDATE shop.item SET note = 'main' WHERE id = 1")
	nodes[2].Exec("UPDATE shop.item SET note = 'replica' WHERE id = 2")
	for i, node := range nodes {
		node.Exec(fmt.Sprintf("UPDATE shop.item SET note = 'node %d' WHERE id = 3", i))
	}
	report := run(t, optionsFor(nodes...))
	var got []string
	for _, d := range report.Differences {
		got = append(got, fmt.Sprintf("%s node %d against %d proven=%v", d.Key, d.Node, d.Reference, d.Proven))
	}
	slices.Sort(got)
	want := []string{
		"(id)=(1) node 0 against 1 proven=false",
		"(id)=(2) node 2 against 0 proven=true",
		"(id)=(3) node 1 against 0 proven=false",
		"(id)=(3) node 2 against 0 proven=false",
	}
	if !slices.Equal(got, want) {
		t.Errorf("differences:\n got %q\nwant %q", got, want)
	}
}

func TestTablesThatAreAskedFor(t *testing.T) {
	t.Parallel()
	nodes := startEqual(t, 2)
	nodes[1].Exec("UPDATE keyless SET b = 'z' WHERE a = 1; DELETE FROM part; CREATE ROLE writer; ALTER TABLE always ADD more int; DROP TABLE nocolumns")
	opts := optionsFor(nodes...)
	opts.Databases = []string{"postgres"}
	opts.Tables = []string{"public.keyless"}
	report := run(t, opts)
	if len(report.Differences) != 2 || report.Databases[0].Tables != 1 {
		t.Errorf("want the two rows of the one table:\n%s", text(t, report))
	}
	opts.Tables = []string{"public.always", "public.nocolumns", "public.nothing"}
	said := text(t, run(t, opts))
	for _, want := range []string{"table public.always: changed on node 1", "table public.nocolumns: missing on node 1", "not checked: table public.nothing: there is no permanent table"} {
		if !strings.Contains(said, want) {
			t.Errorf("said\n%s\nwant %q in it", said, want)
		}
	}
}

func TestListsOfDifferencesAreBounded(t *testing.T) {
	t.Parallel()
	nodes := startEqual(t, 2)
	nodes[1].Exec("UPDATE shop.item SET note = 'z'")
	opts := optionsFor(nodes...)
	opts.MaxKeys = 10
	report := run(t, opts)
	if len(report.Differences) != 10 || len(report.Notes) != 1 || !strings.Contains(report.Notes[0], "more differences") {
		t.Errorf("want 10 differences and a note:\n%s", text(t, report))
	}
	wantNothingLeft(t, nodes...)
}

func TestReportAsJSON(t *testing.T) {
	t.Parallel()
	nodes := startEqual(t, 2)
	nodes[1].Exec("DELETE FROM shop.item WHERE id = 8")
	data, err := json.Marshal(run(t, optionsFor(nodes...)))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Result      string
		Nodes       []int
		Held        bool
		Differences []map[string]any
		Warnings    []any
		Unchecked   []any
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if got.Result != "different" || !slices.Equal(got.Nodes, []int{0, 1}) || got.Held || got.Warnings == nil || got.Unchecked == nil || len(got.Differences) != 1 {
		t.Fatalf("JSON: %s", data)
	}
	want := map[string]any{"kind": "row", "database": "postgres", "object": "shop.item", "key": "(id)=(8)", "node": 1.0, "reference": 0.0, "what": "missing", "proven": true}
	if fmt.Sprint(got.Differences[0]) != fmt.Sprint(want) {
		t.Errorf("difference: %v, want %v", got.Differences[0], want)
	}
}

func TestNodeThatCannotBeReachedIsAnError(t *testing.T) {
	t.Parallel()
	nodes := startEqual(t, 2)
	nodes[1].Kill()
	if _, err := verify.Run(t.Context(), optionsFor(nodes...)); err == nil || !strings.Contains(err.Error(), "node 1") {
		t.Errorf("verify: %v, want an error that names node 1", err)
	}
	if _, err := verify.Run(t.Context(), optionsFor(nodes[0])); err == nil {
		t.Error("one node was compared with itself")
	}
}

func TestWhatMayNotBeReadIsSaid(t *testing.T) {
	t.Parallel()
	nodes := startEqual(t, 2)
	for _, node := range nodes {
		node.Exec("CREATE ROLE weak LOGIN; GRANT pg_read_all_data TO weak; REVOKE pg_read_all_data FROM weak; GRANT SELECT ON keyless TO weak")
	}
	nodes[1].Exec("UPDATE keyless SET b = 'z' WHERE a = 1")
	opts := optionsFor(nodes...)
	opts.Databases = []string{"postgres"}
	opts.Nodes = asRole(opts.Nodes, nodes, "weak")
	report := run(t, opts)
	if len(report.Differences) != 2 {
		t.Errorf("want the two rows of table keyless:\n%s", text(t, report))
	}
	said := text(t, report)
	for _, want := range []string{"not checked: database postgres: passwords: permission denied", "not checked: database postgres: shop.item: permission denied"} {
		if !strings.Contains(said, want) {
			t.Errorf("said\n%s\nwant %q in it", said, want)
		}
	}
}
