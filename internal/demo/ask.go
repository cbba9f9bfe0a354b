package demo

import (
	"context"
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

func query(ctx context.Context, conn *pgconn.PgConn, sql string) (rows [][]string, err error) {
	results := conn.Exec(ctx, sql)
	for results.NextResult() {
		result := results.ResultReader()
		rows = [][]string{namesOf(result.FieldDescriptions())}
		for result.NextRow() {
			rows = append(rows, texts(result.Values()))
		}
	}
	return rows, results.Close()
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
