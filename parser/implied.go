package parser

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v5"
)

// An operator and a cast call functions that the text does not name. Which, only the catalogue knows; what
// it is to be asked about is noted here, by the last part of the name. A superset does no harm.

// operator notes one by its qualified name.
func (w *walker) operator(name []*pg.Node) {
	if op := lastName(name); op != "" && w.operators.first(op) {
		w.st.Operators = append(w.st.Operators, op)
	}
}

// castTo notes the type of a cast.
func (w *walker) castTo(n *pg.TypeName) {
	if name := lastName(n.GetNames()); name != "" && w.casts.first(name) {
		w.st.Casts = append(w.st.Casts, name)
	}
}

// maxOperator is the longest name of an operator (NAMEDATALEN - 1).
const maxOperator = 63

// implied notes the operators and casts of a body. Tokens of an operator are its bytes, whose place
// tells that they stand together; the last of them may be a sign that belongs to what follows.
func (r *bodyReader) implied(i int) {
	switch w := r.tokens[i]; {
	case w.kind == ':' && r.word(i-1).kind == ':', w.is("as"):
		r.castTo(i + 1)
	case isOperator(w.kind) && !r.continues(i):
		run := []byte{w.kind}
		for j := i + 1; len(run) < maxOperator && r.continues(j); j++ {
			run = append(run, r.tokens[j].kind)
		}
		r.operator(string(run))
		r.operator(strings.TrimRight(string(run), "+-"))
	}
}

// continues: the token at i belongs to the operator in front of it.
func (r *bodyReader) continues(i int) bool {
	return isOperator(r.word(i).kind) && isOperator(r.word(i-1).kind) && r.tokens[i].start == r.tokens[i-1].start+1
}

func (r *bodyReader) operator(name string) {
	if name != "" && r.operators.first(name) {
		r.body.Operators = append(r.body.Operators, name)
	}
}

// castTo notes the name of a type that begins at i, which may have a schema.
func (r *bodyReader) castTo(i int) {
	if r.word(i+1).kind == '.' {
		i += 2
	}
	if w := r.word(i); (w.kind == wordToken || w.kind == nameToken) && r.casts.first(w.text) {
		r.body.Casts = append(r.body.Casts, w.text)
	}
}
