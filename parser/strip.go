package parser

import "strings"

// Marks that stand for a literal in a stripped text. They are control bytes, so
// that no text can have them by itself: Strip gives up on those. Numbers that fit
// int4 have a mark of their own, since the grammar tells the two apart.
const (
	markString  = "\x01"
	markInteger = "\x02"
	markNumeric = "\x03"
)

// Strip appends to dst what is left of sql without its literals: each plain
// string and each number becomes a mark, comments become blanks, everything else
// stays. Two texts with one key have the same facts, except where the literals
// themselves matter (Script.LiteralSensitive).
//
// It gives up (ok is false, key is of no use) on all that would need a real
// lexer: E”, U&”, B”, X” and N” strings, dollar quotes, backslashes in strings
// (their meaning hangs on standard_conforming_strings), nested comments, strings
// continued on another line, numbers that run into a word, control characters,
// and a semicolon before the end. Strings that read as a time ('now', 'today
// 12:00') and the argument of nextval('s') and currval('s') stay in the key.
//
// It allocates nothing if dst has room for len(sql) bytes.
func Strip(dst []byte, sql string) (key []byte, ok bool) {
	return strip(dst, sql, nil)
}

// cut is a part of a text that its key does not have as it is.
type cut struct {
	start, end int // in the text
	key        int // where its stand-in is in the key
	width      int // bytes of the stand-in
}

// before is what the scanner remembers of the last token.
type before uint8

const (
	other before = iota
	afterString
	afterSequenceWord    // nextval
	afterSequenceBracket // nextval (
)

// stripper is the state of one run over a text.
type stripper struct {
	sql    string
	pos    int
	copied int // sql[:copied] is in dst
	dst    []byte
	base   int // dst as it was given
	last   before
	cuts   *[]cut // nil if nobody wants them
}

// strip is Strip, which also notes the cuts.
func strip(dst []byte, sql string, cuts *[]cut) ([]byte, bool) {
	if strings.IndexByte(sql, 0) >= 0 {
		return dst, false
	}
	s := stripper{sql: sql, dst: dst, base: len(dst), cuts: cuts}
	for s.pos < len(sql) {
		if !s.token() {
			return s.dst, false
		}
	}
	return append(s.dst, sql[s.copied:]...), true
}

// token reads one token and reports whether the scanner understands it.
func (s *stripper) token() bool {
	c := s.sql[s.pos]
	switch classes[c] {
	case blank:
		s.pos++
		return true
	case letter:
		return s.word()
	case digit:
		return s.number()
	case control:
		return false
	}
	switch c {
	case '\'':
		return s.plainString()
	case '"':
		return s.quotedName()
	case '$':
		return s.parameter()
	case '.':
		if s.pos+1 < len(s.sql) && classes[s.sql[s.pos+1]] == digit {
			return s.number()
		}
	case '-':
		if hasPrefixAt(s.sql, s.pos, "--") {
			return s.lineComment()
		}
	case '/':
		if hasPrefixAt(s.sql, s.pos, "/*") {
			return s.blockComment()
		}
	case ';':
		return s.end()
	case '(':
		s.pos++
		if s.last == afterSequenceWord {
			s.last = afterSequenceBracket
			return true
		}
		s.last = other
		return true
	}
	s.pos++
	s.last = other
	return true
}

// cut puts the stand-in for sql[start:end] into the key.
func (s *stripper) cut(start, end int, standIn string) {
	s.dst = append(s.dst, s.sql[s.copied:start]...)
	if s.cuts != nil {
		*s.cuts = append(*s.cuts, cut{start: start, end: end, key: len(s.dst) - s.base, width: len(standIn)})
	}
	s.dst = append(s.dst, standIn...)
	s.copied, s.pos = end, end
}

func (s *stripper) word() bool {
	start := s.pos
	for s.pos < len(s.sql) && isWord(s.sql[s.pos]) {
		s.pos++
	}
	if s.pos-start == 1 && s.pos < len(s.sql) && s.prefixesString(s.sql[start]) {
		return false
	}
	s.last = other
	switch s.pos - start {
	case len("nextval"):
		word := s.sql[start:s.pos]
		if strings.EqualFold(word, "nextval") || strings.EqualFold(word, "currval") {
			s.last = afterSequenceWord
		}
	}
	return true
}

