package protocol

import (
	"testing"

	"github.com/pgchorus/pgchorus/internal/config"
)

// With pool_mode = transaction a cluster is like one server, too: each sequence of messages
// gets the same answers while its connections come and go.
func TestDifferentialInTransactionPooling(t *testing.T) {
	testDifferential(t, newFixtureIn(t, config.NativeReplication, "pool_mode = transaction"))
}
