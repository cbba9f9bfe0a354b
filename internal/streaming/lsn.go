package streaming

import (
	"fmt"
	"strconv"
	"strings"
)

// lsn is a position in the write-ahead log, in bytes from its beginning. PostgreSQL
// writes it as two hexadecimal numbers of 32 bits (type pg_lsn).
type lsn uint64

func parseLSN(text string) (lsn, error) {
	high, low, ok := strings.Cut(text, "/")
	if !ok {
		return 0, fmt.Errorf("WAL position %.20q has no slash", text)
	}
	h, err := strconv.ParseUint(high, 16, 32)
	if err != nil {
		return 0, fmt.Errorf("WAL position %.20q: %w", text, err)
	}
	l, err := strconv.ParseUint(low, 16, 32)
	if err != nil {
		return 0, fmt.Errorf("WAL position %.20q: %w", text, err)
	}
	return lsn(h<<32 | l), nil
}

func (p lsn) String() string { return fmt.Sprintf("%X/%X", uint64(p)>>32, uint32(p)) }

// behind is how many bytes p is behind other; 0 if it is not.
func (p lsn) behind(other lsn) int64 {
	if p >= other {
		return 0
	}
	return int64(min(uint64(other-p), 1<<63-1))
}
