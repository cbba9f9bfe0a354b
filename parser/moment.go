package parser

// asksTime reports whether what was walked through asks for the current time.
func (w *walker) asksTime() bool {
	if len(w.sites) > 0 {
		return true
	}
	for _, f := range w.st.Functions {
		if f.Class == Clock {
			return true
		}
	}
	return false
}

// NamesMoment reports whether a text has a word in it that date_in and its relatives read
// as the current time or day, so that what it means hangs on when it is read.
func NamesMoment(text string) bool { return isMagic(text) }
