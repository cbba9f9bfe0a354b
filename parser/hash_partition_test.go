package parser

import "testing"

func TestPartitionsByAHashThatNodesMayNotShare(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, sql, want string }{
		{"no partitions", "CREATE TABLE t (m mood)", ""},
		{"a type of the user's", "CREATE TABLE t (id int, m mood) PARTITION BY HASH (m)", "m"},
		{"the second of two", "CREATE TABLE t (id int, m s.mood) PARTITION BY HASH (id, m)", "m"},
		{"types of PostgreSQL's own", "CREATE TABLE t (a int, b text, c varchar(9), d uuid, e timestamptz) PARTITION BY HASH (a, b, c, d, e)", ""},
		{"by list", "CREATE TABLE t (m mood) PARTITION BY LIST (m)", ""},
		{"an expression", "CREATE TABLE t (a int) PARTITION BY HASH ((a + 1))", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Classify(tt.sql).Statements[0].HashedBy; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
