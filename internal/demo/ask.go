package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// dsn is a connection to a server on this machine.
func dsn(port int, database string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable&application_name=pgchorus+demo", superuser, port, database)
}

// ask runs sql on a connection of its own, by the simple query protocol, which is what
// SHOW POOL_NODES needs. The first row has the names of the columns.
func ask(ctx context.Context, dsn, sql string) ([][]string, error) {
	conn, err := pgconn.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	return query(ctx, conn, sql)
}

// query runs sql and returns the names of the columns and the rows, thus at least one
// line of texts.
func query(ctx context.Context, conn *pgconn.PgConn, sql string) (rows [][]string, err error) {
	results := conn.Exec(ctx, sql)
	for results.NextResult() {
		result := results.ResultReader()
		rows = [][]string{namesOf(result.FieldDescriptions())}
		for result.NextRow() {
			rows = append(rows, texts(result.Values()))
		}
	}
	if err := results.Close(); err != nil {
		return nil, err
	}
	if rows == nil {
		return nil, errors.New("the server answered without a result")
	}
	return rows, nil
}

// theRow is the row of an answer that has to have just one.
func theRow(rows [][]string) ([]string, error) {
	if len(rows) != 2 {
		return nil, fmt.Errorf("the server answered with %d rows instead of one", len(rows)-1)
	}
	return rows[1], nil
}

func namesOf(fields []pgconn.FieldDescription) []string {
	var names []string
	for _, field := range fields {
		names = append(names, field.Name)
	}
	return names
}

func texts(row [][]byte) []string {
	var out []string
	for _, value := range row {
		out = append(out, string(value))
	}
	return out
}

// pick keeps the named columns, in their order, as far as they are there.
func pick(rows [][]string, columns ...string) [][]string {
	if len(rows) == 0 {
		return nil
	}
	out := make([][]string, len(rows))
	for _, column := range columns {
		if at := slices.Index(rows[0], column); at >= 0 {
			for i, row := range rows {
				out[i] = append(out[i], row[at])
			}
		}
	}
	return out
}
