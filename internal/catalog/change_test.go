package catalog

import (
	"testing"
	"time"
)

func TestWhatHasChangedSince(t *testing.T) {
	tests := []struct {
		name          string
		change        func(d *Database)
		facts, bodies bool
	}{
		{"nothing", func(*Database) {}, false, false},
		{"anything", (*Database).Forget, true, true},
		{"tables", (*Database).ForgetTables, true, false},
		{"a table", func(d *Database) { d.ForgetNames("t") }, true, false},
		{"DDL is being committed", func(d *Database) { d.BeginChange(false) }, true, false},
		{"a function is being committed", func(d *Database) { d.BeginChange(true) }, true, true},
		{"a COMMIT has failed", func(d *Database) { d.BeginChange(true); d.EndChange(true) }, false, false},
		{"one of two is still being committed", func(d *Database) { d.BeginChange(true); d.BeginChange(false); d.EndChange(true) }, true, false},
		{"the database is nobody's any more", (*Database).drop, true, true},
		{"doubt without a change", (*Database).Doubt, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDatabase(10, 0, time.Now)
			d.Forget()
			turn := d.Turn()
			tt.change(d)
			if facts, bodies := d.Since(turn); facts != tt.facts || bodies != tt.bodies {
				t.Errorf("facts %t, bodies %t; want %t, %t", facts, bodies, tt.facts, tt.bodies)
			}
		})
	}
}

// TestDoubt: what was kept while DDL is being committed may be what was before it.
func TestDoubt(t *testing.T) {
	d := newDatabase(10, 0, time.Now)
	name := Name{Name: "t"}
	keep := func() { d.Keep(Answer{relations: map[Name]Relation{name: {Exists: true}}}, d.Generation()) }
	keep()
	d.Doubt()
	if _, known := d.Relation(name); !known {
		t.Error("forgotten, though nothing is being committed")
	}
	d.BeginChange(false)
	d.Doubt()
	if _, known := d.Relation(name); known {
		t.Error("still known while DDL is being committed")
	}
}

func TestPreparedTransactions(t *testing.T) {
	d := newDatabase(10, 0, time.Now)
	if d.TakePrepared("x") {
		t.Error("one that nobody has seen is harmless")
	}
	d.NotePrepared("x")
	if !d.TakePrepared("x") || d.TakePrepared("x") {
		t.Error("one without DDL is harmless, once")
	}
}
