package wire

// Arguments are what follows the names in the body of a Bind: parameters with their formats,
// and the formats of the result. They were looked through, and stay where they are.
type Arguments struct {
	// All is all of it, undecoded.
	All []byte
	// Len is how many parameters there are.
	Len     int
	values  []byte
	results []byte
}

// BindArguments looks through a Bind as DecodeBind does, and keeps nothing.
func BindArguments(body []byte) (Arguments, error) {
	c := cursor{b: body}
	c.text()
	c.text()
	a := Arguments{All: c.b}
	if formats := int(c.uint16()); c.fits(formats, 2) {
		c.bytes(2 * formats)
	}
	a.Len = int(c.uint16())
	a.values = c.b
	if c.fits(a.Len, 4) {
		for range a.Len {
			c.param()
		}
	}
	if results := int(c.uint16()); c.fits(results, 2) {
		a.results = c.b
		c.bytes(2 * results)
	}
	return a, c.done()
}

// TextResults reports whether the Bind asks for every column in text format.
func (a *Arguments) TextResults() bool {
	for _, b := range a.results {
		if b != 0 {
			return false
		}
	}
	return true
}

// Any reports whether is holds for a parameter; NULL is nil.
func (a *Arguments) Any(is func(value []byte) bool) bool {
	c := cursor{b: a.values}
	for range a.Len {
		if is(c.param()) {
			return true
		}
	}
	return false
}
