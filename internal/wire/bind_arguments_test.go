package wire

import (
	"bytes"
	"testing"
)

// FuzzBindArguments: what is looked through is what is decoded.
func FuzzBindArguments(f *testing.F) {
	f.Add([]byte("p\x00s\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x01a\xff\xff\xff\xff\x00\x01\x00\x01"))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := DecodeBind(body)
		a, err2 := BindArguments(body)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("decoded: %v, looked through: %v", err, err2)
		}
		if err != nil {
			return
		}
		i := 0
		a.Any(func(value []byte) bool {
			if !bytes.Equal(value, m.Params[i]) || (value == nil) != (m.Params[i] == nil) {
				t.Errorf("parameter %d is %q, want %q", i, value, m.Params[i])
			}
			i++
			return false
		})
		if i != len(m.Params) || a.Len != i {
			t.Errorf("%d parameters, want %d", i, len(m.Params))
		}
		text := bytes.Count(m.results[2:], []byte{0}) == len(m.results)-2
		if a.TextResults() != text {
			t.Errorf("all in text: %t, want %t", a.TextResults(), text)
		}
	})
}
