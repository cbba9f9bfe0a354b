package copydata

import (
	"bytes"
	"fmt"
)

// Watch follows the data of one COPY. It is not safe for concurrent use.
type Watch struct {
	columns  []Column
	words    Words
	tables   *tables
	format   Format
	writable bool

	// Where the data stands, all counted from 0.
	line   int64
	field  int
	column Column // that of the field
	quoted bool   // within quotes
	after  pending
	cr     bool // behind a carriage return that has ended a line

	// Of the field at hand. Positions are of the piece at hand, and nowhere if they are in an
	// earlier one.
	start   int  // where its text begins
	wordEnd int  // where the last run of letters has ended
	joint   int  // behind quotes that follow a letter at once
	tail    int  // from where on there may be blanks only
	last    byte // what it had last in earlier pieces, blanks not counted; 0 for nothing
	odd     bool // it has quotes within
	lone    bool // nothing is in front of the last escape

	held []byte // letters that a piece has ended with, and that may become a word
	long bool   // a piece has ended in letters that are too many for one

	out  []byte // what is passed on instead of the piece at hand
	done int    // how much of that is in out
}

// pending is a character that a piece has ended with, and that hangs on the next one.
type pending uint8

const (
	nothing pending = iota
	afterEscape
	afterQuote // within quotes, where two stand for one
	afterLead
)

// nowhere is no position.
const nowhere = -1

// New makes a Watch for data that has these columns in this order.
func New(f Format, columns []Column, words Words) *Watch {
	w := &Watch{columns: columns, words: words, tables: f.tables(), format: f, writable: f.writable()}
	w.begin(0)
	return w
}

// Refusal is a word that cannot be replaced.
type Refusal struct {
	// Line and Field are where it is, counted from 1.
	Line  int64
	Field int
	// Word is the word; "" if it is not known, as it is written with escapes or quotes within.
	Word string
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("line %d, field %d: %q stands for the time", r.Line, r.Field, r.Word)
}

func (w *Watch) refuse(word []byte) error {
	return &Refusal{Line: w.line + 1, Field: w.field + 1, Word: string(word)}
}

// Pass follows the next piece of the data. changed: it is to be passed on as out, which may be
// empty and is valid until the next call; else as it is. Letters at its end may be kept for the
// next call. The error is a *Refusal.
func (w *Watch) Pass(data []byte) (out []byte, changed bool, err error) {
	if len(data) == 0 {
		return nil, false, nil
	}
	w.out, w.done, w.wordEnd = w.out[:0], 0, nowhere
	changed = len(w.held) > 0
	i, err := w.resume(data)
	for err == nil && i < len(data) {
		i, err = w.next(data, i)
	}
	if err == nil {
		err = w.leave(data)
	}
	if err != nil || !changed && w.done == 0 && len(w.held) == 0 {
		return nil, false, err
	}
	w.copyUpTo(data, len(data)-w.heldOf(data))
	return w.out, true, nil
}

// Finish is the end of the data. out is what remains to be passed on.
func (w *Watch) Finish() (out []byte, err error) {
	w.out, w.done = w.out[:0], 0
	if len(w.held) > 0 {
		err = w.word(nil, 0, 0)
	}
	return w.out, err
}

// resume takes up what the piece before has left open.
func (w *Watch) resume(data []byte) (int, error) {
	if len(w.held) > 0 || w.long {
		return w.letters(data, 0)
	}
	return w.settle(data, 0)
}

// next deals with the next byte that matters, and what belongs to it.
func (w *Watch) next(data []byte, i int) (int, error) {
	t := w.table()
	for ; i < len(data); i++ {
		c := t[data[i]]
		if c == delimiter && w.column == Free && w.columnAt(w.field+1) == Free {
			w.field++
		} else if c != other {
			break
		}
	}
	if i == len(data) {
		return i, nil
	}
	switch t[data[i]] {
	case letter:
		return w.letters(data, i)
	case delimiter:
		return i + 1, w.nextField(data, i)
	case lineEnd:
		return i + 1, w.nextLine(data, i)
	case quote:
		return w.quote(data, i)
	case innerLine:
		w.line++
		return i + 1, nil
	case escape:
		w.after, w.lone = afterEscape, w.before(data, i) == 0
	case lead:
		w.after = afterLead
	}
	return w.settle(data, i+1)
}

func (w *Watch) table() *table {
	t := &w.tables[0]
	if w.quoted {
		t = &w.tables[1]
	}
	if w.column == Free {
		return &t[0]
	}
	return &t[1]
}

// begin is the begin of a field.
func (w *Watch) begin(at int) {
	w.column = w.columnAt(w.field)
	w.start, w.wordEnd, w.joint, w.tail, w.last, w.odd = at, nowhere, nowhere, nowhere, 0, false
}

// columnAt is the column of a field of the line at hand.
func (w *Watch) columnAt(field int) Column {
	if field >= len(w.columns) || w.format.Header && w.line == 0 {
		return Free
	}
	return w.columns[field]
}

func (w *Watch) nextField(data []byte, i int) error {
	err := w.checkTail(data, i)
	w.field++
	w.begin(i + 1)
	return err
}

// nextLine takes a carriage return with a line feed behind it for one end.
func (w *Watch) nextLine(data []byte, i int) error {
	err := w.checkTail(data, i)
	if !w.cr || data[i] != '\n' || w.field > 0 || w.start != i {
		w.line++
	}
	w.cr = data[i] == '\r'
	w.field = 0
	w.begin(i + 1)
	return err
}

// leave makes what is known of the field independent of the piece at hand.
func (w *Watch) leave(data []byte) error {
	if w.tail >= 0 {
		if err := w.checkTail(data, len(data)); err != nil {
			return err
		}
		w.tail = 0
	}
	if w.joint >= 0 {
		w.joint -= len(data) // 0 if it is right behind the piece
	}
	if w.start == len(data) {
		w.start = 0
		return nil
	}
	if w.column != Free {
		w.last = w.before(data, len(data)-w.heldOf(data))
	}
	w.start = nowhere
	return nil
}

// before is what the field has in front of i, blanks not counted; 0 for nothing.
func (w *Watch) before(data []byte, i int) byte {
	for i--; i >= max(w.start, 0); i-- {
		if !isBlank(data[i]) {
			return data[i]
		}
	}
	if w.start == nowhere {
		return w.last
	}
	return 0
}

// checkTail refuses what stands behind something that is all that a field may have.
func (w *Watch) checkTail(data []byte, end int) error {
	if w.tail == nowhere || w.tail >= end {
		return nil
	}
	nothing := func(r rune) bool { return r < 0x80 && (isBlank(byte(r)) || w.format.CSV && byte(r) == w.format.Quote) }
	if len(bytes.TrimFunc(data[w.tail:end], nothing)) > 0 {
		return w.refuse(nil)
	}
	return nil
}

// heldOf is how many of the letters that are held are of this piece.
func (w *Watch) heldOf(data []byte) int { return min(len(w.held), len(data)) }

// copyUpTo puts the piece at hand, as far as it was not yet, into out.
func (w *Watch) copyUpTo(data []byte, end int) {
	if end > w.done {
		w.out = append(w.out, data[w.done:end]...)
		w.done = end
	}
}
