package streaming

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestParseLSN(t *testing.T) {
	tests := []struct {
		text string
		want lsn
		ok   bool
	}{
		{"0/0", 0, true},
		{"0/16B3748", 0x16B3748, true},
		{"16/B374D848", 0x16B374D848, true},
		{"FFFFFFFF/FFFFFFFF", math.MaxUint64, true},
		{"ffffffff/0", 0xFFFFFFFF00000000, true},
		{"", 0, false},
		{"16B374D848", 0, false},
		{"1/2/3", 0, false},
		{"100000000/0", 0, false},
		{"-1/0", 0, false},
		{"x/y", 0, false},
	}
	for _, tt := range tests {
		got, err := parseLSN(tt.text)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("parseLSN(%q) = %v, %v, want %v", tt.text, got, err, tt.want)
		}
	}
}

func TestLSNRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := lsn(rapid.Uint64().Draw(t, "position"))
		if got, err := parseLSN(p.String()); got != p || err != nil {
			t.Fatalf("%d is written %s and read %d, %v", uint64(p), p, uint64(got), err)
		}
	})
}

func TestBehind(t *testing.T) {
	tests := []struct {
		name          string
		standby, main string
		want          int64
	}{
		{"equal", "1/0", "1/0", 0},
		{"ahead is not behind", "1/1", "1/0", 0},
		{"across 4 GiB", "0/FFFFFFF0", "1/10", 0x20},
		{"across many", "0/0", "A/0", 10 << 32},
		{"more than a number holds", "0/0", "FFFFFFFF/FFFFFFFF", math.MaxInt64},
	}
	for _, tt := range tests {
		standby, _ := parseLSN(tt.standby)
		main, _ := parseLSN(tt.main)
		if got := standby.behind(main); got != tt.want {
			t.Errorf("%s: %s is %d behind %s, want %d", tt.name, standby, got, main, tt.want)
		}
	}
}

func FuzzParseLSN(f *testing.F) {
	f.Add("16/B374D848")
	f.Add("/")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := parseLSN(text); err == nil {
			if again, err := parseLSN(p.String()); again != p || err != nil {
				t.Errorf("%q is %v, which is read as %v, %v", text, p, again, err)
			}
		}
	})
}
