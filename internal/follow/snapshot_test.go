package follow

import "testing"

func TestWhetherATransactionHasEnded(t *testing.T) {
	tests := []struct {
		name     string
		snapshot string
		xid      uint32
		want     bool
	}{
		{"older than all", "100:200:100,150", 99, true},
		{"under way", "100:200:100,150", 150, false},
		{"ended", "100:200:100,150", 151, true},
		{"none under way", "200:200:", 199, true},
		{"written, and not in the snapshot yet", "200:200:", 200, false},
		{"newer", "200:200:", 250, false},
		{"of the epoch before", "4294967200:4294967400:4294967250", 4294967250, false},
		{"of the epoch before, ended", "4294967200:4294967400:4294967250", 4294967251, true},
		{"of the new epoch", "4294967200:4294967400:4294967250", 100, true},
		{"of the new epoch, newer", "4294967200:4294967400:4294967250", 104, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := parseSnapshot(tt.snapshot)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.ended(tt.xid); got != tt.want {
				t.Errorf("ended is %v", got)
			}
		})
	}
}

func TestTextsThatAreNoSnapshots(t *testing.T) {
	for _, text := range []string{"", "1:2", "x:2:", "1:x:", "1:2:x", "1:2:1,", "1:2:3:4"} {
		if s, err := parseSnapshot(text); err == nil {
			t.Errorf("%q is read as %+v", text, s)
		}
	}
}