// prefixesString: the one-letter word before pos belongs to a string constant.
func (s *stripper) prefixesString(c byte) bool {
	switch c | 0x20 {
	case 'e', 'b', 'x', 'n':
		return s.sql[s.pos] == '\''
	case 'u':
		return hasPrefixAt(s.sql, s.pos, "&'") || hasPrefixAt(s.sql, s.pos, `&"`)
	}
	return false
}

// number reads what the lexer takes for one: digits, a point, an exponent.
func (s *stripper) number() bool {
	start := s.pos
	s.digits()
	mark := integerMark(s.sql[start:s.pos])
	if s.pos < len(s.sql) && s.sql[s.pos] == '.' {
		if hasPrefixAt(s.sql, s.pos, "..") {
			return false
		}
		s.pos++
		s.digits()
		mark = markNumeric
	}
	if s.pos < len(s.sql) && s.sql[s.pos]|0x20 == 'e' {
		s.pos++
		if s.pos < len(s.sql) && (s.sql[s.pos] == '+' || s.sql[s.pos] == '-') {
			s.pos++
		}
		if s.pos == len(s.sql) || classes[s.sql[s.pos]] != digit {
			return false
		}
		s.digits()
		mark = markNumeric
	}
	if s.pos < len(s.sql) && isWord(s.sql[s.pos]) {
		return false // 0x1F, 1_000, or junk
	}
	s.last = other
	s.cut(start, s.pos, mark)
	return true
}

func (s *stripper) digits() {
	for s.pos < len(s.sql) && classes[s.sql[s.pos]] == digit {
		s.pos++
	}
}

// integerMark tells the numbers that fit int4 from the others.
func integerMark(digits string) string {
	const largest = "2147483647"
	for len(digits) > 1 && digits[0] == '0' {
		digits = digits[1:]
	}
	if len(digits) < len(largest) || len(digits) == len(largest) && digits <= largest {
		return markInteger
	}
	return markNumeric
}

func (s *stripper) plainString() bool {
	start := s.pos
	if s.last == afterString {
		return false // perhaps one string, continued
	}
	for s.pos++; ; s.pos++ {
		next := strings.IndexByte(s.sql[s.pos:], '\'')
		if next < 0 || strings.IndexByte(s.sql[s.pos:s.pos+next], '\\') >= 0 {
			return false
		}
		s.pos += next + 1
		if s.pos == len(s.sql) || s.sql[s.pos] != '\'' {
			break
		}
	}
	keep := s.last == afterSequenceBracket || isMagic(s.sql[start+1:s.pos-1])
	s.last = afterString
	if keep {
		// A key must not be mistaken for another's: no marks within.
		return !hasControl(s.sql[start:s.pos])
	}
	s.cut(start, s.pos, markString)
	return true
}

func hasControl(text string) bool {
	for i := 0; i < len(text); i++ {
		if classes[text[i]] == control {
			return true
		}
	}
	return false
}

func (s *stripper) quotedName() bool {
	for s.pos++; s.pos < len(s.sql); s.pos++ {
		switch {
		case s.sql[s.pos] == '"':
			s.pos++
			s.last = other
			return true // a doubled quote goes on as another name
		case classes[s.sql[s.pos]] == control:
			return false
		}
	}
	return false
}

// parameter reads $1. All else that begins with a dollar is a quote, or wrong.
func (s *stripper) parameter() bool {
	s.pos++
	start := s.pos
	s.digits()
	s.last = other
	return s.pos > start && (s.pos == len(s.sql) || !isWord(s.sql[s.pos]))
}

func (s *stripper) lineComment() bool {
	end := s.pos
	for end < len(s.sql) && s.sql[end] != '\n' && s.sql[end] != '\r' {
		end++
	}
	s.cut(s.pos, end, "")
	return true
}

