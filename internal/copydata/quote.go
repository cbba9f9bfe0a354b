package copydata

// quote is one of CSV's. Within quotes it ends them, or is the first of two that stand for one.
func (w *Watch) quote(data []byte, i int) (int, error) {
	if w.column != Free && (w.wordEnd == i || w.joint == i) {
		w.joint = i + 1
	}
	switch {
	case !w.quoted:
		w.quoted = true
		if w.column == Free {
			break
		}
		if w.before(data, i) == 0 {
			w.start = i + 1
		} else {
			w.odd = true
		}
	case w.format.Quote == w.format.Escape:
		w.after = afterQuote
		return w.settle(data, i+1)
	default:
		w.unquote()
	}
	return i + 1, nil
}

func (w *Watch) unquote() { w.quoted, w.odd = false, true }

// settle deals with the character behind an escape or what is like one, if there is such.
func (w *Watch) settle(data []byte, i int) (int, error) {
	after := w.after
	if after == nothing || i == len(data) {
		return i, nil
	}
	w.after = nothing
	c := data[i]
	switch {
	case after == afterLead:
		return i + 1, nil
	case after == afterQuote:
		if c == w.format.Quote {
			w.joint = nowhere
			return i + 1, nil
		}
		w.unquote()
	case w.format.CSV:
		if c == w.format.Quote || c == w.format.Escape {
			return i + 1, nil
		}
	default:
		return i + 1, w.escaped(data, i)
	}
	return i, nil
}

// escaped is a character behind a backslash in text format. One that stands for a letter, or
// is a number of one, nobody writes in a field with a time, so it is not decoded.
func (w *Watch) escaped(data []byte, i int) error {
	c := data[i]
	if w.column == Free {
		return nil
	}
	switch {
	case c == 'N' && w.lone: // NULL
		w.tail = i + 1
	case c == 'b', c == 'f', c == 'n', c == 'r', c == 't', c == 'v':
	case isLetter(c), c >= '0' && c <= '7':
		return w.refuse(nil)
	}
	return nil
}
