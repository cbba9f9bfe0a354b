package cache

import (
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Shared has the counters and the entries in a memcached that several proxies share. What
// [Versions] holds beside it is a mirror: it moves when a shared counter is seen to have
// moved.
//
// A write is marked there before the first node is sent the COMMIT, and counted up before
// its frontend hears of it, or else the proxy is *without*: it has told the others through
// the nodes that it writes unmarked, and given them the time to notice (ADR 0034). Run is
// the one goroutine that goes without and returns. Safe for concurrent use.
type Shared struct {
	server Server
	nodes  Nodes
	v      *Versions
	timing timing
	log    *zap.Logger
	// kick wakes Run.
	kick chan struct{}

	// ready: the proxy is within, has made worthless what it had to, and has heard of no
	// other one that is without.
	ready atomic.Bool
	// polled is when the nodes were last asked, with no bad news, and silent until when
	// memcached is asked for no answers, as time since v.start.
	polled, silent atomic.Int64
	// forgets counts what makes all answers worthless, forgotten what was done of it.
	forgets, forgotten atomic.Uint64

	mu     sync.Mutex // guards the fields below
	stands standing
	// passed is closed when leaving is over.
	passed chan struct{}
	// open counts writes under way that are not marked.
	open int
	// owed are counters that may have a mark too many.
	owed map[Slot]struct{}
	// returned is when the proxy last returned, delay how long it stays without at least, and
	// returnAt when that is over.
	returned, returnAt time.Time
	delay              time.Duration
	sights             map[Slot]sight

	others others // belongs to Run
	// token is what this proxy shows on the nodes while it is without, old what it has shown
	// before, until oldUntil. They belong to Run.
	token, old uint32
	oldUntil   time.Time
}

// standing is how the proxy stands to memcached.
type standing uint8

const (
	// within: writes are marked there.
	within standing = iota
	// leaving: memcached could not be reached by a write; the others are being told.
	leaving
	// without: they know. Writes are not marked, and nothing is answered from there.
	without
	// returning: writes are marked again; those that are not have not ended yet.
	returning
)

// timing is what the protocol between proxies rests on. The tests have their own.
type timing struct {
	// beat is how often the nodes are asked, lease how long after it was asked an answer
	// counts.
	beat, lease time.Duration
	// grace is how long a proxy waits that has told the nodes that it is without. It is longer
	// than lease by more than clocks differ in speed.
	grace time.Duration
	// quarantine is how long a new counter is not relied on: marks on the one before it are
	// lost, and their commits may still be under way.
	quarantine time.Duration
	// doubt is how long nothing is answered when a proxy that was without is gone without a
	// word: a node may still be doing its last COMMIT.
	doubt time.Duration
	// patience bounds how long a COMMIT waits for the nodes to be told.
	patience time.Duration
	// pause is how long a proxy stays without at least, and maxPause if it goes without again
	// and again; also how long a memcached is not read that did not answer.
	pause, maxPause time.Duration
	// call bounds asking the nodes.
	call time.Duration
}

func usualTiming() timing {
	return timing{
		beat: 500 * time.Millisecond, lease: 1500 * time.Millisecond, grace: 2 * time.Second, quarantine: 3 * time.Second,
		doubt: doubt, patience: 10 * time.Second, pause: time.Second, maxPause: time.Minute, call: time.Second,
	}
}

func newShared(server Server, nodes Nodes, v *Versions, log *zap.Logger) *Shared {
	s := &Shared{
		server: server, nodes: nodes, v: v, timing: usualTiming(), log: log, kick: make(chan struct{}, 1),
		owed: map[Slot]struct{}{}, sights: map[Slot]sight{}, others: others{known: map[uint32]bool{}}, token: newToken(),
	}
	s.polled.Store(-int64(time.Hour))
	s.forgets.Store(1) // what is there is of before our time
	return s
}

// usable reports whether what memcached says may be relied on now.
func (s *Shared) usable() bool {
	now := int64(time.Since(s.v.start))
	return s.ready.Load() && now >= s.silent.Load() && now-s.polled.Load() <= int64(s.timing.lease)
}

// forget makes all answers worthless: here at once, elsewhere as soon as Run has told
// memcached.
func (s *Shared) forget() {
	s.forgets.Add(1)
	s.ready.Store(false)
	s.wake()
}

func (s *Shared) wake() {
	select {
	case s.kick <- struct{}{}:
	default: // Run is awake
	}
}

// silence keeps reads away from a memcached that does not answer.
func (s *Shared) silence(err error) {
	s.silent.Store(int64(time.Since(s.v.start) + s.timing.pause))
	s.log.Debug("memcached not read", zap.Error(err))
}

// sharedWrite is a Write as memcached knows it.
type sharedWrite struct {
	s     *Shared
	slots []Slot
	// versions are those of the counters when they were marked; nil if they are not.
	versions []uint64
}

// begin marks slots as being written. It returns when that is done, or the others know
// that it is not.
func (s *Shared) begin(slots []Slot) *sharedWrite {
	w := &sharedWrite{s: s, slots: slots}
	for {
		s.awaitOthers()
		if s.writesUnmarked() {
			return w
		}
		err := w.mark()
		if err == nil {
			return w
		}
		s.leave(err)
	}
}

// mark marks all slots, or none.
func (w *sharedWrite) mark() error {
	versions := make([]uint64, 0, len(w.slots))
	for i, slot := range w.slots {
		version, err := w.s.mark(slot)
		if err != nil {
			w.s.owe(w.slots[:i+1])
			return err
		}
		versions = append(versions, version)
	}
	w.versions = versions
	return nil
}

// end counts up what was marked. It returns when that is done, or the others know that it
// is not.
func (w *sharedWrite) end() {
	if w.versions == nil {
		w.s.endUnmarked()
		return
	}
	for i, slot := range w.slots {
		if err := w.s.countUp(slot, w.versions[i]); err != nil {
			w.s.owe(w.slots[i:])
			w.s.leave(err)
			w.s.awaitOthers()
			return
		}
	}
}
