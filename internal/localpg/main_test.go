package localpg_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

// helperVariable makes the test binary play the program that is killed.
const helperVariable = "LOCALPG_TEST_HELPER"

func TestMain(m *testing.M) {
	if what := os.Getenv(helperVariable); what != "" {
		if err := helper(what); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// helper starts a node, says where, and then waits to be killed. It ends by
// itself when its standard input does, which is when the test has ended.
func helper(what string) error {
	ctx := context.Background()
	cluster, err := localpg.Create(ctx, localpg.Options{Settings: map[string]string{"fsync": "off"}})
	if err != nil {
		return err
	}
	if err := cluster.Start(ctx); err != nil {
		return err
	}
	node := cluster.Nodes()[0]
	if what == "busy" {
		go occupy(ctx, node)
	}
	if what == "paused" {
		if err := node.Pause(); err != nil {
			return err
		}
	}
	fmt.Println(cluster.Dir, node.DSN("postgres"))
	_, _ = os.Stdin.Read(make([]byte, 1))
	return nil
}
