package driver

import (
	"testing"

	"github.com/pgchorus/pgchorus/internal/config"
)

// TestDriversInTransactionPooling has each script print the same as with a bare PostgreSQL
// where frontends share a few connections, and leave the nodes equal.
func TestDriversInTransactionPooling(t *testing.T) {
	const mode = config.NativeReplication
	scripts := make([]program, len(drivers))
	for i, d := range drivers {
		scripts[i] = d.make(t)
	}
	bare := newBare(t)
	c := startCluster(t, mode, "backend_weight0 = 0", "backend_weight2 = 0", "pool_mode = transaction")
	for _, d := range drivers {
		c.proxy.Exec("CREATE DATABASE " + d.name)
	}
	for i, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			want := sections(scripts[i](t, bare.with(d.name)))
			compare(t, atIsolation(want, mode), sections(scripts[i](t, c.server(d.name))))
		})
	}
	t.Run("the nodes are equal", c.wantEqual)
}
