package pgtest

import (
	"os"
	"strconv"
	"testing"
)

// Given is a number of the environment, such as SECONDS and SEED of a test that `make` may run
// for longer; otherwise where it is not set.
func Given(t testing.TB, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}
