package lb

// Touch is what a read has in common with what was written before, or with the session's
// temporary tables. The zero Touch is nothing.
type Touch struct {
	Reason Reason
	Name   string
}

// Track is what one session has written, as far as disable_load_balance_on_write and
// check_temp_table ask: whether it has written at all, the relations that its
// transaction has written, and its temporary tables. The zero Track is a session that
// has done nothing. Not safe for concurrent use.
type Track struct {
	past      Past
	written   writtenSet
	temporary temporarySet
}

// Note is told of every statement before it is sent. explicit: it is in a transaction
// that the frontend opened.
func (k *Track) Note(p *Policy, t *Traits, explicit bool) {
	if t.Class != Write {
		return
	}
	k.past.Wrote = true
	k.past.WroteInTransaction = k.past.WroteInTransaction || explicit
	if !p.Mode.HasPrimary() {
		return
	}
	if p.TraceTempTable && t.Statement != nil {
		k.temporary.note(t.Statement, explicit)
	}
	if p.Adaptive() {
		k.written.note(p, t)
	}
}

// Begin is told of the beginning of a transaction.
func (k *Track) Begin() { k.written.clear() }

// End is told of the end of a transaction, and of the end of a statement outside of
// one; not of ROLLBACK TO, which leaves what came before the savepoint. With
// dml_adaptive_global other sessions hear of what was committed, through m.
func (k *Track) End(p *Policy, database string, committed bool, m *Mutations) {
	if committed && m != nil && p.Global() {
		m.publish(database, &k.written)
	}
	k.written.clear()
}

// Past is Input.Past.
func (k *Track) Past() Past { return k.past }

// Touched is Input.Touched: what the read has to see that a standby may not show.
func (k *Track) Touched(p *Policy, database string, t *Traits, m *Mutations) Touch {
	if t.Class != Read || !p.Mode.HasPrimary() || t.Statement == nil {
		return Touch{}
	}
	if touch := k.temporary.touched(t.Statement); touch.Reason != None {
		return touch
	}
	if !p.Adaptive() {
		return Touch{}
	}
	if touch := k.written.touched(t); touch.Reason != None || !p.Global() || m == nil {
		return touch
	}
	return m.touched(p, database, t)
}

// Discard is told of DISCARD ALL and DISCARD TEMP, and of whatever else resets the
// session's backends: temporary tables are gone. What was written was written.
func (k *Track) Discard() { k.temporary = temporarySet{} }
