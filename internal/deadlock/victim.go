package deadlock

import (
	"cmp"
	"slices"
	"time"
)

// Statement is what a session has under way.
type Statement struct {
	Session uint32
	// Number tells it from the session's other statements.
	Number uint64
	Since  time.Time
	// DDL: it, or one before it in its transaction, changes the schema.
	DDL bool
	// Writes is how many statements its transaction has had on all nodes.
	Writes int
}

// Victim is the statement to give up of those of a cycle; pure. false if none of them is
// ours. One that is no DDL before one that is, then the one whose transaction has done
// least, then the youngest, then the one of the newest session.
func Victim(cycle []Party, running map[uint32]Statement) (Statement, bool) {
	var ours []Statement
	for _, party := range cycle {
		if it, ok := running[party.Session]; ok && party.Session != 0 {
			ours = append(ours, it)
		}
	}
	if len(ours) == 0 {
		return Statement{}, false
	}
	return slices.MinFunc(ours, func(a, b Statement) int {
		return cmp.Or(ddlLast(a)-ddlLast(b), cmp.Compare(a.Writes, b.Writes), b.Since.Compare(a.Since), cmp.Compare(b.Session, a.Session))
	}), true
}

func ddlLast(s Statement) int {
	if s.DDL {
		return 1
	}
	return 0
}
