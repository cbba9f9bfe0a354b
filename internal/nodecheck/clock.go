package nodecheck

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// KindClock is how far the clock of a node's host is from ours. Times in statements are
// replaced, so it decides about no row; logs, timeouts and the functions that run on one
// node go by it.
const KindClock = "clock"

// clockTolerance is what clocks that are kept by NTP stay well within.
const clockTolerance = time.Second

// clockQuery is the node's time in seconds since 1970.
const clockQuery = `SELECT extract(epoch FROM clock_timestamp())`

// readClock asks for the time once.
func readClock(ctx context.Context, conn *pgconn.PgConn) (Fact, error) {
	before := time.Now()
	rows, err := query(ctx, conn, clockQuery, 1)
	after := time.Now()
	if err != nil {
		return Fact{}, err
	}
	seconds, err := strconv.ParseFloat(rows[0][0], 64)
	if err != nil {
		return Fact{}, fmt.Errorf("time of the node: %w", err)
	}
	return Fact{Kind: KindClock, Name: "of the host", Value: clockValue(before, after, seconds)}, nil
}

// clockValue is a clock as a fact that can be compared: one that may be right, given when we
// asked and when we had the answer, has the same value on all nodes.
func clockValue(before, after time.Time, seconds float64) string {
	const unit = float64(time.Second)
	early, late := float64(before.UnixNano())/unit, float64(after.UnixNano())/unit
	switch tolerance := clockTolerance.Seconds(); {
	case seconds < early-tolerance:
		return fmt.Sprintf("%.0f s behind ours", early-seconds)
	case seconds > late+tolerance:
		return fmt.Sprintf("%.0f s ahead of ours", seconds-late)
	}
	return "like ours"
}
