package parser

import "testing"

func TestRolePassword(t *testing.T) {
	tests := []struct {
		sql  string
		want string // the literal as it stands in the text; "" for none
	}{
		{"CREATE ROLE a LOGIN PASSWORD 'x'", "'x'"},
		{"create user a with encrypted password 'it''s' superuser", "'it''s'"},
		{"ALTER ROLE password PASSWORD 'p'", "'p'"},
		{"ALTER USER a PASSWORD NULL", ""},
		{"ALTER ROLE a SET x TO 'password'", ""},
		{"CREATE ROLE a", ""},
		{"CREATE ROLE a PASSWORD E'x'", "E'x'"},
		{"SELECT 1; ALTER ROLE a PASSWORD $q$x$q$", ""},
		{"ALTER ROLE a PASSWORD $q$x$q$", "$q$x$q$"},
		{`ALTER ROLE a PASSWORD 'x\y'`, ""},
		{"SELECT 'PASSWORD', 'x'", ""},
	}
	for _, tt := range tests {
		t.Run(tt.sql, func(t *testing.T) {
			stmt := &Classify(tt.sql).Statements[0]
			got, ok := stmt.RolePassword(tt.sql)
			if literal := tt.sql[got.Start:got.End]; ok != (tt.want != "") || literal != tt.want {
				t.Errorf("RolePassword(%q) = %q, %v, want %q", tt.sql, literal, ok, tt.want)
			}
		})
	}
}
