package safety

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// maxFollowed bounds how many functions and tables are looked at for one statement. What
// lies beyond may do anything.
const maxFollowed = 200

// effects are what code may do that nodes do differently.
type effects struct {
	// unlike are values that nodes compute for themselves, such as "calls now()".
	unlike []string
	// opaque is what nobody can tell: dynamic SQL, errors that are caught, other languages.
	opaque []string
	// writes are the relations that it changes.
	writes []catalog.Name
	// changes are those of writes whose rows it may update or delete.
	changes []catalog.Name
	// finds: it looks for the rows that it updates or deletes.
	finds bool
	// reads are the relations that it reads.
	reads []catalog.Name
	// picks: nodes may pick other rows of the same ones.
	picks bool
	// acts: it does something, the same on all nodes, that is not in the rows of a table:
	// it changes a setting, empties a table, or notifies.
	acts bool
	// sets: it changes a setting or the seed of random(), or cannot be read.
	sets bool
	// redefines: it changes the schema, or nobody can tell.
	redefines bool
	// late: a trigger that may be deferred changes tables. Where rows are given instead of the statement it
	// would not fire.
	late bool
	// denied is a call that is refused wherever it stands.
	denied *Reason
	// calls: sequences are drawn from.
	draws bool
}

// races: what it changes hangs on what is there, of which nodes may show others' changes one after the other.
// A row that is found by its key is one that may have come only now. What a foreign key changes along is not
// found so: the row that it points to is locked for all who have to do with it.
func (e *effects) races() bool { return len(e.writes) > 0 && (len(e.reads) > 0 || e.finds) }

// hidden: it may do what does not show in rows (Elsewhere.Hidden).
func (e *effects) hidden() bool {
	return e.acts || e.late || e.denied != nil || slices.ContainsFunc(e.opaque, func(text string) bool { return text != catchesText })
}

func (e *effects) alike() bool { return len(e.unlike)+len(e.opaque) == 0 && !e.draws }

// first is the first thing that may differ, in words.
func (e *effects) first() string {
	switch {
	case len(e.unlike) > 0:
		return e.unlike[0]
	case len(e.opaque) > 0:
		return e.opaque[0]
	}
	return "draws from a sequence"
}

func (e *effects) add(list *[]string, text string) {
	if len(*list) < maxReasons && !slices.Contains(*list, text) {
		*list = append(*list, text)
	}
}

func (e *effects) write(n catalog.Name) {
	if !slices.Contains(e.writes, n) {
		e.writes = append(e.writes, n)
	}
}

// change notes a relation that is among writes.
func (e *effects) change(n catalog.Name) {
	if !slices.Contains(e.changes, n) {
		e.changes = append(e.changes, n)
	}
}

// none: the code only computes, and the same on all nodes.
func (e *effects) none() bool {
	return e.alike() && len(e.writes)+len(e.reads) == 0 && !e.picks && !e.acts && !e.redefines && e.denied == nil
}

// merge adds what other code does.
func (e *effects) merge(other *effects) {
	for _, text := range other.unlike {
		e.add(&e.unlike, text)
	}
	for _, text := range other.opaque {
		e.add(&e.opaque, text)
	}
	for _, n := range other.writes {
		e.write(n)
	}
	for _, n := range other.changes {
		e.change(n)
	}
	for _, n := range other.reads {
		e.read(n)
	}
	e.finds, e.picks, e.acts, e.sets = e.finds || other.finds, e.picks || other.picks, e.acts || other.acts, e.sets || other.sets
	e.redefines, e.late, e.draws = e.redefines || other.redefines, e.late || other.late, e.draws || other.draws
	e.denied = cmp.Or(e.denied, other.denied)
}

// follower goes through code, and what that calls and sets off, once each.
type follower struct {
	*judge
	effects effects
	met     map[string]bool
}

func (j *judge) follow() *follower { return &follower{judge: j, met: map[string]bool{}} }

// first reports whether something is met for the first time, within the bound.
func (f *follower) first(kind, name string) bool {
	key := kind + " " + name
	if f.met[key] {
		return false
	}
	if len(f.met) >= maxFollowed {
		f.effects.add(&f.effects.opaque, "sets off more code than is looked at")
		f.effects.sets, f.effects.redefines = true, true
		return false
	}
	f.met[key] = true
	return true
}

// text reads a body.
func (f *follower) text(text string) { f.body(f.bodies.read(text)) }

