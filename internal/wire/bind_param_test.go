package wire

import (
	"bytes"
	"testing"
)

// FuzzBindParam: what is found is what is decoded.
func FuzzBindParam(f *testing.F) {
	f.Add([]byte("p\x00s\x00\x00\x01\x00\x01\x00\x02\x00\x00\x00\x01a\xff\xff\xff\xff\x00\x01\x00\x01"), 1)
	f.Add([]byte("\x00\x00\x00\x02\x00\x00\x00\x01\x00\x02\x00\x00\x00\x00\x00\x00\x00\x02ab\x00\x00"), 2)
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00"), 0)
	f.Fuzz(func(t *testing.T, body []byte, n int) {
		value, format, ok := BindParam(body, n)
		m, err := DecodeBind(body)
		switch {
		case err != nil:
			return
		case ok != (n >= 1 && n <= len(m.Params)):
			t.Fatalf("parameter %d of %d: %v", n, len(m.Params), ok)
		case ok && (!bytes.Equal(value, m.Params[n-1]) || (value == nil) != (m.Params[n-1] == nil) || format != m.format(n-1)):
			t.Errorf("parameter %d is %q in format %d, want %q in %d", n, value, format, m.Params[n-1], m.format(n-1))
		}
	})
}
