package safety

import "slices"

// Elsewhere is what functions, triggers and rules do that a statement sets off, apart from
// changing a row in front of which they fire. The zero value is nothing.
type Elsewhere struct {
	// Writes: they change tables.
	Writes bool
	// Differs: nodes may do it differently, even if nobody else does anything.
	Differs bool
	// Races: what they change hangs on what they read, or on the rows that they find.
	Races bool
	// Catches: they catch errors, with which changes are taken back.
	Catches bool
	// Hidden: they may do what does not show in rows: change settings or the schema,
	// notify, end transactions, run SQL that they put together, code that nobody reads, or
	// triggers at COMMIT.
	Hidden bool
}

// catchesText is said of code that catches errors, the one opaque thing whose outcome is in
// rows.
const catchesText = "catches errors (EXCEPTION)"

// elsewhere notes what code was found to do.
func (j *judge) elsewhere(e *effects) {
	v := &j.v.Elsewhere
	writes := len(e.writes)+len(e.opaque) > 0
	v.Writes = v.Writes || writes
	j.v.changed(e.changes)
	v.Differs = v.Differs || writes && (!e.alike() || e.picks)
	j.v.Picks = j.v.Picks || e.picks
	j.v.Redefines = j.v.Redefines || e.redefines
	v.Races = v.Races || e.races()
	v.Hidden = v.Hidden || e.hidden()
	v.Catches = v.Catches || slices.Contains(e.opaque, catchesText)
	if e.races() {
		j.add(Reason{Level: Rows, Action: j.policy.bySafety(Run, Capture, Capture), Text: "sets off code that changes rows which it finds, or by what it reads", quiet: true})
	}
	j.v.LocksAlways = j.v.LocksAlways || len(e.opaque) > 0 || e.draws
	if len(e.opaque) > 0 || e.draws || e.races() {
		j.lock(e.writes)
		j.readLocks(e.reads)
	}
}
