package safety

// Level is how much can go wrong when a statement is repeated.
type Level uint8

// The levels, each with all that the ones before it have.
const (
	Exact Level = iota
	Time
	Sequence
	Single
	Rows
	SideEffects
	NodeLocal
)

// String is D0 to D6.
func (l Level) String() string { return "D" + string('0'+rune(l)) }

// Action is what is done about it.
type Action uint8

// The actions, the weakest first.
const (
	// Run: repeat it as it is.
	Run Action = iota
	// Rewrite: values are computed once and put in.
	Rewrite
	// Lease: values of sequences are drawn from the main node.
	Lease
	// Warn: repeat it as it is, and tell the operator.
	Warn
	// Capture: the main node runs it, the others are given the rows.
	Capture
	// Lock: lock the tables named, repeat it, compare, and tell the operator.
	Lock
	// Main: the main node alone runs it.
	Main
	// Refuse: it is not run.
	Refuse
)

var actionNames = [...]string{"run", "rewrite", "lease", "warn", "capture", "lock", "main", "refuse"}

func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return "invalid"
}
