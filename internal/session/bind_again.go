package session

import (
	"slices"

	"github.com/pgchorus/pgchorus/internal/wire"
)

// A server forgets the unnamed portal when it is sent a Query, and outside of a block every portal at Sync. The frontend has
// sent neither, where a question of ours comes between its Bind and its Execute. So a Bind that is not executed at once is
// kept, and the node is given it again. A portal that has been executed has a place in its rows, and is not made anew.

// keep has the unnamed portal be bound again where a node has it no more.
func (st *step) keep() {
	if st.portal.name != "" {
		return // it outlives a Query
	}
	kept := *st
	kept.frame = slices.Clone(st.frame)
	st.portal.kept = &kept
}

// bindAgain is called in front of what is asked of a portal. c is what is done for its statement, if that is sent with a column
// of ours.
func (g *segment) bindAgain(l *link, p *portal, c *care) {
	if p.kept == nil || l.unnamed == p.kept {
		return
	}
	if e := hidden(wire.ExpectBind); c != nil {
		g.appendCareBind(l, p.kept, c, e)
	} else {
		g.appendFrontendBind(l, p.kept, e)
	}
}

// noteBound follows which unnamed portal the node has.
func (l *link) noteBound(p *portal) {
	if p.name == "" {
		l.unnamed = p.kept
	}
}
