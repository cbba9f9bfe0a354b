//go:build regress

package regress

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pgchorus/pgchorus/test/proxy"
)

// keepLog writes the log of pgchorus beside the results.
func keepLog(t *testing.T, s suite, p *proxy.Proxy) {
	t.Helper()
	file := filepath.Join(home(t), "results", s.name+"-pgchorus", "pgchorus.log")
	if err := os.WriteFile(file, []byte(p.Log()), 0o644); err != nil {
		t.Error(err)
	}
}
