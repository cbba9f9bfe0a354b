package parser

import (
	"slices"
	"strings"
)

// Body is what a text of PostgreSQL's catalogue does when it runs: the body of a
// function in SQL or PL/pgSQL, the definition of a view or a rule, the expression of a
// constraint, a policy or a generated column.
//
// It is read word by word, not parsed: what has the look of a call is noted as one, so
// that nothing is missed which pg_query would not understand, and names are noted that
// are none. Whoever asks the catalogue about them finds that they do not exist.
type Body struct {
	// Functions are called, each once. Class is by name alone.
	Functions []Function
	// Operators and Casts are as a Statement's; some may be none.
	Operators, Casts []string
	// Reads and Writes are relations, each once; a WITH query or a variable may be
	// among them.
	Reads, Writes []Relation
	// Changes are those of Writes whose rows it may update or delete, besides adding some.
	Changes []Relation
	// Clock: CURRENT_TIMESTAMP and its relatives, or a constant such as 'now'.
	Clock bool
	// Dynamic: SQL is put together when it runs (EXECUTE), so that anything may be in it.
	Dynamic bool
	// Catches: errors are caught (EXCEPTION WHEN), so that what one node met and another
	// did not stays unseen.
	Catches bool
	// Commits: it ends transactions itself.
	Commits bool
	// Defines: it creates, alters or drops something.
	Defines bool
	// Sets: it changes a setting by SET or RESET.
	Sets bool
	// Truncates: it empties a table.
	Truncates bool
	// SkipsLocked: which rows are found hangs on who has locked others at that moment.
	SkipsLocked bool
	// Picks: it picks rows, or puts values into an order, by something that need not decide it:
	// LIMIT and its like, DISTINCT ON, a sample, a window, an array or a list of what a query
	// finds.
	Picks bool
	// TooLong: there was more to read than is read; nothing is known then.
	TooLong bool
}

// maxBody is the longest text that is read, in bytes.
const maxBody = 256 << 10

// ReadBody reads such a text.
func ReadBody(text string) *Body {
	r := bodyReader{body: &Body{}}
	if len(text) > maxBody {
		r.body.TooLong = true
		return r.body
	}
	s := scanner{sql: text}
	for t := s.next(); t.kind != endToken; t = s.next() {
		r.tokens = append(r.tokens, wordOf(text, t))
	}
	for i := range r.tokens {
		r.at(i)
	}
	return r.body
}

// bodyWord is a token with what it says: a word in lower case, a name without its quotes.
type bodyWord struct {
	kind  byte
	text  string
	start int
}

func wordOf(text string, t token) bodyWord {
	w := bodyWord{kind: t.kind, text: text[t.start:t.end], start: t.start}
	switch t.kind {
	case wordToken:
		w.text = strings.ToLower(w.text)
	case nameToken:
		w.text = strings.ReplaceAll(strings.Trim(w.text, `"`), `""`, `"`)
	}
	return w
}

// isName: a word that may be one, in quotes or not.
func (w bodyWord) isName() bool {
	return w.kind == nameToken || w.kind == wordToken && !isSyntaxWord(w.text)
}

func (w bodyWord) is(words ...string) bool {
	return w.kind == wordToken && slices.Contains(words, w.text)
}

// isSyntaxWord names words that stand before a bracket or in the place of a relation and
// are neither a function nor a relation.
func isSyntaxWord(word string) bool {
	switch word {
	case "in", "values", "and", "or", "not", "exists", "any", "all", "some", "as", "on", "using", "select", "where", "when",
		"then", "else", "elsif", "if", "while", "return", "over", "filter", "within", "by", "from", "set", "case", "returning",
		"into", "with", "union", "except", "intersect", "limit", "offset", "is", "like", "ilike", "between", "array", "row",
		"execute", "perform", "raise", "loop", "for", "foreach", "slice", "strict", "distinct", "cast", "begin", "end",
		"declare", "cursor", "check", "default", "having", "group", "order", "lateral", "only", "table", "insert", "update",
		"delete", "materialized", "references", "key", "unique", "include", "grouping", "sets", "cube", "rollup", "new", "old":
		return true
	}
	return false
}

// bodyReader is one run of ReadBody.
type bodyReader struct {
	body   *Body
	tokens []bodyWord

	operators, casts seen[string]
}

// word is a token, or an empty one beyond the ends.
func (r *bodyReader) word(i int) bodyWord {
	if i < 0 || i >= len(r.tokens) {
		return bodyWord{}
	}
	return r.tokens[i]
}

// at looks at one token and those around it.
func (r *bodyReader) at(i int) {
	w := r.tokens[i]
	r.implied(i)
	switch w.kind {
	case wordToken:
		r.keyword(i, w.text)
	case valueToken:
		r.body.Clock = r.body.Clock || isTimeWord(w.text)
	}
	if w.isName() && r.word(i+1).kind == '(' {
		r.call(i)
	}
}

func isTimeWord(constant string) bool {
	switch strings.ToLower(strings.Trim(constant, "' \t\n")) {
	case "now", "today", "tomorrow", "yesterday":
		return true
	}
	return false
}

// call notes what looks like a call. In front of the column list of INSERT stands a
// relation.
func (r *bodyReader) call(i int) {
	name, first := r.name(i)
	if r.word(first-1).is("into", "table", "references", "type") || r.word(first-1).is("on") && !r.word(first-2).isName() {
		return
	}
	f := Function{Schema: name.Schema, Name: name.Name, Class: ClassOf(name.Schema, name.Name, r.arguments(i+1))}
	if !slices.ContainsFunc(r.body.Functions, func(g Function) bool { return g.identity() == f.identity() }) {
		r.body.Functions = append(r.body.Functions, f)
	}
}

