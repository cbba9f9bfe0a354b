package catalog

import (
	"regexp"
	"strings"
	"testing"
)

func TestLiteral(t *testing.T) {
	t.Parallel()
	const encoded = "pg_catalog.convert_from(pg_catalog.decode('%', 'hex'), pg_catalog.pg_client_encoding())::pg_catalog.name"
	tests := []struct {
		name, text, want string
	}{
		{"a usual name", "account_2", "'account_2'::pg_catalog.name"},
		{"blanks, dots and double quotes", `My "t.x"`, `'My "t.x"'::pg_catalog.name`},
		{"a dollar", "$a$", "'$a$'::pg_catalog.name"},
		{"a quote", "it's", strings.Replace(encoded, "%", "69742773", 1)},
		{"a backslash", `a\`, strings.Replace(encoded, "%", "615c", 1)},
		{"a letter beyond ASCII", "ä", strings.Replace(encoded, "%", "c3a4", 1)},
		{"half a letter", "\x83", strings.Replace(encoded, "%", "83", 1)},
		{"a newline", "a\nb", strings.Replace(encoded, "%", "610a62", 1)},
		{"a zero byte", "a\x00b", "''::pg_catalog.name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := literal(tt.text); got != tt.want {
				t.Errorf("literal(%q) = %s\nwant %s", tt.text, got, tt.want)
			}
		})
	}
}

func TestEmptyQuestion(t *testing.T) {
	t.Parallel()
	if sql := (Question{}).SQL(); sql != "" || !(Question{}).Empty() {
		t.Errorf("asks %q", sql)
	}
	if (Question{Relations: []Name{{Name: "r"}}}).Empty() {
		t.Error("a question with a name is empty")
	}
}

// TestQueriesNameNothingUnqualified: an operator, or a construct that looks one up
// along search_path, would let a user's schema decide.
func TestQueriesNameNothingUnqualified(t *testing.T) {
	t.Parallel()
	sql := Question{Functions: []Name{{"s", "f"}}, Relations: []Name{{Name: "r"}}, Tables: []Name{{Name: "t"}}}.SQL()
	sql = regexp.MustCompile(`'[^']*'`).ReplaceAllString(sql, "''")
	sql = regexp.MustCompile(`OPERATOR\(pg_catalog\.[<>=]+\)`).ReplaceAllString(sql, "")
	sql = strings.NewReplacer("count(*)", "", "pg_catalog.", "Q").Replace(sql)
	if found := regexp.MustCompile(`[-+*/<>=~!@#%^&|$]|\b(IN|BETWEEN|LIKE|NULLIF|DISTINCT FROM|USING|CASE [a-z])\b`).FindString(sql); found != "" {
		t.Errorf("%q stands in the query:\n%s", found, sql)
	}
	if found := regexp.MustCompile(`(FROM|JOIN) pg_|::[^Q]|[ (](json|bool|regexp|encode|convert|concat|strpos|starts)\w*\(`).FindString(sql); found != "" {
		t.Errorf("%q is not qualified in the query:\n%s", found, sql)
	}
}
