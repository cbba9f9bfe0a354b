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
// is false when it sets none, and when the literal cannot be told (SetsPassword).
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
		if start >= end || end > len(sql) {
			return Password{}, false
		}
		if sql[start] != '\'' || strings.ContainsRune(sql[start:end], '\\') {
			if text, ok := parsedPassword(sql, start); ok {
				return Password{Start: start, End: end, Text: text}, true
			}
			return Password{}, false
		}
		text := sql[start+1 : end-1]
		return Password{Start: start, End: end, Text: strings.ReplaceAll(text, "''", "'")}, true
	}
	return Password{}, false
}

// parsedPassword has the parser read a literal with escapes or dollar quotes.
func parsedPassword(sql string, at int) (text string, ok bool) {
	tree, err := pg_query.Parse(sql)
	if err != nil || strings.ContainsRune(sql[at:], '\\') && sql[at] == '\'' {
		return "", false // what a backslash means hangs on standard_conforming_strings
	}
	for _, raw := range tree.Stmts {
		if int(raw.StmtLocation) > at || raw.StmtLen > 0 && at >= int(raw.StmtLocation+raw.StmtLen) {
			continue
		}
		options := raw.Stmt.GetCreateRoleStmt().GetOptions()
		if options == nil {
			options = raw.Stmt.GetAlterRoleStmt().GetOptions()
		}
		for _, o := range options {
			if option := o.GetDefElem(); option.GetDefname() == "password" && option.GetArg().GetString_() != nil {
				return option.Arg.GetString_().Sval, true
			}
		}
	}
	return "", false
}

// SetsPassword reports whether CREATE ROLE or ALTER ROLE sets a password in clear text, or
// may, that RolePassword cannot tell.
func (s *Statement) SetsPassword(sql string) bool {
	if s.Node != "CreateRoleStmt" && s.Node != "AlterRoleStmt" {
		return false
	}
	sc := scanner{sql: sql}
	for t := sc.next(); t.kind != endToken; t = sc.next() {
		if t.kind == wordToken && strings.EqualFold(sql[t.start:t.end], "password") {
			next := sc.peek()
			return next.kind == valueToken || next.kind == wordToken && next.end-next.start == 1
		}
	}
	return false
}

// covers reports whether a place in the string belongs to the statement.
func (s *Statement) covers(at int) bool {
	return at >= s.Start && (s.Length < 0 || at < s.Start+s.Length)
}
