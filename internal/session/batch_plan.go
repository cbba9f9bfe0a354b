package session

import (
	"context"

	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/lb"
	"github.com/pgchorus/pgchorus/parser"
)

// What each message of an extended query means and where it goes.

// step is one message of a batch with what it means.
type step struct {
	kind     wire.Kind
	frame    wire.Frame
	where    target
	prepared *prepared // of Parse, Bind, Describe S
	portal   *portal   // of Bind, Describe P, Execute
	target   byte      // of Describe and Close: S or P
	name     string    // of Close
	// taken is the statement that has the name of a Parse already.
	taken *prepared
	// acts: it binds or executes, which all nodes have to do.
	acts bool
	// values are those of Bind that are added for the prepared statement's plan.
	values []parser.Value
	// translated: a Bind whose parameters have numbers of types in them.
	translated bool
	// whole: an Execute without a limit. With one, the rows are the first in the order
	// that they have on disk, which is each node's own.
	whole bool
	// anywhere: it goes along with whatever segment it is in.
	anywhere bool
	// local answers the message without a node.
	local func(ctx context.Context) (ok bool, err error)
}

// plan finds out what a message means and where it goes. It may rely on the messages
// before it having succeeded: if they did not, it is not run.
func (s *Session) plan(frame wire.Frame) (step, error) {
	switch frame.Kind() {
	case wire.KindParse:
		return s.planParse(frame)
	case wire.KindBind:
		return s.planBind(frame)
	case wire.KindDescribe:
		return s.planDescribe(frame)
	case wire.KindExecute:
		return s.planExecute(frame)
	}
	return s.planClose(frame)
}

func malformed(err error) error {
	return pgerr.New(pgerr.ProtocolViolation, err.Error())
}

func (s *Session) planParse(frame wire.Frame) (step, error) {
	m, err := wire.DecodeParse(frame.Body())
	if err != nil {
		return step{}, malformed(err)
	}
	script := s.memo.Script(s.Scripts, m.Query)
	if p := s.parsedBefore(&m, script); p != nil {
		return step{kind: wire.KindParse, frame: frame, prepared: p, local: s.replyLocal(wire.KindParseComplete)}, nil
	}
	p, err := s.newPrepared(m, script)
	if err != nil {
		return step{}, err
	}
	switch {
	case s.tx.failed && script.Err != nil && !isPgpool(m.Query):
		return step{}, script.Err
	case s.tx.failed && !endsFailed(p.kind()) && p.kind() != parser.Empty:
		return step{}, s.failedTransaction()
	case m.Name != "" && s.st.prepared[m.Name] != nil:
		return s.planDuplicate(frame, p)
	}
	if err := s.learnTypes(p.types); err != nil {
		return step{}, err
	}
	if !s.answersHere(p) && p.kind() != parser.Prepare {
		if err := s.checkSafety(p.stmt, p.text, 0); err != nil {
			return step{}, err
		}
	}
	p.sent = s.raised(p.stmt, s.withRolePassword(p.stmt, p.sent))
	p.sent, _ = s.withObjects(p.stmt, s.withProcess(p.stmt, s.withAddedTimes(p.stmt, p.sent)))
	p.others = othersText(p.stmt, p.sent)
	st := step{kind: wire.KindParse, frame: frame, prepared: p}
	if s.answersHere(p) {
		st.local = s.parseHere(p)
		return st, nil
	}
	s.noteParsed(p, script)
	st.where = s.routePrepared(p)
	if st.where.all {
		// A statement that is only prepared concerns main alone; the others are given
		// it when it is bound.
		st.where = s.mainTarget()
		st.anywhere = true
	}
	return st, nil
}

// planDuplicate is a Parse whose name is taken. Main refuses it, after it has looked for
// other errors in the text.
func (s *Session) planDuplicate(frame wire.Frame, p *prepared) (step, error) {
	taken := s.st.prepared[p.name]
	if s.answersHere(taken) {
		return step{}, pgerr.Newf(pgerr.DuplicatePreparedStatement, "prepared statement %q already exists", p.name)
	}
	return step{kind: wire.KindParse, frame: frame, prepared: p, taken: taken, where: s.mainTarget(), anywhere: true}, nil
}

// routePrepared is where the execution of p goes.
func (s *Session) routePrepared(p *prepared) target {
	if where, ok := s.signalTarget(p.stmt); ok {
		return where
	}
	return s.route(s.traits(p.stmt, p.text))
}

func (s *Session) mainTarget() target {
	if main := s.main(); main != nil {
		return target{node: main.ID()}
	}
	return target{node: noNode}
}

