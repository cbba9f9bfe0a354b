package lb

import (
	"strings"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/parser"
)

// writtenSet is what a transaction has written. Names are without schema and in lower
// case, as in Pgpool-II: what is written in one schema counts for all.
type writtenSet struct {
	// relations are those named by statements that write: true if they are written,
	// false if they are locked or only read there.
	relations map[string]bool
	// functions are true if they read what is written (so the configuration says), false
	// if they were called.
	functions map[string]bool
	anything  bool   // what was written cannot be known
	by        string // for anything: by what
}

func (w *writtenSet) clear() {
	if w.anything || len(w.relations) > 0 || len(w.functions) > 0 {
		*w = writtenSet{}
	}
}

// note adds what a statement writes, and what is said to depend on it
// (dml_adaptive_object_relationship_list). What its triggers write is known from that
// list only.
func (w *writtenSet) note(p *Policy, t *Traits) {
	if w.relations == nil {
		w.relations, w.functions = map[string]bool{}, map[string]bool{}
	}
	if s := t.Statement; s != nil {
		for i := range s.Writes {
			w.relation(p, s.Writes[i].Name)
		}
		for i := range s.Functions {
			w.function(p, s.Functions[i].Name, false)
		}
		for i := range s.Reads {
			w.mention(s.Reads[i].Name)
		}
	}
	for i := range t.bases {
		if i < t.writtenBases {
			w.relation(p, t.bases[i].Name)
		} else {
			w.mention(t.bases[i].Name)
		}
	}
	if by, anything := t.mayWriteAnything(p); anything && !w.anything {
		w.anything, w.by = true, by
	}
}

// mention adds a relation that is not written.
func (w *writtenSet) mention(name string) {
	name = strings.ToLower(name)
	if _, there := w.relations[name]; !there {
		w.relations[name] = false
	}
}

// relation adds a relation that is written. A name is followed once, so it ends.
func (w *writtenSet) relation(p *Policy, name string) {
	name = strings.ToLower(name)
	if !w.relations[name] {
		w.relations[name] = true
		w.follow(p, name, false)
	}
}

// function adds a function that is called by a write, or that depends on one.
func (w *writtenSet) function(p *Policy, name string, dependent bool) {
	name = strings.ToLower(name)
	if was, there := w.functions[name]; !there || dependent && !was {
		w.functions[name] = dependent
		w.follow(p, name, true)
	}
}

// follow adds all that depends on a name, however far.
func (w *writtenSet) follow(p *Policy, name string, function bool) {
	for i := range p.Relationships {
		r := &p.Relationships[i]
		if !isObject(r.Object, name, function) {
			continue
		}
		if dependent := withoutSchema(r.Dependent.Name); r.Dependent.Function {
			w.function(p, dependent, true)
		} else {
			w.relation(p, dependent)
		}
	}
}

// isObject compares without schema and case.
func isObject(o config.Object, name string, function bool) bool {
	return o.Function == function && strings.EqualFold(withoutSchema(o.Name), name)
}

func withoutSchema(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// hasRelationship reports whether the configuration says what a function writes.
func (p *Policy) hasRelationship(function string) bool {
	for i := range p.Relationships {
		if isObject(p.Relationships[i].Object, function, true) {
			return true
		}
	}
	return false
}

// mayWriteAnything: nobody knows what the statement writes.
func (t *Traits) mayWriteAnything(p *Policy) (by string, anything bool) {
	s := t.Statement
	if s == nil {
		return "a statement", true
	}
	switch s.Kind {
	case parser.Do, parser.Unknown, parser.Execute, parser.CommitPrepared:
		return s.Kind.String(), true
	case parser.DDL:
		return "ddl", len(s.Writes) == 0
	}
	return t.writer, t.writer != ""
}

// touched finds what a read has in common with the set.
func (w *writtenSet) touched(t *Traits) Touch {
	s := t.Statement
	switch {
	case len(w.relations) == 0 && len(w.functions) == 0 && !w.anything:
		return Touch{}
	case w.anything && readsAnything(s):
		return Touch{MayBeWritten, "anything: " + w.by}
	case t.anyBase:
		return Touch{Reason: MayBeWritten, Name: "what a view reads"}
	}
	if name, found := t.findRelation(func(name string) bool { _, there := w.relations[name]; return there }); found {
		return Touch{RelationWritten, name}
	}
	for i := range s.Functions {
		if name := strings.ToLower(s.Functions[i].Name); w.functions[name] {
			return Touch{RelationWritten, name + "()"}
		}
	}
	return Touch{}
}

// readsAnything: the statement looks at something beside its own text.
func readsAnything(s *parser.Statement) bool { return len(s.Reads) > 0 || len(s.UnknownFunctions) > 0 }

// findRelation returns the first name, in lower case, of what the statement reads,
// through views too, that is wanted.
func (t *Traits) findRelation(wanted func(name string) bool) (string, bool) {
	for i := range t.Statement.Reads {
		if name := strings.ToLower(t.Statement.Reads[i].Name); wanted(name) {
			return name, true
		}
	}
	for i := range t.bases {
		if name := strings.ToLower(t.bases[i].Name); wanted(name) {
			return name, true
		}
	}
	return "", false
}
