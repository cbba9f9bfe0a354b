package parser

import (
	"errors"
	"strings"
	"sync"
	"unicode/utf8"

	pg "github.com/pganalyze/pg_query_go/v5"
)

// Default is what the default expression of a column does when it is computed, as far as
// its text tells: none of the flags is set for one that is the same everywhere.
type Default struct {
	Text      string
	Time      bool // asks for the time of the transaction, or for the clock
	Volatile  bool // chance
	NodeLocal bool // tells of the one node that it runs on
	Sequence  bool // draws from a sequence, or reads one
	Unknown   bool // calls functions that only the catalogue knows
	// Err is why the text could not be parsed, or nil. Anything may then be in it.
	Err error

	times     []TimeCall  // within Text
	calls     []valueCall // within Text
	sequences []string
}

// defaultPrefix makes a statement of an expression.
const defaultPrefix = "SELECT "

var errNoExpression = errors.New("not one expression")

// ParseDefault says what a default expression does, given as pg_get_expr writes it under
// standard_conforming_strings with all names qualified that are not in pg_catalog.
// Default.Text is the same without that setting. Cache.Default remembers.
func ParseDefault(text string) *Default {
	d := &Default{Text: escapedStrings(text)}
	sql := defaultPrefix + d.Text
	if reason := hazard(sql); reason != "" {
		d.Err = errors.New(reason)
		return d
	}
	if !utf8.ValidString(sql) {
		d.Err = errors.New("default is not in UTF-8")
		return d
	}
	tree, err := pg.Parse(sql)
	if err != nil {
		d.Err = syntaxError(err)
		return d
	}
	if len(tree.Stmts) != 1 || !oneExpression(tree.Stmts[0].Stmt.GetSelectStmt()) {
		d.Err = errNoExpression
		return d
	}
	d.learn(sql, tree.Stmts[0].Stmt)
	return d
}

// escapedStrings makes escape strings of those that have a backslash, so that they mean
// the same whatever standard_conforming_strings is.
func escapedStrings(text string) string {
	if strings.IndexByte(text, '\\') < 0 {
		return text
	}
	var b strings.Builder
	s, done := scanner{sql: text}, 0
	for t := s.next(); t.kind != endToken; t = s.next() {
		if constant := text[t.start:t.end]; constant[0] == '\'' && strings.IndexByte(constant, '\\') >= 0 {
			b.WriteString(text[done:t.start] + " E" + strings.ReplaceAll(constant, `\`, `\\`))
			done = t.end
		}
	}
	return b.String() + text[done:]
}

func oneExpression(n *pg.SelectStmt) bool {
	return n != nil && oneRow(n) && n.WithClause == nil && n.IntoClause == nil && len(n.LockingClause) == 0 && len(n.TargetList) == 1 &&
		n.TargetList[0].GetResTarget().GetName() == ""
}

// learn takes the facts from the tree.
func (d *Default) learn(sql string, node *pg.Node) {
	var st Statement
	w := walker{builder: &builder{sql: sql}, st: &st}
	w.run(node)
	d.times, d.calls = w.timeCalls(), w.measureCalls()
	for i := range d.times {
		c := &d.times[i]
		c.Start, c.End, c.Column, c.Nested = c.Start-len(defaultPrefix), c.End-len(defaultPrefix), "", false
	}
	for i := range d.calls {
		c := &d.calls[i]
		c.start, c.end, c.column, c.nested = c.start-len(defaultPrefix), c.end-len(defaultPrefix), "", false
	}
	d.Time = len(d.times) > 0 || st.UntypedTimeString
	for _, f := range st.Functions {
		switch f.Class {
		case Clock:
			d.Time = true
		case Random:
			d.Volatile = true
		case NodeLocal:
			d.NodeLocal = true
		case UnknownFunction:
			d.Unknown = true
		case Sequence:
			d.Sequence = true
			d.sequences = append(d.sequences, callText(f))
		}
	}
}

// timeString: a word such as 'now' is read each time that the expression is computed.
func (d *Default) timeString() bool {
	for _, call := range d.times {
		if !call.Spliceable() {
			return true
		}
	}
	return false
}

// callText writes down a call with the constants that are known of it.
func callText(f Function) string {
	text := f.String() + "("
	for i, arg := range f.Args {
		if i > 0 {
			text += ", "
		}
		text += quoted(arg)
	}
	return text + ")"
}

const (
	// maxDefaults is the number of default expressions that are remembered. They are
	// forgotten all at once when there are more.
	maxDefaults = 4096
	// maxDefaultText is the longest of them, in bytes.
	maxDefaultText = 8 << 10
)

// defaults remembers what was said of default expressions. The zero value is ready.
type defaults struct {
	mu    sync.RWMutex // guards known
	known map[string]*Default
}

func (d *defaults) get(text string) *Default {
	d.mu.RLock()
	known := d.known[text]
	d.mu.RUnlock()
	if known != nil {
		return known
	}
	known = ParseDefault(text)
	if len(text) > maxDefaultText {
		return known
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil || len(d.known) >= maxDefaults {
		d.known = map[string]*Default{}
	}
	d.known[text] = known
	return known
}

// Default is ParseDefault, from memory where it can be.
func (c *Cache) Default(text string) *Default { return c.defaults.get(text) }