func (s *Session) planBind(frame wire.Frame) (step, error) {
	portalName, name, err := wire.BindNames(frame.Body())
	if err != nil {
		return step{}, malformed(err)
	}
	p := s.st.prepared[string(name)]
	if p == nil {
		return step{}, unknownStatement(string(name))
	}
	if s.tx.failed && !endsFailed(p.kind()) {
		return step{}, s.failedTransaction()
	}
	if err := p.checkBind(frame, s.answersHere(p) || p.auto != nil); err != nil {
		return step{}, err
	}
	bound := s.st.newPortal(string(portalName), p)
	st := step{kind: wire.KindBind, frame: frame, prepared: p, portal: bound, acts: true}
	if s.answersHere(p) {
		st.local = s.replyLocal(wire.KindBindComplete)
		return st, nil
	}
	if err := s.bindNumbers(&st); err != nil {
		return step{}, err
	}
	if err := s.checkSafety(p.stmt, p.text, 0); err != nil {
		return step{}, err
	}
	bound.basis = s.basis
	if changed, where, signals := s.bindProcess(p, frame); signals {
		st.frame, bound.target = changed, where
	} else if where, signals := s.signalTarget(p.stmt); signals {
		bound.target = where
	} else {
		bound.target = s.routeAnd(s.traits(p.stmt, p.text))
		if bound.care = s.careForBind(bound, frame); bound.care != nil {
			if err := p.checkParams(frame); err != nil {
				return step{}, err
			}
		}
	}
	st.where = bound.target
	return st, nil
}

func (s *Session) planDescribe(frame wire.Frame) (step, error) {
	what, name, err := decodeTarget(frame, "DESCRIBE")
	if err != nil {
		return step{}, err
	}
	st := step{kind: wire.KindDescribe, frame: frame, target: what}
	if what == 'S' {
		return s.planDescribeStatement(st, name)
	}
	st.portal, err = s.portalNamed(name)
	if err != nil {
		return step{}, err
	}
	st.prepared = st.portal.prepared
	if p := st.prepared; p != nil && s.answersHere(p) {
		st.local = s.describeHere(p, false)
		return st, nil
	}
	st.where = st.portal.target
	return st, nil
}

func (s *Session) planDescribeStatement(st step, name string) (step, error) {
	st.prepared = s.st.prepared[name]
	switch {
	case st.prepared == nil:
		return step{}, unknownStatement(name)
	case s.answersHere(st.prepared):
		st.local = s.describeHere(st.prepared, true)
		return st, nil
	case s.tx.failed:
		return step{}, s.failedTransaction()
	}
	st.where = s.routePrepared(st.prepared)
	if st.where.all {
		st.where, st.anywhere = s.mainTarget(), true
	}
	return st, nil
}

// portalNamed is a portal that Bind has made, or else a cursor that SQL may have.
func (s *Session) portalNamed(name string) (*portal, error) {
	if p := s.st.portals[name]; p != nil {
		return p, nil
	}
	if s.tx.kind == txExplicit && !s.tx.failed && name != "" {
		return &portal{name: name, target: s.cursorTarget()}, nil
	}
	return nil, pgerr.Newf(pgerr.InvalidCursorName, "portal %q does not exist", name)
}

// cursorTarget: DECLARE has run where writes go, and so has to what moves the cursor.
func (s *Session) cursorTarget() target { return s.route(lb.Traits{}) }

func (s *Session) planExecute(frame wire.Frame) (step, error) {
	name, limit, err := wire.DecodeExecute(frame.Body())
	if err != nil {
		return step{}, malformed(err)
	}
	p, err := s.portalNamed(name)
	if err != nil {
		return step{}, err
	}
	st := step{kind: wire.KindExecute, frame: frame, portal: p, acts: true, whole: limit == 0, where: p.target}
	if p.prepared == nil {
		return st, nil
	}
	st.prepared = p.prepared
	if limit != 0 {
		if err := s.limitCare(p); err != nil {
			return step{}, err
		}
	}
	if s.tx.failed && !endsFailed(p.prepared.kind()) {
		return step{}, s.failedTransaction()
	}
	if s.answersHere(p.prepared) {
		st.local = s.executeHere(p)
	}
	if s.tx.failed && p.prepared.kind() == parser.PrepareTransaction {
		st.local = func(ctx context.Context) (bool, error) { return s.commitBlock(ctx, p.prepared.stmt) }
	}
	if s.tx.kind == txImplicit || s.tx.kind == txNone && s.batch.executed {
		return st, refusedInPipeline(p.prepared.stmt)
	}
	return st, nil
}

func (s *Session) planClose(frame wire.Frame) (step, error) {
	what, name, err := decodeTarget(frame, "CLOSE")
	if err != nil {
		return step{}, err
	}
	return step{kind: wire.KindClose, frame: frame, target: what, name: name, local: s.replyLocal(wire.KindCloseComplete)}, nil
}

// decodeTarget reads what Describe or Close is about.
func decodeTarget(frame wire.Frame, message string) (what byte, name string, err error) {
	what, name, err = wire.DecodeTarget(frame.Body())
	switch {
	case err != nil:
		return 0, "", malformed(err)
	case what != 'S' && what != 'P':
		return 0, "", pgerr.Newf(pgerr.ProtocolViolation, "invalid %s message subtype %d", message, what)
	}
	return what, name, nil
}
