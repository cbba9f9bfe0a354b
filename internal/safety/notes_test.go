package safety

import (
	"strconv"
	"testing"
	"time"
)

// TestNotes: the same is told once a minute, with the number left out.
func TestNotes(t *testing.T) {
	t.Parallel()
	var n Notes
	start := time.Unix(1000, 0)
	if leftOut, due := n.Due("a", start); !due || leftOut != 0 {
		t.Errorf("first: %d, %v", leftOut, due)
	}
	for range 3 {
		if _, due := n.Due("a", start.Add(time.Second)); due {
			t.Error("told again within a minute")
		}
	}
	if _, due := n.Due("b", start); !due {
		t.Error("something else is not told")
	}
	if leftOut, due := n.Due("a", start.Add(noteInterval)); !due || leftOut != 3 {
		t.Errorf("after a minute: %d, %v", leftOut, due)
	}
	n.Forget()
	if leftOut, due := n.Due("a", start.Add(noteInterval)); !due || leftOut != 0 {
		t.Errorf("after Forget: %d, %v", leftOut, due)
	}
	for i := range 2 * maxNotes {
		n.Due(strconv.Itoa(i), start)
	}
	if len(n.told) > maxNotes {
		t.Errorf("remembers %d", len(n.told))
	}
}

// TestBodiesAreForgotten when they would take too much memory.
func TestBodiesAreForgotten(t *testing.T) {
	t.Parallel()
	var b Bodies
	long := make([]byte, 200<<10)
	for i := range 200 {
		long[0] = byte('a' + i%26)
		b.read(strconv.Itoa(i) + string(long))
	}
	if b.bytes > maxBodies {
		t.Errorf("keeps %d bytes", b.bytes)
	}
}
