package lb

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestTrack runs a script in one session of streaming_replication. A line of it is a
// statement to be noted; BEGIN, COMMIT and ROLLBACK tell of the transaction.
func TestTrack(t *testing.T) {
	const relationships = "dml_adaptive_object_relationship_list = 't:u,t:w,U:log,app.vol():orders,vol():t,orders:stab(),log:t'"
	tests := []struct {
		name, rule, line, script, read, want string
	}{
		{"another relation", "dml_adaptive", "", "BEGIN; DELETE FROM t", "SELECT * FROM u", "none"},
		{"the relation", "dml_adaptive", "", "BEGIN; DELETE FROM t", "SELECT * FROM t", "transaction has written t"},
		{"in another schema", "dml_adaptive", "", "BEGIN; DELETE FROM public.t", "SELECT * FROM t", "transaction has written t"},
		{"in another case", "dml_adaptive", "", `BEGIN; DELETE FROM "T"`, "SELECT * FROM t", "transaction has written t"},
		{"no relation", "dml_adaptive", "", "BEGIN; DELETE FROM t", "SELECT 1", "none"},
		{"read by a write", "dml_adaptive", "", "BEGIN; INSERT INTO t SELECT * FROM u", "SELECT * FROM u", "transaction has written u"},
		{"locked", "dml_adaptive", "", "BEGIN; SELECT * FROM t FOR UPDATE", "SELECT * FROM t", "transaction has written t"},
		{"through a view", "dml_adaptive", "", "BEGIN; DELETE FROM t", "SELECT * FROM v", "transaction has written t"},
		{"into a view", "dml_adaptive", "", "BEGIN; DELETE FROM v", "SELECT * FROM t", "transaction has written t"},
		{"from a view", "dml_adaptive", "", "BEGIN; INSERT INTO u SELECT * FROM v", "SELECT * FROM t", "transaction has written t"},
		{"through a view of unknown relations", "dml_adaptive", "", "BEGIN; DELETE FROM u", "SELECT * FROM v_system, t", "transaction may have written what a view reads"},
		{"a function that writes nobody knows what", "dml_adaptive", "", "BEGIN; SELECT vol()", "SELECT * FROM u", "transaction may have written anything: vol()"},
		{"and a read of nothing", "dml_adaptive", "", "BEGIN; SELECT vol()", "SELECT 1", "none"},
		{"a function that reads", "dml_adaptive", "", "BEGIN; DELETE FROM t WHERE a = stab()", "SELECT * FROM u", "none"},
		{"a function of a list", "dml_adaptive", "write_function_list = 'x'", "BEGIN; DELETE FROM t WHERE a = vol()", "SELECT * FROM u", "none"},
		{"DO", "dml_adaptive", "", "BEGIN; DO $$ $$", "SELECT * FROM u", "transaction may have written anything: do"},
		{"CALL", "dml_adaptive", "", "BEGIN; CALL proc()", "SELECT * FROM u", "transaction may have written anything: proc()"},
		{"newer syntax", "dml_adaptive", "", "BEGIN; FROBNICATE t", "SELECT * FROM u", "transaction may have written anything: unknown"},
		{"DDL with a name", "dml_adaptive", "", "BEGIN; ALTER TABLE t ADD b int", "SELECT * FROM u", "none"},
		{"DDL without", "dml_adaptive", "", "BEGIN; DROP SCHEMA s CASCADE", "SELECT * FROM u", "transaction may have written anything: ddl"},
		{"nextval", "dml_adaptive", "", "BEGIN; SELECT nextval('s')", "SELECT * FROM u", "none"},
		{"a function that both call", "dml_adaptive", "", "BEGIN; INSERT INTO t VALUES (now())", "SELECT now()", "none"},
		{"relationships in a circle", "dml_adaptive", "dml_adaptive_object_relationship_list = 't:u,u:f(),f():t'", "BEGIN; DELETE FROM u", "SELECT * FROM t", "transaction has written t"},
		{"after COMMIT", "dml_adaptive", "", "BEGIN; DELETE FROM t; COMMIT", "SELECT * FROM t", "none"},
		{"after ROLLBACK", "dml_adaptive", "", "BEGIN; SELECT vol(); ROLLBACK", "SELECT * FROM t", "none"},
		{"a read is no write", "dml_adaptive", "", "BEGIN; SELECT * FROM t", "SELECT * FROM t", "none"},
		{"another value", "transaction", "", "BEGIN; DELETE FROM t", "SELECT * FROM t", "none"},

		{"all that depends on it", "dml_adaptive", relationships, "BEGIN; DELETE FROM t", "SELECT * FROM w", "transaction has written w"},
		{"and on that", "dml_adaptive", relationships, "BEGIN; DELETE FROM t", "SELECT * FROM log", "transaction has written log"},
		{"but not what it depends on", "dml_adaptive", relationships, "BEGIN; DELETE FROM w", "SELECT * FROM t", "none"},
		{"on a function", "dml_adaptive", relationships, "BEGIN; SELECT vol()", "SELECT * FROM orders", "transaction has written orders"},
		{"which is then known", "dml_adaptive", relationships, "BEGIN; SELECT vol()", "SELECT * FROM foreign_one", "none"},
		{"a function on a relation", "dml_adaptive", relationships, "BEGIN; DELETE FROM orders", "SELECT stab()", "transaction has written stab()"},

		{"temporary table", "transaction", "", "CREATE TEMP TABLE x (a int)", "SELECT * FROM x", "reads temporary table x"},
		{"made of a query", "transaction", "", "CREATE TEMP TABLE w AS SELECT 1", "SELECT * FROM w", "reads temporary table w"},
		{"by SELECT INTO", "transaction", "", "SELECT 1 INTO TEMP w", "SELECT * FROM w", "reads temporary table w"},
		{"and dropped", "transaction", "", "CREATE TEMP TABLE w (a int); DROP TABLE w", "SELECT * FROM w", "none"},
		{"and dropped in a transaction", "transaction", "", "CREATE TEMP TABLE w (a int); BEGIN; DROP TABLE w", "SELECT * FROM w", "reads temporary table w"},
		{"with a schema it is another", "transaction", "", "CREATE TEMP TABLE w (a int)", "SELECT * FROM public.w", "none"},
		{"not traced", "transaction", "check_temp_table = none", "CREATE TEMP TABLE w (a int)", "SELECT * FROM w", "none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := policyOf(t, "streaming_replication", "disable_load_balance_on_write = "+tt.rule, tt.line)
			var track Track
			script(t, &track, p, tt.script, nil)
			traits := examine(t, p, tt.read)
			touch := track.Touched(p, "db", &traits, nil)
			if got := touch.Reason.About(touch.Name); got != tt.want {
				t.Errorf("touched: %q, want %q", got, tt.want)
			}
		})
	}
}

