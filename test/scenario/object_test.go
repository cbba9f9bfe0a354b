package scenario

import (
	"encoding/binary"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pgchorus/pgchorus/test/proxy"
)

// apart makes the nodes choose other numbers, each by itself.
func (s *stage) apart() {
	s.t.Helper()
	for i, node := range s.nodes {
		for range i * 3 {
			if _, err := node.ConnectTo(database).Exec(bounded(s.t), "CREATE TABLE apart (a int); DROP TABLE apart"); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

// TestLargeObjectsOfSQL makes large objects in every way that SQL has; the nodes hold the
// same afterwards, under the same numbers.
func TestLargeObjectsOfSQL(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.apart()
	s.exec(s.connect(), "CREATE TABLE photo (id int PRIMARY KEY, at timestamptz, data oid)")
	bothProtocols(t, func(t *testing.T, mode pgx.QueryExecMode) {
		s := s.in(t)
		conn := s.connect()
		run := func(sql string) {
			t.Helper()
			if err := runBy(t, conn, mode, strings.ReplaceAll(sql, "ID", strconv.Itoa(int(mode)))); err != nil {
				t.Errorf("%s: %v", sql, err)
			}
		}
		run("SELECT lo_creat(-1)")
		run("SELECT lo_create(0)")
		run("SELECT lo_from_bytea(0, '\\x0102')")
		run("INSERT INTO photo VALUES (1ID, now(), lo_creat(-1))")
		run("INSERT INTO photo VALUES (2ID, now(), lo_from_bytea(0, 'abc')), (3ID, now(), pg_catalog.lo_create(0))")
		run("UPDATE photo SET data = lo_create(0) WHERE id = 2ID")
		run("PREPARE pID AS SELECT lo_from_bytea(0, 'prepared')")
		run("EXECUTE pID")
		run("EXECUTE pID")
		s.wantCode(conn, "UPDATE photo SET data = lo_create(0)", "0A000")
		s.wantCode(conn, "SELECT lo_creat(-1) FROM photo", "0A000")
		rows, err := conn.Query(bounded(t), "SELECT lo_creat(-1), lo_create(0)", mode)
		if err != nil {
			t.Fatal(err)
		}
		if f := rows.FieldDescriptions(); f[0].Name != "lo_creat" || f[1].Name != "lo_create" {
			t.Errorf("columns %v", f)
		}
		rows.Close()
		s.exec(conn, "BEGIN; SELECT lo_create(0); ROLLBACK")
		s.wantEqual()
	})
}

// callFunction sends a function call message and returns its result.
func callFunction(conn *pgx.Conn, call *pgproto3.FunctionCall) (result []byte, err error) {
	front := conn.PgConn().Frontend()
	front.Send(call)
	if err := front.Flush(); err != nil {
		return nil, err
	}
	for {
		message, received := front.Receive()
		if received != nil {
			return nil, received
		}
		switch m := message.(type) {
		case *pgproto3.FunctionCallResponse:
			result = append([]byte{}, m.Result...)
		case *pgproto3.ErrorResponse:
			err = &pgconn.PgError{Code: m.Code, Message: m.Message}
		case *pgproto3.ReadyForQuery:
			return result, err
		}
	}
}

// TestFunctionThatNodesCallByMessage: each node calls it by itself. Where that may make them differ the log
// is told, or it is refused.
func TestFunctionThatNodesCallByMessage(t *testing.T) {
	t.Parallel()
	for safety, want := range map[string]string{"mixed": "", "strict": "0A000"} {
		t.Run(safety, func(t *testing.T) {
			s := newStage(t, proxy.WithConfig("replication_safety = "+safety))
			conn := s.connect()
			s.exec(conn, "CREATE TABLE t (grp int, v int)")
			s.exec(conn, `CREATE SCHEMA "a.b"; CREATE FUNCTION "a.b".raise() RETURNS void LANGUAGE sql AS 'UPDATE public.t SET v = v + 1 WHERE grp = 7'`)
			var number uint32
			if err := s.nodes[0].ConnectTo(database).QueryRow(bounded(t), `SELECT '"a.b".raise()'::regprocedure::oid`).Scan(&number); err != nil {
				t.Fatal(err)
			}
			if _, err := callFunction(conn, &pgproto3.FunctionCall{Function: number}); codeOf(err) != want {
				t.Errorf("%v, want %q", err, want)
			}
			if want == "" {
				s.proxy.WaitLog("a function call message has each node call")
			}
			s.wantEqual()
		})
	}
}

// TestLargeObjectsInParameters: the frontend gives the 0 at Bind, again and again.
func TestLargeObjectsInParameters(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.apart()
	conn := s.connect()
	if _, err := conn.Prepare(bounded(t), "make", "SELECT lo_from_bytea($1, $2)"); err != nil {
		t.Fatal(err)
	}
	seen := map[uint32]bool{}
	for range 3 {
		var oid uint32
		if err := conn.QueryRow(bounded(t), "make", uint32(0), []byte("abc")).Scan(&oid); err != nil {
			t.Fatal(err)
		}
		seen[oid] = true
	}
	if len(seen) != 3 {
		t.Errorf("numbers %v, want three", seen)
	}
	var oid uint32
	if err := conn.QueryRow(bounded(t), "make", uint32(4711), []byte("own")).Scan(&oid); err != nil || oid != 4711 {
		t.Errorf("own number: %d, %v", oid, err)
	}
	s.wantEqual()
}

// TestLargeObjectsByFunctionCall: as client libraries make them.
func TestLargeObjectsByFunctionCall(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.apart()
	conn := s.connect()
	zero := []byte{0, 0, 0, 0}
	for name, call := range map[string]*pgproto3.FunctionCall{
		"lo_creat":      {Function: 957, ArgFormatCodes: []uint16{1}, Arguments: [][]byte{{0, 6, 0, 0}}, ResultFormatCode: 1},
		"lo_create":     {Function: 715, ArgFormatCodes: []uint16{1}, Arguments: [][]byte{zero}, ResultFormatCode: 1},
		"lo_from_bytea": {Function: 3457, ArgFormatCodes: []uint16{1}, Arguments: [][]byte{zero, []byte("abc")}, ResultFormatCode: 1},
	} {
		if oid, err := callFunction(conn, call); err != nil || len(oid) != 4 || binary.BigEndian.Uint32(oid) == 0 {
			t.Errorf("%s: %x, %v", name, oid, err)
		}
	}
	_, err := callFunction(conn, &pgproto3.FunctionCall{Function: 764, Arguments: [][]byte{[]byte("/etc/hostname")}})
	if code := codeOf(err); code != "0A000" {
		t.Errorf("lo_import: %v", err)
	}
	var own uint32
	s.exec(conn, "CREATE FUNCTION own() RETURNS int LANGUAGE sql AS 'SELECT 1'")
	if err := s.nodes[0].ConnectTo(database).QueryRow(bounded(t), "SELECT 'own()'::regprocedure::oid").Scan(&own); err != nil {
		t.Fatal(err)
	}
	if _, err := callFunction(conn, &pgproto3.FunctionCall{Function: own}); err != nil {
		t.Errorf("a function of a user: %v", err)
	}
	s.wantEqual()
}
