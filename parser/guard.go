package parser

import "strings"

// Bounds on what is given to pg_query. It builds left-deep trees by a loop and
// then walks them by recursion on the C stack without a check: some 24,000 links
// of a chain such as 1+1+1 overflow 8 MiB and take the process down. Runs of
// operator characters and nested comments cost it time with the square of their
// length.
const (
	// maxParseLength is the longest text that is parsed, in bytes: a tree takes
	// a few hundred bytes of memory for each constant.
	maxParseLength = 16 << 20
	// guardFrom is the length from which a text is looked at: nothing shorter
	// can be deep enough to matter.
	guardFrom = 4096
	// maxTreeDepth bounds an upper estimate of the tree's depth.
	maxTreeDepth = 4500
	// maxOperatorRun is the longest run of operator characters; PostgreSQL's own
	// operators have at most 63.
	maxOperatorRun = 128
	// maxCommentDepth is the deepest nesting of comments.
	maxCommentDepth = 64
)

// hazard returns why sql must not be given to pg_query, or "".
func hazard(sql string) string {
	switch {
	case len(sql) > maxParseLength:
		return "statement is too long to be analysed"
	case strings.IndexByte(sql, 0) >= 0:
		return "statement holds a zero byte"
	case len(sql) < guardFrom:
		return ""
	}
	g := guard{sql: sql, levels: make([]level, 1, 16)}
	return g.run()
}

// level is what is known about one pair of brackets (or CASE and END) that is
// open: how deep the tree of its parts can be.
type level struct {
	part    int  // operators and words in the part read now, with all that is nested in it
	deepest int  // the largest part so far
	between bool // the next AND belongs to BETWEEN
	isCase  bool // opened by CASE
}

func (l *level) endPart() {
	l.deepest = max(l.deepest, l.part)
	l.part = 0
}

func (l *level) depth() int { return max(l.deepest, l.part) }

// guard estimates from above how deep a tree pg_query would build. Within one
// part (between commas, AND, OR and the like) every token may add one level;
// joins and set operations chain over the whole statement. The estimate has to
// hold for valid statements only: for others no tree is built.
type guard struct {
	sql      string
	pos      int
	levels   []level
	joins    int  // JOIN, UNION and the like in this statement
	afterDot bool // the last token was a dot: the next word is a name
}

const (
	tooDeep     = "statement is nested too deeply to be analysed"
	tooTangled  = "operator is too long"
	badComment  = "comments are nested too deeply"
	neverClosed = "unterminated comment"
)

func (g *guard) run() string {
	for g.pos < len(g.sql) {
		if reason := g.step(); reason != "" {
			return reason
		}
		if g.top().depth()+g.joins > maxTreeDepth || len(g.levels) > maxTreeDepth {
			return tooDeep
		}
	}
	for len(g.levels) > 1 {
		g.close()
	}
	if g.top().depth()+g.joins > maxTreeDepth {
		return tooDeep
	}
	return ""
}

// step reads one token.
func (g *guard) step() string {
	c := g.sql[g.pos]
	switch {
	case isBlank(c):
		g.pos++
		return ""
	case g.at("--"):
		g.lineComment()
		return ""
	case g.at("/*"):
		return g.blockComment()
	case isWordStart(c):
		g.word()
		g.afterDot = false
		return ""
	}
	g.afterDot = c == '.'
	switch {
	case c == '\'', c == '"':
		g.quoted(c)
	case c == '$':
		g.dollar()
	case isOperator(c):
		return g.operator()
	default:
		g.bracket(c)
		g.pos++
	}
	return ""
}

func (g *guard) at(s string) bool { return hasPrefixAt(g.sql, g.pos, s) }

func (g *guard) top() *level { return &g.levels[len(g.levels)-1] }

// close ends the innermost level, which is nested in the part around it.
func (g *guard) close() {
	depth := g.top().depth()
	g.levels = g.levels[:len(g.levels)-1]
	g.top().part += depth + 1
}

// closeBracket ends the innermost pair of brackets. What CASE seemed to open in
// it was a column label of that name.
func (g *guard) closeBracket() {
	for len(g.levels) > 1 {
		wasCase := g.top().isCase
		g.close()
		if !wasCase {
			return
		}
	}
}

