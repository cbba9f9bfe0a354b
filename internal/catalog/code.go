package catalog

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Code is what is known of the bodies of all functions of one name.
type Code struct {
	Exists bool
	// More: there are more of them than are looked at.
	More   bool
	Bodies []Routine
}

// Routine is one function, procedure or aggregate.
type Routine struct {
	Schema     string
	Volatility Volatility
	Kind       byte // pg_proc.prokind: 'f', 'p', 'a' or 'w'
	Language   string
	Trusted    bool // pg_language.lanpltrusted
	// System: initdb has made it.
	System bool
	// Extension has made it; "" if none has.
	Extension string
	// Source is its text; "" for one that is too long, with Long set, and for what has
	// none that could be read.
	Source string
	Long   bool
	// Support are the functions that an aggregate calls.
	Support []Name
}

// Surroundings is what happens besides when rows of a relation are changed, for all
// relations of one name, their partitions and the tables that inherit from them.
type Surroundings struct {
	Exists   bool
	More     bool // there was more than the bounds allow
	Foreign  bool // a foreign table
	View     bool
	Unlogged bool
	// Deferrable: a unique key that is not checked at once.
	Deferrable bool
	// Related: it has partitions, children or parents.
	Related  bool
	Triggers []Trigger
	// Cascades are the foreign keys that change rows of other tables along with those of it.
	Cascades []Cascade
	Texts    []Text
}

// Cascade is a foreign key that points to a relation and has an action besides refusing.
type Cascade struct {
	// Relation is the table that refers to it.
	Relation Name
	// Deletes and Updates are the bits of the triggers that fire there when a row that is referred to
	// is deleted, or its key is changed; 0 if nothing is done then.
	Deletes, Updates int
}

// Trigger is one that is enabled and not PostgreSQL's own.
type Trigger struct {
	Name     string
	Function Name
	// Type is pg_trigger.tgtype: bits ROW 1, BEFORE 2, INSERT 4, DELETE 8, UPDATE 16,
	// TRUNCATE 32, INSTEAD OF 64 (catalog/pg_trigger.h).
	Type int
	// Deferrable: it may fire at COMMIT.
	Deferrable bool
}

// The bits of Trigger.Type.
const (
	TriggerRow      = 1
	TriggerBefore   = 2
	TriggerInsert   = 4
	TriggerDelete   = 8
	TriggerUpdate   = 16
	TriggerTruncate = 32
	TriggerInstead  = 64
)

// TextKind says what a Text is.
type TextKind string

// The kinds of texts.
const (
	DefaultText   TextKind = "default"   // of a column; nextval() for an identity column
	DomainText    TextKind = "domain"    // that of a column's type
	GeneratedText TextKind = "generated" // of a stored generated column
	CheckText     TextKind = "check"
	PolicyText    TextKind = "policy"
	RuleText      TextKind = "rule"
	ViewText      TextKind = "view"
	// ReferenceText is the default of a column that refers to the relation and gets it
	// when the row that it refers to goes (SET DEFAULT).
	ReferenceText TextKind = "reference"
)

// Text is SQL that PostgreSQL runs by itself.
type Text struct {
	Kind   TextKind
	Column string // of defaults and generated columns
	Text   string
}

// CodeQuestion is a set of names whose code and surroundings are to be known.
type CodeQuestion struct {
	Functions, Relations []Name
}

// Empty reports whether there is nothing to ask.
func (q CodeQuestion) Empty() bool { return len(q.Functions)+len(q.Relations) == 0 }

// SQL is as Question.SQL.
func (q CodeQuestion) SQL() string {
	var parts []string
	if len(q.Functions) > 0 {
		parts = append(parts, withNames(codeSQL, q.Functions))
	}
	if len(q.Relations) > 0 {
		parts = append(parts, withNames(surroundingsSQL, q.Relations))
	}
	return strings.Join(parts, "\nUNION ALL\n")
}

// CodeAnswer is what a CodeQuestion was answered with.
type CodeAnswer struct {
	code         map[Name]*Code
	surroundings map[Name]*Surroundings
}

// Code returns what was answered; false if it was not asked for.
func (a CodeAnswer) Code(n Name) (*Code, bool) {
	c, ok := a.code[n]
	return c, ok
}

// Surroundings returns what was answered; false if it was not asked for.
func (a CodeAnswer) Surroundings(n Name) (*Surroundings, bool) {
	r, ok := a.surroundings[n]
	return r, ok
}

// Merge adds what another answer has.
func (a *CodeAnswer) Merge(other CodeAnswer) {
	if a.code == nil {
		a.code, a.surroundings = map[Name]*Code{}, map[Name]*Surroundings{}
	}
	for n, c := range other.code {
		a.code[n] = c
	}
	for n, r := range other.surroundings {
		a.surroundings[n] = r
	}
}

// codeRow is what codeSQL and surroundingsSQL make. Names and texts are in hexadecimal
// digits.
type codeRow struct {
	Code    *int         `json:"code"`
	More    bool         `json:"more"`
	Bodies  []routineRow `json:"bodies"`
	About   *int         `json:"about"`
	Foreign bool         `json:"foreign"`
	View    bool         `json:"view"`
	Loose   bool         `json:"unlogged"`
	Late    bool         `json:"deferrable"`

	Related  bool         `json:"related"`
	Triggers []triggerRow `json:"triggers"`
	Cascades []cascadeRow `json:"cascades"`
	Texts    []textRow    `json:"texts"`
}