func (s *stripper) blockComment() bool {
	body := s.sql[s.pos+2:]
	end := strings.Index(body, "*/")
	if end < 0 || strings.Contains(body[:end], "/*") {
		return false
	}
	// "/*/*/" and the like: the opening of another comment that shares a byte
	// with our end.
	if end > 0 && body[end-1] == '/' {
		return false
	}
	s.cut(s.pos, s.pos+2+end+2, " ")
	return true
}

// end accepts semicolons and blanks, if nothing else follows.
func (s *stripper) end() bool {
	for ; s.pos < len(s.sql); s.pos++ {
		if c := s.sql[s.pos]; c != ';' && classes[c] != blank {
			return false
		}
	}
	return true
}

// class is what a byte can begin.
type class uint8

const (
	symbol  class = iota
	blank         // what the lexer skips
	letter        // also _ and all bytes above 127
	digit         // 0 to 9
	control       // the other control characters
)

// classes is indexed by byte, after scan.l.
var classes = func() (t [256]class) {
	for c := range t {
		switch {
		case strings.IndexByte(" \t\n\r\f\v", byte(c)) >= 0:
			t[c] = blank
		case c < ' ' || c == 0x7f:
			t[c] = control
		case c >= '0' && c <= '9':
			t[c] = digit
		case c == '_' || c >= 0x80 || isLetter(byte(c)):
			t[c] = letter
		}
	}
	return t
}()

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isBlank(c byte) bool { return classes[c] == blank }

// isWordStart: c can begin a name or a keyword.
func isWordStart(c byte) bool { return classes[c] == letter }

// isWord: c can go on in one.
func isWord(c byte) bool { return classes[c] == letter || classes[c] == digit || c == '$' }

// isOperator: c can be part of an operator.
func isOperator(c byte) bool { return strings.IndexByte("~!@#^&|`?+-*/%<>=:", c) >= 0 }

// hasBackslash reports whether sql may have a backslash within a plain string. One
// in a comment or a name does not count, where Strip can tell.
func hasBackslash(sql string) bool {
	if strings.IndexByte(sql, '\\') < 0 {
		return false
	}
	_, plain := Strip(nil, sql)
	return !plain
}

// hasFloatPrecision finds FLOAT(n), of which the grammar makes float4 or float8
// or an error, by the number.
func hasFloatPrecision(sql string) bool {
	for i := 0; i+len("float") < len(sql); i++ {
		if sql[i]|0x20 == 'f' && strings.EqualFold(sql[i:i+len("float")], "float") {
			rest := i + len("float")
			rest += blankPrefix(sql[rest:])
			if rest < len(sql) && sql[rest] == '(' {
				return true
			}
		}
	}
	return false
}

// maskStrings returns sql, which is not UTF-8, with the bytes above 127 in its
// literals and comments replaced, so that it can be parsed. The length stays.
func maskStrings(sql string) string {
	var cuts []cut
	if _, ok := strip(nil, sql, &cuts); !ok {
		return sql
	}
	masked := []byte(sql)
	for _, c := range cuts {
		for i := c.start; i < c.end; i++ {
			if masked[i] >= 0x80 {
				masked[i] = 'x'
			}
		}
	}
	return string(masked)
}

// mover turns offsets of one side of a list of cuts into those of the other. It
// is asked for rising offsets, so that a whole list costs one pass.
type mover struct {
	cuts   []cut
	toText bool // from the key; else from the text
	next   int
	shift  int
}

// move returns the place of the byte at offset, which is in no cut.
func (m *mover) move(offset int) int {
	for m.next < len(m.cuts) {
		c := m.cuts[m.next]
		shift := c.end - (c.key + c.width)
		if m.toText && c.key+c.width > offset || !m.toText && c.end > offset {
			break
		}
		m.shift = shift
		m.next++
	}
	if m.toText {
		return offset + m.shift
	}
	return offset - m.shift
}

// relocate appends calls to dst with the ends moved.
func relocate(dst, calls []TimeCall, m mover) []TimeCall {
	for _, c := range calls {
		c.Start = m.move(c.Start)
		c.End = m.move(c.End-1) + 1 // the last byte, as a cut may follow
		dst = append(dst, c)
	}
	return dst
}
