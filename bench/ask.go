package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

const superuser = "postgres"

// dsn is a connection to a server or proxy on this machine.
func dsn(port int, database string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", superuser, port, database)
}

// answer is the last result of a simple query.
type answer struct {
	columns []string
	rows    [][]string
}

// column is the values of a column, nil where there is none of that name.
func (a answer) column(name string) []string {
	at := slices.Index(a.columns, name)
	if at < 0 {
		return nil
	}
	values := make([]string, len(a.rows))
	for i, row := range a.rows {
		values[i] = row[at]
	}
	return values
}

// ask runs sql on a connection of its own by the simple query protocol, which is what
// SHOW POOL_NODES needs.
func ask(ctx context.Context, dsn, sql string) (answer, error) {
	conn, err := pgconn.Connect(ctx, dsn)
	if err != nil {
		return answer{}, err
	}
	// The end of ctx must not leave a server process behind.
	defer conn.Close(context.WithoutCancel(ctx))
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 {
		return answer{}, err
	}
	return toAnswer(results[len(results)-1]), nil
}

func toAnswer(result *pgconn.Result) answer {
	var a answer
	for _, field := range result.FieldDescriptions {
		a.columns = append(a.columns, field.Name)
	}
	for _, row := range result.Rows {
		texts := make([]string, len(row))
		for i, value := range row {
			texts[i] = string(value)
		}
		a.rows = append(a.rows, texts)
	}
	return a
}
