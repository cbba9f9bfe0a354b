package scenario

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pgchorus/pgchorus/internal/config"
)

// copyIn sends data to a COPY by simple query.
func copyIn(t testing.TB, conn *pgx.Conn, sql, data string) error {
	t.Helper()
	_, err := conn.PgConn().CopyFrom(bounded(t), strings.NewReader(data), sql)
	return err
}

// TestWordsInCopyDataAreOneMoment: now and its like are the transaction's time on all nodes,
// in every column that reads them so, whatever the session's settings are.
func TestWordsInCopyDataAreOneMoment(t *testing.T) {
	t.Parallel()
	s := newStageIn(t, config.NativeReplication)
	s.proxy.Exec(`CREATE DATABASE x`)
	conn := s.connect()
	s.exec(conn, `CREATE TABLE t (id serial PRIMARY KEY, a date, b timestamp, c timestamptz, d time, e timetz, f timestamptz[], g tstzrange, h text)`)
	const row = "now\tnow\tnow\tnow\tnow\t{now,today,\"tomorrow 12:00\"}\t[now,tomorrow)\tnow\n"
	for _, zone := range []string{"UTC", "Europe/Paris", "Pacific/Chatham", "America/St_Johns", "<-03:30>3:30"} {
		s.exec(conn, fmt.Sprintf("SET TimeZone = '%s'; SET DateStyle = 'SQL, DMY'", zone))
		s.exec(conn, "BEGIN")
		s.exec(conn, "INSERT INTO t (a, b, c, d, e, f, g, h) VALUES (now(), now(), now(), now(), now(), ARRAY[now(), current_date, current_date + 1 + time '12:00'], tstzrange(now(), current_date + 1), 'now')")
		if err := copyIn(t, conn, "COPY t (a, b, c, d, e, f, g, h) FROM STDIN", row); err != nil {
			t.Fatal(err)
		}
		csv := `now,"now",Now,now,now,"{now,today,""tomorrow 12:00""}","[now,tomorrow)","now"`
		if err := copyIn(t, conn, "COPY t (a, b, c, d, e, f, g, h) FROM STDIN CSV", csv); err != nil {
			t.Fatal(err)
		}
		s.exec(conn, "COMMIT")
		s.want(conn, "SELECT count(*), count(DISTINCT (a, b, c, d, e, f, g, h)) FROM t", "3|1")
		s.wantEqual()
		s.exec(conn, "TRUNCATE t")
	}
}

// TestWordsInCopyDataThatCannotBeReplacedAreRefused: on all nodes, by both protocols, and the
// session goes on.
func TestWordsInCopyDataThatCannotBeReplacedAreRefused(t *testing.T) {
	t.Parallel()
	s := newStageIn(t, config.NativeReplication)
	conn := s.connect()
	s.exec(conn, "CREATE TYPE span AS (what text, since timestamptz); CREATE TABLE t (id int, s span, c time)")
	plain := strings.Repeat("1\t(x,2026-01-01)\t12:00\n", 20000)
	for _, tt := range []struct{ name, sql, data, detail string }{
		{"in the first line", "COPY t FROM STDIN", "1\t(x,now)\t\\N\n", `Line 1, column s: "now".`},
		{"far behind", "COPY t FROM STDIN", plain + "1\t(x,Today)\t\\N\n" + plain, `Line 20001, column s: "Today".`},
		{"in the last line", "COPY t FROM STDIN", plain + "1\t(x,tomorrow", `Line 20001, column s: "tomorrow".`},
		{"in CSV", "COPY t (c, s, id) FROM STDIN CSV HEADER", "c,s,id\n,\"(\"\"\n\"\",2026-01-01)\",\n12:00,\"(x,now)\",3\n", `Line 4, column s: "now".`},
		{"with more in the field", "COPY t (id, c) FROM STDIN", "1\tnow\n2\tnow+01\n", "Line 2, column c: a word with more behind it, or with letters that are escaped or quoted."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := s.in(t)
			for _, block := range []bool{false, true} {
				if block {
					s.exec(conn, "BEGIN; INSERT INTO t VALUES (0)")
				}
				wantRefused(t, copyIn(t, conn, tt.sql, tt.data), tt.detail)
				if block {
					s.exec(conn, "ROLLBACK")
				}
				s.want(conn, "SELECT count(*) FROM t", "0")
			}
			s.wantEqual()
		})
	}
}

// wantRefused fails the test unless err is what a word is refused with.
func wantRefused(t testing.TB, err error, detail string) {
	t.Helper()
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || refused.Code != "0A000" || refused.Detail != detail {
		t.Errorf("got %v, want 0A000 with %q", err, detail)
		if refused != nil {
			t.Logf("detail: %s", refused.Detail)
		}
	}
}

// TestWordsInCopyDataByExtendedQuery: a refusal ends the batch up to Sync, and what was prepared
// can be executed again.
func TestWordsInCopyDataByExtendedQuery(t *testing.T) {
	t.Parallel()
	s := newStageIn(t, config.NativeReplication)
	conn := s.connect()
	s.exec(conn, "CREATE TYPE span AS (what text, since timestamptz); CREATE TABLE t (id int, s span, at timestamptz)")
	front := conn.PgConn().Frontend()
	for i, tt := range []struct {
		parse        bool
		data, detail string
	}{
		{true, "1\t\\N\tnow\n", ""},
		{false, "2\t(x,now)\t\\N\n", `Line 1, column s: "now".`},
		{false, "3\t\\N\ttoday", ""},
	} {
		if tt.parse {
			front.Send(&pgproto3.Parse{Name: "c", Query: "COPY t FROM STDIN"})
		}
		front.Send(&pgproto3.Bind{PreparedStatement: "c"})
		front.Send(&pgproto3.Execute{})
		for _, piece := range strings.SplitAfter(tt.data, "o") {
			front.Send(&pgproto3.CopyData{Data: []byte(piece)})
		}
		front.Send(&pgproto3.CopyDone{})
		front.Send(&pgproto3.Sync{})
		if err := front.Flush(); err != nil {
			t.Fatal(err)
		}
		err := untilReady(t, front)
		if tt.detail != "" {
			wantRefused(t, err, tt.detail)
		} else if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	s.want(conn, "SELECT id, at IN (now(), current_date) OR at BETWEEN now() - interval '1 minute' AND now() FROM t ORDER BY id", "1|t", "3|t")
	s.wantEqual()
}

// untilReady reads up to ReadyForQuery and returns an error that came before it.
func untilReady(t testing.TB, front *pgproto3.Frontend) error {
	t.Helper()
	var refused error
	for {
		message, err := front.Receive()
		if err != nil {
			t.Fatal(err)
		}
		switch m := message.(type) {
		case *pgproto3.ErrorResponse:
			refused = pgconn.ErrorResponseToPgError(m)
		case *pgproto3.ReadyForQuery:
			return refused
		}
	}
}
