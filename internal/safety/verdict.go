package safety

import (
	"slices"
	"strings"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/parser"
)

// Verdict is what follows for a statement. It never changes once returned.
type Verdict struct {
	Level   Level
	Action  Action // the strongest of the reasons' actions
	Reasons []Reason
	// Warn: the operator is told of it.
	Warn bool
	// Locks are the tables to be locked for Lock, in order of their names.
	Locks []catalog.Name
	// Unlike: the statement stores a value that each node would compute for itself, and
	// that is not among the reasons of parser.Plan.
	Unlike bool
	// Picks: code that the statement sets off picks rows by something that need not decide it.
	Picks bool
	// Code is a sum over the code of users that the statement sets off, whatever that does; 0 for none.
	Code uint64
	// Implied: operators and casts may call others, which compute something.
	Implied bool
	// Defaults is a sum over the defaults that columns have of their domains: those change without the table being locked.
	Defaults uint64
	// Reaches are the names of relations that it does not name itself and what it does hangs on, by views, code and
	// foreign keys. Far: there may be others.
	Reaches []string
	Far     bool
	// Redefines: code that the statement sets off may change what the catalogue says.
	Redefines bool
	// ReadLocks are the tables that are to be kept as they are while each node runs it, in
	// order of their names.
	ReadLocks []catalog.Name
	// LocksAlways: the locks are wanted also where all nodes show the same.
	LocksAlways bool
	// Elsewhere is what code does that the statement sets off, besides to its rows.
	Elsewhere Elsewhere
	// Writes: a function of users that the statement calls changes tables, whatever its label says; WritesUnnamed: one that
	// its text does not name, behind an operator, a cast, a view or a policy, does something of the kind.
	Writes, WritesUnnamed bool
	// Runs are the functions of users that the statement calls and that change tables. They are run where it is,
	// whatever keeps that the same: computed beforehand, nothing would.
	Runs []catalog.Name
	// Changes are the relations whose rows that may update or delete.
	Changes []catalog.Name
	// Firing is what triggers do when the statement's rows are changed.
	Firing Firing
	// OutsideOnly: Main holds outside of transactions only. Inside, all nodes have to
	// have it, so that the loss of one takes nothing along.
	OutsideOnly bool
}

// Reason is one thing that may go wrong.
type Reason struct {
	Level  Level
	Action Action
	Text   string // such as "calls now() in trigger stamp of t"
	Hint   string // the way out, for Refuse
	// Name is what the text of the statement has of it, for the error's position, and
	// Call says that it is a function there.
	Name string
	Call bool
	// denied: by the deny list or the policy of functions, not by replication_safety.
	denied bool
	// quiet: the operator is not told, since most applications do it all the time.
	quiet bool
}

func (r Reason) String() string { return r.Level.String() + " " + r.Action.String() + ": " + r.Text }

// String is such as "D5 lock: calls now() in trigger stamp of t".
func (v *Verdict) String() string {
	if len(v.Reasons) == 0 {
		return v.Level.String() + " " + v.Action.String()
	}
	texts := make([]string, len(v.Reasons))
	for i, r := range v.Reasons {
		texts[i] = r.String()
	}
	return strings.Join(texts, "; ")
}

// Same reports whether the same is done for a statement after two verdicts on it. Their levels and reasons
// do not matter: a table that was not known is told as one whose rows a condition finds.
func (v *Verdict) Same(other *Verdict) bool {
	alone := func(action Action) bool { return action == Main || action == Refuse }
	return (v.Action == other.Action || !alone(v.Action) && !alone(other.Action)) && v.OutsideOnly == other.OutsideOnly && v.Unlike == other.Unlike && v.Picks == other.Picks && v.Code == other.Code && v.Defaults == other.Defaults &&
		v.Redefines == other.Redefines && v.LocksAlways == other.LocksAlways && v.Elsewhere == other.Elsewhere && v.Firing == other.Firing &&
		slices.Equal(v.Locks, other.Locks) && slices.Equal(v.ReadLocks, other.ReadLocks) && slices.Equal(v.Runs, other.Runs)
}

// run notes a name in Runs.
func (v *Verdict) run(name catalog.Name) {
	if !slices.Contains(v.Runs, name) {
		v.Runs = append(v.Runs, name)
	}
}

// reach notes a relation in Reaches.
func (v *Verdict) reach(name string) {
	if !slices.Contains(v.Reaches, name) {
		v.Reaches = append(v.Reaches, name)
	}
}

// changed notes names in Changes, each once.
func (v *Verdict) changed(names []catalog.Name) {
	for _, n := range names {
		if !slices.Contains(v.Changes, n) {
			v.Changes = append(v.Changes, n)
		}
	}
}

// Refusal is the error for a statement that is refused, or nil. sql is its text.
func (v *Verdict) Refusal(sql string) *pgerr.Error {
	if v.Action != Refuse {
		return nil
	}
	for i := range v.Reasons {
		if r := &v.Reasons[i]; r.Action == Refuse {
			return r.refusal(sql)
		}
	}
	return nil
}

func (r *Reason) refusal(sql string) *pgerr.Error {
	message := "statement cannot be replicated safely: "
	if r.denied {
		message = "statement is not allowed: "
	}
	err := pgerr.New(pgerr.FeatureNotSupported, message+r.Text)
	if r.Hint != "" {
		err = err.WithHint("%s", r.Hint)
	}
	if r.Name != "" {
		err.Position = parser.FindName(sql, r.Name, r.Call)
	}
	return err
}

// maxReasons bounds Verdict.Reasons.
const maxReasons = 16
