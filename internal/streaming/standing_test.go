package streaming

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// moment is a point in time that reads as a number of seconds.
func moment(seconds float64) time.Time {
	return time.Unix(1000, 0).Add(time.Duration(seconds * float64(time.Second)))
}

// historyOf has the primary at position 100 at 10 s, 200 at 20 s, 300 at 30 s.
func historyOf() *history {
	h := newHistory(0)
	for i := 1; i <= 3; i++ {
		h.add(reading{written: lsn(100 * i), timeline: 1, asked: moment(float64(10 * i))})
	}
	return &h
}

func seconds(n float64) *int64 {
	us := int64(n * 1e6)
	return &us
}

func TestJudge(t *testing.T) {
	standby := func(replayed lsn, at float64) reading {
		return reading{inRecovery: true, replayed: replayed, hasReplayed: true, timeline: 1, asked: moment(at), answered: moment(at)}
	}
	with := func(r reading, change func(*reading)) reading { change(&r); return r }
	tests := []struct {
		name    string
		history func(*history)
		before  standing
		reading reading
		known   bool
		fresh   time.Time
		bytes   int64
		lag     float64 // seconds; -1 if it is not known
	}{
		{"has all", nil, standing{}, standby(300, 30.5), true, moment(30), 0, 0.5},
		{"is ahead of the sample", nil, standing{}, standby(350, 30.5), true, moment(30), 0, 0.5},
		{"has all but the last", nil, standing{}, standby(299, 31), true, moment(20), 1, 11},
		{"is exactly at an older sample", nil, standing{}, standby(100, 31), true, moment(10), 200, 21},
		{"is behind all samples", nil, standing{}, standby(99, 31), true, time.Time{}, 201, -1},
		{"is behind all samples, and says how long", nil, standing{}, with(standby(99, 31), func(r *reading) { r.facts = &facts{XactAge: seconds(60)} }), true, time.Time{}, 201, 60},
		{"is behind all samples, and says too little", nil, standing{}, with(standby(99, 31), func(r *reading) { r.facts = &facts{XactAge: seconds(1)} }), true, time.Time{}, 201, 21},
		{"is still behind all samples", nil, standing{lagKnown: true, lag: 60 * time.Second, answered: moment(29)}, standby(99, 31), true, time.Time{}, 201, 62},
		{"had all before, and the primary was not asked since", nil, standing{known: true, lagKnown: true, lag: time.Millisecond, fresh: moment(30)}, standby(300, 39), true, moment(30), 0, 0.001},
		{"had all before, on another connection", nil, standing{known: true, lagKnown: true, lag: time.Millisecond, fresh: moment(30), session: 1}, with(standby(300, 39), func(r *reading) { r.session = 2 }), true, moment(30), 0, 9},
		{"the walsender knows better", func(h *history) { h.senders["s"] = sender{ReplayLag: seconds(5)} }, standing{}, standby(250, 31), true, moment(20), 50, 5},
		{"the walsender's lag stands still", func(h *history) { h.senders["s"] = sender{ReplayLag: seconds(0.001)} }, standing{}, standby(250, 38), true, moment(20), 50, 8},
		{"the walsender's lag is too long", func(h *history) { h.senders["s"] = sender{ReplayLag: seconds(500)} }, standing{}, standby(250, 31), true, moment(20), 50, 11},
		{"the walsender's is another standby's", func(h *history) { h.senders["other"] = sender{ReplayLag: seconds(5)} }, standing{}, standby(250, 31), true, moment(20), 50, 11},
		{"another timeline", nil, standing{}, with(standby(300, 31), func(r *reading) { r.timeline = 2 }), false, time.Time{}, 0, 0},
		{"has replayed nothing", nil, standing{}, with(standby(0, 31), func(r *reading) { r.hasReplayed = false }), false, time.Time{}, 0, 0},
		{"takes writes", nil, standing{}, reading{written: 300, timeline: 1, answered: moment(31)}, false, time.Time{}, 0, 0},
		{"the primary was never asked", func(h *history) { h.samples = nil }, standing{}, standby(300, 31), false, time.Time{}, 0, 0},
		{"commits may be acknowledged early", func(h *history) { h.asyncGrace = time.Second }, standing{}, standby(300, 30.5), true, moment(29), 0, 0.5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := historyOf()
			h.senders = map[string]sender{}
			if tt.history != nil {
				tt.history(h)
			}
			got := judge(tt.before, tt.reading, h, "s")
			if got.known != tt.known || !got.fresh.Equal(tt.fresh) || got.bytes != tt.bytes {
				t.Errorf("known %t, fresh %v, %d bytes, want %t, %v, %d", got.known, got.fresh, got.bytes, tt.known, tt.fresh, tt.bytes)
			}
			want := time.Duration(tt.lag * float64(time.Second))
			if got.known && (got.lagKnown != (tt.lag >= 0) || tt.lag >= 0 && got.lag != want) {
				t.Errorf("lag %v, %t, want %v", got.lag, got.lagKnown, want)
			}
		})
	}
}

func TestHistory(t *testing.T) {
	t.Run("an idle primary is one sample", func(t *testing.T) {
		h := historyOf()
		h.add(reading{written: 300, timeline: 1, asked: moment(40)})
		if n, s := len(h.samples), h.latest(); n != 3 || s.first != moment(30) || s.last != moment(40) {
			t.Errorf("%d samples, the last %+v", n, s)
		}
	})
	t.Run("another timeline begins again", func(t *testing.T) {
		h := historyOf()
		h.add(reading{written: 400, timeline: 2, asked: moment(40)})
		if len(h.samples) != 1 {
			t.Errorf("%d samples", len(h.samples))
		}
	})
	t.Run("a primary that went back begins again", func(t *testing.T) {
		h := historyOf()
		h.add(reading{written: 250, timeline: 1, asked: moment(40)})
		if len(h.samples) != 1 {
			t.Errorf("%d samples", len(h.samples))
		}
	})
}

