package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/config"
)

// Node is one PostgreSQL server to compare.
type Node struct {
	ID config.NodeID
	// Connect opens a connection that nobody else uses, as a role that may read
	// everything (a superuser, for large objects and passwords).
	Connect func(ctx context.Context, database string) (*pgconn.PgConn, error)
}

// connectTimeout bounds making one connection.
const connectTimeout = 15 * time.Second

// peer is a connection to a node.
type peer struct {
	id   config.NodeID
	conn *pgconn.PgConn
}

// peers are connections to the same database of all nodes, main first.
type peers []*peer

// canonical makes equal values look equal on every node (replication-correctness 6.2),
// keeps the reading cheap, and has the server notice within a second that we are gone
// (client_connection_check_interval, PostgreSQL 14). Names that a version does not know
// are passed over.
const canonical = `
SELECT pg_catalog.set_config(s.name, v.value, false)
FROM (VALUES ('search_path', 'pg_catalog'), ('timezone', 'UTC'), ('datestyle', 'ISO, YMD'), ('intervalstyle', 'postgres'),
	('extra_float_digits', '1'), ('bytea_output', 'hex'), ('client_encoding', 'UTF8'), ('row_security', 'off'), ('lc_monetary', 'C'),
	('xmlbinary', 'base64'), ('max_parallel_workers_per_gather', '0'), ('statement_timeout', '0'), ('lock_timeout', '30s'),
	('transaction_timeout', '0'), ('idle_in_transaction_session_timeout', '0'), ('idle_session_timeout', '0'),
	('default_transaction_isolation', 'read committed'), ('default_transaction_deferrable', 'off'), ('session_replication_role', 'origin'),
	('client_connection_check_interval', '1s'), ('jit', 'off'), ('standard_conforming_strings', 'on')) AS v(name, value)
JOIN pg_catalog.pg_settings s ON pg_catalog.lower(s.name) = v.name AND s.setting <> v.value`

// connectAll opens a canonical session on every node, at the same time.
func connectAll(ctx context.Context, nodes []Node, database string) (peers, error) {
	all := make(peers, len(nodes))
	for i, node := range nodes {
		all[i] = &peer{id: node.ID}
	}
	err := all.each(func(i int, p *peer) error {
		ctx, stop := context.WithTimeout(ctx, connectTimeout)
		defer stop()
		conn, err := nodes[i].Connect(ctx, database)
		if err != nil {
			return &connectError{err}
		}
		p.conn = conn
		_, err = query(ctx, conn, canonical)
		return err
	})
	if err != nil {
		all.close()
		return nil, err
	}
	return all, nil
}

// connectError is in one line, which those of pgconn are not.
type connectError struct{ err error }

func (e *connectError) Error() string {
	return "connect: " + strings.Join(strings.Fields(reason(e.err)), " ")
}

func (e *connectError) Unwrap() error { return e.err }

// closeTimeout bounds saying goodbye to a server that may hang.
const closeTimeout = 2 * time.Second

// close ends the sessions, and with them their transactions.
func (ps peers) close() {
	_ = ps.each(func(_ int, p *peer) error {
		if p.conn == nil {
			return nil
		}
		// Its caller's context may have ended, which is no reason to leave a session behind.
		ctx, stop := context.WithTimeout(context.Background(), closeTimeout)
		defer stop()
		return p.conn.Close(ctx)
	})
}

// each does something with every peer at the same time and waits for all. Errors name
// their node.
func (ps peers) each(do func(i int, p *peer) error) error {
	errs := make([]error, len(ps))
	var wait sync.WaitGroup
	for i, p := range ps {
		wait.Go(func() {
			if err := do(i, p); err != nil {
				errs[i] = fmt.Errorf("node %d: %w", p.id, err)
			}
		})
	}
	wait.Wait()
	if errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil }); len(errs) > 0 {
		return nodeErrors(errs)
	}
	return nil
}

// nodeErrors are the errors of several nodes, in one line.
type nodeErrors []error

func (e nodeErrors) Error() string {
	texts := make([]string, len(e))
	for i, err := range e {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (e nodeErrors) Unwrap() []error { return e }

// ask runs sql on every peer and returns its rows, a slice for each.
func (ps peers) ask(ctx context.Context, sql string) ([][]row, error) {
	answers := make([][]row, len(ps))
	err := ps.each(func(i int, p *peer) (err error) {
		answers[i], err = query(ctx, p.conn, sql)
		return err
	})
	return answers, err
}

func (ps peers) ids() []config.NodeID {
	ids := make([]config.NodeID, len(ps))
	for i, p := range ps {
		ids[i] = p.id
	}
	return ids
}

// keep is the peers that are live; the others are closed.
func (ps peers) keep(live []config.NodeID) peers {
	var kept, gone peers
	for _, p := range ps {
		if slices.Contains(live, p.id) {
			kept = append(kept, p)
		} else {
			gone = append(gone, p)
		}
	}
	gone.close()
	return kept
}

// row is the values of one row in text format; nil is null.
type row [][]byte

// queryTimeout bounds one query, so that a server that hangs does not hang us for ever.
// The longest ones sort the rows of unequal buckets of a table.
const queryTimeout = 2 * time.Hour

// query returns the rows of the last statement in sql. Its callers ask for results of a
// bounded size.
func query(ctx context.Context, conn *pgconn.PgConn, sql string) ([]row, error) {
	ctx, stop := context.WithTimeout(ctx, queryTimeout)
	defer stop()
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(results) == 0 {
		return nil, nil
	}
	return rowsOf(results[len(results)-1]), nil
}

// queryParams is query with parameters in text format, whose types the server infers.
func queryParams(ctx context.Context, conn *pgconn.PgConn, sql string, params row) ([]row, error) {
	ctx, stop := context.WithTimeout(ctx, queryTimeout)
	defer stop()
	result := conn.ExecParams(ctx, sql, params, nil, nil, nil).Read()
	if result.Err != nil {
		return nil, result.Err
	}
	return rowsOf(result), nil
}

func rowsOf(result *pgconn.Result) []row {
	rows := make([]row, len(result.Rows))
	for i, values := range result.Rows {
		rows[i] = values
	}
	return rows
}

// quoteLiteral is for names that come back from the catalogue.
func quoteLiteral(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
