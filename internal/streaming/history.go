package streaming

import (
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
)

// history is where the primary was when. Not safe for concurrent use.
type history struct {
	primary    config.NodeID // -1: none
	timeline   uint32
	asyncGrace time.Duration
	pageSize   lsn               // of the primary's WAL
	slots      map[string]bool   // of the primary
	senders    map[string]sender // by name, of the primary
	samples    []sample          // rising in both time and position
}

// sample says that the primary's position was the same from first to last.
type sample struct {
	position    lsn
	first, last time.Time
}

// maxSamples bounds a history. When it is full, every other sample of its older half
// is dropped, so it reaches far back where it need not be exact.
const maxSamples = 512

func newHistory(primary config.NodeID) history { return history{primary: primary} }

// add enters an answer of the primary. Positions of another timeline cannot be
// compared with those before, and neither can those of a server that went back.
func (h *history) add(r reading) {
	if h.timeline != r.timeline || len(h.samples) > 0 && r.written < h.latest().position {
		h.samples = nil
	}
	h.timeline, h.asyncGrace, h.pageSize = r.timeline, r.asyncGrace, r.pageSize
	if r.facts != nil {
		h.slots, h.senders = named(r.facts)
	}
	if n := len(h.samples); n > 0 && h.samples[n-1].position == r.written {
		h.samples[n-1].last = r.asked
		return
	}
	if len(h.samples) == maxSamples {
		h.samples = thinned(h.samples)
	}
	h.samples = append(h.samples, sample{position: r.written, first: r.asked, last: r.asked})
}

func named(f *facts) (slots map[string]bool, senders map[string]sender) {
	slots, senders = make(map[string]bool), make(map[string]sender)
	for _, slot := range f.Slots {
		slots[slot] = true
	}
	for _, s := range f.Senders {
		senders[s.Name] = s
	}
	return slots, senders
}

func thinned(samples []sample) []sample {
	half := len(samples) / 2
	kept := make([]sample, 0, len(samples))
	for i := 0; i < half; i += 2 {
		kept = append(kept, samples[i])
	}
	return append(kept, samples[half:]...)
}

// latest is the newest sample. There has to be one.
func (h *history) latest() sample { return h.samples[len(h.samples)-1] }

// replayed returns the number of the newest sample that is below a position, or -1.
func (h *history) replayed(position lsn) int {
	for i := len(h.samples) - 1; i >= 0; i-- {
		if h.samples[i].position <= position {
			return i
		}
	}
	return -1
}
