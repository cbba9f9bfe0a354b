package wire

// BindParam returns a parameter of a Bind, counted from 1, and its format, 0 for text, where it
// stands; nil for NULL. ok is false if there is none.
func BindParam(body []byte, n int) (value []byte, format uint16, ok bool) {
	c := cursor{b: body}
	c.text()
	c.text()
	formats := int(c.uint16())
	if !c.fits(formats, 2) {
		return nil, 0, false
	}
	for i := range formats {
		if f := c.uint16(); formats == 1 || i == n-1 {
			format = f
		}
	}
	if params := int(c.uint16()); n < 1 || n > params || !c.fits(params, 4) {
		return nil, 0, false
	}
	for range n {
		value = c.param()
	}
	return value, format, c.why == nil
}
