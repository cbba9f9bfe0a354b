package catalog

import (
	"slices"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

func TestDeferral(t *testing.T) {
	node := pgtest.Start(t, 1)[0]
	ask := func() Deferral {
		var rows []string
		for _, row := range node.Query(DeferralSQL()) {
			rows = append(rows, row[0])
		}
		return ParseDeferral(rows)
	}
	steps := []struct {
		name, sql      string
		any, initially bool
		may            []string
	}{
		{"nothing", "CREATE TABLE plain (i int PRIMARY KEY)", false, false, nil},
		{"deferrable, not deferred", "CREATE TABLE later (i int UNIQUE DEFERRABLE)", true, false, nil},
		{"unique, deferred", "CREATE TABLE u (i int UNIQUE DEFERRABLE INITIALLY DEFERRED)", true, true, []string{"u"}},
		{"a foreign key, deferred, on both sides", `CREATE TABLE "Über child" (i int REFERENCES plain DEFERRABLE INITIALLY DEFERRED)`, true, true, []string{"u", "plain", "Über child"}},
		{"partitions and their parents", "DROP TABLE \"Über child\"; CREATE TABLE p (i int) PARTITION BY LIST (i); CREATE TABLE p1 PARTITION OF p (UNIQUE (i) DEFERRABLE INITIALLY DEFERRED) FOR VALUES IN (1)",
			true, true, []string{"u", "p", "p1"}},
		{"cascades, triggers and views", `DROP TABLE p; CREATE TABLE c (i int REFERENCES plain ON DELETE CASCADE); CREATE VIEW v AS SELECT * FROM u;
			CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TABLE t (i int); CREATE TRIGGER f AFTER INSERT ON t EXECUTE FUNCTION f()`,
			true, true, []string{"u", "plain", "v", "t"}},
	}
	for _, step := range steps {
		node.Exec(step.sql)
		d := ask()
		var may []string
		for name := range d.May {
			may = append(may, name)
		}
		slices.Sort(may)
		slices.Sort(step.may)
		if d.Any != step.any || d.Initially != step.initially || !slices.Equal(may, step.may) {
			t.Errorf("%s: %t, %t, %q", step.name, d.Any, d.Initially, may)
		}
	}
}

func TestDeferralIsForgotten(t *testing.T) {
	now := time.Now()
	d := newDatabase(10, 0, func() time.Time { return now })
	if _, ok := d.Deferral(); ok {
		t.Error("known before it was asked for")
	}
	d.KeepDeferral(Deferral{Any: true}, d.Generation())
	if known, ok := d.Deferral(); !ok || !known.Any {
		t.Error("not kept")
	}
	d.ForgetNames(Change{Names: []string{"t"}})
	if _, ok := d.Deferral(); ok {
		t.Error("known after DDL")
	}
	d.KeepDeferral(Deferral{Any: true}, d.Generation())
	now = now.Add(maxDeferralAge)
	if _, ok := d.Deferral(); ok {
		t.Error("known for ever")
	}
}
