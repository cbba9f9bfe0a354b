package parser

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"
)

// Password is the literal behind PASSWORD in CREATE ROLE and ALTER ROLE.
type Password struct {
	Start, End int    // bytes of the literal within the text, with its quotes
	Text       string // what it says
}

// RolePassword finds the password that CREATE ROLE, CREATE USER or ALTER ROLE sets. ok
// is false when it sets none, and when the literal is of a kind that is not taken
// apart here (escapes, dollar quotes).
func (s *Statement) RolePassword(sql string) (password Password, ok bool) {
	if s.Node != "CreateRoleStmt" && s.Node != "AlterRoleStmt" {
		return Password{}, false
	}
	scan, err := pg_query.Scan(sql)
	if err != nil {
		return Password{}, false
	}
	for i, token := range scan.Tokens[:max(len(scan.Tokens)-1, 0)] {
		next := scan.Tokens[i+1]
		if token.Token != pg_query.Token_PASSWORD || next.Token != pg_query.Token_SCONST || !s.covers(int(token.Start)) {
			continue
		}
		start, end := int(next.Start), int(next.End)
		if start >= end || end > len(sql) || sql[start] != '\'' {
			return Password{}, false
		}
		text := sql[start+1 : end-1]
		if strings.ContainsRune(text, '\\') {
			return Password{}, false
		}
		return Password{Start: start, End: end, Text: strings.ReplaceAll(text, "''", "'")}, true
	}
	return Password{}, false
}

// covers reports whether a place in the string belongs to the statement.
func (s *Statement) covers(at int) bool {
	return at >= s.Start && (s.Length < 0 || at < s.Start+s.Length)
}
