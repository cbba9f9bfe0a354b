package wire_test

import (
	"testing"

	"github.com/pgchorus/pgchorus/internal/wire"
)

func TestWithoutPosition(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"SERROR\x00P12\x00C42P01\x00\x00": "SERROR\x00C42P01\x00\x00",
		"SERROR\x00C42P01\x00P7\x00\x00":  "SERROR\x00C42P01\x00\x00",
		"SERROR\x00C42P01\x00\x00":        "SERROR\x00C42P01\x00\x00",
		"\x00":                            "\x00",
	} {
		if got := string(wire.WithoutPosition([]byte(body))); got != want {
			t.Errorf("%q became %q, want %q", body, got, want)
		}
	}
}
