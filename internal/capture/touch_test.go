package capture_test

import (
	"fmt"
	"testing"

	"github.com/pgchorus/pgchorus/internal/capture"
	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// touched are the tables of these tests.
type touched map[string]*catalog.Table

func (c touched) TableOf(r parser.Relation) (*catalog.Table, bool) {
	t, ok := c[r.Name]
	return t, ok
}

func (touched) FunctionOf(parser.Function) (catalog.Function, bool) { return catalog.Function{}, false }

// plainTable has the keys id and, behind it, (a, b), and lies in schema s.
func plainTable(change func(*catalog.Table)) *catalog.Table {
	t := &catalog.Table{Exists: true, Schema: "s", Keys: [][]string{{"id"}, {"a", "b"}}, Columns: []catalog.Column{
		{Name: "id", Type: "integer"}, {Name: "a", Type: "bigint"}, {Name: "b", Type: "smallint"}, {Name: "v", Type: "text"}, {Name: "g", Type: "integer", Generated: true},
		{Name: "p", Type: "integer"},
	}}
	if change != nil {
		change(t)
	}
	return t
}

func touchedTables() touched {
	return touched{
		"t": plainTable(nil), "u": plainTable(nil),
		"pair":        plainTable(func(t *catalog.Table) { t.Keys = [][]string{{"v"}, {"a", "b"}} }),
		"texts":       plainTable(func(t *catalog.Table) { t.Keys = [][]string{{"v"}} }),
		"generated":   plainTable(func(t *catalog.Table) { t.Keys = [][]string{{"id"}, {"g"}} }),
		"other":       plainTable(func(t *catalog.Table) { t.Effects.OtherKeys = true }),
		"parent":      plainTable(func(t *catalog.Table) { t.Effects.Referenced = true }),
		"cascading":   plainTable(func(t *catalog.Table) { t.Effects.Referenced, t.Effects.Cascades = true, true }),
		"child":       plainTable(func(t *catalog.Table) { t.Effects.Parents = []catalog.Parent{{Columns: []string{"p"}}} }),
		"triggered":   plainTable(func(t *catalog.Table) { t.Effects.Triggers = true }),
		"ruled":       plainTable(func(t *catalog.Table) { t.Effects.Rules = true }),
		"secured":     plainTable(func(t *catalog.Table) { t.Effects.RowSecurity = true }),
		"abroad":      plainTable(func(t *catalog.Table) { t.Effects.Foreign = true }),
		"late":        plainTable(func(t *catalog.Table) { t.Effects.LateKeys = true }),
		"partitioned": plainTable(func(t *catalog.Table) { t.Partitioned = true }),
		"inherited":   plainTable(func(t *catalog.Table) { t.Children = true }),
		"view":        plainTable(func(t *catalog.Table) { t.View = true }),
		"unlike":      plainTable(func(t *catalog.Table) { t.Columns[3].Unlike = []catalog.Name{{Name: "f"}} }),
	}
}

func TestByKey(t *testing.T) {
	tests := []struct{ sql, want string }{
		{"UPDATE t SET v = 'x' WHERE id = 7", "[id]"},
		{"UPDATE t SET v = v || now()::text, g = DEFAULT WHERE id = $1 AND v <> 'y'", "[id]"},
		{"DELETE FROM t WHERE id = 7", "[id]"},
		{"UPDATE pair SET id = 1 WHERE b = 2 AND a = 1", "[a b]"},
		{"UPDATE child SET v = 'x' WHERE id = 7", "[id]"},
		{"UPDATE parent SET v = 'x' WHERE id = 7", "[id]"},
		{"DELETE FROM child WHERE id = 7", "[id]"},
		{"UPDATE unlike SET v = 'x' WHERE id = 7", "[id]"},

		{"UPDATE t SET v = 'x' WHERE a = 1 AND b = 2", "[]"}, // not the key that all statements on it use
		{"UPDATE t SET v = 'x' WHERE id > 7", "[]"},
		{"UPDATE t SET v = 'x' WHERE id = 7 OR id = 8", "[]"},
		{"UPDATE t SET v = 'x' WHERE id = -7", "[]"},
		{"UPDATE t SET id = 8 WHERE id = 7", "[]"},
		{"UPDATE t SET a = 8 WHERE id = 7", "[]"},
		{"UPDATE t SET v = (SELECT v FROM u WHERE id = 1) WHERE id = 7", "[]"},
		{"UPDATE t SET v = u.v FROM u WHERE t.id = 7", "[]"},
		{"UPDATE t SET v = f() WHERE id = 7", "[]"},
		{"UPDATE t SET v = pg_advisory_xact_lock(1)::text WHERE id = 7", "[]"},
		{"UPDATE t SET v = nextval('s')::text WHERE id = 7", "[]"},
		{"INSERT INTO t (id) VALUES (7)", "[]"},
		{"WITH w AS (DELETE FROM u WHERE id = 1) DELETE FROM t WHERE id = 7", "[]"},
		{"UPDATE texts SET id = 1 WHERE v = 'x'", "[]"},
		{"UPDATE generated SET v = 'x' WHERE id = 7", "[]"},
		{"UPDATE other SET v = 'x' WHERE id = 7", "[]"},
		{"UPDATE child SET p = 1 WHERE id = 7", "[]"},
		{"DELETE FROM parent WHERE id = 7", "[]"},
		{"UPDATE triggered SET v = 'x' WHERE id = 7", "[]"},
		{"UPDATE ruled SET v = 'x' WHERE id = 7", "[]"},
		{"UPDATE secured SET v = 'x' WHERE id = 7", "[]"},
		{"UPDATE abroad SET v = 'x' WHERE id = 7", "[]"},
		{"UPDATE late SET v = 'x' WHERE id = 7", "[]"},
		{"UPDATE partitioned SET v = 'x' WHERE id = 7", "[]"},
		{"UPDATE ONLY inherited SET v = 'x' WHERE id = 7", "[]"},
		{"UPDATE view SET v = 'x' WHERE id = 7", "[]"},
	}
	tables := touchedTables()
	for _, tt := range tests {
		st := statement(t, tt.sql)
		var columns []string
		for _, p := range capture.ByKey(st, tables[st.Targets[0].Relation.Name]) {
			columns = append(columns, p.Column)
		}
		if got := fmt.Sprint(columns); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.sql, got, tt.want)
		}
	}
}

