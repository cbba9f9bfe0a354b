package safety

import (
	"slices"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// targets judges what changing the statement's relations sets off.
func (j *judge) targets(stmt *parser.Statement) {
	for i := range stmt.Targets {
		t := &stmt.Targets[i]
		j.target(t, j.events(t))
	}
	if stmt.Kind == parser.Truncate {
		j.v.Far = true // with CASCADE, say
		for _, r := range stmt.Writes {
			j.target(&parser.Target{Kind: parser.Truncate, Relation: r}, catalog.TriggerTruncate)
		}
	}
	for _, r := range stmt.Reads {
		j.source(stmt, r)
	}
}

// events are the bits of the triggers that fire. An INSERT with ON CONFLICT may update.
func (j *judge) events(t *parser.Target) int {
	switch t.Kind {
	case parser.Update:
		return catalog.TriggerUpdate
	case parser.Delete:
		return catalog.TriggerDelete
	case parser.Insert, parser.CopyFrom:
		if parser.FindWord(j.in.Text, "conflict") > 0 {
			return catalog.TriggerInsert | catalog.TriggerUpdate
		}
		return catalog.TriggerInsert
	}
	return catalog.TriggerInsert | catalog.TriggerUpdate | catalog.TriggerDelete
}

func (j *judge) target(t *parser.Target, events int) {
	name := catalog.Name{Schema: t.Relation.Schema, Name: t.Relation.Name}
	s, known := j.facts.Surroundings(name)
	if !known {
		j.ask.Relations = append(j.ask.Relations, name)
		j.v.Firing.Beside = true
		return
	}
	j.v.Firing.Beside = j.v.Firing.Beside || s.More || s.View || s.Foreign
	j.v.Far = j.v.Far || s.Related || s.More || s.Foreign
	switch {
	case s.Foreign && j.reachesForeign(name, events):
		j.foreign(t.Relation.Name)
	case s.View:
		j.viewTarget(s, events)
	}
	if s.More {
		j.add(Reason{Level: SideEffects, Action: j.policy.bySafety(Warn, Lock, Refuse), Text: name.String() + " sets off more than is looked at", Hint: strictHint, Name: t.Relation.Name})
	}
	for i := range s.Triggers {
		if tr := &s.Triggers[i]; tr.Type&events != 0 {
			j.trigger(name, tr)
		}
	}
	for i := range s.Texts {
		j.definition(name, t, events, &s.Texts[i])
	}
	if len(s.Cascades) > 0 {
		f := j.follow()
		f.cascades(s, events)
		j.found(f, "where a foreign key points to "+name.String(), SideEffects)
	}
}

// reachesForeign: what is inserted goes into the table itself or into a partition, never into
// another table that inherits from it.
func (j *judge) reachesForeign(name catalog.Name, events int) bool {
	t, known := j.facts.Table(name)
	return events != catalog.TriggerInsert || !known || t == nil || !t.Exists || t.Effects.Foreign
}

// strictHint goes with what replication_safety = strict refuses.
const strictHint = "Give the value in the statement, or set replication_safety = mixed to have the tables locked and a warning logged."

// foreign: what is written to a foreign table is written once for each node that does it.
func (j *judge) foreign(name string) {
	const text = "writes to a foreign table, "
	switch j.policy.actions[remoteClass] {
	case "deny":
		j.add(Reason{Level: NodeLocal, Action: Refuse, Text: text + "and function_policy denies class dblink", Hint: classHints[remoteClass], Name: name, denied: true})
	case "main":
		j.add(Reason{Level: NodeLocal, Action: Main, Text: text + "which the main node does for all"})
	default:
		j.add(Reason{Level: NodeLocal, Action: Warn, Text: text + "once for each node"})
	}
}

// source: rows that come from a foreign table, or that a view or a policy computes or picks, are not the same for each node.
func (j *judge) source(stmt *parser.Statement, r parser.Relation) {
	if !storesRows(stmt) {
		return
	}
	name := catalog.Name{Schema: r.Schema, Name: r.Name}
	s, known := j.facts.Surroundings(name)
	if !known {
		j.ask.Relations = append(j.ask.Relations, name)
		return
	}
	if slices.ContainsFunc(s.Texts, func(t catalog.Text) bool { return runsOnRead(t.Kind) }) {
		j.below(name)
	}
	if s.Foreign {
		j.add(Reason{Level: Rows, Action: j.policy.bySafety(Warn, Capture, Capture), Text: "stores what it reads from the foreign table " + name.String()})
	}
}

// below judges what a view or a policy computes or picks for the rows that a statement stores.
func (j *judge) below(name catalog.Name) {
	f := j.follow()
	f.viewed(name)
	if e := &f.effects; len(e.unlike) > 0 || e.picks {
		j.v.Unlike = true
		j.add(Reason{Level: Rows, Action: j.policy.bySafety(Warn, Capture, Capture), Text: "stores what is computed or picked below " + name.String()})
	}
}

// storesRows: what the statement reads may get into a table.
func storesRows(stmt *parser.Statement) bool {
	return len(stmt.Targets) > 0 || stmt.Kind == parser.CreateTableAs || stmt.Kind == parser.SelectInto
}

// viewTarget judges what lies below a view that is written to: the relations in its
// definition.
func (j *judge) viewTarget(s *catalog.Surroundings, events int) {
	f := j.follow()
	for _, t := range s.Texts {
		if t.Kind == catalog.ViewText {
			for _, r := range j.bodies.read(t.Text).Reads {
				below := catalog.Name{Schema: r.Schema, Name: r.Name}
				f.effects.write(below)
				if events != catalog.TriggerInsert {
					f.effects.change(below)
				}
				f.changed(below, events)
			}
		}
	}
	j.found(f, "below the view", SideEffects)
}

// trigger judges what a trigger does. One that only sets columns of the row before it is
// stored leaves a trace in the row alone; what others do is elsewhere.
func (j *judge) trigger(table catalog.Name, t *catalog.Trigger) {
	f := j.follow()
	f.fires(t)
	level := SideEffects
	if t.Type&inRowType == inRowType && t.Type&catalog.TriggerInstead == 0 && len(f.effects.writes) == 0 && len(f.effects.opaque) == 0 {
		level = Rows
	}
	j.fires(t, &f.effects)
	j.found(f, "trigger "+t.Name+" of "+table.String(), level)
}

// found adds what code was found to do.
func (j *judge) found(f *follower, where string, level Level) {
	j.elsewhere(&f.effects)
	if r := f.effects.denied; r != nil {
		denied := *r
		denied.Text = spoken(denied.Text, where)
		j.add(denied)
	}
	if f.effects.alike() {
		return
	}
	text := spoken(f.effects.first(), where)
	if level == Rows {
		j.add(Reason{Level: Rows, Action: j.policy.bySafety(Warn, Capture, Capture), Text: text})
		return
	}
	j.add(Reason{Level: level, Action: j.policy.bySafety(Warn, Lock, Refuse), Text: text, Hint: strictHint})
}

// lock notes tables to be locked, those that exist.
func (j *judge) lock(names []catalog.Name) {
	for _, n := range names {
		s, known := j.facts.Surroundings(n)
		if known && s.Exists && !s.Foreign && !slices.Contains(j.v.Locks, n) {
			j.v.Locks = append(j.v.Locks, n)
		}
	}
}

// definition judges a text that belongs to a table.
func (j *judge) definition(table catalog.Name, t *parser.Target, events int, text *catalog.Text) {
	given := text.Kind == catalog.DefaultText && t.Kind != parser.Delete && parser.FindWord(j.in.Text, "default") > 0 // SET c = DEFAULT
	if text.Kind == catalog.ViewText || t.Kind == parser.Truncate || !given && !runsOn(text.Kind, events) {
		return // viewTarget looks at views
	}
	f := j.follow()
	f.definition(text)
	switch text.Kind {
	case catalog.DomainText:
		j.v.Defaults += sumOf(text.Column, text.Text)
		return
	case catalog.DefaultText:
		j.defaults(f, text.Text)
		return
	}
	j.found(f, definitionNames[text.Kind]+" "+text.Column+" of "+table.String(), SideEffects)
}

// defaults judges the default of a column. What nodes would compute for themselves Plan sees to; but whose
// functions it calls counts, and that they change tables, or read them for the row.
func (j *judge) defaults(f *follower, text string) {
	e := &f.effects
	if len(e.writes) == 0 {
		j.v.Firing.Reads = j.v.Firing.Reads || len(e.reads) > 0
		j.readLocks(e.reads)
		return
	}
	j.elsewhere(e)
	if functions := j.bodies.read(text).Functions; !e.hidden() {
		for i := range functions {
			if fn := &functions[i]; fn.Class == parser.UnknownFunction {
				j.v.run(nameOf(fn))
			}
		}
	}
}

var definitionNames = map[catalog.TextKind]string{
	catalog.GeneratedText: "generated column", catalog.CheckText: "constraint", catalog.PolicyText: "policy", catalog.RuleText: "rule",
	catalog.ReferenceText: "default that a foreign key sets in column",
}
