package follow

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// snapshot is pg_current_snapshot: which transactions others can see (PostgreSQL, 9.27).
type snapshot struct {
	// xmin is the oldest transaction that is under way, xmax is one more than the newest that
	// has ended.
	xmin, xmax uint64
	running    []uint64 // in order
}

func parseSnapshot(text string) (s snapshot, err error) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return s, fmt.Errorf("snapshot %q: expected three parts", text)
	}
	if s.xmin, err = strconv.ParseUint(parts[0], 10, 64); err != nil {
		return s, fmt.Errorf("snapshot: %w", err)
	}
	if s.xmax, err = strconv.ParseUint(parts[1], 10, 64); err != nil {
		return s, fmt.Errorf("snapshot: %w", err)
	}
	if parts[2] == "" {
		return s, nil
	}
	for _, part := range strings.Split(parts[2], ",") {
		xid, err := strconv.ParseUint(part, 10, 64)
		if err != nil {
			return s, fmt.Errorf("snapshot: %w", err)
		}
		s.running = append(s.running, xid)
	}
	return s, nil
}

// ended reports whether a transaction of the recent past has ended for everybody, by the
// lower half of its number: its COMMIT may be in the WAL, and sent to us, before others see
// it, for as long as it waits for a synchronous standby.
func (s snapshot) ended(low uint32) bool {
	xid := s.xmax + uint64(int64(int32(low-uint32(s.xmax))))
	if xid < s.xmin {
		return true
	}
	_, runs := slices.BinarySearch(s.running, xid)
	return xid < s.xmax && !runs
}