// name is the name that ends at i, with its schema if it has one, and where it begins.
func (r *bodyReader) name(i int) (name Relation, first int) {
	name.Name = r.tokens[i].text
	if before := r.word(i - 2); r.word(i-1).kind == '.' && (before.kind == wordToken || before.kind == nameToken) {
		name.Schema = before.text
		return name, i - 2
	}
	return name, i
}

// arguments counts those in the bracket at i, as far as it matters: none, one, or more.
func (r *bodyReader) arguments(i int) int {
	if r.word(i+1).kind == ')' {
		return 0
	}
	depth := 0
	for ; i < len(r.tokens); i++ {
		switch r.tokens[i].kind {
		case '(', '[':
			depth++
		case ')', ']':
			if depth--; depth == 0 {
				return 1
			}
		case ',':
			if depth == 1 {
				return 2
			}
		}
	}
	return 1
}

// keyword looks at the words that mean something by themselves.
func (r *bodyReader) keyword(i int, word string) {
	b := r.body
	if r.word(i-1).kind == '.' {
		return
	}
	switch word {
	case "current_timestamp", "current_date", "current_time", "localtime", "localtimestamp":
		b.Clock = true
	case "execute":
		b.Dynamic = b.Dynamic || !r.word(i+1).is("function", "procedure", "on")
	case "exception":
		b.Catches = b.Catches || r.word(i+1).is("when")
	case "commit", "rollback":
		b.Commits = b.Commits || r.beginsStatement(i)
	case "create", "alter", "drop", "grant", "revoke", "refresh", "reindex", "comment", "cluster", "vacuum", "import":
		b.Defines = b.Defines || r.beginsStatement(i)
	case "set", "reset":
		b.Sets = b.Sets || r.beginsStatement(i)
	case "notify":
		if r.beginsStatement(i) {
			b.Functions = append(b.Functions, Function{Name: "pg_notify", Class: Writer})
		}
	case "skip":
		b.SkipsLocked = b.SkipsLocked || r.word(i+1).is("locked")
	default:
		b.Picks = b.Picks || r.picks(i, word)
		r.relationWord(i, word)
	}
}

// picks reports whether a word is one by which nodes may pick other rows of the same ones. Sums,
// which hang on order for floating-point numbers only, are not looked for.
func (r *bodyReader) picks(i int, word string) bool {
	next := r.word(i + 1)
	switch word {
	case "limit", "tablesample":
		return true
	case "fetch": // not from a cursor
		return next.is("first", "next") && (r.word(i+2).is("row", "rows") || r.word(i+3).is("row", "rows"))
	case "distinct":
		return next.is("on")
	case "over":
		return next.kind == '(' || next.isName()
	case "array":
		return next.kind == '(' && r.word(i+2).is("select")
	case "array_agg", "string_agg", "json_agg", "jsonb_agg", "json_object_agg", "jsonb_object_agg", "xmlagg", "any_value", "mode":
		return next.kind == '('
	}
	return false
}

// beginsStatement: nothing of the same statement stands before i.
func (r *bodyReader) beginsStatement(i int) bool {
	before := r.word(i - 1)
	return before.kind == 0 || before.kind == ';' || before.kind == '>' || before.is("begin", "then", "else", "loop", "do", "atomic")
}

// relationWord looks at the words behind which relations are named.
func (r *bodyReader) relationWord(i int, word string) {
	before := r.word(i - 1)
	switch word {
	case "into":
		if before.is("insert", "merge") {
			r.relations(i+1, &r.body.Writes, false)
		}
		if before.is("merge") {
			r.relations(i+1, &r.body.Changes, false)
		}
	case "do":
		if r.word(i + 1).is("update") {
			r.body.Changes = append(r.body.Changes, r.body.Writes...) // one of them it is
		}
	case "update":
		if !before.is("for", "key", "on", "before", "after", "or") && !r.word(i+1).is("set") { // of MERGE and ON CONFLICT
			r.relations(i+1, &r.body.Writes, false)
			r.relations(i+1, &r.body.Changes, false)
		}
	case "truncate", "copy":
		if r.beginsStatement(i) {
			r.body.Truncates = r.body.Truncates || word == "truncate"
			r.relations(i+1, &r.body.Writes, true)
		}
	case "from":
		if before.is("delete") {
			r.relations(i+1, &r.body.Writes, false)
			r.relations(i+1, &r.body.Changes, false)
		} else if !before.is("distinct") {
			r.relations(i+1, &r.body.Reads, true)
		}
	case "join", "using":
		r.relations(i+1, &r.body.Reads, true)
	}
}

// relations notes the name that begins at i, and if several may follow, those behind
// commas.
func (r *bodyReader) relations(i int, to *[]Relation, several bool) {
	for {
		for r.word(i).is("only", "table", "lateral") || r.word(i).kind == '(' {
			i++
		}
		if !r.word(i).isName() {
			return
		}
		if r.word(i+1).kind == '.' && i+2 < len(r.tokens) {
			i += 2
		}
		if call := r.word(i+1).kind == '(' && to == &r.body.Reads; !call {
			name, _ := r.name(i)
			if !slices.Contains(*to, name) {
				*to = append(*to, name)
			}
		}
		if i = r.behindAlias(i + 1); !several || r.word(i).kind != ',' {
			return
		}
		i++
	}
}

// behindAlias passes over the alias of a relation.
func (r *bodyReader) behindAlias(i int) int {
	if r.word(i).is("as") {
		i++
	}
	if r.word(i).isName() {
		i++
	}
	return i
}
