package lb

import "github.com/pgchorus/pgchorus/parser"

// temporarySet are the temporary relations that the session has made itself. They are
// known here before the catalogue of any node but the primary can show them.
type temporarySet struct {
	names map[string]bool
	many  bool // more than maxTemporary: any name may be one
}

// maxTemporary is how many temporary relations of one session are told apart.
const maxTemporary = 1000

// note follows CREATE TEMPORARY and DROP. A DROP within a transaction may be undone, so
// the name stays: its reads keep to the primary for nothing, which does no harm.
func (s *temporarySet) note(stmt *parser.Statement, explicit bool) {
	for i := range stmt.Writes {
		r := &stmt.Writes[i]
		switch {
		case r.Temporary || isTemporarySchema(r.Schema):
			s.add(r.Name)
		case stmt.Node == "DropStmt" && !explicit:
			delete(s.names, r.Name)
		}
	}
}

func (s *temporarySet) add(name string) {
	switch {
	case s.names[name]:
	case len(s.names) >= maxTemporary:
		s.many = true
	default:
		if s.names == nil {
			s.names = map[string]bool{}
		}
		s.names[name] = true
	}
}

func (s *temporarySet) touched(stmt *parser.Statement) Touch {
	if len(s.names) == 0 {
		return Touch{}
	}
	for i := range stmt.Reads {
		if r := &stmt.Reads[i]; r.Schema == "" && (s.many || s.names[r.Name]) {
			return Touch{TemporaryRelation, r.Name}
		}
	}
	return Touch{}
}
