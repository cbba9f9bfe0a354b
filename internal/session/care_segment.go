package session

import (
	"slices"

	"github.com/pgchorus/pgchorus/internal/capture"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// names of our own on a node; closed again at once, so that nobody sees them.
const (
	careStatement   = "pgchorus_care"
	replayStatement = "pgchorus_replay"
)

// careForBind is what is done for the execution of a prepared statement.
func (s *Session) careForBind(bound *portal, frame wire.Frame) *care {
	if !bound.target.all || !s.replicates() {
		return nil
	}
	p := bound.prepared
	bound.times = timesIn(frame)
	return s.careFor(p.stmt, p.text, p.sent, len(p.unlike)+len(bound.times) > 0)
}

// limit is told that an Execute asks for a part of the rows only. All of them have to be
// known for others to be given them, so the tables are locked instead; it is an error if
// the statement was bound for the other way already.
func (s *Session) limitCare(p *portal) error {
	c := p.care
	switch {
	case c != nil && c.elsewhere != nil && isWhole(p.prepared.stmt):
		return nil
	case c != nil && c.elsewhere != nil && c.givesRows() && c.main == nil:
		const why = "a part of the rows was asked for of a statement that sets off code"
		if refused := s.refusedByStrict(p.prepared.stmt, why, "Execute it without a limit"); refused != nil {
			return refused.refusal
		}
		*c = care{plan: c.plan.Alone(), elsewhere: c.elsewhere}
		s.warnText("nodes may compute a value differently", why)
		return nil
	case c == nil || c.text == "" && c.elsewhere == nil || !c.plan.Returns() || c.plan.LocksRows():
		return nil
	case c.main != nil:
		return pgerr.New(pgerr.FeatureNotSupported, "a part of the rows of a statement that changes rows was asked for").
			WithHint("Send Bind and Execute together, or Execute without a limit.")
	}
	locks := s.careOf(c.plan.Locked(), p.prepared.sent)
	*c = care{plan: locks.plan, locks: locks.locks}
	return nil
}

// onlyBinds reports whether the work at hand executes nothing.
func (s *Session) onlyBinds() bool {
	g, is := s.work.(*segment)
	return is && !g.has(wire.KindExecute)
}

// isWhole reports whether a statement has no rows of which a part could be asked for, or one.
func isWhole(stmt *parser.Statement) bool {
	switch stmt.Kind {
	case parser.Insert, parser.Update, parser.Delete, parser.Merge:
		return !stmt.Returning
	}
	return stmt.Kind == parser.Do || stmt.Kind == parser.Call
}

// limitBound locks the tables of what is bound and not executed at once: it may be a part of
// the rows that is asked for then. Questions of ours may come in between.
func (g *segment) limitBound() error {
	for i := range g.steps {
		st := &g.steps[i]
		if st.kind != wire.KindBind || g.executes(st.portal) {
			continue
		}
		if err := g.s.limitCare(st.portal); err != nil {
			return err
		}
		if c := st.portal.care; c != nil && c.elsewhere != nil {
			c.elsewhere.before = nil // main is asked in front of its Execute: others may write in between
		}
		st.keep()
	}
	return nil
}

func (g *segment) executes(p *portal) bool {
	return slices.ContainsFunc(g.steps, func(st step) bool { return st.kind == wire.KindExecute && st.portal == p })
}

// care is what is done for the segment's statement.
func (g *segment) care() *care {
	for _, st := range g.steps {
		if st.portal != nil && st.portal.care != nil {
			return st.portal.care
		}
	}
	return nil
}

// unlike is what the segment's statement leaves for each node to compute.
func (g *segment) unlike() []parser.Reason {
	for _, st := range g.steps {
		if st.kind == wire.KindBind {
			if len(st.portal.times) == 0 {
				return st.prepared.unlike
			}
			return slices.Concat(st.prepared.unlike, st.portal.times)
		}
	}
	return nil
}

func (g *segment) cared() (*parser.Statement, string) {
	for _, st := range g.steps {
		if st.kind == wire.KindBind {
			return st.prepared.stmt, st.prepared.sent
		}
	}
	return nil, ""
}

// has reports whether one of the steps is of a kind.
func (g *segment) has(kind wire.Kind) bool {
	for _, st := range g.steps {
		if st.kind == kind {
			return true
		}
	}
	return false
}

// appendCare encodes the messages of a statement that something is done for.
func (g *segment) appendCare(l *link, c *care) {
	if l.answers {
		c.reset(l)
	}
	if g.has(wire.KindBind) {
		for _, lock := range c.locks {
			l.appendHidden(careStatement, lock)
		}
	}
	switch {
	case l.answers || !c.givesRows():
		for i := range g.steps {
			if st := &g.steps[i]; l.answers || st.acts {
				g.appendCareStep(l, st, c)
			}
		}
	case c.failed():
		for i := range g.steps {
			if st := &g.steps[i]; st.acts {
				g.appendStep(l, st)
			}
		}
	case g.has(wire.KindExecute):
		l.replays = true
		l.appendReplay(c.statements())
	}
}

// appendCareStep encodes one message.
func (g *segment) appendCareStep(l *link, st *step, c *care) {
	if c.text == "" {
		g.appendStep(l, st)
		if st.kind == wire.KindExecute && (c.digest && st.whole || c.elsewhere != nil) {
			l.exchange.Last().Digest = c.elsewhere == nil
		}
		return
	}
	switch e := (wire.Expect{What: expectOf(st), Tail: true}); st.kind {
	case wire.KindBind:
		e.Tail = false
		g.appendCareBind(l, st, c, e)
	case wire.KindDescribe:
		e.Tail = st.target == 'P'
		if st.target == 'S' {
			g.appendStep(l, st)
			return
		}
		g.bindAgain(l, st.portal, c)
		l.append(e, func(b []byte) []byte { return append(b, st.frame...) })
	case wire.KindExecute:
		e.Digest = !c.givesRows()
		g.bindAgain(l, st.portal, c)
		if c.plan.LocksRows() {
			l.append(e, func(b []byte) []byte { return append(b, st.frame...) })
			return
		}
		l.append(e, func(b []byte) []byte { return wire.AppendExecute(b, st.portal.name) })
	default:
		g.appendStep(l, st)
	}
}

// appendCareBind binds the statement with the column that is ours, under a name of ours.
func (g *segment) appendCareBind(l *link, st *step, c *care, e wire.Expect) {
	l.append(hidden(wire.ExpectClose), func(b []byte) []byte { return wire.AppendClose(b, 'S', careStatement) }) // left by a failure
	l.append(hidden(wire.ExpectParse), func(b []byte) []byte { return wire.AppendParse(b, careStatement, c.text, l.typesFor(st.prepared)) })
	bind := wire.Frame(g.appendBind(l, nil, st))
	l.append(e, func(b []byte) []byte {
		out, err := wire.AppendBindTail(b, careStatement, bind)
		if err != nil {
			return append(b, bind...) // the server says what is wrong with it
		}
		return out
	})
	l.noteBound(st.portal)
	l.append(hidden(wire.ExpectClose), func(b []byte) []byte { return wire.AppendClose(b, 'S', careStatement) })
}

// appendReplay gives a node main's rows. Its tags are looked at.
func (l *link) appendReplay(statements []capture.Statement) {
	for _, st := range statements {
		l.appendOwn(replayStatement, st.SQL, wire.Expect{What: wire.ExpectExecute})
	}
}

// appendHidden runs a statement of ours by extended query.
func (l *link) appendHidden(name, sql string) {
	l.appendOwn(name, sql, hidden(wire.ExpectExecute))
}

// appendOwn runs a statement under a name of ours. The portal has that name too: the
// unnamed one may be the frontend's.
func (l *link) appendOwn(name, sql string, execute wire.Expect) {
	l.append(hidden(wire.ExpectClose), func(b []byte) []byte { return wire.AppendClose(b, 'S', name) }) // left by a failure
	l.append(hidden(wire.ExpectParse), func(b []byte) []byte { return wire.AppendParse(b, name, sql, nil) })
	l.append(hidden(wire.ExpectBind), func(b []byte) []byte { return wire.AppendBindPlain(b, name, name) })
	l.append(execute, func(b []byte) []byte { return wire.AppendExecute(b, name) })
	l.append(hidden(wire.ExpectClose), func(b []byte) []byte { return wire.AppendClose(b, 'P', name) })
	l.append(hidden(wire.ExpectClose), func(b []byte) []byte { return wire.AppendClose(b, 'S', name) })
}
