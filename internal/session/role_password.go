package session

import (
	"crypto/rand"
	"strings"

	"github.com/pgchorus/pgchorus/internal/auth"
	"github.com/pgchorus/pgchorus/parser"
)

// A server hashes a password with a salt of its own. For the nodes to store the same,
// and for a SCRAM proof to be good on all of them (auth_query), it is hashed here once
// and the nodes are given the result.

// saltSize is the length of the salt that PostgreSQL uses (SCRAM_DEFAULT_SALT_LEN).
const saltSize = 16

// withRolePassword replaces the clear text password of CREATE ROLE and ALTER ROLE by its
// SCRAM verifier. Where the session stores md5 hashes, which have no salt, the text
// stays.
func (s *Session) withRolePassword(stmt *parser.Statement, sql string) string {
	password, ok := stmt.RolePassword(sql)
	if !ok || password.Text == "" || isHashed(password.Text) || !s.storesSCRAM() {
		return sql
	}
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails (crypto/rand)
	verifier, err := auth.BuildVerifier(password.Text, salt, auth.DefaultIterations)
	if err != nil {
		return sql
	}
	return sql[:password.Start] + "'" + verifier.Text() + "'" + sql[password.End:]
}

// isRole reports whether a statement may set a password.
func isRole(stmt *parser.Statement) bool {
	return stmt.Node == "CreateRoleStmt" || stmt.Node == "AlterRoleStmt"
}

// changesRoles reports whether a statement may end somebody's right to come in.
func changesRoles(stmt *parser.Statement) bool { return isRole(stmt) || stmt.Node == "DropRoleStmt" }

// isHashed: PostgreSQL stores what looks like a hash as it is.
func isHashed(password string) bool {
	return strings.HasPrefix(password, "SCRAM-SHA-256$") || len(password) == 35 && strings.HasPrefix(password, "md5")
}

// storesSCRAM asks main how it would store a password.
func (s *Session) storesSCRAM() bool {
	main := s.main()
	if main == nil || s.tx.failed {
		return false
	}
	rows, err := main.ask("SELECT pg_catalog.current_setting('password_encryption')")
	return err == nil && len(rows) == 1 && rows[0] == "scram-sha-256"
}
