package safety

import (
	"slices"

	"github.com/pgchorus/pgchorus/internal/catalog"
)

// Firing is what the triggers do that fire when a statement changes the rows of its
// targets. The zero value says that none fires.
type Firing struct {
	// InRow: one fires in front of a row, which it may change.
	InRow bool
	// Beside: one may do something besides that, or nobody knows what fires.
	Beside bool
	// Unlike: one of those in front of rows puts a value into the row that each node
	// would compute for itself.
	Unlike bool
	// Reads: one of those in front of rows, or a default, reads tables.
	Reads bool
}

// inRowType are the bits of a trigger that fires in front of each row.
const inRowType = catalog.TriggerBefore | catalog.TriggerRow

// fires notes what a trigger does. One that fires in front of a row and changes nothing
// else need not fire where main's rows are given.
func (j *judge) fires(t *catalog.Trigger, e *effects) {
	f := &j.v.Firing
	switch {
	case t.Type&inRowType != inRowType, t.Type&catalog.TriggerInstead != 0,
		len(e.writes)+len(e.opaque) > 0, e.draws, e.acts, e.denied != nil:
		f.Beside = true
	default:
		f.InRow = true
		f.Unlike = f.Unlike || len(e.unlike) > 0 || e.picks
		f.Reads = f.Reads || len(e.reads) > 0
		j.readLocks(e.reads)
	}
}

// read notes a relation that exists.
func (e *effects) read(n catalog.Name) {
	if !slices.Contains(e.reads, n) {
		e.reads = append(e.reads, n)
	}
}
