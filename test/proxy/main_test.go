package proxy_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// helperVariable makes the test binary play the test process that is killed.
const helperVariable = "PROXY_TEST_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(helperVariable) != "" {
		os.Args = []string{os.Args[0], "-test.run", "^TestHelper$"}
	}
	os.Exit(m.Run())
}

// TestHelper starts a server, says its number, and waits to be killed, or for the end
// of its standard input, which is the end of the test that wants it.
func TestHelper(t *testing.T) {
	if os.Getenv(helperVariable) == "" {
		return // no test by itself
	}
	p := proxy.Start(t, pgtest.Start(t, 1))
	fmt.Println("server", p.PID())
	_, _ = os.Stdin.Read(make([]byte, 1))
}
