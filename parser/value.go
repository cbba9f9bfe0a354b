package parser

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/pgchorus/pgchorus/internal/pgerr"
)

// Value is the value of a Slot, in PostgreSQL's text format.
type Value struct {
	Text string
	Null bool
	Type string // as main named it; "" where it was not asked
}

// Values returns a value for each of Slots: those that the proxy makes, for the instant
// at (cut to microseconds) and from entropy, which is crypto/rand.Reader but in tests.
// What main has to be asked for is still to come, by Questions and Answer.
func (p *Plan) Values(at time.Time, entropy io.Reader) ([]Value, error) {
	values := make([]Value, len(p.Slots))
	for i := range p.Slots {
		text, err := makeValue(p.Slots[i].Source, at, entropy)
		if err != nil {
			return nil, fmt.Errorf("make a random value: %w", err)
		}
		values[i].Text = text
	}
	return values, nil
}

func makeValue(source Source, at time.Time, entropy io.Reader) (string, error) {
	switch source {
	case FromTime:
		return timeText(at), nil
	case FromUUID, FromUUID7, FromRandom:
		return makeRandom(source, at, entropy)
	}
	return "", nil
}

func makeRandom(source Source, at time.Time, entropy io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(entropy, b[:]); err != nil {
		return "", err
	}
	switch source {
	case FromUUID:
		return uuidText(b, 4), nil
	case FromUUID7:
		var ms [8]byte
		binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
		copy(b[:6], ms[2:])
		return uuidText(b, 7), nil
	}
	const bits = 53 // of a float64's fraction
	number := float64(binary.BigEndian.Uint64(b[:])>>(64-bits)) / (1 << bits)
	return strconv.FormatFloat(number, 'g', -1, 64), nil
}

// uuidText sets version and variant (RFC 9562, 4.1 and 4.2) and writes the UUID down.
func uuidText(b [16]byte, version byte) string {
	b[6] = b[6]&0x0f | version<<4
	b[8] = b[8]&0x3f | 0x80
	digits := hex.EncodeToString(b[:])
	return strings.Join([]string{digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]}, "-")
}

// maxAsked is the number of values that one question asks for. Each takes two columns,
// of which PostgreSQL allows 1,664 (MaxTupleAttributeNumber).
const maxAsked = 500

// asked are the slots that main is asked for.
func (p *Plan) asked() []int {
	var slots []int
	for i := range p.Slots {
		if p.Slots[i].Source == FromMain {
			slots = append(slots, i)
		}
	}
	return slots
}

// Questions returns the queries that main has to be asked before the statement, in the
// session's own transaction; each answers with one row. values are those of Values.
func (p *Plan) Questions(values []Value) []string {
	var questions []string
	asked := p.asked()
	for len(asked) > 0 {
		n := min(len(asked), maxAsked)
		questions = append(questions, p.questionSQL(values, asked[:n]))
		asked = asked[n:]
	}
	return questions
}

// Everywhere reports whether the questions have to be put to all nodes, since answering
// them may have side effects. Only main's answer counts.
func (p *Plan) Everywhere() bool {
	for i := range p.Slots {
		if p.Slots[i].Everywhere {
			return true
		}
	}
	return false
}

// The settings under which values are written as text, so that every session reads them
// alike: 'IST' in a date, for one, need not be the zone that it was written in.
const (
	questionHead = "WITH a AS MATERIALIZED (SELECT "
	questionMid  = "), o AS MATERIALIZED (SELECT s.name, s.value, pg_catalog.current_setting(s.name) AS was " +
		"FROM (VALUES ('datestyle', 'ISO'), ('intervalstyle', 'iso_8601'), ('extra_float_digits', '1'), ('bytea_output', 'hex')) AS s (name, value)), " +
		"q AS MATERIALIZED (SELECT pg_catalog.bool_or(pg_catalog.set_config(o.name, o.value, o.was IS NOT NULL) IS NULL) AS never FROM a CROSS JOIN o), " +
		"t AS MATERIALIZED (SELECT "
	questionTail = ", q.never FROM a CROSS JOIN q) " +
		"SELECT t.*, (SELECT pg_catalog.count(pg_catalog.set_config(o.name, o.was, t.never IS NOT NULL OR o.was IS NOT NULL)) FROM o) FROM t"
	// questionColumns is the number of columns beside those of the values.
	questionColumns = 2
)

// questionSQL asks for the text of each value and for its type. The values are computed
// first, then the settings are changed, the texts made, and the settings put back, all
// of it local to the transaction; what hangs on what keeps the order.
func (p *Plan) questionSQL(values []Value, slots []int) string {
	var list, asks strings.Builder
	for i, slot := range slots {
		if i > 0 {
			list.WriteString(", ")
			asks.WriteString(", ")
		}
		name := "v" + strconv.Itoa(i)
		list.WriteString("CASE WHEN pg_catalog.num_nulls(a." + name + ")::pg_catalog.bool THEN NULL " +
			"ELSE pg_catalog.format(CASE WHEN q.never THEN '' ELSE '%s' END, a." + name + ") END, pg_catalog.pg_typeof(a." + name + ")")
		p.writeAsk(&asks, values, slot)
		asks.WriteString(" AS " + name)
	}
	return questionHead + asks.String() + questionMid + list.String() + questionTail
}

func (p *Plan) writeAsk(b *strings.Builder, values []Value, slot int) {
	writePieces(b, p.Slots[slot].ask, func(slot int) string { return p.constant(values, slot) }, func(b *strings.Builder, slot int) {
		b.WriteString("(" + p.constant(values, slot) + "::" + p.typeName(values, slot) + ")")
	})
}

// pseudoTypes are types of results that no constant can have.
var pseudoTypes = map[string]bool{"record": true, "void": true, "trigger": true, "record[]": true, "unknown": true, "internal": true}

// Answer takes in the row that main has answered the question of that number with: its
// columns in text format, nil for NULL. The error is of the frontend's statement.
func (p *Plan) Answer(values []Value, question int, row [][]byte) error {
	asked := p.asked()
	asked = asked[min(question*maxAsked, len(asked)):]
	asked = asked[:min(maxAsked, len(asked))]
	if len(row) != 2*len(asked)+questionColumns || len(asked) == 0 || len(values) != len(p.Slots) {
		return fmt.Errorf("main answered with %d columns for %d values", len(row), len(asked))
	}
	for i, slot := range asked {
		typ := string(row[2*i+1])
		if pseudoTypes[typ] {
			return pgerr.Newf(pgerr.FeatureNotSupported, "value of type %s cannot be given to all nodes", typ)
		}
		values[slot] = Value{Text: string(row[2*i]), Null: row[2*i] == nil, Type: withoutLength(typ)}
	}
	return nil
}

// withoutLength is the name of a type as pg_typeof writes it, in a form that does not mean
// one character or one bit.
func withoutLength(typ string) string {
	switch base, _, _ := strings.Cut(typ, "["); base {
	case "character":
		return "pg_catalog.bpchar" + typ[len(base):]
	case "bit":
		return "pg_catalog.bit" + typ[len(base):]
	}
	return typ
}
