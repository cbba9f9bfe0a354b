package random

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// patience ends what hangs.
const patience = 60 * time.Second

// answer is what came of a statement: tag and rows, or an SQLSTATE.
type answer struct {
	tag, code, message string
	rows               []string
}

func (a answer) String() string {
	if a.code != "" {
		return a.code + " " + a.message
	}
	return a.tag + " " + strings.Join(a.rows, " ")
}

// same: the order of rows is not compared, since it hangs on where they lie.
func (a answer) same(b answer) bool {
	return a.code == b.code && (a.code != "" || a.tag == b.tag && slices.Equal(a.rows, b.rows))
}

// protocol is how a statement is sent.
type protocol int

const (
	simple protocol = iota
	extended
	named // prepared statements that are used again
	protocols
)

// run sends a statement and returns what came of it.
func run(conn *pgx.Conn, sql string, how protocol) answer {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	text, data, isCopy := strings.Cut(sql, "\n")
	switch {
	case isCopy && strings.HasPrefix(sql, copyMark):
		tag, err := conn.PgConn().CopyFrom(ctx, strings.NewReader(data+"\n"), text)
		return answerOf(tag, nil, err)
	case how == simple || strings.Contains(sql, ";"):
		results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
		if err != nil || len(results) == 0 {
			return answerOf(pgconn.CommandTag{}, nil, err)
		}
		last := results[len(results)-1]
		return answerOf(last.CommandTag, last.Rows, last.Err)
	case how == extended:
		r := conn.PgConn().ExecParams(ctx, sql, nil, nil, nil, nil).Read()
		return answerOf(r.CommandTag, r.Rows, r.Err)
	}
	if _, err := conn.Prepare(ctx, sql, sql); err != nil {
		return answerOf(pgconn.CommandTag{}, nil, err)
	}
	description, err := conn.Prepare(ctx, sql, sql) // it is there already: no message
	if err != nil {
		return answerOf(pgconn.CommandTag{}, nil, err)
	}
	r := conn.PgConn().ExecPrepared(ctx, description.Name, nil, nil, nil).Read()
	return answerOf(r.CommandTag, r.Rows, r.Err)
}

func answerOf(tag pgconn.CommandTag, rows [][][]byte, err error) answer {
	if err != nil {
		var told *pgconn.PgError
		if errors.As(err, &told) {
			return answer{code: told.Code, message: told.Message + " " + told.Detail}
		}
		return answer{code: "lost", message: err.Error()}
	}
	a := answer{tag: tag.String()}
	for _, row := range rows {
		values := make([]string, len(row))
		for i, value := range row {
			values[i] = pgtest.Null
			if value != nil {
				values[i] = string(value)
			}
		}
		a.rows = append(a.rows, strings.Join(values, "|"))
	}
	slices.Sort(a.rows)
	return a
}

// play makes a transaction up: a statement alone, or a block. do sends one statement and
// reports whether the transaction goes on.
func (m *maker) play(do func(sql string, how protocol) bool) {
	if m.n(2) == 0 {
		do(m.statement(), protocol(m.n(int(protocols))))
		return
	}
	begin := "BEGIN"
	if m.n(4) == 0 {
		begin += m.of(" ISOLATION LEVEL REPEATABLE READ", " ISOLATION LEVEL SERIALIZABLE")
	}
	do(begin, simple)
	saved := false
	for range 1 + m.n(4) {
		if m.n(6) == 0 {
			do("SAVEPOINT s", simple)
			saved = true
		}
		ok := do(m.statement(), protocol(m.n(int(protocols))))
		if saved && (!ok || m.n(4) == 0) {
			ok = do("ROLLBACK TO s", simple)
		}
		if !ok {
			break
		}
	}
	do(m.of("COMMIT", "COMMIT", "COMMIT", "COMMIT", "ROLLBACK"), protocol(m.n(2)))
}

// journal is what a session has played in a round.
type journal struct{ lines []string }

func (j *journal) add(who, sql string, a answer) {
	j.lines = append(j.lines, fmt.Sprintf("%s %s: %s -> %s", time.Now().Format("05.000"), who, sql, a))
}
