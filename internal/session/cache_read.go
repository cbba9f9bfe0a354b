package session

import (
	"context"
	"slices"
	"unsafe"

	"github.com/pgchorus/pgchorus/cache"
	"github.com/pgchorus/pgchorus/internal/cachepolicy"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// answerCached answers a query string from memory, if it is there. Nothing of the road is
// gone but this: the text is compared with those that were kept, in the same scope, so
// that it need not be looked into.
func (s *Session) answerCached(ctx context.Context, text []byte) (answered bool, err error) {
	if s.Cache == nil || !s.caching.scoped() || !s.mayShare() {
		return false, nil
	}
	e := s.Cache.Look(cache.Key{Scope: s.caching.scope, Text: text}, true)
	if e == nil {
		return false, nil
	}
	s.beginWork()
	s.refreshView()
	if s.config().Log.LogStatement {
		s.logStatement(string(text))
	}
	if err := s.lostLocks(); err != nil {
		return false, err
	}
	s.giveEntry(e, true)
	return true, s.settle(ctx, true)
}

// giveEntry sends a kept answer.
func (s *Session) giveEntry(e *cache.Entry, columns bool) {
	if columns {
		s.passLong(e.Columns)
	}
	s.passLong(e.Rows)
}

// passLong is pass for what may be longer than the outbox.
func (s *Session) passLong(b []byte) {
	for len(b) > wire.OutboxSize {
		s.pass(b[:wire.OutboxSize])
		b = b[wire.OutboxSize:]
	}
	s.pass(b)
}

// recording is the answer under way that may be kept.
type recording struct {
	on bool
	// from is the place behind what was copied; copied is what has been written to the
	// frontend already.
	from   wire.Mark
	copied []byte
	// spoiled: it is too long, or a notice came with it.
	spoiled bool
}

// tee copies what is about to be written to the frontend.
func (s *Session) tee() {
	r := &s.caching.record
	if tail := s.front.Tail(r.from); !r.spoiled && len(r.copied)+len(tail) <= s.Cache.MaxAnswer {
		r.copied = append(r.copied, tail...)
	} else {
		r.spoiled, r.copied = true, nil
	}
	r.from = s.front.Mark()
}

// sharedRead is a read whose answer may be kept.
type sharedRead struct {
	key     cache.Key
	verdict *cacheVerdict
	// columns: the frontend wants the result described.
	columns bool
	where   target
	// found are the counters that were read with the last search.
	found cache.Found
	// give answers with an entry; handled is false if it cannot.
	give func(*cache.Entry) (handled, ok bool, err error)
}

// runShared runs a statement of one node whose answer may be kept. handled is false if it
// may not.
func (s *Session) runShared(ctx context.Context, stmt *parser.Statement, text string, where target) (handled, ok bool, err error) {
	if s.Cache == nil || stmt.Kind != parser.Select || where.all || where.once || !s.mayShare() {
		return false, false, nil
	}
	v := s.cacheVerdictOf(stmt, cachepolicy.HintOf(text), false)
	if !v.read.Keep || !s.learnScope() {
		return false, false, nil
	}
	k := cache.Key{Scope: s.caching.scope, Text: unsafe.Slice(unsafe.StringData(text), len(text))}
	e, found := s.find(k, true, v)
	if e != nil {
		s.giveEntry(e, true)
		return true, true, s.gone
	}
	r := &sharedRead{key: k, verdict: v, columns: true, where: where, found: found, give: func(e *cache.Entry) (bool, bool, error) {
		s.giveEntry(e, true)
		return true, true, s.gone
	}}
	ok, err = s.readAndKeep(ctx, r, func() (bool, error) { return s.executeOne(ctx, where) })
	return true, ok, err
}

// readAndKeep asks a node, unless another session is asking already for the same.
func (s *Session) readAndKeep(ctx context.Context, r *sharedRead, run func() (bool, error)) (ok bool, err error) {
	hash := s.Cache.Hash(r.key)
	lands := false
	if s.tx.kind == txNone {
		var other <-chan struct{}
		if other, lands = s.Cache.Flights.Join(hash); other != nil {
			lands = false
			waiting, stop := s.running.await(ctx)
			cache.Await(waiting, other)
			stop()
			var e *cache.Entry
			if e, r.found = s.find(r.key, r.columns, r.verdict); e != nil {
				if handled, ok, err := r.give(e); handled {
					return ok, err
				}
			}
		}
	}
	fits := true
	if lands {
		defer func() { s.Cache.Land(hash, fits) }()
	}
	s.Cache.Missed()
	stamps, keeps := s.stamps(r)
	s.caching.record = recording{on: keeps, from: s.front.Mark()}
	ok, err = run()
	if s.caching.record.on && ok && err == nil {
		fits = s.keepAnswer(r, hash, stamps)
	}
	s.caching.record = recording{}
	return ok, err
}

// stamps are the counters before the read is sent; false if its answer may not be kept: a
// commit is under way, nodes come or go, or the standby may be behind the last of them.
func (s *Session) stamps(r *sharedRead) (cache.Stamps, bool) {
	stamps, rests := s.Cache.Stamps(r.found, r.verdict.slots)
	switch {
	case !rests, s.Cluster.View() != s.view, !s.verdictHolds(r.verdict):
		return nil, false
	case !s.hasPrimary() || r.where.node == s.mainID():
		return stamps, true
	}
	return stamps, s.Standbys.Caught(r.where.node, s.Cache.Since(stamps), 0)
}

// find looks for the answer. What other processes have kept is looked into first: it is
// passed on as it is.
func (s *Session) find(k cache.Key, columns bool, v *cacheVerdict) (*cache.Entry, cache.Found) {
	e, found := s.Cache.Find(k, columns, v.slots)
	if e == nil || !e.Foreign {
		return e, found
	}
	if frame, rest, whole := wire.CutFrame(e.Columns); columns && (!whole || len(rest) > 0 || frame.Kind() != wire.KindRowDescription) || !onlyRows(e.Rows) {
		return nil, found
	}
	return e, found
}

// verdictHolds reports whether the catalogue is, as far as is known by now, what it was
// when the verdict was made. Other proxies may have changed it.
func (s *Session) verdictHolds(v *cacheVerdict) bool {
	database, _ := s.Cache.At(s.databaseSlot())
	everything, _ := s.Cache.At(s.Cache.Everything())
	return v.database == database && v.everything == everything
}

// keepAnswer keeps what was recorded for the key of that hash. It is false if such an answer cannot be kept.
func (s *Session) keepAnswer(r *sharedRead, hash uint64, stamps cache.Stamps) bool {
	s.tee()
	rec := &s.caching.record
	if rec.spoiled {
		return false
	}
	if s.hasPrimary() && s.ranOn != r.where.node && s.ranOn != s.mainID() {
		return true // another standby has stood in
	}
	if !s.Cache.Admits(hash) {
		return true
	}
	columns, rows, ok := splitAnswer(trim(rec.copied))
	if ok {
		s.Cache.Flights.Fits(hash)
		s.Cache.Put(r.key, columns, rows, stamps)
	}
	return ok
}

// trim gives back memory that was made in advance for more, if that is much.
func trim(b []byte) []byte {
	if cap(b)-len(b) > len(b)/8 {
		b = slices.Clone(b)
	}
	return slices.Clip(b)
}

// splitAnswer takes the description of the columns and the rest out of an answer, which are parts of
// it; false if there is something in it that says more than its rows.
func splitAnswer(answer []byte) (columns, rows []byte, ok bool) {
	rest := answer
	for len(rest) > 0 {
		frame, after, whole := wire.CutFrame(rest)
		if !whole {
			return nil, nil, false
		}
		switch frame.Kind() {
		case wire.KindParseComplete, wire.KindBindComplete:
		case wire.KindRowDescription:
			if columns != nil {
				return nil, nil, false
			}
			columns = slices.Clip([]byte(frame))
		case wire.KindDataRow, wire.KindCommandComplete:
			return columns, rest, onlyRows(rest)
		default:
			return nil, nil, false
		}
		rest = after
	}
	return nil, nil, false
}

// onlyRows reports whether messages are rows and the tag behind them.
func onlyRows(messages []byte) bool {
	for len(messages) > 0 {
		frame, after, whole := wire.CutFrame(messages)
		switch {
		case !whole:
			return false
		case frame.Kind() == wire.KindCommandComplete:
			return len(after) == 0
		case frame.Kind() != wire.KindDataRow:
			return false
		}
		messages = after
	}
	return false
}
