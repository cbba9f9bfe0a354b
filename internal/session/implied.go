package session

import (
	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// A text does not tell what operators, casts, views and policies call. Most databases have no code of users behind
// them, and then this costs a look at what is known.

// impliesCode reports whether the operators and casts of a read may call code of users.
func (s *Session) impliesCode(known *catalog.Database, stmt *parser.Statement) bool {
	i := s.impliedIn(known)
	return !i.Empty() && len(i.Calls(stmt.Operators, stmt.Casts, false)) > 0
}

// mayCallCode reports whether a plain read may set off code of users all the same.
func (s *Session) mayCallCode(known *catalog.Database, stmt *parser.Statement) bool {
	if s.impliesCode(known, stmt) {
		return true
	}
	for i := range stmt.Reads {
		r := &stmt.Reads[i]
		if isSystemSchema(r.Schema) {
			continue
		}
		if fact, ok := known.Relation(catalog.Name{Schema: r.Schema, Name: r.Name}); !ok || fact.Code {
			return true
		}
	}
	return false
}

func isSystemSchema(schema string) bool {
	return schema == "pg_catalog" || schema == "information_schema"
}

// implied is impliedIn of the session's database.
func (s *Session) implied() *catalog.Implied {
	return s.impliedIn(s.Catalog.Database(s.login.Database))
}

// impliedIn is what operators and casts call, which is asked for if need be. Where nobody can be asked it is what
// was known last.
func (s *Session) impliedIn(known *catalog.Database) *catalog.Implied {
	last, fresh := known.Implied()
	switch {
	case fresh:
		return last
	case s.tx.implied.holds(&s.tx, known):
		return s.tx.implied.Implied
	}
	l := s.askable()
	if l == nil {
		return last
	}
	generation, shared := s.sees(l, known)
	rows, err := s.askOf(l, catalog.ImpliedSQL())
	if err != nil && !l.answer.Failed() {
		return last // the connection broke
	}
	var now *catalog.Implied
	if err == nil {
		now, err = catalog.ParseImplied(rows)
	}
	if err != nil {
		s.log.Warn("catalogue not read", zap.Error(err))
		return last
	}
	if shared {
		known.KeepImplied(now, generation)
	}
	if s.tx.kind != txNone {
		s.tx.implied = ownImplied{now, known.Generation(), len(s.tx.ddl)}
	}
	return now
}

// ownImplied is what a transaction was told that has changed the catalogue itself; the zero value is nothing.
type ownImplied struct {
	*catalog.Implied
	generation uint64
	ddl        int // so many times it had
}

func (o *ownImplied) holds(tx *transaction, known *catalog.Database) bool {
	return o.Implied != nil && o.ddl == len(tx.ddl) && o.generation == known.Generation()
}

// relations notes those that are not known.
func (f *planFacts) relations(all []parser.Relation) {
	for _, r := range all {
		n := catalog.Name{Schema: r.Schema, Name: r.Name}
		if _, known := f.facts.Relation(n); !known && !isSystemSchema(r.Schema) {
			f.missing.Relations = append(f.missing.Relations, n)
		}
	}
}
