package copydata

import "strings"

// Column is what the words of the time are in a column.
type Column uint8

const (
	// Free: any text is read the same on all nodes.
	Free Column = iota
	// Moment: a date or timestamp.
	Moment
	// Moments: an array or range of such.
	Moments
	// Clock: a time of day, which knows the word now only.
	Clock
	// Unclear: a word may stand for a moment, or be a part of a text.
	Unclear
)

// Format is how the data is written; see COPY in the PostgreSQL manual.
type Format struct {
	CSV bool
	// Header: the first line has the names of the columns.
	Header bool
	// Delimiter, Quote and Escape: the latter two of CSV only.
	Delimiter, Quote, Escape byte
	// Encoding is the name of the data's encoding, as client_encoding has it.
	Encoding string
	// Ambiguous: a field that is one of the words may be something else, since the NULL or
	// DEFAULT string of the COPY has one in it.
	Ambiguous bool
}

// Words are the literals that are put in the place of words: a timestamp with date, time and
// offset from UTC in ISO form, and dates.
type Words struct {
	Now, Today, Tomorrow, Yesterday string
}

// literal is what a word stands for; "" if it is none. Letters have to be lower case.
func (w *Words) literal(word []byte) string {
	switch string(word) {
	case "now":
		return w.Now
	case "today":
		return w.Today
	case "tomorrow":
		return w.Tomorrow
	case "yesterday":
		return w.Yesterday
	}
	return ""
}

// maxWord is the length of the longest word.
const maxWord = len("yesterday")

// inLiterals are the characters that literals are made of.
const inLiterals = "0123456789-:.+ "

// writable reports whether a literal may stand in a field as it is.
func (f *Format) writable() bool {
	has := func(c byte) bool { return strings.IndexByte(inLiterals, c) >= 0 }
	return !f.Ambiguous && !has(f.Delimiter) && !(f.CSV && (has(f.Quote) || has(f.Escape)))
}

// class is what a byte means.
type class uint8

const (
	other     class = iota // nothing
	letter                 // of what may be a word
	delimiter              // between two fields
	lineEnd                // carriage return or line feed
	quote
	escape
	lead      // the first byte of two in an encoding that has ASCII among the second ones
	innerLine // a line end within quotes
)

type table [256]class

// tables are those of a format: whether outside or inside of quotes, and whether letters
// matter.
type tables [2][2]table

func (f *Format) tables() *tables {
	var t tables
	for watched := range 2 {
		outside, inside := &t[0][watched], &t[1][watched]
		f.common(outside, watched == 1)
		f.common(inside, watched == 1)
		inside['\n'] = innerLine
		outside['\n'], outside['\r'] = lineEnd, lineEnd
		outside[f.Delimiter] = delimiter
		if !f.CSV {
			outside['\\'] = escape
			continue
		}
		outside[f.Quote] = quote
		inside[f.Escape] = escape
		inside[f.Quote] = quote
	}
	return &t
}

// common is what does not hang on quotes.
func (f *Format) common(t *table, letters bool) {
	lo, hi := f.leads()
	for c := range t {
		switch b := byte(c); {
		case letters && isLetter(b):
			t[c] = letter
		case b >= lo && b <= hi && !f.isSingle(b):
			t[c] = lead
		}
	}
}

// leads are the first bytes of characters whose second byte may look like ASCII, for the
// encodings that are for clients only because of that (the manual's chapter 24.3.1). None have
// lo > hi.
func (f *Format) leads() (lo, hi byte) {
	switch strings.ToUpper(strings.NewReplacer("_", "", "-", "", " ", "").Replace(f.Encoding)) {
	case "SJIS", "MSKANJI", "SHIFTJIS", "WIN932", "WINDOWS932", "SHIFTJIS2004", "BIG5", "WIN950", "WINDOWS950",
		"GBK", "WIN936", "WINDOWS936", "GB18030", "UHC", "WIN949", "WINDOWS949", "JOHAB":
		return 0x80, 0xFF
	}
	return 1, 0
}

// isSingle: half-width katakana of Shift JIS, characters of one byte.
func (f *Format) isSingle(b byte) bool {
	name := strings.ToUpper(f.Encoding)
	return b >= 0xA1 && b <= 0xDF && (strings.Contains(name, "JIS") || strings.Contains(name, "932") || strings.Contains(name, "KANJI"))
}

func isLetter(c byte) bool { c |= 0x20; return c >= 'a' && c <= 'z' }

// isBlank: what isspace of C says.
func isBlank(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
