package wire

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// call is the body of a FunctionCall with binary arguments; nil is NULL.
func call(oid uint32, args ...[]byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, oid)
	b = append(b, 0, 1, 0, 1)
	b = binary.BigEndian.AppendUint16(b, uint16(len(args)))
	for _, arg := range args {
		b = binary.BigEndian.AppendUint32(b, uint32(len(arg)))
		b = append(b, arg...)
	}
	return append(b, 0, 1)
}

func TestCallsThatCreateLargeObjects(t *testing.T) {
	t.Parallel()
	zero, nine := []byte{0, 0, 0, 0}, []byte{0, 0, 0, 9}
	tests := []struct {
		name    string
		body    []byte
		creates bool
		want    []byte // with the number 9
	}{
		{"lo_creat", call(957, []byte{0, 6, 0, 0}), true, call(715, nine)},
		{"lo_create(0)", call(715, zero), true, call(715, nine)},
		{"lo_create(9)", call(715, nine), false, nil},
		{"lo_from_bytea(0, ...)", call(3457, zero, []byte("abc")), true, nil},
		{"another function", call(958, zero), false, nil},
		{"cut off", call(715, zero)[:9], false, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := CreatesLargeObject(tt.body); got != tt.creates {
				t.Errorf("creates: %v", got)
			}
			if tt.want == nil {
				return
			}
			if got := AppendLargeObject(nil, tt.body, nine); !bytes.Equal(got[5:], tt.want) {
				t.Errorf("got %x, want %x", got[5:], tt.want)
			}
		})
	}
	got := AppendLargeObject(nil, call(3457, zero, []byte("abc")), nine)[5:]
	if c, ok := decodeFunctionCall(got); !ok || c.count != 2 || !bytes.Equal(c.first, nine) || !bytes.HasSuffix(c.args, []byte("\x00\x00\x00\x03abc")) {
		t.Errorf("lo_from_bytea became %x", got)
	}
}

func FuzzFunctionCall(f *testing.F) {
	f.Add(call(957, []byte{0, 6, 0, 0}))
	f.Fuzz(func(t *testing.T, body []byte) {
		CreatesLargeObject(body)
		AppendLargeObject(nil, body, []byte{0, 0, 0, 1})
	})
}