// bracket notes a character that stands alone.
func (g *guard) bracket(c byte) {
	switch c {
	case '(', '[':
		g.levels = append(g.levels, level{})
	case ')', ']':
		g.closeBracket()
	case ',':
		g.top().endPart()
	case ';':
		g.nextStatement()
	}
}

// nextStatement starts anew: statements stand side by side, also in the body of
// a rule or a function.
func (g *guard) nextStatement() {
	for len(g.levels) > 1 {
		g.close()
	}
	g.levels[0].endPart()
	g.joins = 0
}

func (g *guard) lineComment() {
	for g.pos < len(g.sql) && g.sql[g.pos] != '\n' && g.sql[g.pos] != '\r' {
		g.pos++
	}
}

func (g *guard) blockComment() string {
	depth := 0
	for g.pos < len(g.sql) {
		switch {
		case g.at("/*"):
			depth++
			g.pos += 2
		case g.at("*/"):
			depth--
			g.pos += 2
		default:
			g.pos++
		}
		if depth == 0 {
			return ""
		}
		if depth > maxCommentDepth {
			return badComment
		}
	}
	return neverClosed
}

// quoted reads to the closing quote; a doubled quote is read as two strings.
func (g *guard) quoted(quote byte) {
	end := strings.IndexByte(g.sql[g.pos+1:], quote)
	if end < 0 {
		g.pos = len(g.sql)
		return
	}
	g.pos += end + 2
}

// escaped reads an escape string, in which a backslash hides the next byte.
func (g *guard) escaped() {
	for g.pos++; g.pos < len(g.sql); g.pos++ {
		switch g.sql[g.pos] {
		case '\\':
			g.pos++
		case '\'':
			g.pos++
			if g.pos >= len(g.sql) || g.sql[g.pos] != '\'' {
				return
			}
		}
	}
}

// dollar reads a parameter or a dollar-quoted string.
func (g *guard) dollar() {
	end := g.pos + 1
	if end < len(g.sql) && isWordStart(g.sql[end]) {
		for end < len(g.sql) && isWord(g.sql[end]) && g.sql[end] != '$' {
			end++
		}
	}
	if end >= len(g.sql) || g.sql[end] != '$' {
		g.pos++
		return
	}
	tag := g.sql[g.pos : end+1]
	g.pos = end + 1
	if close := strings.Index(g.sql[g.pos:], tag); close >= 0 {
		g.pos += close + len(tag)
	} else {
		g.pos = len(g.sql)
	}
}

func (g *guard) operator() string {
	start := g.pos
	for g.pos < len(g.sql) && isOperator(g.sql[g.pos]) && !g.at("--") && !g.at("/*") {
		g.pos++
	}
	if g.pos-start > maxOperatorRun {
		return tooTangled
	}
	g.top().part += g.pos - start
	return ""
}

func (g *guard) word() {
	start := g.pos
	for g.pos < len(g.sql) && isWord(g.sql[g.pos]) {
		g.pos++
	}
	word := g.sql[start:g.pos]
	if len(word) == 1 && word[0]|0x20 == 'e' && g.at("'") {
		g.escaped()
		return
	}
	g.keyword(word)
}

// keyword notes the words that part an expression, bracket one, or chain. END is
// a column label where no CASE is open.
func (g *guard) keyword(word string) {
	top := g.top()
	top.part++
	switch {
	case g.afterDot, len(word) > len("intersect"):
	case strings.EqualFold(word, "case"):
		g.levels = append(g.levels, level{isCase: true})
	case strings.EqualFold(word, "end"):
		if top.isCase {
			g.close()
		}
	case strings.EqualFold(word, "between"):
		top.between = true
	case strings.EqualFold(word, "and"):
		if !top.between {
			top.endPart()
		}
		top.between = false
	case parts(word):
		top.endPart()
	case chains(word):
		g.joins++
		top.endPart()
	}
}

// parts reports whether what stands before and after word belongs to different
// expressions, neither of which has the other within it.
func parts(word string) bool {
	for _, w := range [...]string{"or", "when", "then", "else", "on", "select", "where"} {
		if strings.EqualFold(word, w) {
			return true
		}
	}
	return false
}

func chains(word string) bool {
	for _, w := range [...]string{"join", "union", "intersect", "except"} {
		if strings.EqualFold(word, w) {
			return true
		}
	}
	return false
}