func TestAdds(t *testing.T) {
	tests := []struct{ sql, want string }{
		{"INSERT INTO one (id, v) VALUES (7, 'x')", "id true"},
		{"INSERT INTO one VALUES ($1, now()::text)", "id true"},
		{"INSERT INTO one (v) VALUES (nextval('q'))", "id true"},
		{"INSERT INTO none (v) VALUES ('x'), ('y')", " true"},

		{"INSERT INTO one (id) VALUES (7), (8)", "id false"},
		{"INSERT INTO one (id) VALUES (7) ON CONFLICT DO NOTHING", " false"},
		{"INSERT INTO one SELECT id FROM u", " false"},
		{"INSERT INTO one DEFAULT VALUES", "id true"},
		{"INSERT INTO one (v) VALUES (f())", " false"},
		{"WITH w AS (DELETE FROM u) INSERT INTO one VALUES (1)", " false"},
		{"INSERT INTO t (id) VALUES (7)", " false"},
		{"INSERT INTO texts (v) VALUES ('x')", "v false"},
		{"INSERT INTO wide (a, b) VALUES (1, 2)", "a false"},
		{"INSERT INTO other (id) VALUES (7)", " false"},
		{"INSERT INTO child (id) VALUES (7)", " false"},
		{"INSERT INTO triggered (id) VALUES (7)", " false"},
		{"UPDATE one SET v = 'x' WHERE id = 7", " false"},
	}
	tables := touchedTables()
	tables["one"] = plainTable(func(t *catalog.Table) { t.Keys = [][]string{{"id"}} })
	tables["none"] = plainTable(func(t *catalog.Table) { t.Keys = nil })
	tables["wide"] = plainTable(func(t *catalog.Table) { t.Keys = [][]string{{"a", "b"}} })
	for _, tt := range tests {
		st := statement(t, tt.sql)
		key, ok := capture.Adds(st, tables[st.Targets[len(st.Targets)-1].Relation.Name])
		if got := fmt.Sprint(key, " ", ok); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.sql, got, tt.want)
		}
	}
}

func TestTouches(t *testing.T) {
	tests := []struct{ sql, want string }{
		{"UPDATE t SET v = 'x'", "[s.t] true"},
		{"INSERT INTO t SELECT * FROM u", "[s.t s.u] true"},
		{"INSERT INTO t (id) VALUES (nextval('q'))", "[s.t] true"},
		{"INSERT INTO cascading (id) SELECT 1", "[] false"},
		{"SELECT * FROM t JOIN u USING (id) FOR UPDATE", "[s.t s.u] true"},
		{"WITH w AS (DELETE FROM u) INSERT INTO t SELECT 1", "[s.u s.t] true"},
		{"COPY t FROM STDIN", "[s.t] true"},
		{"COPY cascading FROM STDIN", "[s.cascading] true"},
		{"DELETE FROM parent", "[s.parent] true"},
		{"SET work_mem = '1MB'", "[] true"},
		{"SAVEPOINT a", "[] true"},
		{"COMMIT PREPARED 'x'", "[] true"},
		{"FETCH c", "[] true"},

		{"UPDATE nobody SET v = 'x'", "[] false"},
		{"UPDATE t SET v = f()", "[] false"},
		{"SELECT f()", "[] false"},
		{"SELECT pg_advisory_lock(1)", "[] false"},
		{"INSERT INTO t SELECT * FROM view", "[] false"},
		{"UPDATE triggered SET v = 'x'", "[] false"},
		{"INSERT INTO ruled (id) VALUES (1)", "[] false"},
		{"UPDATE partitioned SET v = 'x'", "[] false"},
		{"UPDATE inherited SET v = 'x'", "[] false"},
		{"DELETE FROM cascading", "[] false"},
		{"INSERT INTO unlike (id) VALUES (1)", "[] false"},
		{"MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN DELETE", "[] false"},
		{"TRUNCATE t", "[] false"},
		{"LOCK TABLE t", "[] false"},
		{"ALTER TABLE t ADD x int", "[] false"},
		{"DO 'BEGIN END'", "[] false"},
		{"CALL p()", "[] false"},
		{"DECLARE c CURSOR FOR SELECT * FROM t FOR UPDATE", "[] false"},
		{"VACUUM", "[] false"},
		{"PREPARE TRANSACTION 'x'", "[] false"},
	}
	for _, tt := range tests {
		names, known := capture.Touches(statement(t, tt.sql), touchedTables())
		if got := fmt.Sprint(names, known); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.sql, got, tt.want)
		}
	}
}
