package session

import (
	"slices"

	"github.com/pgchorus/pgchorus/parser"
)

// A session keeps the statements that have set something of it, for the case that every
// node that knows is lost at once: the next one is told them. While one is left, it is
// asked instead (state.go), which knows better.

// setting is a statement that sets something, by what it sets.
type setting struct{ name, sql string }

// maxSettings bounds how many are kept; a session with more ends with its nodes.
const maxSettings = 200

// settingsKept are the settings of a session.
type settingsKept struct {
	list []setting
	// lost: something was set that a statement cannot set again, such as a temporary
	// table.
	lost bool
}

// note keeps a statement that has succeeded outside of a transaction, or whose
// transaction was committed.
func (k *settingsKept) note(stmt *parser.Statement, sql string) {
	switch {
	case stmt.Kind == parser.Discard && stmt.All, stmt.Kind == parser.Reset && stmt.All:
		k.list = nil
	case stmt.Kind == parser.Reset:
		k.remove(stmt.Name)
	case stmt.Kind == parser.Set && len(k.list) < maxSettings && len(sql) < maxSettingLength:
		k.remove(stmt.Name)
		k.list = append(k.list, setting{stmt.Name, sql})
	case stmt.Kind == parser.Set, callsSetConfig(stmt), createsTemporary(stmt):
		k.lost = true
	}
}

// maxSettingLength bounds one of them, in bytes.
const maxSettingLength = 8 << 10

func (k *settingsKept) remove(name string) {
	k.list = slices.DeleteFunc(k.list, func(s setting) bool { return s.name == name })
}

// noteSet follows what a statement has set, for good or until the transaction ends.
func (s *Session) noteSet(stmt *parser.Statement, sql string) {
	switch {
	case !setsSession(stmt) && !createsTemporary(stmt):
	case s.tx.kind == txNone:
		s.settings.kept.note(stmt, sql)
	default:
		s.tx.set = append(s.tx.set, setNow{stmt, sql})
	}
}

// setNow is what a transaction has set.
type setNow struct {
	stmt *parser.Statement
	sql  string
}

// keepSettings keeps what a transaction has set that was committed.
func (s *Session) keepSettings() {
	if !s.tx.committed {
		return
	}
	for _, now := range s.tx.set {
		s.settings.kept.note(now.stmt, now.sql)
	}
}
