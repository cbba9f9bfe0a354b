package parser

// Asks reports whether main has to be asked for values.
func (p *Plan) Asks() bool { return len(p.asked()) > 0 }
