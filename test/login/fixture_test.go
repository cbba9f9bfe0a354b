package login

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

const (
	database = "app"
	secret   = "s3cret, with ünicode"
	patience = 30 * time.Second
)

// wrongSecrets are nearly right in the ways in which comparisons go wrong.
var wrongSecrets = []string{"", "s", secret + "x", strings.ToUpper(secret)}

// backendMethods are the methods of pg_hba.conf that are tried, each for the members
// of a group of its name.
var backendMethods = []string{"trust", "password", "md5", "scram-sha-256"}

// group is the role whose members the nodes ask by a method.
func group(method string) string { return "by_" + strings.ReplaceAll(method, "-", "_") }

// startNodes starts nodes that ask each role by the method of its group, and the
// superuser for nothing.
func startNodes(t testing.TB, n int, opts ...pgtest.Option) []*pgtest.Node {
	t.Helper()
	lines := []string{"host all postgres 127.0.0.1/32 trust"}
	for _, method := range backendMethods {
		lines = append(lines, "host all +"+group(method)+" 127.0.0.1/32 "+method)
	}
	lines = append(lines, "host all all 127.0.0.1/32 scram-sha-256")
	nodes := pgtest.Start(t, n, append([]pgtest.Option{pgtest.WithHBA(lines...)}, opts...)...)
	var sql strings.Builder
	for _, method := range backendMethods {
		fmt.Fprintf(&sql, "CREATE ROLE %s;", group(method))
	}
	everywhere(nodes, sql.String())
	everywhere(nodes, "CREATE DATABASE "+database)
	return nodes
}

func everywhere(nodes []*pgtest.Node, sql string) {
	for _, node := range nodes {
		node.Exec(sql)
	}
}

// verifierOf is a SCRAM verifier for a password, as a node makes it. All nodes are
// given the same text.
func verifierOf(node *pgtest.Node, password string) string {
	defer node.Exec("DROP ROLE maker") // nodes that have other roles are not taken into service
	return node.Query("SET password_encryption = 'scram-sha-256'; CREATE ROLE maker PASSWORD " +
		quote(password) + "; SELECT rolpassword FROM pg_authid WHERE rolname = 'maker'")[0][0]
}

// md5Of is PostgreSQL's md5 hash of a user's password.
func md5Of(user, password string) string {
	sum := md5.Sum([]byte(password + user))
	return "md5" + hex.EncodeToString(sum[:])
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// storedFor is what nodes store for a user whom they ask by a method: SCRAM needs a
// verifier and md5 a hash; for the others it does not matter.
func storedFor(method, user, verifier string) string {
	if method == "md5" {
		return md5Of(user, secret)
	}
	return verifier
}

// logIn connects as a user with a password and runs a statement on all nodes.
func logIn(p *proxy.Proxy, user, password string, parameters ...string) error {
	conn, err := connect(p, user, password, parameters...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	defer conn.Close(ctx)
	var who string
	if err := conn.QueryRow(ctx, "SELECT current_user").Scan(&who); err != nil {
		return err
	}
	if who != user {
		return fmt.Errorf("logged in as %q", who)
	}
	_, err = conn.Exec(ctx, "CREATE TEMP TABLE scratch ()")
	return err
}

func connect(p *proxy.Proxy, user, password string, parameters ...string) (*pgx.Conn, error) {
	dsn := url.URL{Scheme: "postgres", Host: p.Host + ":" + strconv.Itoa(p.Port), Path: "/" + database, User: url.UserPassword(user, password)}
	settings, err := pgx.ParseConfig(dsn.String() + "?" + strings.Join(append([]string{"sslmode=disable"}, parameters...), "&"))
	if err != nil {
		return nil, err
	}
	settings.Password = password // also where it is empty
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return pgx.ConnectConfig(ctx, settings)
}

// codeOf is the SQLSTATE of err; empty for none.
func codeOf(err error) string {
	var told *pgconn.PgError
	if errors.As(err, &told) {
		return told.Code
	}
	return ""
}

// toldOf is what the frontend was told, with the user's name taken out.
func toldOf(err error, user string) string {
	var told *pgconn.PgError
	if !errors.As(err, &told) {
		return fmt.Sprint(err)
	}
	return strings.ReplaceAll(strings.Join([]string{told.Severity, told.Code, told.Message, told.Detail, told.Hint}, "|"), user, "USER")
}

// wantRefused fails the test unless the server itself refused the log-in.
func wantRefused(t testing.TB, what string, err error) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s: let in", what)
	case codeOf(err) == "" || strings.HasPrefix(codeOf(err), "XX"):
		t.Errorf("%s: not refused, but failed: %v", what, err)
	}
}
