package commitlog

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/config"
)

// Node is a node to ask.
type Node struct {
	ID config.NodeID
	// Connect opens a connection that nobody else uses, as a role that may make a schema
	// and end other roles' prepared transactions.
	Connect func(ctx context.Context, database string) (*pgconn.PgConn, error)
}

const (
	// nodeTimeout bounds what is asked of one node in one database.
	nodeTimeout = 10 * time.Second
	// closeTimeout bounds saying goodbye.
	closeTimeout = time.Second
	// maintenance is the database that is there before any other.
	maintenance = "postgres"
)

// with does something over a connection to a database of the node.
func (n Node) with(ctx context.Context, database string, do func(context.Context, *pgconn.PgConn) error) error {
	ctx, stop := context.WithTimeout(ctx, nodeTimeout)
	defer stop()
	conn, err := n.Connect(ctx, database)
	if err == nil {
		defer hangUp(conn)
		err = do(ctx, conn)
	}
	if err != nil {
		return fmt.Errorf("node %d, database %q: %w", n.ID, database, err)
	}
	return nil
}

func hangUp(conn *pgconn.PgConn) {
	// The caller's time may have run out, which is no reason to leave a session behind.
	ctx, stop := context.WithTimeout(context.Background(), closeTimeout)
	defer stop()
	_ = conn.Close(ctx) // the node may be lost
}

// query returns the rows of the last statement in sql that has any.
func query(ctx context.Context, conn *pgconn.PgConn, sql string) ([][]string, error) {
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for _, result := range results {
		if len(result.FieldDescriptions) > 0 {
			rows = texts(result.Rows)
		}
	}
	return rows, nil
}

// queryRows is query for rows of so many columns.
func queryRows(ctx context.Context, conn *pgconn.PgConn, sql string, columns int) ([][]string, error) {
	rows, err := query(ctx, conn, sql)
	for _, row := range rows {
		if len(row) != columns {
			return nil, fmt.Errorf("a row of %d columns, %d were asked for", len(row), columns)
		}
	}
	return rows, err
}

// queryPresent asks whether the objects are there, and for max_prepared_transactions.
func queryPresent(ctx context.Context, conn *pgconn.PgConn) (there bool, maxPrepared int, err error) {
	rows, err := queryRows(ctx, conn, present, 2)
	if err != nil {
		return false, 0, err
	}
	if len(rows) != 1 {
		return false, 0, fmt.Errorf("%d rows, one was asked for", len(rows))
	}
	maxPrepared, err = strconv.Atoi(rows[0][1])
	return rows[0][0] == "t", maxPrepared, err
}

func texts(rows [][][]byte) [][]string {
	out := make([][]string, len(rows))
	for i, values := range rows {
		for _, value := range values {
			out[i] = append(out[i], string(value))
		}
	}
	return out
}

// databases are those that can be connected to and that may have slots.
func (n Node) databases(ctx context.Context) (names []string, err error) {
	err = n.with(ctx, maintenance, func(ctx context.Context, conn *pgconn.PgConn) error {
		rows, err := queryRows(ctx, conn, "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1", 1)
		for _, row := range rows {
			names = append(names, row[0])
		}
		return err
	})
	return names, err
}

// install makes the objects where they are missing, and returns how many transactions the
// node can keep prepared.
func (n Node) install(ctx context.Context, database string) (maxPrepared int, err error) {
	err = n.with(ctx, database, func(ctx context.Context, conn *pgconn.PgConn) error {
		there, most, err := queryPresent(ctx, conn)
		if maxPrepared = most; err != nil || there {
			return err
		}
		_, err = query(ctx, conn, schema)
		return err
	})
	return maxPrepared, err
}

// slotsQuery reads the slots; nothing where there are none yet.
const slotsQuery = "SELECT proxy, slot, seq FROM pgchorus.commit_slot"

// readSlots returns what a database's slots say, after sql was run in the same
// transaction.
func readSlots(ctx context.Context, conn *pgconn.PgConn, database, before string) (ledger, error) {
	there, _, err := queryPresent(ctx, conn)
	if err != nil || !there {
		return nil, err
	}
	rows, err := queryRows(ctx, conn, before+slotsQuery, 3)
	if err != nil {
		return nil, err
	}
	found := ledger{}
	for _, row := range rows {
		var numbers [3]int64
		for i, text := range row {
			if numbers[i], err = strconv.ParseInt(text, 10, 64); err != nil {
				return nil, fmt.Errorf("slot %q: %w", row, err)
			}
		}
		found[place{database, int(numbers[0]), int(numbers[1])}] = numbers[2]
	}
	return found, nil
}

// ledger reads all slots of the node, each database's behind the SQL of before.
func (n Node) ledger(ctx context.Context, databases []string, before func(id config.NodeID, database string) string) (ledger, error) {
	all := ledger{}
	for _, database := range databases {
		err := n.with(ctx, database, func(ctx context.Context, conn *pgconn.PgConn) error {
			found, err := readSlots(ctx, conn, database, before(n.ID, database))
			for at, seq := range found {
				all[at] = seq
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// branch is a prepared transaction of ours on a node.
type branch struct {
	transaction
	node     Node
	name     string
	database string
}

// prepared are the node's.
func (n Node) prepared(ctx context.Context) (found []branch, err error) {
	err = n.with(ctx, maintenance, func(ctx context.Context, conn *pgconn.PgConn) error {
		rows, err := queryRows(ctx, conn, "SELECT gid, database FROM pg_catalog.pg_prepared_xacts WHERE gid LIKE '"+namePrefix+"%' ORDER BY 1", 2)
		if err != nil {
			return err
		}
		for _, row := range rows {
			tx, err := parseName(row[0])
			if err != nil {
				return err
			}
			found = append(found, branch{tx, n, row[0], row[1]})
		}
		return nil
	})
	return found, err
}

// end commits or rolls back what was prepared.
func (b branch) end(ctx context.Context, commit bool) error {
	word := "ROLLBACK"
	if commit {
		word = "COMMIT"
	}
	return b.node.with(ctx, b.database, func(ctx context.Context, conn *pgconn.PgConn) error {
		_, err := query(ctx, conn, word+" PREPARED '"+b.name+"'") // numbers and colons only
		return err
	})
}
