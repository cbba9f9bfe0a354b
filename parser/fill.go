package parser

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxParams is the number of parameters that Bind can carry (protocol chapter 55.7).
const maxParams = 65535

// Filled is the text of a statement with values put in.
type Filled struct {
	SQL string
	// Slots is the number of the slot whose value each added parameter has, in the
	// order of the parameters; nil for Splice.
	Slots []int

	from  string // the statement as it was
	spans []span
}

// span is a replacement that was made.
type span struct {
	start, end     int // bytes in the text as it was
	newStart, grew int // in SQL; the bytes that are in place of them
}

// Splice returns the statement with values in place, one for each of Slots, as constants.
// Apart from the places it is the same byte for byte.
func (p *Plan) Splice(values []Value) Filled {
	return p.fill(func(slot int) string { return p.constant(values, slot) }, func(b *strings.Builder, slot int) {
		b.WriteByte('(')
		b.WriteString(p.constant(values, slot))
		b.WriteString("::")
		b.WriteString(p.typeName(values, slot))
		b.WriteByte(')')
	})
}

// Params returns the statement with parameters in place: $first and those after it, in
// text format, have the values of Filled.Slots. first is one more than the number of
// parameters that the frontend knows of. ok is false if Bind could not carry them.
func (p *Plan) Params(first int) (filled Filled, ok bool) {
	numbers := make([]int, len(p.Slots)) // of the parameter; 0 for none yet
	var slots []int
	param := func(slot int) string {
		if numbers[slot] == 0 {
			numbers[slot] = first + len(slots)
			slots = append(slots, slot)
		}
		return "$" + strconv.Itoa(numbers[slot])
	}
	filled = p.fill(param, func(b *strings.Builder, slot int) {
		b.WriteByte('(')
		b.WriteString(param(slot))
		b.WriteString("::")
		b.WriteString(p.Slots[slot].Type)
		b.WriteByte(')')
	})
	filled.Slots = slots
	return filled, first-1+len(slots) <= maxParams
}

// fill makes the edits. instant gives the text of the time, to be given a type; value
// writes another value with its type.
func (p *Plan) fill(instant func(slot int) string, value func(b *strings.Builder, slot int)) Filled {
	f := Filled{from: p.sql, spans: make([]span, len(p.edits))}
	var b strings.Builder
	b.Grow(len(p.sql) + 80*len(p.edits))
	done := 0
	for i, e := range p.edits {
		b.WriteString(p.sql[done:e.start])
		start := b.Len()
		writeEdit(&b, e, instant, value)
		done = e.end
		if e.column != "" && done < len(p.sql) && isWord(p.sql[done]) {
			b.WriteByte(' ') // now()FROM is right, nowFROM is not
		}
		f.spans[i] = span{start: e.start, end: e.end, newStart: start, grew: b.Len() - start}
	}
	b.WriteString(p.sql[done:])
	f.SQL = b.String()
	return f
}

// writeEdit writes what stands in place of an edit: a bracketed expression, which may stand
// wherever a call may except in FROM. A call that names a column is given that name: by AS
// behind it or, where more of the expression follows, as the column of a sub-select, which
// lends its name as a function does.
func writeEdit(b *strings.Builder, e edit, instant func(slot int) string, value func(b *strings.Builder, slot int)) {
	if e.nested && e.column != "" {
		b.WriteString("(SELECT ")
	}
	writePieces(b, e.pieces, instant, value)
	if e.column != "" {
		b.WriteString(" AS ")
		b.WriteString(quotedName(e.column))
	}
	if e.nested && e.column != "" {
		b.WriteByte(')')
	}
}

func writePieces(b *strings.Builder, pieces []piece, instant func(slot int) string, value func(b *strings.Builder, slot int)) {
	for _, p := range pieces {
		switch {
		case p.time != nil:
			writeInstant(b, *p.time, instant(p.slot))
		case p.slot != noSlot:
			value(b, p.slot)
		default:
			b.WriteString(p.text)
		}
	}
}

// constant is the value of a slot as a constant without a type.
func (p *Plan) constant(values []Value, slot int) string {
	if slot >= len(values) || values[slot].Null {
		return "NULL"
	}
	return quoted(values[slot].Text)
}

// typeName is the type of a slot's value: what main said it is, or what was known.
func (p *Plan) typeName(values []Value, slot int) string {
	if slot < len(values) && values[slot].Type != "" {
		return values[slot].Type
	}
	if p.Slots[slot].Type == "" {
		return "pg_catalog.text" // main was not asked
	}
	return p.Slots[slot].Type
}

// quoted is text as a string constant, whatever standard_conforming_strings says.
func quoted(text string) string {
	text = strings.ReplaceAll(text, "'", "''")
	if strings.IndexByte(text, '\\') < 0 {
		return "'" + text + "'"
	}
	return "E'" + strings.ReplaceAll(text, `\`, `\\`) + "'"
}

// quotedName is a name in quotes, unless it is plainly none that needs them.
func quotedName(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// Position leads a position in SQL, in characters from 1 as PostgreSQL counts, back to
// the text as it was. One within a replacement is led to where that begins.
func (f Filled) Position(position int) int {
	offset := byteOffset(f.SQL, position-1)
	moved := offset
	for _, s := range f.spans {
		if offset < s.newStart {
			break
		}
		if offset < s.newStart+s.grew {
			moved = s.start
			break
		}
		moved = offset - (s.newStart + s.grew) + s.end
	}
	moved = max(0, min(moved, len(f.from)))
	return utf8.RuneCountInString(f.from[:moved]) + 1
}

// WithParameters is SQL with parameters in the place of literals that the statement had, too: $1 and those
// after it. None of them is in what was replaced.
func (f Filled) WithParameters(literals []Literal) string {
	moved := make([]Literal, len(literals))
	grew, next := 0, 0
	for i, l := range literals {
		for ; next < len(f.spans) && f.spans[next].end <= l.Start; next++ {
			s := f.spans[next]
			grew += s.grew - (s.end - s.start)
		}
		moved[i] = Literal{l.Start + grew, l.End + grew}
	}
	return WithParameters(f.SQL, moved)
}

// ASCII reports whether all that was put in is ASCII. Else it is UTF-8, and wrong for a
// frontend with another client_encoding.
func (f Filled) ASCII() bool {
	for _, s := range f.spans {
		added := f.SQL[s.newStart : s.newStart+s.grew]
		if len(added) != utf8.RuneCountInString(added) {
			return false
		}
	}
	return true
}

// byteOffset is where the character of that number, from 0, begins.
func byteOffset(text string, character int) int {
	for i := range text {
		if character <= 0 {
			return i
		}
		character--
	}
	return len(text) + max(character, 0)
}

// timeText is an instant as PostgreSQL reads it whatever DateStyle is, in microseconds.
func timeText(at time.Time) string {
	return at.UTC().Format("2006-01-02 15:04:05.000000") + "+00"
}
