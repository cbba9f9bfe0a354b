package setup

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "precious"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	good := Options{Mode: streaming, Nodes: 2, Dir: filepath.Join(full, "new"), Port: freePorts(t, 4), Out: io.Discard}
	taken := freePorts(t, 1)
	listenOn(t, taken)
	tests := []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"unknown mode", func(o *Options) { o.Mode = "y" }, `-m "y": expected s (streaming), r`},
		{"no nodes", func(o *Options) { o.Nodes = 0 }, "-n 0: expected 1 to 32"},
		{"too many nodes", func(o *Options) { o.Nodes = localpg.MaxNodes + 1 }, "-n 33: expected 1 to 32"},
		{"privileged port", func(o *Options) { o.Port = 80 }, "-p 80: expected 1024 to 65534"},
		{"no room for PCP", func(o *Options) { o.Port = 65535 }, "-p 65535: expected"},
		{"servers past the last port", func(o *Options) { o.NodePort = 65535 }, "--pg 65535: the ports of 2 servers"},
		{"servers on our ports", func(o *Options) { o.NodePort = o.Port - 1 }, "the servers' ports would meet"},
		{"taken port", func(o *Options) { o.NodePort, o.Nodes = taken, 1 }, "port " + strconv.Itoa(taken) + " cannot be used"},
		{"folder with something in it", func(o *Options) { o.Dir = full }, "is not empty"},
		{"folder that is a file", func(o *Options) { o.Dir = filepath.Join(full, "precious") }, "not a directory"},
		{"folder with a quote", func(o *Options) { o.Dir = "/tmp/it's" }, `the character '\'' in its name`},
		{"folder with too long a name", func(o *Options) { o.Dir = "/tmp/" + strings.Repeat("x", maxDir) }, "longer than 85 bytes"},
		{"folder with a placeholder", func(o *Options) { o.Dir = "/tmp/%d" }, "the character '%' in its name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opts := good
			tt.change(&opts)
			if err := Run(t.Context(), opts); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Run = %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(full, "precious")); err != nil {
		t.Errorf("a refused folder lost its file: %v", err)
	}
}
