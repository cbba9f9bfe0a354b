package main

import (
	"os"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	tests := []struct {
		name, line string
		want       procStat
		fails      bool
	}{
		{"ordinary", "42 (pgpool) S 7 42 42 0 -1 4194560 100 200 0 0 3 4 5 6 20 0 1 0 1 2 3", procStat{42, 7, 180 * time.Millisecond}, false},
		{"odd name", "42 (a) S 9 (b) R 7 42 42 0 -1 4194560 100 200 0 0 1 0 0 0 20", procStat{42, 7, 10 * time.Millisecond}, false},
		{"cut off", "42 (pgpool) S 7 42", procStat{}, true},
		{"no name", "42", procStat{}, true},
		{"empty", "", procStat{}, true},
		{"no number", "42 (x) S 7 42 42 0 -1 4194560 100 200 0 0 one 0 0 0 20", procStat{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseStat(tt.line)
			if (err != nil) != tt.fails || got != tt.want {
				t.Errorf("parseStat = %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

func TestFamilyIsTheProcessAndAllBelowIt(t *testing.T) {
	// The grandchild stands before its parent, as happens when numbers wrap around.
	all := []procStat{{1, 0, 1}, {5, 20, 2}, {10, 1, 4}, {20, 10, 8}, {30, 1, 16}}
	var sum time.Duration
	for _, s := range familyOf(10, all) {
		sum += s.cpu
	}
	if sum != 2+4+8 {
		t.Errorf("times add up to %d, want those of 5, 10 and 20", sum)
	}
}

func TestParsePSS(t *testing.T) {
	tests := []struct {
		name, text string
		want       int64
	}{
		{"ordinary", "55d0-7ffe ---p 00000000 00:00 0    [rollup]\nRss:    5000 kB\nPss:     123 kB\nPss_Dirty:  7 kB\n", 123 << 10},
		{"absent", "Rss:    5000 kB\n", 0},
		{"no number", "Pss: many kB\n", 0},
	}
	for _, tt := range tests {
		if got := parsePSS(tt.text); got != tt.want {
			t.Errorf("%s: %d bytes, want %d", tt.name, got, tt.want)
		}
	}
}

func TestOurOwnTimeAndMemoryAreFound(t *testing.T) {
	if _, err := cpuOf(os.Getpid()); err != nil {
		t.Error(err)
	}
	if size, err := memoryOf(os.Getpid()); err != nil || size < 1<<20 {
		t.Errorf("memory of a Go program: %d bytes, %v", size, err)
	}
}
