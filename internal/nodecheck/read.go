package nodecheck

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/config"
)

// Node is a node to be asked.
type Node struct {
	ID config.NodeID
	// Connect opens a connection that nobody else uses and whose settings nobody has
	// changed; "" is the database that administrators use.
	Connect func(ctx context.Context, database string) (*pgconn.PgConn, error)
}

const (
	// readTimeout bounds the asking of one node.
	readTimeout = 20 * time.Second
	// closeTimeout bounds saying goodbye to a server that may hang.
	closeTimeout = time.Second
	// maxFacts bounds what a node may say.
	maxFacts = 100_000
)

// insufficientPrivilege is PostgreSQL's code for what only superusers may read.
const insufficientPrivilege = "42501"

// reader collects the facts of one node.
type reader struct {
	node  Node
	facts Facts
}

// Read asks a node for its facts.
func Read(ctx context.Context, node Node) (Facts, error) {
	ctx, stop := context.WithTimeout(ctx, readTimeout)
	defer stop()
	r := reader{node: node}
	databases, err := r.server(ctx)
	if err != nil {
		return nil, fmt.Errorf("node %d: %w", node.ID, inOneLine(err))
	}
	for _, database := range databases {
		if err := r.database(ctx, database); err != nil {
			return nil, fmt.Errorf("node %d: database %s: %w", node.ID, database, inOneLine(err))
		}
	}
	return r.facts, nil
}

func (r *reader) server(ctx context.Context) (databases []string, err error) {
	conn, err := r.node.Connect(ctx, "")
	if err != nil {
		return nil, err
	}
	defer closeConn(conn)
	for _, sql := range []string{SettingsQuery(), serverQuery, rolesQuery} {
		if err := r.ask(ctx, conn, "", sql); err != nil {
			return nil, err
		}
	}
	clock, err := readClock(ctx, conn)
	if err != nil {
		return nil, err
	}
	r.facts = append(r.facts, clock)
	rows, err := query(ctx, conn, databasesQuery, 1)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		databases = append(databases, row[0])
	}
	// Last, since the refusal leaves its transaction open.
	if err := r.ask(ctx, conn, "", passwordsQuery); err != nil && codeOf(err) != insufficientPrivilege {
		return nil, err
	}
	return databases, nil
}

func (r *reader) database(ctx context.Context, database string) error {
	conn, err := r.node.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer closeConn(conn)
	return r.ask(ctx, conn, database, databaseQuery)
}

func (r *reader) ask(ctx context.Context, conn *pgconn.PgConn, database, sql string) error {
	rows, err := query(ctx, conn, sql, 3)
	if err != nil {
		return err
	}
	for _, row := range rows {
		r.facts = append(r.facts, Fact{Kind: row[0], Database: database, Name: row[1], Value: row[2]})
	}
	if len(r.facts) > maxFacts {
		return fmt.Errorf("more than %d facts", maxFacts)
	}
	return nil
}

// query returns the rows of so many columns as texts; null is the empty one. The search_path is one of the
// settings that are read, so it is changed for the query only.
func query(ctx context.Context, conn *pgconn.PgConn, sql string, columns int) ([][]string, error) {
	results, err := conn.Exec(ctx, "BEGIN READ ONLY; SET LOCAL search_path = pg_catalog; SET LOCAL timezone = 'UTC'; "+sql+"; COMMIT").ReadAll()
	if err != nil {
		return nil, err
	}
	var out [][]string
	for _, result := range results {
		for _, values := range result.Rows {
			if len(values) != columns {
				return nil, fmt.Errorf("a row of %d columns, %d were asked for", len(values), columns)
			}
			row := make([]string, len(values))
			for i, value := range values {
				row[i] = string(value)
			}
			out = append(out, row)
		}
	}
	return out, nil
}

func codeOf(err error) string {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

// closeConn ends the session. Its caller's context may have ended, which is no reason to
// leave it behind.
func closeConn(conn *pgconn.PgConn) {
	ctx, stop := context.WithTimeout(context.Background(), closeTimeout)
	defer stop()
	_ = conn.Close(ctx)
}

// inOneLine: those of pgconn are not.
func inOneLine(err error) error {
	return &lineError{strings.Join(strings.Fields(err.Error()), " "), err}
}

type lineError struct {
	text string
	err  error
}

func (e *lineError) Error() string { return e.text }
func (e *lineError) Unwrap() error { return e.err }