// definition reads a text that belongs to a relation. CREATE RULE is but the head of a rule's, which has no DDL.
func (f *follower) definition(t *catalog.Text) {
	body := *f.bodies.read(t.Text)
	body.Defines = body.Defines && t.Kind != catalog.RuleText
	f.body(&body)
}

func (f *follower) body(body *parser.Body) {
	e := &f.effects
	for _, flag := range []struct {
		holds bool
		text  string
	}{
		{body.Dynamic, "runs SQL that it puts together (EXECUTE)"}, {body.Catches, catchesText},
		{body.Commits, "ends transactions itself"}, {body.TooLong, "is too long to be looked at"},
		{body.SkipsLocked, "skips locked rows"}, {body.Defines, "changes the schema"},
	} {
		if flag.holds {
			e.add(&e.opaque, flag.text)
		}
	}
	e.acts = e.acts || body.Sets || body.Truncates
	e.sets = e.sets || body.Sets || body.Dynamic || body.TooLong
	e.redefines = e.redefines || body.Defines || body.Dynamic || body.TooLong
	e.picks = e.picks || body.Picks
	if body.Clock {
		e.add(&e.unlike, "asks for the time")
	}
	for i := range body.Functions {
		f.call(&body.Functions[i])
	}
	f.operatorsOf(body)
	for _, r := range body.Writes {
		e.write(catalog.Name{Schema: r.Schema, Name: r.Name})
		f.changed(catalog.Name{Schema: r.Schema, Name: r.Name}, anyEvent)
	}
	for _, r := range body.Changes {
		e.finds = true
		e.change(catalog.Name{Schema: r.Schema, Name: r.Name})
	}
	for _, r := range body.Reads {
		f.viewed(catalog.Name{Schema: r.Schema, Name: r.Name})
	}
}

// call judges a call within code.
func (f *follower) call(fn *parser.Function) {
	f.deny(fn)
	switch fn.Class {
	case parser.Deterministic:
	case parser.Clock, parser.Random, parser.NodeLocal:
		f.effects.add(&f.effects.unlike, "calls "+fn.String()+"()")
	case parser.Sequence:
		f.effects.draws = true
	case parser.Writer:
		f.writer(fn)
	default:
		f.function(catalog.Name{Schema: fn.Schema, Name: fn.Name})
	}
}

func (f *follower) writer(fn *parser.Function) {
	switch classOf(fn) {
	case largeObjectClass:
		f.effects.add(&f.effects.unlike, "has a large object numbered by each node ("+fn.String()+")")
	default:
		if !alikeWithin(fn.Name) {
			f.effects.add(&f.effects.opaque, "calls "+fn.String()+"()")
		}
		f.effects.acts = f.effects.acts || !setsColumn(fn.Name)
		f.effects.sets = f.effects.sets || fn.Name == "set_config" || fn.Name == "setseed"
	}
}

// deny looks a call up in the deny list and in function_policy.
func (f *follower) deny(fn *parser.Function) {
	if f.effects.denied != nil {
		return
	}
	if r := f.denied(fn, ""); r != nil {
		f.effects.denied = r
	}
}

// function follows a function that only the catalogue knows.
func (f *follower) function(n catalog.Name) {
	if !f.first("function", n.String()) {
		return
	}
	code, known := f.facts.Code(n)
	switch {
	case !known:
		f.ask.Functions = append(f.ask.Functions, n)
		f.effects.add(&f.effects.opaque, "calls "+n.String()+"(), which is not known")
		f.effects.sets, f.effects.redefines = true, true
		return
	case code.More:
		f.effects.sets, f.effects.redefines = true, true
		f.effects.add(&f.effects.opaque, "calls "+n.String()+"(), of which there are too many")
	}
	for i := range code.Bodies {
		f.routine(n, &code.Bodies[i])
	}
}

// sum adds what decides what a function does to the verdict's.
func (f *follower) sum(n catalog.Name, r *catalog.Routine) {
	f.v.Code += sumOf(n, r.Language, r.Kind, r.Volatility, r.Source) // in whatever order they are met
}

func sumOf(parts ...any) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%q", parts)
	return h.Sum64()
}

