package catalog

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestChangedSince(t *testing.T) {
	tests := []struct {
		name    string
		change  func(d *Database)
		changed bool
	}{
		{"nothing", func(*Database) {}, false},
		{"anything", (*Database).Forget, true},
		{"a table", func(d *Database) { d.ForgetNames("t") }, true},
		{"DDL is being committed", func(d *Database) { d.BeginChange() }, true},
		{"a COMMIT has failed", func(d *Database) { d.EndChange(d.BeginChange()) }, false},
		{"one of two is still being committed", func(d *Database) { first := d.BeginChange(); d.BeginChange(); d.EndChange(first) }, true},
		{"the database is nobody's any more", (*Database).drop, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDatabase(10, 0, time.Now)
			d.Forget()
			generation := d.Generation()
			tt.change(d)
			if got := d.ChangedSince(generation); got != tt.changed {
				t.Errorf("%t, want %t", got, tt.changed)
			}
		})
	}
}

// TestAwaitChanges: who waits does so for those that were there before him, and for nobody else.
func TestAwaitChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase(10, 0, time.Now)
		d.AwaitChanges()
		first, second := d.BeginChange(), d.BeginChange()
		waited := make(chan struct{})
		go func() {
			d.AwaitChanges()
			close(waited)
		}()
		want := func(ended bool) {
			t.Helper()
			synctest.Wait()
			select {
			case <-waited:
				if !ended {
					t.Fatal("did not wait")
				}
			default:
				if ended {
					t.Fatal("still waits")
				}
			}
		}
		want(false)
		third := d.BeginChange()
		d.EndChange(second)
		want(false)
		d.EndChange(first)
		want(true)
		d.EndChange(third)
	})
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