type routineRow struct {
	Schema     string   `json:"schema"`
	Volatility string   `json:"volatility"`
	Kind       string   `json:"kind"`
	Language   string   `json:"language"`
	Trusted    bool     `json:"trusted"`
	System     bool     `json:"system"`
	Extension  string   `json:"extension"`
	Source     string   `json:"source"`
	Long       bool     `json:"long"`
	Support    []string `json:"support"`
}

type triggerRow struct {
	Name       string `json:"name"`
	Function   string `json:"function"`
	Type       int    `json:"type"`
	Deferrable bool   `json:"deferrable"`
}

type cascadeRow struct {
	Relation string `json:"relation"`
	Delete   string `json:"delete"`
	Update   string `json:"update"`
}

type textRow struct {
	Kind   string `json:"kind"`
	Column string `json:"column"`
	Text   string `json:"text"`
}

// Decode reads the rows that q.SQL brought, the text of their only column.
func (q CodeQuestion) Decode(rows []string) (CodeAnswer, error) {
	a := CodeAnswer{make(map[Name]*Code, len(q.Functions)), make(map[Name]*Surroundings, len(q.Relations))}
	for _, n := range q.Functions {
		a.code[n] = &Code{}
	}
	for _, n := range q.Relations {
		a.surroundings[n] = &Surroundings{}
	}
	if len(rows) > len(q.Functions)+len(q.Relations) {
		return CodeAnswer{}, fmt.Errorf("catalogue code: %d rows for %d names", len(rows), len(q.Functions)+len(q.Relations))
	}
	for _, text := range rows {
		if err := q.decodeRow(a, text); err != nil {
			return CodeAnswer{}, fmt.Errorf("catalogue code: %w", err)
		}
	}
	return a, nil
}

func (q CodeQuestion) decodeRow(a CodeAnswer, text string) error {
	var r codeRow
	if len(text) > maxCodeRow {
		return fmt.Errorf("a row of %d bytes, more than %d", len(text), maxCodeRow)
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return err
	}
	switch {
	case r.Code != nil && *r.Code >= 0 && *r.Code < len(q.Functions):
		c, err := r.decodeCode()
		a.code[q.Functions[*r.Code]] = c
		return err
	case r.About != nil && *r.About >= 0 && *r.About < len(q.Relations):
		s, err := r.decodeSurroundings()
		a.surroundings[q.Relations[*r.About]] = s
		return err
	}
	return fmt.Errorf("a row is of none of the names")
}

func (r *codeRow) decodeCode() (*Code, error) {
	c := &Code{Exists: true, More: r.More}
	for i := range r.Bodies {
		routine, err := r.Bodies[i].decode()
		if err != nil {
			return nil, err
		}
		c.Bodies = append(c.Bodies, routine)
	}
	return c, nil
}

func (r *routineRow) decode() (Routine, error) {
	texts, err := unhexAll([]string{r.Schema, r.Language, r.Extension, r.Source})
	if err != nil {
		return Routine{}, err
	}
	volatility, err := parseVolatility(r.Volatility)
	if err != nil {
		return Routine{}, err
	}
	support, err := decodeNames(r.Support)
	if err != nil {
		return Routine{}, err
	}
	out := Routine{
		Schema: texts[0], Volatility: volatility, Language: texts[1], Trusted: r.Trusted, System: r.System, Extension: texts[2],
		Source: bodyOf(texts[3]), Long: r.Long, Support: support,
	}
	if len(r.Kind) > 0 {
		out.Kind = r.Kind[0]
	}
	return out, nil
}

// bodyOf cuts the head off what pg_get_functiondef has written, which is asked for where
// the body is not kept as text (BEGIN ATOMIC, RETURN).
func bodyOf(source string) string {
	const head = "CREATE OR REPLACE "
	if !strings.HasPrefix(source, head) {
		return source
	}
	if at := strings.Index(source, "\nBEGIN ATOMIC"); at >= 0 {
		return source[at:]
	}
	if at := strings.Index(source, "\nRETURN "); at >= 0 {
		return source[at:]
	}
	return source
}

func (r *codeRow) decodeSurroundings() (*Surroundings, error) {
	s := &Surroundings{Exists: true, More: r.More, Foreign: r.Foreign, View: r.View, Unlogged: r.Loose, Deferrable: r.Late, Related: r.Related}
	for _, t := range r.Triggers {
		name, err := unhex(t.Name)
		if err != nil {
			return nil, err
		}
		function, err := decodeName(t.Function)
		if err != nil {
			return nil, err
		}
		s.Triggers = append(s.Triggers, Trigger{Name: name, Function: function, Type: t.Type, Deferrable: t.Deferrable})
	}
	for _, k := range r.Cascades {
		relation, err := decodeName(k.Relation)
		if err != nil {
			return nil, err
		}
		s.Cascades = append(s.Cascades, Cascade{relation, firedBy(k.Delete, TriggerDelete), firedBy(k.Update, TriggerUpdate)})
	}
	for _, t := range r.Texts {
		texts, err := unhexAll([]string{t.Column, t.Text})
		if err != nil {
			return nil, err
		}
		s.Texts = append(s.Texts, Text{Kind: TextKind(t.Kind), Column: texts[0], Text: texts[1]})
	}
	return s, nil
}

// firedBy are the bits of the triggers that an action of a foreign key fires (pg_constraint.confdeltype,
// confupdtype). cascade is what CASCADE does.
func firedBy(action string, cascade int) int {
	switch action {
	case "c":
		return cascade
	case "n", "d":
		return TriggerUpdate
	}
	return 0
}