// TestHistoryIsBoundedAndNeverPromisesTooMuch compares with a history that forgets
// nothing.
func TestHistoryIsBoundedAndNeverPromisesTooMuch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory(0)
		var all []sample
		position := lsn(1)
		for i := range 3 * maxSamples {
			position += lsn(rapid.IntRange(0, 2).Draw(t, "step"))
			at := moment(float64(i))
			h.add(reading{written: position, timeline: 1, asked: at})
			all = append(all, sample{position, at, at})
		}
		if len(h.samples) > maxSamples {
			t.Fatalf("%d samples", len(h.samples))
		}
		replayed := lsn(rapid.Uint64Range(0, uint64(position)+1).Draw(t, "replayed"))
		i := h.replayed(replayed)
		if i < 0 {
			return
		}
		for _, s := range all {
			if !s.last.After(h.samples[i].last) && s.position > replayed {
				t.Fatalf("fresh as of %v says the history, but %v was at %v", h.samples[i].last, s.position, s.last)
			}
		}
	})
}

func TestApplied(t *testing.T) {
	sub := func(name, slot, reported, progress string) subscription {
		return subscription{Name: name, Slot: slot, Enabled: true, Reported: reported, Progress: progress}
	}
	disabled := sub("a", "a", "0/10", "")
	disabled.Enabled = false
	copying := sub("a", "a", "0/10", "")
	copying.Copying = true
	// The origin is at 0/20, and was at 0/18 before.
	origin := func(received string, idle bool) []subscription {
		s := sub("a", "a", "0/10", "0/20")
		s.Received, s.Idle = received, idle
		return []subscription{s}
	}
	tests := []struct {
		name          string
		subscriptions []subscription
		application   string
		want          lsn
		ok            bool
	}{
		{"what was reported", []subscription{sub("a", "a", "0/10", "")}, "a", 0x10, true},
		{"the origin is ahead, and something later was received", origin("0/21", false), "a", 0x20, true},
		{"the origin's last commit may not be seen yet", origin("0/20", false), "a", 0x18, true},
		{"the origin's last commit may have come after the worker was idle", origin("0/18", true), "a", 0x18, true},
		{"the origin's commits may not be seen yet", origin("0/18", false), "a", 0x10, true},
		{"the origin is ahead, and nothing was received since the start", origin("", true), "a", 0x18, true},
		{"the origin is behind", []subscription{sub("a", "a", "0/10", "0/8")}, "a", 0x10, true},
		{"only the origin is known", []subscription{{Name: "a", Slot: "a", Enabled: true, Received: "0/9", Progress: "0/8"}}, "a", 8, true},
		{"the origin alone is no proof", []subscription{sub("a", "a", "", "0/20")}, "a", 0, false},
		{"nothing is known", []subscription{sub("a", "a", "", "")}, "a", 0, false},
		{"the slowest counts", []subscription{sub("a", "a", "0/10", ""), sub("b", "b", "0/8", "")}, "", 8, true},
		{"one is not known", []subscription{sub("a", "a", "0/10", ""), sub("b", "b", "", "")}, "", 0, false},
		{"the one that was named", []subscription{sub("a", "a", "0/10", ""), sub("b", "b", "0/8", "")}, "a", 0x10, true},
		{"named by its slot", []subscription{sub("x", "a", "0/10", ""), sub("b", "b", "0/8", "")}, "a", 0x10, true},
		{"of another publisher", []subscription{sub("c", "c", "0/10", "")}, "c", 0, false},
		{"another publisher's does not count", []subscription{sub("a", "a", "0/10", ""), sub("c", "c", "0/1", "")}, "", 0x10, true},
		{"disabled", []subscription{disabled}, "a", 0, false},
		{"a table is being copied", []subscription{copying}, "a", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := &history{slots: map[string]bool{"a": true, "b": true}}
			if got, ok := appliedOf(tt.subscriptions, h, tt.application, map[string]lsn{"a": 0x18}); got != tt.want || ok != tt.ok {
				t.Errorf("applied %v, %t, want %v, %t", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestStuck(t *testing.T) {
	const page = 8192
	physical := func(replayed, received lsn) reading {
		return reading{replayed: replayed, hasReplayed: true, received: received}
	}
	logical := reading{subscriptions: make([]subscription, 1)}
	tests := []struct {
		name     string
		primary  lsn
		reading  reading
		position lsn
		want     bool
	}{
		{"in the middle of a record", 2 * page, physical(2*page-24, 2*page), 2*page - 24, true},
		{"has replayed the page", 2 * page, physical(2*page, 2*page), 2 * page, false},
		{"has not received the page", 2 * page, physical(2*page-24, page), 2*page - 24, false},
		{"at the end of a record", 2*page + 8, physical(2*page-24, 3*page), 2*page - 24, false},
		{"subscriber, in the middle of a record", 200 * page, logical, 200*page - 24, true},
		{"subscriber, far behind", 200 * page, logical, 100 * page, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHistory(0)
			h.add(reading{written: tt.primary, pageSize: page, asked: moment(1)})
			if got := h.stuck(tt.reading, tt.position); got != tt.want {
				t.Errorf("stuck = %t", got)
			}
		})
	}
}