// routine follows one body of a function.
func (f *follower) routine(n catalog.Name, r *catalog.Routine) {
	if r.System {
		return // what is called by its name is judged by it
	}
	f.sum(n, r)
	for _, s := range r.Support {
		f.function(s)
	}
	f.deny(&parser.Function{Schema: r.Schema, Name: n.Name})
	if class := classOfExtension(r.Extension); class != "" && f.effects.denied == nil {
		f.effects.denied = f.deniedByClass(class, n.String(), "")
	}
	switch {
	case r.Long:
		f.effects.sets, f.effects.redefines = true, true
		f.effects.add(&f.effects.opaque, "calls "+n.String()+"(), which is too long to be looked at")
		f.v.Far = true
	case r.Language == "sql" || r.Language == "plpgsql":
		f.text(r.Source)
	case r.Kind == 'a', r.Extension != "" && r.Volatility != catalog.Volatile, r.Language == "internal":
	case r.Extension == "pgcrypto", r.Extension == "uuid-ossp", r.Extension == "tsm_system_rows", r.Extension == "tsm_system_time":
		f.effects.add(&f.effects.unlike, "calls "+n.String()+"()")
	case r.Volatility != catalog.Volatile:
		// No extension vouches for the label, and the body cannot be read.
		f.effects.add(&f.effects.unlike, "calls "+n.String()+"() in language "+r.Language)
		f.v.Far = true
	default:
		f.v.Far = true
		f.effects.sets, f.effects.redefines = true, true
		f.effects.add(&f.effects.opaque, "calls "+n.String()+"() in language "+r.Language)
	}
}

// viewed follows a relation that code reads: what a view calls.
func (f *follower) viewed(n catalog.Name) {
	if strings.HasPrefix(n.Schema, "pg_") || n.Schema == "information_schema" || !f.first("view", n.String()) {
		return
	}
	f.v.reach(n.Name)
	s, known := f.facts.Surroundings(n)
	if !known {
		f.ask.Relations = append(f.ask.Relations, n)
		return
	}
	if s.Exists {
		f.effects.read(n)
	}
	for i := range s.Texts {
		if t := &s.Texts[i]; runsOnRead(t.Kind) {
			f.definition(t)
		}
	}
}

// runsOnRead reports whether a text is run when its relation is read.
func runsOnRead(kind catalog.TextKind) bool {
	return kind == catalog.ViewText || kind == catalog.PolicyText
}

// anyEvent are the bits of all events of triggers.
const anyEvent = catalog.TriggerInsert | catalog.TriggerDelete | catalog.TriggerUpdate | catalog.TriggerTruncate

// changed follows what a change of a relation sets off, within code.
func (f *follower) changed(n catalog.Name, events int) {
	if !f.first("table", n.String()+" "+strconv.Itoa(events)) {
		return
	}
	f.v.reach(n.Name)
	s, known := f.facts.Surroundings(n)
	if !known {
		f.ask.Relations = append(f.ask.Relations, n)
		return
	}
	f.v.Far = f.v.Far || s.Related || s.More
	if s.More {
		f.effects.sets, f.effects.redefines = true, true
		f.effects.add(&f.effects.opaque, "sets off more on "+n.String()+" than is looked at")
	}
	for _, t := range s.Triggers {
		if t.Type&events != 0 {
			f.fires(&t)
		}
	}
	for i := range s.Texts {
		if t := &s.Texts[i]; runsOn(t.Kind, events) {
			f.definition(t)
		}
	}
	f.cascades(s, events)
}

// fires follows what a trigger does.
func (f *follower) fires(t *catalog.Trigger) {
	f.function(t.Function)
	e := &f.effects
	e.late = e.late || t.Deferrable && len(e.writes)+len(e.opaque) > 0
}

// runsOn reports whether a text may be run when rows of its relation are changed so.
func runsOn(kind catalog.TextKind, events int) bool {
	switch kind {
	case catalog.DefaultText, catalog.DomainText:
		return events&catalog.TriggerInsert != 0
	case catalog.GeneratedText, catalog.CheckText:
		return events&(catalog.TriggerInsert|catalog.TriggerUpdate) != 0
	case catalog.ReferenceText:
		return events&(catalog.TriggerUpdate|catalog.TriggerDelete) != 0
	}
	return true
}

// cascades follows what foreign keys do when rows are changed that they point to.
func (f *follower) cascades(s *catalog.Surroundings, events int) {
	for i := range s.Cascades {
		c, fired := &s.Cascades[i], 0
		if events&catalog.TriggerDelete != 0 {
			fired |= c.Deletes
		}
		if events&catalog.TriggerUpdate != 0 {
			fired |= c.Updates
		}
		if fired != 0 {
			f.effects.write(c.Relation)
			f.effects.change(c.Relation)
			f.changed(c.Relation, fired)
		}
	}
}
