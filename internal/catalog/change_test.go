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
		{"a table", func(d *Database) { d.ForgetNames(Change{Names: []string{"t"}}) }, true},
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

func TestMayConcern(t *testing.T) {
	names := []string{"t", "u"}
	tests := []struct {
		name              string
		change            func(d *Database)
		plain, far, coded bool // who has to do with the names, with other relations or with functions too
		defines           bool // DDL
	}{
		{"nothing", func(*Database) {}, false, false, false, false},
		{"anything", (*Database).Forget, true, true, true, true},
		{"another relation", func(d *Database) {
			d.ForgetNames(Change{Names: []string{"v"}})
			d.ForgetFor(Change{Names: []string{"w"}})
		}, false, true, false, false},
		{"a relation", func(d *Database) {
			d.ForgetNames(Change{Names: []string{"v"}})
			d.ForgetNames(Change{Names: []string{"v", "u"}})
			d.ForgetNames(Change{Names: []string{"v"}})
		}, true, true, true, false},
		{"functions", func(d *Database) { d.ForgetFor(Change{Bodies: true}) }, false, false, true, false},
		{"DDL from now on", func(d *Database) { d.ForgetFor(Change{Bodies: true, Onward: true}) }, false, false, true, true},
		{"one's own", func(d *Database) { d.ForgetNames(Change{Names: []string{"t"}, By: 7}); d.ForgetFor(Change{By: 7}) }, false, false, false, false},
		{"doubt", func(d *Database) { d.ForgetFor(Change{Nothing: true}) }, false, false, false, false},
		{"too much", func(d *Database) {
			for range maxRecent + 1 {
				d.ForgetNames(Change{Names: []string{"v"}})
			}
		}, true, true, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDatabase(10, 0, time.Now)
			for range 3 * maxRecent {
				d.Forget()
			}
			since := d.Generation()
			tt.change(d)
			for _, whom := range []struct {
				Concern
				want bool
			}{{Concern{Names: names, Of: 7}, tt.plain}, {Concern{Names: names, Far: true, Of: 7}, tt.far}, {Concern{Names: names, Code: true, Of: 7}, tt.coded}, {Concern{Defines: true, Of: 7}, tt.defines}} {
				if got := d.MayConcern(since, whom.Concern); got != whom.want {
					t.Errorf("%+v: %t, want %t", whom.Concern, got, whom.want)
				}
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
