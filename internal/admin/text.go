package admin

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// timeText is the time in the local zone; empty for what has not happened.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.DateTime)
}

func countText(n uint64) string { return strconv.FormatUint(n, 10) }

// floatText writes as C's %f does.
func floatText(f float64) string {
	if math.IsNaN(f) {
		return "nan"
	}
	return fmt.Sprintf("%f", f)
}

func millisecondText(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func bitText(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