func script(t *testing.T, track *Track, p *Policy, script string, m *Mutations) {
	t.Helper()
	explicit := false
	for sql := range strings.SplitSeq(script, "; ") {
		switch sql {
		case "BEGIN":
			explicit = true
			track.Begin()
			continue
		case "COMMIT", "ROLLBACK":
			explicit = false
			track.End(p, "db", sql == "COMMIT", m)
			continue
		}
		traits := examine(t, p, sql)
		if track.Note(p, &traits, explicit); !explicit {
			track.End(p, "db", true, m)
		}
	}
}

func TestPast(t *testing.T) {
	for text, want := range map[string]Past{
		"SELECT 1":                       {},
		"BEGIN; SELECT 1; COMMIT":        {},
		"SET work_mem = 1":               {},
		"BEGIN; SAVEPOINT a; COMMIT":     {},
		"DELETE FROM t":                  {Wrote: true},
		"BEGIN; DELETE FROM t":           {Wrote: true, WroteInTransaction: true},
		"BEGIN; DELETE FROM t; ROLLBACK": {Wrote: true, WroteInTransaction: true},
		"BEGIN; SELECT vol()":            {Wrote: true, WroteInTransaction: true},
		"BEGIN; COMMIT; DELETE FROM t":   {Wrote: true},
	} {
		var track Track
		script(t, &track, policyOf(t, "native_replication"), text, nil)
		if got := track.Past(); got != want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
}

func TestTemporaryTablesAreForgottenByDiscard(t *testing.T) {
	p := policyOf(t, "streaming_replication")
	var track Track
	script(t, &track, p, "CREATE TEMP TABLE w (a int)", nil)
	track.Discard()
	traits := examine(t, p, "SELECT * FROM w")
	if got := track.Touched(p, "db", &traits, nil); got != (Touch{}) {
		t.Errorf("touched %+v after DISCARD", got)
	}
}

func TestManyTemporaryTablesAreBounded(t *testing.T) {
	p := policyOf(t, "streaming_replication")
	var track Track
	for i := range maxTemporary + 10 {
		script(t, &track, p, fmt.Sprintf("CREATE TEMP TABLE x%d (a int)", i), nil)
	}
	if got := len(track.temporary.names); got != maxTemporary {
		t.Errorf("%d names, want %d", got, maxTemporary)
	}
	traits := examine(t, p, "SELECT * FROM t")
	if got := track.Touched(p, "db", &traits, nil); got.Reason != TemporaryRelation {
		t.Errorf("touched %+v, want the temporary table that t may be", got)
	}
}

// clock is set by hand.
type clock struct{ at time.Time }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) advance(d time.Duration) { c.at = c.at.Add(d) }

