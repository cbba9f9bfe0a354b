package session

import (
	"reflect"
	"testing"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// TestWhatDDLIsAbout: a transaction that keeps its snapshot is rolled back for what may concern it.
func TestWhatDDLIsAbout(t *testing.T) {
	anything, bodies := catalog.Change{}, catalog.Change{Bodies: true}
	for sql, want := range map[string]catalog.Change{
		"ALTER TABLE a ADD b int":                  {Names: []string{"a"}},
		"ALTER TABLE a RENAME TO b":                {Names: []string{"a", "b"}},
		"CREATE INDEX ON a (b)":                    {Names: []string{"a"}},
		"CREATE SCHEMA s":                          bodies,
		"CREATE SCHEMA s CREATE TABLE a (b int)":   {Names: []string{"a"}},
		"ALTER SCHEMA s RENAME TO other":           anything,
		"ALTER DOMAIN d SET DEFAULT 1":             anything,
		"CREATE FUNCTION f() RETURNS int RETURN 1": bodies,
		"CALL p()": anything,
		"IMPORT FOREIGN SCHEMA s FROM SERVER x INTO y": anything,
	} {
		script := parser.Classify(sql)
		if script.Err != nil {
			t.Fatal(script.Err)
		}
		if got := changeOf(&script.Statements[0]); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", sql, got, want)
		}
	}
}
