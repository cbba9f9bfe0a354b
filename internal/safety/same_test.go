package safety

import (
	"testing"

	"github.com/pgchorus/pgchorus/internal/catalog"
)

func TestSame(t *testing.T) {
	base := func() *Verdict { return &Verdict{Level: Exact, Action: Run} }
	tests := []struct {
		name   string
		change func(v *Verdict)
		same   bool
	}{
		{"nothing", func(*Verdict) {}, true},
		{"what the operator is told", func(v *Verdict) { v.Level, v.Action, v.Warn, v.Reasons = Rows, Capture, true, []Reason{{Text: "x"}} }, true},
		{"it is refused", func(v *Verdict) { v.Action = Refuse }, false},
		{"main alone runs it", func(v *Verdict) { v.Action = Main }, false},
		{"a value", func(v *Verdict) { v.Unlike = true }, false},
		{"a body", func(v *Verdict) { v.Code = 7 }, false},
		{"a default", func(v *Verdict) { v.Defaults = 7 }, false},
		{"a trigger", func(v *Verdict) { v.Firing.InRow = true }, false},
		{"code", func(v *Verdict) { v.Elsewhere.Writes = true }, false},
		{"a function that is run where the statement is", func(v *Verdict) { v.Runs = []catalog.Name{{Name: "f"}} }, false},
		{"when it is locked", func(v *Verdict) { v.LocksAlways = true }, false},
		{"a lock", func(v *Verdict) { v.Locks = []catalog.Name{{Name: "t"}} }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := base()
			tt.change(v)
			if v.Same(base()) != tt.same || base().Same(v) != tt.same {
				t.Errorf("want %t", tt.same)
			}
		})
	}
}
