package session

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/pgchorus/pgchorus/parser"
)

// mainTimeSQL asks for the transaction's time in microseconds. A float8 has room for them.
const mainTimeSQL = "SELECT (pg_catalog.date_part('epoch', pg_catalog.now()) OPERATOR(pg_catalog.*) 1000000::pg_catalog.float8)::pg_catalog.int8"

// timeFor is the time that a plan's values have: one for the whole transaction, of pgchorus's
// clock or, with time_source = main, what main's now() is in it.
func (s *Session) timeFor(ctx context.Context, plan *parser.Plan) (time.Time, error) {
	if !asksForTime(plan) {
		return s.now(), nil
	}
	return s.moment(ctx)
}

// moment is that time.
func (s *Session) moment(ctx context.Context) (time.Time, error) {
	if s.tx.kind == txNone || !s.tx.at.IsZero() || s.config().Replication.TimeSource != "main" {
		return s.now(), nil
	}
	if err := s.runBefore(ctx); err != nil {
		return time.Time{}, err
	}
	at, err := s.mainTime(ctx)
	s.tx.at = at
	return at, err
}

// now is the time of the transaction, or that of the moment outside of any.
func (s *Session) now() time.Time {
	if s.tx.kind == txNone {
		return time.Now()
	}
	return s.tx.now()
}

func asksForTime(plan *parser.Plan) bool {
	return slices.ContainsFunc(plan.Slots, func(slot parser.Slot) bool { return slot.Source == parser.FromTime })
}

// mainTime asks main, or the next one if that is lost.
func (s *Session) mainTime(ctx context.Context) (time.Time, error) {
	for {
		row, lost, err := s.askMain(ctx, mainTimeSQL)
		switch {
		case err != nil:
			return time.Time{}, err
		case lost:
			continue // askMain ends when no node is left
		case len(row) != 1:
			return time.Time{}, fmt.Errorf("time of the main node: %d columns", len(row))
		}
		micros, err := strconv.ParseInt(string(row[0]), 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("time of the main node: %w", err)
		}
		return time.UnixMicro(micros), nil
	}
}
