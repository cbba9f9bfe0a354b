package capture

import (
	"strconv"
	"strings"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// shape says which columns are captured and what they are to the replay.
type shape struct {
	columns []*catalog.Column
	key     []int // of columns: by which a row is found
	sets    []int // of columns: what UPDATE and DO UPDATE set
	draws   []*catalog.Column
}

// places are those of the columns with these names; nil if one is not captured.
func (s *shape) places(names []string) []int {
	var places []int
	for _, name := range names {
		at := -1
		for i, c := range s.columns {
			if c.Name == name {
				at = i
			}
		}
		if at < 0 {
			return nil
		}
		places = append(places, at)
	}
	return places
}

// OnMain is the statement's text, sql, with the captured columns as one more column of type
// text behind all others: a composite value, which has every column in the form of its
// type's output function; but for dates and moments where DateStyle is not ISO (iso is false),
// which are in the form of JSON. ok is false if the text cannot be extended.
func (p *Plan) OnMain(sql string, iso bool) (text string, ok bool) {
	return p.extend(sql, record(p.reference(), p.shape.columns, iso)+` AS pgchorus_row`)
}

// HasDigest reports whether there is a text for Digest. There is none where a RETURNING of
// ours would be an error, need rights that the statement does not, or make policies count
// that do not otherwise; nor where the statement returns what each node has of its own, such as
// the number of the transaction.
func (p *Plan) HasDigest() bool {
	if p.target == nil || p.target.Kind == parser.Select || p.table == nil || len(p.table.Columns) == 0 {
		return false
	}
	t := p.table
	return !t.View && !t.Effects.Rules && !t.Effects.RowSecurity && !(p.Returns() && p.st.NodeLocal)
}

// WithDigest is the statement's text with a hash of each row as one more column behind all
// others. The hash is of the row's text: that of a record would be of OIDs too.
func (p *Plan) WithDigest(sql string) (text string, ok bool) {
	columns := make([]*catalog.Column, len(p.table.Columns))
	for i := range p.table.Columns {
		columns[i] = &p.table.Columns[i]
	}
	hash := `pg_catalog.hashtextextended(` + record(p.reference(), columns, true) + ` COLLATE pg_catalog."C", 0) AS pgchorus_hash`
	return p.extend(sql, hash)
}

// Returns reports whether the statement has a RETURNING of its own.
func (p *Plan) Returns() bool { return p.target != nil && p.target.Returning }

func record(of string, columns []*catalog.Column, iso bool) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = of + "." + quoteName(c.Name)
		if !iso && isMoment(c.Type) {
			names[i] = "(pg_catalog.to_json(" + names[i] + ") OPERATOR(pg_catalog.#>>) '{}')"
		}
	}
	return "ROW(" + strings.Join(names, ", ") + ")::pg_catalog.text"
}

// isMoment: to_json gives the value as ISO 8601 says, whatever DateStyle is, and every DateStyle
// reads it so.
func isMoment(typ string) bool {
	switch typ {
	case "date", "timestamp without time zone", "timestamp with time zone":
		return true
	}
	return false
}

// reference is how the statement speaks of its target.
func (p *Plan) reference() string {
	if p.target.Alias != "" {
		return quoteName(p.target.Alias)
	}
	return quoteRelation(p.target.Relation)
}

// relation is the target as INSERT, UPDATE and DELETE name it.
func (p *Plan) relation() string {
	if p.target.Only {
		return "ONLY " + quoteRelation(p.target.Relation)
	}
	return quoteRelation(p.target.Relation)
}

func quoteRelation(r parser.Relation) string {
	if r.Schema == "" {
		return quoteName(r.Name)
	}
	return quoteName(r.Schema) + "." + quoteName(r.Name)
}

func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// placeName is the name of a captured column among the replayed values.
func placeName(place int) string { return `"` + strconv.Itoa(place) + `"` }
