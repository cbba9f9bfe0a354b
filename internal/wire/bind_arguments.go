package wire

// TextResults reports whether all columns of the result are asked for as text.
func (m BindMessage) TextResults() bool {
	for _, b := range m.results[min(2, len(m.results)):] {
		if b != 0 {
			return false
		}
	}
	return true
}

// Arguments is what follows the names in the body of the Bind that m was decoded from: the
// parameters with their formats, and the formats of the result.
func (m BindMessage) Arguments(body []byte) []byte {
	return body[len(m.Portal)+1+len(m.Statement)+1:]
}
