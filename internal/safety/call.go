package safety

import (
	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// calls judges the functions that the text calls, by the deny list and function_policy.
func (j *judge) calls(stmt *parser.Statement) {
	for i := range stmt.Functions {
		f := &stmt.Functions[i]
		if r := j.denied(f, f.Name); r != nil {
			j.add(*r)
		}
	}
	if !j.policy.Replicates {
		return
	}
	for i := range stmt.Functions {
		j.ofClass(stmt, &stmt.Functions[i])
	}
}

// denied says why a call is refused wherever it stands, or nil. name is what the text of
// the statement has of it.
func (j *judge) denied(f *parser.Function, name string) *Reason {
	if j.policy.denies(f.Schema, f.Name) {
		return &Reason{Level: NodeLocal, Action: Refuse, Text: "calls " + f.String() + "(), which function_deny_list forbids",
			Hint: "Ask your administrator, or leave the function out.", Name: name, Call: true, denied: true}
	}
	if class := classOf(f); class != "" && j.policy.Replicates && !(class == filesystemClass && readsFiles(f.Name)) {
		return j.deniedByClass(class, f.String(), name)
	}
	return nil
}

// deniedByClass is denied for function_policy.
func (j *judge) deniedByClass(class, function, name string) *Reason {
	if !j.policy.Replicates || j.policy.actions[class] != "deny" {
		return nil
	}
	return &Reason{Level: NodeLocal, Action: Refuse, Text: "calls " + function + "(), and function_policy denies class " + class,
		Hint: classHints[class], Name: name, Call: name != "", denied: true}
}

// ofClass does with a call what function_policy says of its class, as far as that is not
// how values are made alike.
func (j *judge) ofClass(stmt *parser.Statement, f *parser.Function) {
	class := classOf(f)
	switch class {
	case "":
		return
	case largeObjectClass:
		j.createsObjects(stmt, f)
	case filesystemClass:
		if readsFiles(f.Name) {
			j.fileReader(stmt, f)
			return
		}
	}
	switch j.policy.actions[class] {
	case "main", "map":
		j.onMain(stmt, f, class)
	case "warn":
		j.add(Reason{Level: NodeLocal, Action: Warn, Text: "calls " + f.String() + "()"})
	}
}

// createsObjects: objects whose number each node would choose, unless the text tells how
// many there are.
func (j *judge) createsObjects(stmt *parser.Statement, f *parser.Function) {
	switch {
	case j.policy.actions[largeObjectClass] != "rewrite":
	case stmt.ObjectsCounted, len(stmt.Targets) == 1 && stmt.Targets[0].Kind == parser.Update && j.byKey(&stmt.Targets[0]):
		j.add(Reason{Level: Single, Action: Rewrite, Text: "has a large object made by " + f.String() + "()"})
	default:
		j.add(Reason{Level: Rows, Action: j.policy.bySafety(Warn, Refuse, Refuse), Text: "has an unknown number of large objects made by " + f.String() + "()",
			Hint: "Make each object by a statement of its own.", Name: f.Name, Call: true})
	}
}

// fileReader: what is in a file of the node may be shown, but not be stored.
func (j *judge) fileReader(stmt *parser.Statement, f *parser.Function) {
	if stmt.ReadBySyntax {
		j.add(Reason{Level: NodeLocal, Action: Main, Text: "calls " + f.String() + "(), which reads files of the node"})
		return
	}
	if j.policy.actions[filesystemClass] == "deny" {
		j.add(Reason{Level: NodeLocal, Action: Refuse, Text: "stores what " + f.String() + "() reads in files of the node",
			Hint: classHints[filesystemClass], Name: f.Name, Call: true, denied: true})
	}
}

// onMain keeps a query on the main node whose only side effects are of classes that belong
// there. Any other statement runs everywhere.
func (j *judge) onMain(stmt *parser.Statement, f *parser.Function, class string) {
	if !j.canStay(stmt) {
		return
	}
	j.add(Reason{Level: NodeLocal, Action: Main, Text: "calls " + f.String() + "(), of class " + class})
	j.v.OutsideOnly = j.v.OutsideOnly || class == notifyClass
}

// canStay: nothing in it has to happen on the other nodes.
func (j *judge) canStay(stmt *parser.Statement) bool {
	if stmt.Kind != parser.Select || len(stmt.Writes) > 0 || stmt.HasLockingClause || len(stmt.Targets) > 0 {
		return false
	}
	for i := range stmt.Functions {
		f := &stmt.Functions[i]
		switch f.Class {
		case parser.Sequence:
			return false
		case parser.Writer:
			if action := j.policy.actions[classOf(f)]; action != "main" && action != "map" {
				return false
			}
		case parser.UnknownFunction:
			fact, known := j.facts.Function(catalog.Name{Schema: f.Schema, Name: f.Name})
			if !known || !fact.Exists || fact.Volatility == catalog.Volatile {
				return false
			}
		}
	}
	return true
}

// reaches looks for what is denied behind the text: in functions, views, policies,
// defaults, triggers and whatever else it sets off.
func (j *judge) reaches(stmt *parser.Statement) {
	if j.policy.Deny.Empty() {
		return
	}
	f := j.follow()
	for i := range stmt.UnknownFunctions {
		f.function(nameOf(&stmt.UnknownFunctions[i]))
		j.reached(f, stmt.UnknownFunctions[i].Name, true)
	}
	for _, n := range j.impliedBy(stmt) {
		f.function(n)
		j.reached(f, n.Name, true)
	}
	for _, r := range stmt.Reads {
		f.viewed(catalog.Name{Schema: r.Schema, Name: r.Name})
		j.reached(f, r.Name, false)
	}
	for _, r := range stmt.Writes {
		f.changed(catalog.Name{Schema: r.Schema, Name: r.Name}, anyEvent)
		j.reached(f, r.Name, false)
	}
	if stmt.Body != "" {
		f.text(stmt.Body)
		j.reached(f, "do", false)
	}
}

func nameOf(f *parser.Function) catalog.Name { return catalog.Name{Schema: f.Schema, Name: f.Name} }

// reached adds what was found to be denied behind a name of the text.
func (j *judge) reached(f *follower, name string, call bool) {
	if f.effects.denied == nil {
		return
	}
	r := *f.effects.denied
	f.effects.denied = nil
	r.Name, r.Call = name, call
	if call {
		r.Text = name + "() " + r.Text
	} else {
		r.Text = name + " " + r.Text
	}
	j.add(r)
}
