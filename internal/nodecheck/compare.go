package nodecheck

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pgchorus/pgchorus/internal/config"
)

// Action is what follows from a difference.
type Action uint8

// The actions, the mildest first.
const (
	// Warn: the node may differ, the log says so.
	Warn Action = iota
	// Refuse: the node does not come into service; one that is in it is warned of, since
	// a statement under way may be the reason.
	Refuse
	// Fence: the node does not come into service, and does not stay in it.
	Fence
)

// String is the action as reports show it.
func (a Action) String() string {
	switch a {
	case Refuse:
		return "refuse"
	case Fence:
		return "fence"
	}
	return "warn"
}

// rule is what follows from a difference of a kind, and what an operator can do.
type rule struct {
	action Action
	remedy string
}

const configure = "set it alike in postgresql.conf of every node and reload"

// rules are by kind; kinds that are not there only warn.
var rules = map[string]rule{
	KindServer:     {Fence, "install the same versions on every node"},
	KindSetting:    {Fence, configure},
	KindRoleSet:    {Refuse, "ALTER ROLE ... SET or ALTER DATABASE ... SET on the node"},
	KindRole:       {Refuse, "create or alter the role on the node"},
	KindMembership: {Refuse, "GRANT or REVOKE the role on the node"},
	KindDatabase:   {Refuse, "make the node anew as a copy of another"},
	KindExtension:  {Refuse, "install the same version of the extension and ALTER EXTENSION ... UPDATE"},
	KindCollation:  {Refuse, "install the same version of the library, rebuild indexes and ALTER COLLATION ... REFRESH VERSION"},
	KindPassword:   {Warn, "ALTER ROLE ... PASSWORD through pgchorus, which gives all nodes the same verifier"},
	KindPlatform:   {Warn, "bring the nodes to the same minor version and build"},
	KindPlanner:    {Warn, configure},
	KindLimit:      {Warn, configure},
	KindDurability: {Warn, configure},
	KindClock:      {Warn, "set the clocks of the hosts, and keep them by NTP"},
	KindOurs:       {Warn, "make the node anew as a copy of another"},
}

// Difference is a fact that a node has otherwise than the reference.
type Difference struct {
	Node, Reference config.NodeID
	Kind            string
	Database        string
	Name            string
	// Value and Want are the node's and the reference's; Lacks and Extra say that
	// there is none.
	Value, Want  string
	Lacks, Extra bool
}

// Action is what follows from it.
func (d Difference) Action() Action { return rules[d.Kind].action }

// Remedy is what an operator can do about it.
func (d Difference) Remedy() string { return rules[d.Kind].remedy }

// String says what differs, in a line.
func (d Difference) String() string {
	what := d.Kind + " " + d.Name
	if d.Database != "" {
		what += " in database " + d.Database
	}
	switch {
	case d.Lacks:
		return fmt.Sprintf("%s is missing, node %d has %s", what, d.Reference, quote(d.Want))
	case d.Extra:
		return fmt.Sprintf("%s is %s, node %d has none", what, quote(d.Value), d.Reference)
	}
	return fmt.Sprintf("%s is %s, on node %d %s", what, quote(d.Value), d.Reference, quote(d.Want))
}

// key is what a fact is about.
func (f Fact) key() [3]string { return [3]string{f.Kind, f.Database, f.Name} }

// Compare holds the facts of a node against those of the reference. What has the gravest
// consequence comes first. Facts that one of them could not speak of are left out.
func Compare(reference config.NodeID, want Facts, node config.NodeID, got Facts) []Difference {
	has := make(map[[3]string]string, len(got))
	for _, f := range got {
		has[f.key()] = f.Value
	}
	var found []Difference
	wanted := make(map[[3]string]bool, len(want))
	for _, f := range want {
		wanted[f.key()] = true
		value, ok := has[f.key()]
		if ok && value == f.Value || !ok && !got.speaksOf(f) {
			continue
		}
		found = append(found, Difference{Node: node, Reference: reference, Kind: f.Kind, Database: f.Database, Name: f.Name,
			Value: value, Want: f.Value, Lacks: !ok})
	}
	for _, f := range got {
		if !wanted[f.key()] && want.speaksOf(f) {
			found = append(found, Difference{Node: node, Reference: reference, Kind: f.Kind, Database: f.Database, Name: f.Name, Value: f.Value, Extra: true})
		}
	}
	slices.SortStableFunc(found, func(a, b Difference) int { return cmp.Compare(b.Action(), a.Action()) })
	return found
}

// speaksOf reports whether the facts could have such a one among them: of passwords only a
// superuser is told, and a role that is missing is a difference of its own; of what is in a
// database only a node that has it can speak.
func (fs Facts) speaksOf(f Fact) bool {
	if f.Kind == KindPassword {
		return false
	}
	return f.Database == "" || slices.ContainsFunc(fs, func(other Fact) bool { return other.Database == f.Database })
}

// AtLeast are the differences from which that much follows.
func AtLeast(action Action, differences []Difference) []Difference {
	var out []Difference
	for _, d := range differences {
		if d.Action() >= action {
			out = append(out, d)
		}
	}
	return out
}

// Unlike is why a node must not be in service.
type Unlike struct{ Differences []Difference }

// maxNamed is how many differences an error names.
const maxNamed = 3

// Error names the first differences and what can be done about the first of them.
func (u *Unlike) Error() string {
	var texts []string
	for i, d := range u.Differences {
		if i == maxNamed {
			texts = append(texts, fmt.Sprintf("and %d more", len(u.Differences)-maxNamed))
			break
		}
		texts = append(texts, d.String())
	}
	return "unlike the others: " + strings.Join(texts, "; ") + " (" + u.Differences[0].Remedy() + ")"
}
