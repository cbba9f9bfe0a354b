package parser

import "testing"

func TestSpliceProcess(t *testing.T) {
	t.Parallel()
	tests := []struct{ sql, want string }{
		{"SELECT pg_cancel_backend(8388609)", "SELECT pg_cancel_backend(7)"},
		{"SELECT pg_catalog.pg_cancel_backend( /* x */ 8388609 ), 8388609", "SELECT pg_catalog.pg_cancel_backend( /* x */ 7 ), 8388609"},
		{"SELECT pg_cancel_backend(83886090)", "SELECT pg_cancel_backend(83886090)"},
		{"SELECT pg_cancel_backend(pid)", "SELECT pg_cancel_backend(pid)"},
	}
	for _, tt := range tests {
		if got := SpliceProcess(tt.sql, "pg_cancel_backend", 8388609, 7); got != tt.want {
			t.Errorf("%s: got %s", tt.sql, got)
		}
	}
}