func newClock() *clock { return &clock{time.Unix(1_000_000, 0)} }

func globalPolicy(t *testing.T, lines ...string) *Policy {
	return policyOf(t, "streaming_replication", append(lines, "disable_load_balance_on_write = dml_adaptive_global")...)
}

// elsewhere is what another session is told of a read.
func elsewhere(t *testing.T, m *Mutations, p *Policy, database, sql string) string {
	t.Helper()
	traits := examine(t, p, sql)
	touch := new(Track).Touched(p, database, &traits, m)
	return touch.Reason.About(touch.Name)
}

func TestMutationsAreSeenByOtherSessions(t *testing.T) {
	tests := []struct{ name, script, database, read, want string }{
		{"committed", "BEGIN; DELETE FROM t; COMMIT", "db", "SELECT * FROM t", "recently written: t"},
		{"autocommit", "DELETE FROM t", "db", "SELECT * FROM t", "recently written: t"},
		{"with a schema", "DELETE FROM public.t", "db", "SELECT * FROM t", "recently written: t"},
		{"through a view", "DELETE FROM t", "db", "SELECT * FROM v", "recently written: t"},
		{"into a view", "DELETE FROM v", "db", "SELECT * FROM t", "recently written: t"},
		{"rolled back", "BEGIN; DELETE FROM t; ROLLBACK", "db", "SELECT * FROM t", "none"},
		{"not ended", "BEGIN; DELETE FROM t", "db", "SELECT * FROM t", "none"},
		{"another database", "DELETE FROM t", "other", "SELECT * FROM t", "none"},
		{"another relation", "DELETE FROM t", "db", "SELECT * FROM u", "none"},
		{"only read", "INSERT INTO t SELECT * FROM u", "db", "SELECT * FROM u", "none"},
		{"only read through a view", "INSERT INTO u SELECT * FROM v", "db", "SELECT * FROM t", "none"},
		{"anything", "CALL proc()", "db", "SELECT * FROM u", "recently written: anything"},
		{"anything, and a read of nothing", "CALL proc()", "db", "SELECT 1", "none"},
		{"anything in another database", "CALL proc()", "other", "SELECT * FROM u", "none"},
		{"by two", "DELETE FROM u; DELETE FROM t", "db", "SELECT * FROM w, t", "recently written: t"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, c := globalPolicy(t), newClock()
			m := NewMutations(100, c.now)
			c.advance(p.ColdStart)
			script(t, new(Track), p, tt.script, m)
			if got := elsewhere(t, m, p, tt.database, tt.read); got != tt.want {
				t.Errorf("touched: %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAnUncommittedWriteIsSeenByItsOwnSession(t *testing.T) {
	p, c := globalPolicy(t), newClock()
	m := NewMutations(100, c.now)
	var track Track
	script(t, &track, p, "BEGIN; DELETE FROM t", m)
	traits := examine(t, p, "SELECT * FROM t")
	if got := track.Touched(p, "db", &traits, m); got.Reason != RelationWritten {
		t.Errorf("touched %+v, want what the transaction has written", got)
	}
}

func TestColdStart(t *testing.T) {
	p, c := globalPolicy(t, "track_table_mutation_cold_start_duration = 2000"), newClock()
	m := NewMutations(100, c.now)
	steps := []struct {
		advance time.Duration
		restart bool
		want    string
	}{
		{0, false, ColdStart.String()},
		{1999 * time.Millisecond, false, ColdStart.String()},
		{time.Millisecond, false, "none"},
		{time.Hour, true, ColdStart.String()},
		{2 * time.Second, false, "none"},
	}
	for i, s := range steps {
		if c.advance(s.advance); s.restart {
			m.StartCold()
		}
		if got := elsewhere(t, m, p, "db", "SELECT 1"); got != s.want {
			t.Errorf("step %d: %q, want %q", i, got, s.want)
		}
	}
}

func TestWritesAreForgottenAfterTheTTL(t *testing.T) {
	p := globalPolicy(t, "track_table_mutation_ttl_factor = 5", "track_table_mutation_max_staleness = 0")
	for _, tt := range []struct {
		delay, ttl time.Duration
	}{
		{0, 100 * time.Millisecond}, {-time.Second, 100 * time.Millisecond}, {time.Millisecond, 100 * time.Millisecond},
		{time.Second, 5 * time.Second}, {10 * time.Hour, time.Hour},
	} {
		c := newClock()
		m := NewMutations(100, c.now)
		m.ObserveDelay(p, tt.delay)
		c.advance(time.Hour)
		script(t, new(Track), p, "DELETE FROM t", m)
		c.advance(tt.ttl - 1)
		if got := elsewhere(t, m, p, "db", "SELECT * FROM t"); got != "recently written: t" {
			t.Errorf("delay %v, just before the TTL of %v: %q", tt.delay, tt.ttl, got)
		}
		c.advance(1)
		if got := elsewhere(t, m, p, "db", "SELECT * FROM t"); got != "none" {
			t.Errorf("delay %v, at the TTL of %v: %q", tt.delay, tt.ttl, got)
		}
	}
}

func TestMaxStalenessEndsASeriesOfWrites(t *testing.T) {
	for line, want := range map[string]string{
		"track_table_mutation_max_staleness = 1000": "none",
		"track_table_mutation_max_staleness = 0":    "recently written: t",
	} {
		p, c := globalPolicy(t, line), newClock()
		m := NewMutations(100, c.now)
		c.advance(time.Hour)
		for range 21 { // 50 ms apart: 1 s after the first
			script(t, new(Track), p, "DELETE FROM t", m)
			c.advance(50 * time.Millisecond)
		}
		if got := elsewhere(t, m, p, "db", "SELECT * FROM t"); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
		c.advance(time.Second)
		script(t, new(Track), p, "DELETE FROM t", m)
		if got := elsewhere(t, m, p, "db", "SELECT * FROM t"); got != "recently written: t" {
			t.Errorf("%s: %q after a pause, want a new series", line, got)
		}
	}
}

func TestFullMutationsCountAsAnything(t *testing.T) {
	p, c := globalPolicy(t), newClock()
	m := NewMutations(2, c.now)
	c.advance(time.Hour)
	script(t, new(Track), p, "DELETE FROM t; DELETE FROM u", m)
	if got := elsewhere(t, m, p, "db", "SELECT * FROM log"); got != "none" {
		t.Errorf("not full: %q", got)
	}
	script(t, new(Track), p, "DELETE FROM w", m)
	if len(m.series) > 2 {
		t.Errorf("%d entries, want at most 2", len(m.series))
	}
	if got := elsewhere(t, m, p, "db", "SELECT * FROM log"); got != "recently written: anything" {
		t.Errorf("full: %q, want anything", got)
	}
	c.advance(time.Second)
	script(t, new(Track), p, "DELETE FROM w", m)
	for read, want := range map[string]string{"SELECT * FROM log": "none", "SELECT * FROM w": "recently written: w"} {
		if got := elsewhere(t, m, p, "db", read); got != want {
			t.Errorf("after a second, %s: %q, want %q", read, got, want)
		}
	}
}

func TestMutationsMayBeUsedByAll(t *testing.T) {
	p := globalPolicy(t)
	m := NewMutations(10, time.Now)
	traits := examine(t, p, "SELECT * FROM t")
	done := make(chan struct{})
	for i := range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			var track Track
			for range 200 {
				script(t, &track, p, fmt.Sprintf("BEGIN; DELETE FROM x%d; COMMIT", i), m)
				track.Touched(p, "db", &traits, m)
				m.ObserveDelay(p, time.Millisecond)
			}
		}()
	}
	for range 4 {
		<-done
	}
}
