package cache

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
)

// A shared counter is a number in memcached, of the parts that Versions has: how often its
// name was written, and how many are writing it now. memcached may lose it at any time, and
// then it is made anew from a random start, with another generation: so no entry is ever
// valid again that was kept with the one that was lost. The generation is in the item's
// flags, which adding to the number leaves alone.

const (
	counterPrefix = "pgchorus:c:"
	// counterAge is how long a counter lives that nobody writes or reads: by then marks have
	// gone that were left by a proxy that died.
	counterAge = time.Hour
	// counterTouch is how often its age is begun anew.
	counterTouch = counterAge / 4
	// startBits is the size of a counter's start: its upper bits have room to be counted up.
	startBits = 63 - busyBits
	// apart is more than a counter is counted up by within one write.
	apart = 1 << 24
)

// counter is one as it was found.
type counter struct {
	generation uint32
	value      uint64
}

// sight is what this process has seen of a counter.
type sight struct {
	generation uint32
	version    uint64
	since      time.Time // its generation is known
	touched    time.Time
	moves      uint64 // that others have made
}

func counterKey(slot Slot) string { return counterPrefix + strconv.FormatUint(uint64(slot), 10) }

// fetch reads counters, and the item of an entry if key is not empty. Those that are not
// there are made.
func (s *Shared) fetch(key string, slots []Slot) (entry []byte, counters []counter, err error) {
	keys := make([]string, 0, len(slots)+1)
	if key != "" {
		keys = append(keys, key)
	}
	for _, slot := range slots {
		keys = append(keys, counterKey(slot))
	}
	items, err := s.server.Get(keys)
	if err != nil {
		return nil, nil, err
	}
	counters = make([]counter, len(slots))
	for i, slot := range slots {
		item, found := items[counterKey(slot)]
		if !found {
			if counters[i], err = s.create(slot, 0); err != nil {
				return nil, nil, err
			}
			continue
		}
		if counters[i].value, err = strconv.ParseUint(strings.TrimRight(string(item.Value), " "), 10, 64); err != nil {
			return nil, nil, errors.Join(err, s.server.Delete(counterKey(slot)))
		}
		counters[i].generation = item.Flags
	}
	return items[key].Value, counters, nil
}

// create makes a counter with marks on it. What it returns is not that of another process
// that has done so at the same time; both are too new to be relied on.
func (s *Shared) create(slot Slot, marks uint64) (counter, error) {
	c := counter{generation: rand.Uint32(), value: rand.Uint64N(1<<startBits)<<busyBits | marks}
	item := Item{Value: strconv.AppendUint(nil, c.value, 10), Flags: c.generation}
	added, err := s.server.Add(counterKey(slot), item, counterAge)
	if err == nil && !added && marks > 0 {
		err = errThere
	}
	return c, err
}

var errThere = errors.New("the counter is there")

// see notes a counter that was read. It rests if nobody writes its name, and it is old
// enough to be relied on.
func (s *Shared) see(slot Slot, c counter) (rests bool) {
	now := time.Now()
	since := s.noteSight(slot, c, now)
	if s.ages(slot) {
		s.touch(slot)
	}
	return c.value&busyMask == 0 && now.Sub(since) >= s.timing.quarantine
}

// noteSight keeps what was seen, and tells since when the counter is known. When it has
// moved the mirror has, too, before anybody else sees the same.
func (s *Shared) noteSight(slot Slot, c counter, now time.Time) (since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen, known := s.sights[slot]
	known = known && seen.generation == c.generation
	version := c.value >> busyBits
	if known && version <= seen.version {
		return seen.since
	}
	if !known {
		seen.generation, seen.since = c.generation, now
	}
	seen.version = version
	seen.moves++
	s.sights[slot] = seen
	s.v.Touch(slot)
	return seen.since
}

// ages reports, once each time, that a counter that was seen before has to be kept alive.
func (s *Shared) ages(slot Slot) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen, known := s.sights[slot]
	if !known || time.Since(seen.touched) <= counterTouch {
		return false
	}
	seen.touched = time.Now()
	s.sights[slot] = seen
	return true
}

// touch keeps a counter alive that is in use.
func (s *Shared) touch(slot Slot) {
	if err := s.server.Touch(counterKey(slot), counterAge); err != nil {
		s.log.Debug("shared counter not kept alive", zap.Error(err))
	}
}

// moves is how often others have moved a counter, as far as was seen.
func (s *Shared) moves(slot Slot) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sights[slot].moves
}

// markTries bounds how often a counter is made and lost again.
const markTries = 3

// mark says that a name is about to be written, and returns its counter's version.
func (s *Shared) mark(slot Slot) (version uint64, err error) {
	if s.ages(slot) {
		s.touch(slot)
	}
	for range markTries {
		value, found, err := s.server.Up(counterKey(slot), 1)
		if err != nil {
			if err := s.server.Delete(counterKey(slot)); err != nil {
				return 0, err
			}
			continue // it is not known whether it was marked: the next one is new
		}
		if found {
			return value >> busyBits, nil
		}
		c, err := s.create(slot, 1)
		if err == nil {
			return c.value >> busyBits, nil
		}
		if !errors.Is(err, errThere) {
			return 0, err
		}
	}
	return 0, errors.New("memcached: a counter is lost again and again")
}

// countUp takes the mark away and counts up. A counter that was lost needs neither: what
// was kept with it is worthless.
func (s *Shared) countUp(slot Slot, marked uint64) error {
	value, found, err := s.server.Up(counterKey(slot), 1<<busyBits-1)
	if err == nil && !found {
		return nil
	}
	version := value >> busyBits
	if err != nil || version <= marked || version-marked > apart {
		return s.server.Delete(counterKey(slot)) // it was not the one that was marked
	}
	s.mu.Lock()
	if seen, known := s.sights[slot]; known && seen.version+1 == version {
		seen.version = version // our own doing: the mirror moves by itself
		s.sights[slot] = seen
	}
	s.mu.Unlock()
	return nil
}

// invalidateAll counts up what every answer depends on.
func (s *Shared) invalidateAll() error {
	_, _, err := s.server.Up(counterKey(everything), 1<<busyBits)
	return err
}
