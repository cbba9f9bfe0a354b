package scenario

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
)

// copyRelaySchema has columns that each node would fill with something else.
const copyRelaySchema = `
CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent SELECT generate_series(0, 9);
CREATE TABLE filled (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), n serial, "a b" text, p int DEFAULT 1 REFERENCES parent, at timestamptz DEFAULT clock_timestamp(), r float DEFAULT random(),
	twice int GENERATED ALWAYS AS (length("a b") * 2) STORED);
CREATE TABLE split (id uuid DEFAULT gen_random_uuid(), n int) PARTITION BY RANGE (n);
CREATE TABLE split_low PARTITION OF split FOR VALUES FROM (0) TO (10); CREATE TABLE split_high PARTITION OF split DEFAULT;
CREATE TABLE touched (n int PRIMARY KEY, at timestamptz, counted int);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at := clock_timestamp(); NEW.counted := COALESCE(NEW.counted, 0) + 1; IF NEW.n < 0 THEN RETURN NULL; END IF; RETURN NEW; END';
CREATE TRIGGER touch BEFORE INSERT ON touched FOR EACH ROW EXECUTE FUNCTION touch()`

// copyCounted runs a COPY by simple query, or by extended query, and returns how many rows it says.
func copyCounted(t testing.TB, conn *pgx.Conn, sql, data string) (int64, error) {
	t.Helper()
	tag, err := conn.PgConn().CopyFrom(bounded(t), strings.NewReader(data), sql)
	return tag.RowsAffected(), err
}

// What COPY leaves to defaults and triggers is main's.
func TestCopyIntoWhatNodesWouldFillDifferently(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, copyRelaySchema)
	mustCopy := func(sql, data string, want int64) {
		t.Helper()
		if got, err := copyCounted(t, conn, sql, data); err != nil || got != want {
			t.Errorf("%s: %d rows, %v, want %d", sql, got, err, want)
		}
	}
	mustCopy(`COPY filled ("a b") FROM STDIN`, "x\\ty\nback\\\\slash\n\\N\nü\n", 4)
	mustCopy(`COPY filled ("a b") FROM STDIN (FORMAT csv, HEADER)`, "\"a b\"\n\"two\nlines\"\n", 1)
	mustCopy(`COPY filled ("a b") FROM STDIN WHERE "a b" <> 'no'`, "yes\nno\n", 1)
	mustCopy(`COPY filled ("a b") FROM STDIN`, "", 0)
	mustCopy(`COPY split (n) FROM STDIN`, "1\n2\n30\n", 3)
	mustCopy(`COPY touched (n) FROM STDIN`, "1\n-5\n2\n", 2)
	s.exec(conn, "BEGIN")
	s.exec(conn, `INSERT INTO filled ("a b") VALUES ('before')`)
	mustCopy(`COPY filled ("a b") FROM STDIN`, "in\na\nblock\n", 3)
	s.exec(conn, "SAVEPOINT here")
	mustCopy(`COPY filled ("a b") FROM STDIN`, "taken back\n", 1)
	s.exec(conn, "ROLLBACK TO here")
	mustCopy(`COPY touched (n) FROM STDIN`, "3\n", 1)
	s.exec(conn, "INSERT INTO touched (n) VALUES (4)")
	mustCopy(`COPY filled ("a b") FROM STDIN`, "again\n", 1)
	s.exec(conn, "COMMIT")
	s.want(conn, "SELECT count(*), count(DISTINCT id), count(DISTINCT n), count(DISTINCT at) > 5 FROM filled", "11|11|11|t")
	s.want(conn, "SELECT count(*), min(counted), max(counted) FROM touched", "4|1|1")
	for _, bad := range []string{"COPY filled (n) FROM STDIN", "COPY touched (n) FROM STDIN", "COPY filled (p) FROM STDIN"} {
		data := "77\nnot a number\n"
		if strings.Contains(bad, "(p)") {
			data = "77\n"
		}
		if _, err := copyCounted(t, conn, bad, data); err == nil {
			t.Errorf("%s: %q is taken", bad, data)
		}
	}
	s.want(conn, `INSERT INTO filled ("a b") VALUES ('after') RETURNING "a b"`, "after")
	s.wantAllUp()
	s.wantEqual()
	s.wantPositions()
}

// More rows than a buffer holds go into a table that is not empty, from several sessions.
func TestCopyOfManyRowsThatNodesWouldFillDifferently(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	first := s.connect()
	s.exec(first, copyRelaySchema)
	s.exec(first, `INSERT INTO filled ("a b") SELECT repeat('x', 500) FROM generate_series(1, 2000)`)
	var clients sync.WaitGroup
	for i := range 3 {
		conn := s.connect()
		clients.Go(func() {
			var data strings.Builder
			for row := range 20_000 {
				fmt.Fprintf(&data, "client %d row %d\n", i, row)
			}
			if got, err := copyCounted(t, conn, `COPY filled ("a b") FROM STDIN`, data.String()); err != nil || got != 20_000 {
				t.Errorf("%d rows, %v", got, err)
			}
		})
	}
	clients.Wait()
	s.want(first, "SELECT count(*), count(DISTINCT id), count(DISTINCT n) FROM filled", "62000|62000|62000")
	s.wantAllUp()
	s.wantEqual()
	s.wantPositions()
}

// The same by extended query, with the Sync in front of the data, as libpq sends it, or behind.
func TestCopyByExtendedQueryIntoWhatNodesWouldFillDifferently(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, copyRelaySchema)
	front := conn.PgConn().Frontend()
	run := func(early bool, more ...pgproto3.FrontendMessage) {
		t.Helper()
		for _, m := range more {
			front.Send(m)
		}
		front.Send(&pgproto3.Parse{Query: `COPY filled ("a b") FROM STDIN`})
		front.Send(&pgproto3.Bind{})
		front.Send(&pgproto3.Execute{})
		if early {
			front.Send(&pgproto3.Sync{})
		} else {
			front.Send(&pgproto3.Flush{})
		}
		front.Send(&pgproto3.CopyData{Data: []byte("one\nt")})
		front.Send(&pgproto3.CopyData{Data: []byte("wo\n")})
		front.Send(&pgproto3.CopyDone{})
		front.Send(&pgproto3.Sync{})
		if err := front.Flush(); err != nil {
			t.Fatal(err)
		}
		var tags []string
		for {
			m, err := front.Receive()
			if err != nil {
				t.Fatal(err)
			}
			switch m := m.(type) {
			case *pgproto3.CommandComplete:
				tags = append(tags, string(m.CommandTag))
			case *pgproto3.ErrorResponse:
				t.Errorf("COPY: %s %s", m.Code, m.Message)
			case *pgproto3.ReadyForQuery:
				if got := tags[len(tags)-1]; got != "COPY 2" {
					t.Errorf("tags %q", tags)
				}
				return
			}
		}
	}
	deadline := time.AfterFunc(time.Minute, func() { conn.PgConn().Conn().Close() })
	defer deadline.Stop()
	run(false)
	run(true)
	run(false, &pgproto3.Parse{Query: "INSERT INTO touched (n) VALUES (5)"}, &pgproto3.Bind{}, &pgproto3.Execute{})
	s.want(conn, "SELECT count(*), count(DISTINCT id) FROM filled", "6|6")
	s.want(conn, "SELECT count(*) FROM touched", "1")
	s.wantAllUp()
	s.wantEqual()
	s.wantPositions()
}
