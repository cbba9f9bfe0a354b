package cache

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"go.uber.org/zap"
)

// Nodes is where proxies that share a memcached tell each other that one of them cannot
// reach it. The nodes serve for that because a proxy that cannot reach them writes nothing.
// What a proxy shows there must go when it dies. It is called from Run alone.
type Nodes interface {
	// Shown tells what is shown on any node in service: which proxies are without, and which
	// have returned. It is an error if one of the nodes cannot be asked.
	Shown(ctx context.Context) (without, returned []uint32, err error)
	// Declare shows on all nodes in service that this proxy is without. It is called again
	// and again while that is so.
	Declare(ctx context.Context, token uint32) error
	// Return shows that it has returned, and then no longer that it is without.
	Return(ctx context.Context, token uint32) error
	// Withdraw shows nothing any more.
	Withdraw(ctx context.Context, token uint32) error
	// Close ends the connections, and with them all that is shown.
	Close()
}

// newToken is a name for one time of being without. None is 0.
func newToken() uint32 { return 1 + rand.Uint32N(1<<31-1) }

// others are the proxies that are without.
type others struct {
	// known are their tokens, and whether they were seen to return.
	known map[uint32]bool
	// until is when answers may be used again.
	until time.Time
}

// note takes what was shown, and reports whether one has gone since.
func (o *others) note(without, returned []uint32, now time.Time, doubt time.Duration) (gone bool) {
	for _, token := range without {
		o.known[token] = o.known[token] || slices.Contains(returned, token)
	}
	for token, came := range o.known {
		if slices.Contains(without, token) {
			continue
		}
		if !came && !slices.Contains(returned, token) {
			o.until = now.Add(doubt)
		}
		delete(o.known, token)
		gone = true
	}
	return gone
}

// away reports whether there are none, and have been none for long enough.
func (o *others) away(now time.Time) bool { return len(o.known) == 0 && !now.Before(o.until) }

// settles reports once that the doubt is over.
func (o *others) settles(now time.Time) bool {
	if o.until.IsZero() || now.Before(o.until) {
		return false
	}
	o.until = time.Time{}
	return true
}

// watch asks the nodes for proxies that are without.
func (s *Shared) watch(ctx context.Context) {
	asked := time.Now()
	ctx, stop := context.WithTimeout(ctx, s.timing.call)
	defer stop()
	without, returned, err := s.nodes.Shown(ctx)
	if err != nil {
		s.log.Debug("nodes not asked for the other proxies", zap.Error(err))
		return
	}
	mine := func(token uint32) bool { return token == s.token || token == s.old }
	without, returned = slices.DeleteFunc(without, mine), slices.DeleteFunc(returned, mine)
	gone := s.others.note(without, returned, asked, s.timing.doubt)
	if gone || s.others.settles(asked) {
		s.forgets.Add(1) // what it has written unmarked is in no counter
	}
	if len(without) > 0 {
		s.ready.Store(false)
		return
	}
	s.polled.Store(int64(asked.Sub(s.v.start)))
}
