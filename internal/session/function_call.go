package session

import (
	"context"
	"strconv"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/lb"
	"github.com/pgchorus/pgchorus/parser"
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
		if traits.OnMain, err = s.judgeCall(ctx, oid); err != nil {
			return s.refuseOrEnd(err)
		}
	}
	s.work = &callWork{frame: call}
	return s.executeWrite(ctx, s.routeAnd(traits))
}

// judgeCall refuses what must not be called. onMain: main alone calls it.
func (s *Session) judgeCall(ctx context.Context, oid uint32) (onMain bool, err error) {
	policy := s.Safety()
	if isLargeObjectCall(oid) && policy.PassesObjects() {
		return false, nil
	}
	name, known := s.functionName(oid)
	if !known {
		return false, nil // the server says what is wrong
	}
	onMain, refusal := policy.JudgeCall(name.Name)
	switch {
	case refusal != nil:
		return false, refusal
	case name.Schema == "pg_catalog" || !s.replicates():
		return onMain && s.replicates(), nil
	}
	return onMain, s.judgeCalled(ctx, name)
}

// judgeCalled is for a function that every node calls by itself, whatever its code does: rows are not
// given to the others for a message. The operator is told, or replication_safety = strict refuses it.
func (s *Session) judgeCalled(ctx context.Context, name catalog.Name) error {
	text := "SELECT " + quoteName(name.Schema) + "." + quoteName(name.Name) + "()"
	v := s.verdictOf(&parser.Classify(text).Statements[0], text)
	if err := s.disturbed(ctx); err != nil {
		return err
	}
	if refusal := v.Refusal(""); refusal != nil {
		return refusal
	}
	if !v.Elsewhere.Differs && !v.Elsewhere.Races && !v.Picks {
		return nil
	}
	if s.Config().Replication.ReplicationSafety == config.SafetyStrict {
		return pgerr.Newf(pgerr.FeatureNotSupported, "function %s cannot be called by a function call message, which each node would answer for itself", name).WithHint("Call it by SELECT.")
	}
	s.warnText("nodes may compute a value differently", "a function call message has each node call "+name.String()+"(): SELECT would not")
	return nil
}

// isLargeObjectCall names what libpq calls in this way (pg_proc.dat): lo_open, lo_close,
// loread, lowrite, lo_lseek, lo_creat, lo_tell, lo_unlink, lo_truncate, lo_create and the
// 64-bit ones.
func isLargeObjectCall(oid uint32) bool {
	return oid >= 952 && oid <= 958 || oid == 964 || oid == 1004 || oid == 715 || oid >= 3170 && oid <= 3172
}

// functionName asks main, whose numbers the frontend knows, for the name of a function.
func (s *Session) functionName(oid uint32) (name catalog.Name, ok bool) {
	l := s.main()
	if l == nil || !s.canAsk(l) {
		return name, false
	}
	rows, err := l.ask("SELECT pg_catalog.unnest(ARRAY[n.nspname, p.proname]) FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace" +
		" WHERE p.oid OPERATOR(pg_catalog.=) '" + strconv.FormatUint(uint64(oid), 10) + "'::pg_catalog.oid")
	if err != nil || len(rows) != 2 {
		return name, false
	}
	return catalog.Name{Schema: rows[0], Name: rows[1]}, true
}
