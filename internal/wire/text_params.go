package wire

// TextParams calls look with each parameter of a Bind that is given as text, until look
// returns false. What is malformed, which others refuse, ends it too. It allocates nothing.
func TextParams(body []byte, look func(i int, value []byte) bool) {
	c := cursor{b: body}
	c.text() // portal
	c.text() // statement
	count := int(c.uint16())
	if !c.fits(count, 2) {
		return
	}
	formats := c.bytes(2 * count)
	params := int(c.uint16())
	for i := 0; i < params && c.why == nil; i++ {
		value := c.param()
		if c.why == nil && value != nil && isText(formats, i) && !look(i, value) {
			return
		}
	}
}

// isText goes by the format codes of Bind: none given means text for all, one given means
// that one for all (protocol chapter 55.7, Bind).
func isText(formats []byte, i int) bool {
	switch len(formats) {
	case 0:
		return true
	case 2:
		i = 0
	}
	return 2*i+1 < len(formats) && formats[2*i] == 0 && formats[2*i+1] == 0
}
