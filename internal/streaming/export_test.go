package streaming

import (
	"strconv"
	"testing"
)

// Distance lets a test compare our arithmetic with the server's.
func Distance(t testing.TB, from, to string) string {
	t.Helper()
	first, err := parseLSN(from)
	if err != nil {
		t.Fatal(err)
	}
	second, err := parseLSN(to)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.FormatInt(first.behind(second), 10)
}
