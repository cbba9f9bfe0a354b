package session

import (
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/copydata"
)

func TestWordsAt(t *testing.T) {
	at := time.Date(2026, 12, 31, 23, 30, 1, 2_003_999, time.UTC)
	tests := []struct {
		name   string
		offset int
		want   copydata.Words
	}{
		{"in UTC", 0, copydata.Words{Now: "2026-12-31 23:30:01.002003+00:00:00", Today: "2026-12-31", Tomorrow: "2027-01-01", Yesterday: "2026-12-30"}},
		{"east of it, the next year", 3600, copydata.Words{Now: "2027-01-01 00:30:01.002003+01:00:00", Today: "2027-01-01", Tomorrow: "2027-01-02", Yesterday: "2026-12-31"}},
		{"west of it, with seconds", -(4*3600 + 56*60 + 2), copydata.Words{Now: "2026-12-31 18:33:59.002003-04:56:02", Today: "2026-12-31", Tomorrow: "2027-01-01", Yesterday: "2026-12-30"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := wordsAt(at, tt.offset); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}
