package copydata

import "strings"

// letters follows a run of letters. One that the piece ends with is kept.
func (w *Watch) letters(data []byte, i int) (int, error) {
	t := w.table()
	end := i
	for end < len(data) && t[data[end]] == letter {
		end++
	}
	if w.joint == i && end > i {
		return end, w.refuse(nil)
	}
	w.wordEnd = end
	switch {
	case w.long || len(w.held)+end-i > maxWord:
		w.letGo()
		w.long = end == len(data)
	case end == len(data):
		w.held = append(w.held, data[i:]...)
	default:
		return end, w.word(data, i, end)
	}
	return end, nil
}

// letGo passes on letters of earlier pieces that are no word.
func (w *Watch) letGo() {
	w.out = append(w.out, w.held...)
	w.drop()
}

// drop forgets letters of earlier pieces, but that they were there.
func (w *Watch) drop() {
	if n := len(w.held); n > 0 {
		w.last = w.held[n-1]
		w.held = w.held[:0]
	}
}

// word looks at a whole run of letters: what is held, and data[i:end]. It ends the data if
// there is nothing behind it.
func (w *Watch) word(data []byte, i, end int) error {
	var letters [maxWord]byte
	n := copy(letters[:], w.held)
	n += copy(letters[n:], data[i:end])
	literal := w.literal(letters[:n])
	switch {
	case literal == "" || w.column != Unclear && w.isPart(data, i, end):
		w.letGo()
		return nil
	case !w.writable || w.odd || !w.isFirst(w.before(data, i)):
		return w.refuse(letters[:n])
	}
	w.replace(data, i, end, literal)
	return nil
}

// literal is what a run of letters stands for; "" if that is itself.
func (w *Watch) literal(letters []byte) string {
	var lower [maxWord]byte
	for i, c := range letters {
		lower[i] = c | 0x20
	}
	literal := w.words.literal(lower[:len(letters)])
	if w.column == Clock && literal != w.words.Now {
		return "" // a time of day knows no other word
	}
	return literal
}

// isPart: the word is a part of what ParseDateTime takes for the name of a month or a time
// zone, or has a sign, and is no word then. The server makes of it what it makes of it.
func (w *Watch) isPart(data []byte, i, end int) bool {
	if end < len(data) && w.table()[data[end]] == other {
		switch data[end] {
		case '-', '/', '.':
			return true
		}
	}
	c := w.before(data, i)
	return c == '-' || c == '+'
}

// isFirst: behind c, the word is the first part of a value. Elsewhere a literal need not be what
// the word is: '12:00 today' is read in another way than '12:00 2026-01-02'.
func (w *Watch) isFirst(c byte) bool {
	switch w.column {
	case Moment, Clock:
		return c == 0
	case Moments:
		return c == 0 || strings.IndexByte(`{[(,"`, c) >= 0
	}
	return false
}

// replace puts a literal in the place of a word, apart from what stands beside it.
func (w *Watch) replace(data []byte, i, end int, literal string) {
	w.copyUpTo(data, i)
	w.done = end
	if w.before(data, i) != 0 {
		w.out = append(w.out, ' ')
	}
	w.out = append(w.out, literal...)
	if end < len(data) && !isBlank(data[end]) && w.table()[data[end]] != delimiter {
		w.out = append(w.out, ' ')
	}
	w.drop()
	if w.column == Clock {
		w.tail = end
	}
}
