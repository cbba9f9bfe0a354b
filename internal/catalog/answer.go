package catalog

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxRowBytes bounds a row that a node answers with. The longest that the queries
// make is of a table with 1,600 columns, each of which has a name and a type of up to
// 63 bytes in hexadecimal digits; longer defaults than that leaves room for are not
// known.
const maxRowBytes = 1 << 20

// Answer holds the facts that a Question was answered with. It serves a statement that
// cannot wait for them to be found in a Database: there they may be dropped at once,
// by DDL or for want of room.
type Answer struct {
	functions map[Name]Function
	relations map[Name]Relation
	tables    map[Name]*Table
}

// Function returns what was answered; false if it was not asked for.
func (a Answer) Function(n Name) (Function, bool) {
	f, ok := a.functions[n]
	return f, ok
}

// Relation returns what was answered; false if it was not asked for.
func (a Answer) Relation(n Name) (Relation, bool) {
	r, ok := a.relations[n]
	return r, ok
}

// Table returns what was answered; false if it was not asked for.
func (a Answer) Table(n Name) (*Table, bool) {
	t, ok := a.tables[n]
	return t, ok
}

// Decode reads the rows that q.SQL brought, the text of their only column. A name
// without a row does not exist.
func (q Question) Decode(rows []string) (Answer, error) {
	if len(rows) > q.size() {
		return Answer{}, fmt.Errorf("catalogue facts: %d rows for %d names", len(rows), q.size())
	}
	d := decoder{q: q, a: q.nothingExists(), seen: make(map[subject]bool, len(rows))}
	for _, text := range rows {
		if err := d.add(text); err != nil {
			return Answer{}, fmt.Errorf("catalogue facts: %w", err)
		}
	}
	return d.a, nil
}

// nothingExists is the answer to q that has no rows.
func (q Question) nothingExists() Answer {
	a := Answer{make(map[Name]Function, len(q.Functions)), make(map[Name]Relation, len(q.Relations)), make(map[Name]*Table, len(q.Tables))}
	for _, n := range q.Functions {
		a.functions[n] = Function{}
	}
	for _, n := range q.Relations {
		a.relations[n] = Relation{}
	}
	for _, n := range q.Tables {
		a.tables[n] = &Table{}
	}
	return a
}

// row is what functionsSQL, relationsSQL and tablesSQL make: one of Function, Relation
// and Table is the number of a name.
type row struct {
	Function   *int   `json:"function"`
	Volatility string `json:"volatility"`
	Set        bool   `json:"set"`
	Alike      bool   `json:"alike"`
	Aggregate  bool   `json:"aggregate"`

	Relation     *int     `json:"relation"`
	System       bool     `json:"system"`
	Temporary    bool     `json:"temporary"`
	Unlogged     bool     `json:"unlogged"`
	Foreign      bool     `json:"foreign"`
	RowSecurity  bool     `json:"row_security"`
	View         bool     `json:"view"`
	Materialized bool     `json:"materialized"`
	Sequence     bool     `json:"sequence"`
	Rules        bool     `json:"rules"`
	Locks        bool     `json:"locks"`
	More         bool     `json:"more"`
	Calls        []string `json:"calls"`
	Code         bool     `json:"code"`
	Base         []string `json:"base"`

	Table     *int        `json:"table"`
	Ambiguous bool        `json:"ambiguous"`
	Schema    string      `json:"schema"`
	Kind      string      `json:"kind"`
	Children  bool        `json:"children"`
	Grants    bool        `json:"grants"`
	Columns   []columnRow `json:"columns"`
	Keys      [][]string  `json:"keys"`
	Effects   effectsRow  `json:"effects"`
}

// decoder puts rows together to an answer.
type decoder struct {
	q    Question
	a    Answer
	seen map[subject]bool
}

// subject is what a row is about.
type subject struct {
	kind   string
	number int
}

// add takes one row in.
func (d *decoder) add(text string) error {
	r, err := parseRow(text)
	switch {
	case err != nil:
		return err
	case r.Function != nil && r.Relation == nil && r.Table == nil:
		return d.addFunction(r)
	case r.Relation != nil && r.Function == nil && r.Table == nil:
		return d.addRelation(r)
	case r.Table != nil && r.Function == nil && r.Relation == nil:
		return d.addTable(r)
	}
	return errors.New("a row is not of one function, relation or table")
}

// parseRow refuses what the queries do not make.
func parseRow(text string) (row, error) {
	if len(text) > maxRowBytes {
		return row{}, fmt.Errorf("a row of %d bytes, more than %d", len(text), maxRowBytes)
	}
	var r row
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return row{}, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return row{}, errors.New("a row goes on after its end")
	}
	return r, nil
}

func (d *decoder) addFunction(r row) error {
	name, err := d.named("function", d.q.Functions, *r.Function)
	if err != nil {
		return err
	}
	volatility, err := parseVolatility(r.Volatility)
	if err != nil {
		return err
	}
	d.a.functions[name] = Function{Exists: true, Volatility: volatility, ReturnsSet: r.Set, Alike: r.Alike, Aggregate: r.Aggregate}
	return nil
}

func (d *decoder) addRelation(r row) error {
	name, err := d.named("relation", d.q.Relations, *r.Relation)
	if err != nil {
		return err
	}
	base, err := decodeNames(r.Base)
	if err != nil {
		return err
	}
	d.a.relations[name] = Relation{
		Exists: true,
		System: r.System, Temporary: r.Temporary, Unlogged: r.Unlogged, Foreign: r.Foreign, RowSecurity: r.RowSecurity,
		View: r.View, Materialized: r.Materialized, Sequence: r.Sequence, Rules: r.Rules,
		Code:     r.Code,
		Volatile: r.Locks || r.More || !allCompute(r.Calls),
		Base:     base,
	}
	return nil
}

// named returns the name that a row is about, which no other row may be about.
func (d *decoder) named(kind string, asked []Name, number int) (Name, error) {
	if number < 0 || number >= len(asked) {
		return Name{}, fmt.Errorf("a row for %s %d of %d", kind, number, len(asked))
	}
	about := subject{kind, number}
	if d.seen[about] {
		return Name{}, fmt.Errorf("two rows for %s %d", kind, number)
	}
	d.seen[about] = true
	return asked[number], nil
}

// parseVolatility reads pg_proc.provolatile.
func parseVolatility(text string) (Volatility, error) {
	switch text {
	case "v":
		return Volatile, nil
	case "s":
		return Stable, nil
	case "i":
		return Immutable, nil
	}
	return Volatile, fmt.Errorf("unknown volatility %.20q", text)
}

// decodeNames reads Relation.Base.
func decodeNames(texts []string) ([]Name, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	if len(texts) > maxBase {
		return nil, fmt.Errorf("a view that reads %d relations, more than %d", len(texts), maxBase)
	}
	names := make([]Name, len(texts))
	for i, text := range texts {
		name, err := decodeName(text)
		if err != nil {
			return nil, err
		}
		names[i] = name
	}
	return names, nil
}

// decodeName reads a schema and a name in hexadecimal digits, with a dot between.
func decodeName(text string) (Name, error) {
	before, after, ok := strings.Cut(text, ".")
	schema, err1 := hex.DecodeString(before)
	name, err2 := hex.DecodeString(after)
	if err := errors.Join(err1, err2); !ok || err != nil || len(schema) == 0 || len(name) == 0 {
		return Name{}, fmt.Errorf("no name of a relation: %.80q", text)
	}
	return Name{Schema: string(schema), Name: string(name)}, nil
}
