package wire

import (
	"bytes"
	"testing"
)

func row(values ...string) Frame { return AppendTextRow(nil, values...) }

func TestTheLastColumnIsCutOff(t *testing.T) {
	described, none, err := AppendDescriptionTail(nil, AppendTextColumns(nil, "a", "b", "tail"))
	if err != nil || none || !bytes.Equal(described, AppendTextColumns(nil, "a", "b")) {
		t.Errorf("description: %q, %v, %v", described, none, err)
	}
	if described, none, err = AppendDescriptionTail(nil, AppendTextColumns(nil, "tail")); err != nil || !none || len(described) > 0 {
		t.Errorf("description of one: %q, %v, %v", described, none, err)
	}
	out, last, err := AppendRowTail(nil, row("1", "", "(x)"))
	if err != nil || string(last) != "(x)" || !bytes.Equal(out, row("1", "")) {
		t.Errorf("row: %q, %q, %v", out, last, err)
	}
	if out, last, err = AppendRowTail(nil, row("(x)")); err != nil || string(last) != "(x)" || len(out) > 0 {
		t.Errorf("row of one: %q, %q, %v", out, last, err)
	}
}

func TestMalformedRowsAreRefused(t *testing.T) {
	for _, frame := range []Frame{{KindDataRow, 0, 0, 0, 4}, {KindDataRow, 0, 0, 0, 6, 0, 0}, {KindDataRow, 0, 0, 0, 10, 0, 1, 0, 0, 0, 9}} {
		if _, _, err := AppendRowTail(nil, frame); err == nil {
			t.Errorf("%q: no error", frame)
		}
		if _, _, err := AppendDescriptionTail(nil, frame); err == nil {
			t.Errorf("description %q: no error", frame)
		}
	}
}
