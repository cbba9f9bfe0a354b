package session

import (
	"context"
	"strconv"

	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/lb"
)

// runCall runs a function call message. It may do anything, so it goes to all nodes, but
// for what function_policy keeps on main.
func (s *Session) runCall(ctx context.Context, call wire.Frame) (ok bool, err error) {
	if s.tx.failed {
		return s.refused(s.failedTransaction())
	}
	if err := s.learnFunction(call); err != nil {
		return s.refused(err)
	}
	traits := lb.Traits{}
	if oid, known := wire.CalledFunction(call.Body()); known {
		if traits.OnMain, err = s.judgeCall(oid); err != nil {
			return s.refused(err)
		}
	}
	s.work = &callWork{frame: call}
	return s.executeWrite(ctx, s.routeAnd(traits))
}

// judgeCall refuses what must not be called. onMain: main alone calls it.
func (s *Session) judgeCall(oid uint32) (onMain bool, err error) {
	policy := s.Safety()
	if isLargeObjectCall(oid) && policy.PassesObjects() {
		return false, nil
	}
	name, known := s.functionName(oid)
	if !known {
		return false, nil // the server says what is wrong
	}
	onMain, refusal := policy.JudgeCall(name)
	if refusal != nil {
		return false, refusal
	}
	return onMain && s.replicates(), nil
}

// isLargeObjectCall names what libpq calls in this way (pg_proc.dat): lo_open, lo_close,
// loread, lowrite, lo_lseek, lo_creat, lo_tell, lo_unlink, lo_truncate, lo_create and the
// 64-bit ones.
func isLargeObjectCall(oid uint32) bool {
	return oid >= 952 && oid <= 958 || oid == 964 || oid == 1004 || oid == 715 || oid >= 3170 && oid <= 3172
}

// functionName asks main, whose numbers the frontend knows, for the name of a function.
func (s *Session) functionName(oid uint32) (name string, ok bool) {
	l := s.main()
	if l == nil || !s.canAsk(l) {
		return "", false
	}
	rows, err := l.ask("SELECT p.proname FROM pg_catalog.pg_proc p WHERE p.oid OPERATOR(pg_catalog.=) '" + strconv.FormatUint(uint64(oid), 10) + "'::pg_catalog.oid")
	if err != nil || len(rows) != 1 {
		return "", false
	}
	return rows[0], true
}
