package wire

import (
	"bytes"
	"testing"

	"github.com/jackc/pgproto3/v2"
)

func TestAppendBindIntegers(t *testing.T) {
	message := AppendBindIntegers([]byte("before"), "mark", []int64{1, -1, 1 << 40})
	var m pgproto3.Bind
	if err := m.Decode(Frame(message[len("before"):]).Body()); err != nil {
		t.Fatal(err)
	}
	want := [][]byte{{0, 0, 0, 0, 0, 0, 0, 1}, bytes.Repeat([]byte{0xff}, 8), {0, 0, 1, 0, 0, 0, 0, 0}}
	if m.PreparedStatement != "mark" || m.DestinationPortal != "" || len(m.ParameterFormatCodes) != 1 || m.ParameterFormatCodes[0] != 1 || len(m.ResultFormatCodes) != 0 {
		t.Errorf("got %+v", m)
	}
	if len(m.Parameters) != len(want) {
		t.Fatalf("got parameters %q, want %q", m.Parameters, want)
	}
	for i, value := range want {
		if !bytes.Equal(m.Parameters[i], value) {
			t.Errorf("got parameter %x, want %x", m.Parameters[i], value)
		}
	}
}
