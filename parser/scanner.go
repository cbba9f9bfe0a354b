package parser

// token is a piece of a text that is known to be valid SQL. kind is one of the constants
// or, for a character that stands for itself, the character.
type token struct {
	kind       byte
	start, end int
}

const (
	endToken   byte = 0
	wordToken  byte = 'w' // a keyword or a name without quotes
	nameToken  byte = 'n' // a name in quotes
	valueToken byte = 'v' // a constant, a parameter or part of one
)

// scanner reads the tokens of a text that pg_query has parsed, without asking it again.
// It knows brackets, names and what may hide them: strings, comments and dollar quotes.
type scanner struct {
	sql string
	pos int
}

// peek is next without moving on.
func (s *scanner) peek() token {
	ahead := *s
	return ahead.next()
}

// next returns the next token; endToken at the end.
func (s *scanner) next() token {
	s.skip()
	start := s.pos
	if start >= len(s.sql) || start < 0 {
		return token{kind: endToken, start: start, end: start}
	}
	kind := s.read(s.sql[start])
	return token{kind: kind, start: start, end: s.pos}
}

// skip passes over blanks and comments.
func (s *scanner) skip() {
	if s.pos >= 0 && s.pos < len(s.sql) {
		s.pos += blankPrefixAll(s.sql[s.pos:])
	}
}

// blankPrefixAll is blankPrefix without regard to hints.
func blankPrefixAll(text string) int {
	for i := 0; i < len(text); {
		switch {
		case isBlank(text[i]):
			i++
		case hasPrefixAt(text, i, "--"):
			for i < len(text) && text[i] != '\n' && text[i] != '\r' {
				i++
			}
		case hasPrefixAt(text, i, "/*"):
			i = commentEnd(text, i)
		default:
			return i
		}
	}
	return len(text)
}

// read reads one token that begins with c.
func (s *scanner) read(c byte) byte {
	g := guard{sql: s.sql, pos: s.pos}
	kind := valueToken
	switch {
	case isWordStart(c):
		kind = g.wordOrString()
	case c == '"':
		kind = nameToken
		g.doubled(c)
	case c == '\'':
		g.doubled(c)
	case c == '$':
		g.dollar()
	default:
		kind = c
		g.pos++
	}
	s.pos = g.pos
	return kind
}

// doubled reads what stands in quotes, with doubled quotes within.
func (g *guard) doubled(quote byte) {
	for g.pos < len(g.sql) && g.sql[g.pos] == quote {
		g.quoted(quote)
	}
}

// wordOrString reads a word, or the escape string that one introduces.
func (g *guard) wordOrString() byte {
	start := g.pos
	for g.pos < len(g.sql) && isWord(g.sql[g.pos]) {
		g.pos++
	}
	if g.pos-start == 1 && g.sql[start]|0x20 == 'e' && g.at("'") {
		g.escaped()
		return valueToken
	}
	return wordToken
}
