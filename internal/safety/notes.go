package safety

import (
	"sync"
	"time"
)

const (
	// noteInterval is how long nobody is told again of the same thing.
	noteInterval = time.Minute
	// maxNotes bounds what is remembered of what was told.
	maxNotes = 1024
)

// Notes keeps the log readable: what many sessions would tell again and again is told once
// a minute, with the number left out. The zero value is ready; it is safe for concurrent
// use.
type Notes struct {
	mu   sync.Mutex // guards told
	told map[string]*note
}

type note struct {
	at      time.Time
	leftOut int
}

// Forget has everything told again when it happens next: an operator who reloads the
// configuration wants to know what is still so.
func (n *Notes) Forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told = nil
}

// Due reports whether text is to be told at that time, and how often it was left out
// since it was told last.
func (n *Notes) Due(text string, now time.Time) (leftOut int, due bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if last := n.told[text]; last != nil {
		if now.Sub(last.at) < noteInterval {
			last.leftOut++
			return 0, false
		}
		leftOut = last.leftOut
	}
	if n.told == nil || len(n.told) >= maxNotes {
		n.told = map[string]*note{}
	}
	n.told[text] = &note{at: now}
	return leftOut, true
}
