package parser

import (
	"errors"
	"slices"
	"unicode/utf8"

	pg "github.com/pganalyze/pg_query_go/v5"
	pgparser "github.com/pganalyze/pg_query_go/v5/parser"

	"github.com/pgchorus/pgchorus/internal/pgerr"
)

// Classify parses sql and returns the facts about its statements. It always
// parses, which takes some tens of microseconds; a Cache answers repeated texts.
// A text that cannot be parsed has one statement of kind Unknown and Err set.
//
// sql may have any bytes. Where it is not UTF-8 (the frontend's encoding is
// another one), bytes above 127 are allowed within plain strings only.
func Classify(sql string) *Script {
	if reason := hazard(sql); reason != "" {
		return unknown(sql, pgerr.New(pgerr.ProgramLimitExceeded, reason))
	}
	if !utf8.ValidString(sql) {
		return classifyMasked(sql)
	}
	tree, err := pg.Parse(sql)
	if err != nil {
		return unknown(sql, syntaxError(err))
	}
	return build(sql, tree)
}

// classifyMasked is for texts in other encodings. None of the bytes that it
// replaces may show up among the facts.
func classifyMasked(sql string) *Script {
	notUTF8 := pgerr.New(pgerr.FeatureNotSupported, "statement is not in UTF-8")
	masked := maskStrings(sql)
	if !utf8.ValidString(masked) {
		return unknown(sql, notUTF8)
	}
	tree, err := pg.Parse(masked)
	if err != nil {
		return unknown(sql, syntaxError(err))
	}
	script := build(masked, tree)
	if script.LiteralSensitive && script.holdsValues() {
		return unknown(sql, notUTF8)
	}
	return script
}

// unknown is the answer for a text that pg_query does not understand. It may
// well be a write in newer syntax.
func unknown(sql string, err error) *Script {
	return &Script{
		Statements:             []Statement{{Kind: Unknown, Length: -1, Node: "Unknown"}},
		Err:                    err,
		LiteralSensitive:       true,
		AssumesStandardStrings: hasBackslash(sql),
	}
}

// syntaxError gives pg_query's error the form of the server's.
func syntaxError(err error) error {
	var parse *pgparser.Error
	if errors.As(err, &parse) {
		e := pgerr.New(pgerr.SyntaxError, parse.Message)
		e.Position = max(parse.Cursorpos, 0)
		return e
	}
	return pgerr.New(pgerr.ProgramLimitExceeded, "statement is nested too deeply to be analysed").Wrap(err)
}

// build makes a Script of a parse tree.
func build(sql string, tree *pg.ParseResult) *Script {
	s := &Script{ReadOnly: true, AssumesStandardStrings: hasBackslash(sql)}
	if len(tree.Stmts) == 0 {
		s.Statements = []Statement{{Kind: Empty, Length: -1, ReadOnly: true, ReadBySyntax: true}}
		return s
	}
	b := builder{sql: sql}
	s.Statements = make([]Statement, len(tree.Stmts))
	for i, raw := range tree.Stmts {
		st := &s.Statements[i]
		b.statement(st, raw.Stmt)
		st.Start, st.Length = place(sql, raw, len(tree.Stmts))
		if st.Inner != nil {
			st.Inner.Start, st.Inner.Length = st.Start, st.Length
		}
		s.ReadOnly = s.ReadOnly && st.ReadOnly
		s.TransactionControl = s.TransactionControl || st.Kind.TransactionControl()
	}
	s.LiteralSensitive = b.literalSensitive(s)
	if len(tree.Stmts) == 1 && !s.LiteralSensitive {
		s.Statements[0].Point = point(sql, tree.Stmts[0].Stmt)
		pin(sql, &s.Statements[0], tree.Stmts[0].Stmt)
	}
	return s
}

// place returns where a statement stands. A lone one covers the whole string, so
// that its facts hold for every string of the same shape.
func place(sql string, raw *pg.RawStmt, statements int) (start, length int) {
	if statements == 1 {
		return 0, -1
	}
	start = min(int(raw.StmtLocation), len(sql))
	end := len(sql)
	if raw.StmtLen > 0 {
		end = min(start+int(raw.StmtLen), len(sql))
	}
	start += blankPrefix(sql[start:end])
	return start, len(trimStatement(sql[start:end]))
}

// blankPrefix returns the length of the blanks and comments that text begins
// with. A comment that is a hint to a planner extension belongs to the statement.
func blankPrefix(text string) int {
	for i := 0; i < len(text); {
		switch {
		case isBlank(text[i]):
			i++
		case hasPrefixAt(text, i, "--"):
			for i < len(text) && text[i] != '\n' && text[i] != '\r' {
				i++
			}
		case hasPrefixAt(text, i, "/*") && !hasPrefixAt(text, i, "/*+"):
			i = commentEnd(text, i)
		default:
			return i
		}
	}
	return len(text)
}

// commentEnd returns the end of the comment that begins at i, nested ones
// included.
func commentEnd(text string, i int) int {
	depth := 0
	for i < len(text) {
		switch {
		case hasPrefixAt(text, i, "/*"):
			depth++
			i += 2
		case hasPrefixAt(text, i, "*/"):
			depth--
			i += 2
		default:
			i++
		}
		if depth == 0 {
			break
		}
	}
	return i
}

func hasPrefixAt(text string, i int, prefix string) bool {
	return len(text)-i >= len(prefix) && text[i:i+len(prefix)] == prefix
}

// holdsValues reports whether a constant of the text is among the facts.
func (s *Script) holdsValues() bool {
	for i := range s.Statements {
		st := &s.Statements[i]
		if len(st.Values) > 0 || st.valueSensitive || st.Kind >= PrepareTransaction && st.Kind <= RollbackPrepared {
			return true
		}
	}
	return false
}

// builder is what the statements of one string have in common.
type builder struct {
	sql    string
	cuts   []cut // what Strip would take out; nil until asked for
	looked bool
	plain  bool // Strip knows the whole text
	tokens []*pg.ScanToken
	marks  []int // offsets of constants that are among the facts
}

// statement fills st from the parse tree of one statement.
func (b *builder) statement(st *Statement, node *pg.Node) {
	w := walker{builder: b, st: st}
	w.run(node)
}

// literalSensitive decides whether other literals could change the facts.
func (b *builder) literalSensitive(s *Script) bool {
	if len(s.Statements) != 1 || hasFloatPrecision(b.sql) {
		return true
	}
	st := &s.Statements[0]
	if !shapeDecides(st.Kind) || st.Objects > 0 {
		return true
	}
	for _, call := range st.TimeCalls {
		if call.Precision >= 0 {
			return true
		}
	}
	for _, offset := range b.marks {
		if b.isCut(offset) {
			return true
		}
	}
	return false
}

// shapeDecides reports whether constants in a statement of that kind are mere
// values, so that the text without them decides.
func shapeDecides(k Kind) bool {
	switch k {
	case Empty, Select, SelectInto, Insert, Update, Delete, Merge, Execute, Call,
		Begin, Commit, Rollback, Savepoint, Release, RollbackTo:
		return true
	}
	return false
}

// isCut reports whether Strip takes out the constant at offset.
func (b *builder) isCut(offset int) bool {
	if !b.looked {
		b.looked = true
		_, b.plain = strip(nil, b.sql, &b.cuts)
	}
	if !b.plain {
		return true
	}
	if offset < 0 || offset >= len(b.sql) || b.sql[offset] != '\'' {
		return true // a number, perhaps with its sign
	}
	_, found := slices.BinarySearchFunc(b.cuts, offset, func(c cut, offset int) int { return c.start - offset })
	return found
}
