package catalog_test

import (
	"fmt"
	"testing"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/pgtest"
)

const effectful = `
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TABLE plain (id int PRIMARY KEY, a int UNIQUE, b int NOT NULL, c int NOT NULL, UNIQUE (c, b));
CREATE TABLE referring (id int REFERENCES plain);
CREATE TABLE triggered (id int); CREATE TRIGGER t BEFORE INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE TABLE disabled (id int); CREATE TRIGGER t BEFORE INSERT ON disabled FOR EACH ROW EXECUTE FUNCTION nothing();
ALTER TABLE disabled DISABLE TRIGGER t;
CREATE TABLE ruled (id int); CREATE RULE r AS ON INSERT TO ruled DO INSTEAD NOTHING;
CREATE TABLE secured (id int); ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE TABLE late (id int UNIQUE DEFERRABLE);
CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (9);
CREATE TRIGGER t AFTER INSERT ON part1 FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE TABLE cascading (id int PRIMARY KEY); CREATE TABLE child (a int REFERENCES cascading ON DELETE CASCADE);
CREATE TABLE always (id int); CREATE TRIGGER t BEFORE INSERT ON always FOR EACH ROW EXECUTE FUNCTION nothing();
ALTER TABLE always ENABLE ALWAYS TRIGGER t;
CREATE TABLE partial (id int PRIMARY KEY, a int); CREATE UNIQUE INDEX ON partial (a) WHERE a > 0;
CREATE TABLE computed (id int PRIMARY KEY, a int); CREATE UNIQUE INDEX ON computed ((a + 1));
CREATE TABLE excluding (id int PRIMARY KEY, a int, EXCLUDE (a WITH =));
CREATE VIEW looked AS SELECT * FROM plain;
`

func TestEffects(t *testing.T) {
	node := pgtest.Start(t, 1)[0]
	node.Exec(effectful)
	conn := node.Connect()
	tests := []struct{ table, want string }{
		{"plain", "{false false false false false false true false false [] [[id] [b c]]}"},
		{"cascading", "{false false false false false false true false true [] [[id]]}"},
		{"always", "{true false false false false false false true false [] []}"},
		{"referring", "{false false false false false false false false false [{public.plain [id] [id]}] []}"},
		{"triggered", "{true false false false false false false false false [] []}"},
		{"disabled", "{false false false false false false false false false [] []}"},
		{"ruled", "{false true false false false false false false false [] []}"},
		{"secured", "{false false true false false false false false false [] []}"},
		{"late", "{false false false false true true false false false [] []}"},
		{"parts", "{true false false false false false false false false [] [[id]]}"},
		{"partial", "{false false false false false true false false false [] [[id]]}"},
		{"computed", "{false false false false false true false false false [] [[id]]}"},
		{"excluding", "{false false false false false true false false false [] [[id]]}"},
		{"looked", "{false false false false false false false false false [] []}"},
	}
	for _, tt := range tests {
		t.Run(tt.table, func(t *testing.T) {
			q := catalog.Question{Tables: []catalog.Name{{Name: tt.table}}}
			table, ok := ask(t, conn, q).Table(q.Tables[0])
			if !ok || !table.Exists {
				t.Fatal("no such table")
			}
			if got := fmt.Sprint(table.Effects); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
