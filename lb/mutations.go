package lb

import (
	"sync"
	"sync/atomic"
	"time"
)

// Mutations remembers which relations were written lately, by any session:
// disable_load_balance_on_write = dml_adaptive_global. Reads of them keep to the
// primary for a time that follows the delay of the standbys. It is bounded: when it is
// full of fresh names, further ones count as "any relation". Safe for concurrent use.
type Mutations struct {
	size  int
	now   func() time.Time
	start atomic.Int64 // of the cold start, as Unix nanoseconds
	ttl   atomic.Int64 // nanoseconds

	mu       sync.RWMutex // guards the fields below
	series   map[mutated]series
	overflow series    // names that found no room, in any database
	swept    time.Time // when expired entries were last looked for
}

// mutated is the name of a relation in a database, in lower case and without its
// schema; without a name it is all of the database's.
type mutated struct{ database, name string }

// series is a time of writes to one relation, none of them longer after the one before
// than the TTL.
type series struct{ first, last time.Time }

// The limits of the TTL, and how often a full table is searched for entries that have
// expired, are Pgpool-II's.
const (
	minTTL     = 100 * time.Millisecond
	maxTTL     = time.Hour
	sweepPause = 100 * time.Millisecond
)

// NewMutations returns an empty track for size names (track_table_mutation_table_size),
// which begins with a cold start. now is the clock.
func NewMutations(size int, now func() time.Time) *Mutations {
	m := &Mutations{size: max(size, 1), now: now, series: map[mutated]series{}}
	m.ttl.Store(int64(minTTL))
	m.StartCold()
	return m
}

// StartCold has all reads keep to the primary for
// track_table_mutation_cold_start_duration: at the start, and when the primary changed,
// what was written before is not known.
func (m *Mutations) StartCold() { m.start.Store(m.now().UnixNano()) }

// ObserveDelay sets how long a write keeps reads on the primary: the greatest delay of
// a standby times track_table_mutation_ttl_factor, at least 100 ms, at most an hour. A
// delay that is not positive is no evidence and changes nothing.
func (m *Mutations) ObserveDelay(p *Policy, delay time.Duration) {
	if delay <= 0 {
		return
	}
	ttl := float64(delay) * p.TTLFactor
	m.ttl.Store(int64(min(max(ttl, float64(minTTL)), float64(maxTTL))))
}

// publish notes what a transaction has written and committed.
func (m *Mutations) publish(database string, w *writtenSet) {
	if !w.anything && len(w.relations) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if w.anything {
		m.note(mutated{database: database}, now)
	}
	for name, written := range w.relations {
		if written {
			m.note(mutated{database, name}, now)
		}
	}
}

// note adds a write at now to the series of a name. The caller holds mu.
func (m *Mutations) note(name mutated, now time.Time) {
	s, there := m.series[name]
	if !there && len(m.series) >= m.size {
		m.sweep(now)
	}
	if !there && len(m.series) >= m.size {
		m.overflow = m.overflow.with(now, m.duration())
		return
	}
	m.series[name] = s.with(now, m.duration())
}

// sweep drops what has expired. The caller holds mu.
func (m *Mutations) sweep(now time.Time) {
	if now.Sub(m.swept) < sweepPause {
		return
	}
	m.swept = now
	for name, s := range m.series {
		if now.Sub(s.last) >= m.duration() {
			delete(m.series, name)
		}
	}
}

func (m *Mutations) duration() time.Duration { return time.Duration(m.ttl.Load()) }

// with adds a write to a series, or begins a new one.
func (s series) with(now time.Time, ttl time.Duration) series {
	if s.first.IsZero() || now.Sub(s.last) >= ttl {
		return series{now, now}
	}
	return series{s.first, now}
}

// touched finds what a read has in common with recent writes.
func (m *Mutations) touched(p *Policy, database string, t *Traits) Touch {
	now := m.now()
	if now.UnixNano()-m.start.Load() < int64(p.ColdStart) {
		return Touch{Reason: ColdStart}
	}
	if !readsAnything(t.Statement) {
		return Touch{}
	}
	recent := func(s series) bool {
		return !s.first.IsZero() && now.Sub(s.last) < m.duration() && (p.MaxStaleness <= 0 || now.Sub(s.first) < p.MaxStaleness)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if recent(m.overflow) || recent(m.series[mutated{database: database}]) {
		return Touch{Reason: RecentlyWritten, Name: "anything"}
	}
	if name, found := t.findRelation(func(name string) bool { return recent(m.series[mutated{database, name}]) }); found {
		return Touch{RecentlyWritten, name}
	}
	return Touch{}
}
