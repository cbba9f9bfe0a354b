package session

import (
	"slices"

	"github.com/pgchorus/pgchorus/cache"
	"github.com/pgchorus/pgchorus/internal/cachepolicy"
	"github.com/pgchorus/pgchorus/parser"
)

// maxTouched bounds how many names a transaction's writes are told apart by; more than
// that are everything in the database.
const maxTouched = 1000

// noteWrite follows what a statement that is about to run does to the query cache. It
// costs one comparison where there is none, and for a read of one node.
func (s *Session) noteWrite(stmt *parser.Statement, where target) {
	if s.Cache == nil || !where.all && !where.once {
		return
	}
	executed, _ := s.effectiveOf(stmt, "")
	v := s.cacheVerdictOf(executed, cachepolicy.NoHint, true)
	if !v.write.Nothing() {
		s.touch(v, where.once && s.tx.kind == txNone)
	}
}

// noteAnything is noteWrite for what may do anything, such as a function call message.
func (s *Session) noteAnything() {
	if s.Cache == nil {
		return
	}
	v := &cacheVerdict{write: cachepolicy.Write{Database: true, Session: true, AtOnce: true}}
	v.database, _ = s.Cache.At(s.databaseSlot())
	s.slotsOf(v)
	s.touch(v, true)
}

// touch keeps what a statement writes until the transaction ends. alone: the statement is
// a transaction of its own on the one node that runs it.
func (s *Session) touch(v *cacheVerdict, alone bool) {
	c := &s.caching
	if v.write.Session || v.write.Transaction {
		c.scopes++
	}
	c.unsure = c.unsure || v.write.Session
	c.local = c.local || v.write.Transaction && s.tx.kind != txNone
	if len(v.slots) == 0 || !v.write.Schema && !s.Config().Cache.MemqcacheAutoCacheInvalidation {
		return
	}
	if alone || v.write.AtOnce {
		s.writeAtOnce(v)
	}
	if alone {
		return
	}
	c.moved = c.moved || len(c.touched) > 0 && c.touchedAt != v.database
	c.touchedAt = v.database
	for _, slot := range v.slots {
		if !slices.Contains(c.touched, slot) {
			c.touched = append(c.touched, slot)
		}
	}
	if len(c.touched) > maxTouched {
		c.touched = append(c.touched[:0], s.databaseSlot(), s.Cache.Everything())
	}
}

// writeAtOnce begins a write that is committed by the statement itself.
func (s *Session) writeAtOnce(v *cacheVerdict) {
	c := &s.caching
	slots := v.slots
	if now, _ := s.Cache.Now(s.databaseSlot()); now != v.database {
		slots = append(slices.Clone(slots), s.databaseSlot())
	}
	c.touchedAt = v.database
	c.doubt = c.doubt || v.write.AtOnce
	c.atOnce = append(c.atOnce, s.Cache.Begin(slots))
}

// beginBare is for a statement that runs on all nodes outside of any block: whatever part
// of it has failed, another may stay.
func (s *Session) beginBare(opt allOptions) {
	if s.Cache == nil || opt.maintains {
		return
	}
	c := &s.caching
	slots := append(slices.Clone(c.touched), s.databaseSlot())
	c.touched, c.doubt = c.touched[:0], true
	c.atOnce = append(c.atOnce, s.Cache.Begin(slots))
}

// beginWrites is called before the first node is sent the COMMIT.
func (s *Session) beginWrites() {
	c := &s.caching
	if len(c.touched) == 0 || c.commit != nil {
		return
	}
	if now, rests := s.Cache.Now(s.databaseSlot()); c.moved || now != c.touchedAt || !rests {
		c.touched = append(c.touched, s.databaseSlot()) // a trigger may be new
	}
	w := s.Cache.Begin(c.touched)
	c.commit = &w
}

// endWrites is called when the transaction has ended on every node, before the frontend
// hears of it and after the catalogue was forgotten.
func (s *Session) endWrites(committed bool) {
	c := &s.caching
	if s.Cache == nil {
		return
	}
	if c.local || c.unsure {
		c.scopes++ // what was set may have been taken back
	}
	c.touched, c.moved, c.local = c.touched[:0], false, false
	if c.commit != nil {
		finish(*c.commit, c.unknown, committed || c.doubt)
		c.commit = nil
	}
	if len(c.atOnce) == 0 {
		c.doubt, c.unknown = false, false
	}
}

// endAtOnce is called when statements have run that are committed by themselves, before
// the frontend hears of it.
func (s *Session) endAtOnce(ok bool) {
	c := &s.caching
	if len(c.atOnce) == 0 {
		return
	}
	changed := ok || c.doubt
	if now, _ := s.Cache.At(s.databaseSlot()); changed && now != c.touchedAt {
		s.Cache.Touch(s.databaseSlot()) // a trigger may be new
	}
	for _, w := range c.atOnce {
		finish(w, c.unknown, changed)
	}
	clear(c.atOnce)
	c.atOnce, c.doubt, c.unknown = c.atOnce[:0], false, false
}

func finish(w cache.Write, unknown, changed bool) {
	if unknown {
		w.EndInDoubt()
		return
	}
	w.End(changed)
}
