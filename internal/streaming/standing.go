package streaming

import (
	"time"
)

// role is what a server says of itself.
type role uint8

const (
	roleUnknown role = iota
	rolePrimary
	roleStandby
)

// standing is how a node stands to the primary, as of its last answer. It never
// changes.
type standing struct {
	role     role
	session  uint64
	answered time.Time

	known    bool // the fields below say something
	replayed lsn
	// fresh: every commit that was acknowledged before is replayed. Zero if none
	// can be named, also where known.
	fresh time.Time
	// sampled is when the primary was where bytes and lag are counted from.
	sampled time.Time
	bytes   int64
	lag     time.Duration
	// lagKnown is false for a standby that is behind all that was seen of the
	// primary so far, and does not say how long.
	lagKnown bool
	// stuck: see flush.go.
	stuck bool

	state, syncState string

	// origins are where the replication origins of its subscriptions were, by name.
	origins map[string]lsn
}

// judge says how a standby stands after an answer.
func judge(before standing, r reading, h *history, name string) standing {
	now := standing{role: roleOf(r), session: r.session, answered: r.answered}
	if row, ok := h.senders[name]; ok && name != "" {
		now.state, now.syncState = row.State, row.SyncState
	}
	now.origins = originsOf(r.subscriptions)
	if before.session != now.session {
		before.origins = nil
	}
	position, ok := positionOf(r, h, name, before.origins)
	if !ok || len(h.samples) == 0 {
		return now
	}
	now.known, now.replayed = true, position
	now.sampled = h.latest().last
	now.stuck = h.stuck(r, position)
	now.bytes = position.behind(h.latest().position)
	i := h.replayed(position)
	if i >= 0 {
		now.fresh = h.samples[i].last.Add(-h.asyncGrace)
	}
	if caughtUpBefore(before, now, h, i) {
		now.lag, now.lagKnown = before.lag, true
		return now
	}
	if now.lag, now.lagKnown = lagOf(r, h, i, name); !now.lagKnown && before.lagKnown && before.session == now.session {
		now.lag, now.lagKnown = before.lag+now.answered.Sub(before.answered), true
	}
	return now
}

// caughtUpBefore: the standby had all of the newest sample when it was asked last,
// so this answer tells nothing new about its lag.
func caughtUpBefore(before, now standing, h *history, i int) bool {
	return before.lagKnown && i == len(h.samples)-1 && before.session == now.session && before.fresh.Equal(now.fresh)
}

// lagOf is how old the standby's data is. It is younger than the first sample that
// has not been replayed allows, and older than the last one that has; in between the
// walsender's own measurement, if there is one, is the best guess. That one alone
// would not do: it stays as it was when a standby stops replaying.
func lagOf(r reading, h *history, i int, name string) (time.Duration, bool) {
	if i == len(h.samples)-1 {
		return r.answered.Sub(h.samples[i].last), true
	}
	least := r.answered.Sub(h.samples[i+1].first)
	if i < 0 {
		if r.facts == nil || r.facts.XactAge == nil {
			return least, false
		}
		return max(least, microseconds(*r.facts.XactAge)), true
	}
	most := r.answered.Sub(h.samples[i].last)
	if row, ok := h.senders[name]; ok && name != "" && row.ReplayLag != nil {
		return min(max(microseconds(*row.ReplayLag), least), most), true
	}
	return most, true
}

func microseconds(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

func roleOf(r reading) role {
	if r.inRecovery {
		return roleStandby
	}
	return rolePrimary
}

// positionOf is where in the primary's WAL the node is, if it follows the primary.
func positionOf(r reading, h *history, name string, origins map[string]lsn) (lsn, bool) {
	if len(r.subscriptions) > 0 {
		return appliedOf(r.subscriptions, h, name, origins)
	}
	return r.replayed, r.hasReplayed && r.timeline == h.timeline
}

// appliedOf is the position up to which every commit of the publisher is applied.
//
// latest_end_lsn is what the apply worker has told the publisher in answer to a
// keepalive. The worker is one process that takes messages in order, and the
// publisher sends a keepalive with a position only after all commits below it, so
// they are committed here. (received_lsn is set before a message is applied, and
// confirmed_flush_lsn is the same news one round trip later.) While the publisher
// has much to send it sends no keepalives; then the replication origin knows better,
// which moves with each commit that is applied: see subscription.committed. origins is
// where it was when the node was asked before.
//
// With several subscriptions to the primary the slowest counts. While a table is
// being copied, nothing can be said of it.
func appliedOf(subscriptions []subscription, h *history, name string, origins map[string]lsn) (lsn, bool) {
	var slowest lsn
	found := false
	for _, s := range ours(subscriptions, h, name) {
		at, ok := s.applied(origins[s.Name])
		if !ok || s.Copying {
			return 0, false
		}
		if !found || at < slowest {
			slowest, found = at, true
		}
	}
	return slowest, found
}

// ours are the subscriptions that the primary serves now: by their slots, because a
// position of another publisher would mean something else. A name that was
// configured narrows the choice.
func ours(subscriptions []subscription, h *history, name string) []subscription {
	var served, wanted []subscription
	for _, s := range subscriptions {
		if s.Enabled && h.slots[s.Slot] {
			served = append(served, s)
			if s.Name == name || s.Slot == name {
				wanted = append(wanted, s)
			}
		}
	}
	if len(wanted) > 0 {
		return wanted
	}
	return served
}

// applied takes where the origin was before; 0 if that is not known.
func (s subscription) applied(before lsn) (lsn, bool) {
	reported, err := parseLSN(s.Reported)
	committed := s.committed(before)
	return max(reported, committed), err == nil || committed > 0
}

// committed is the position of the replication origin up to which all can see what it
// stands for; 0 for none. The origin moves a moment before the commit can be seen. That has
// come when the worker has received something later, which it reads after the commit, or
// when it holds no transaction any more. The latter was not asked in the same moment as
// the position, so it is proof only of where the origin was before.
func (s subscription) committed(before lsn) lsn {
	origin, err := parseLSN(s.Progress)
	if err != nil {
		return 0
	}
	received, err := parseLSN(s.Received)
	switch {
	case err == nil && received > origin:
		return origin
	case s.Idle || err == nil && received > before:
		return min(before, origin)
	}
	return 0
}

func originsOf(subscriptions []subscription) map[string]lsn {
	var origins map[string]lsn
	for _, s := range subscriptions {
		if at, err := parseLSN(s.Progress); err == nil {
			if origins == nil {
				origins = make(map[string]lsn, len(subscriptions))
			}
			origins[s.Name] = at
		}
	}
	return origins
}
