package scenario

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// Nodes number what is created each for itself. The frontend sees main's numbers only, and
// what it says with them every node understands.

// numberedTypes are types, a table of them and a function, made where no two nodes number
// alike.
const numberedTypes = `
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE spot AS (x int, feeling mood, feelings mood[]);
CREATE DOMAIN moods AS mood[] CHECK (cardinality(VALUE) < 5);
CREATE TYPE moodrange AS RANGE (subtype = mood);
CREATE TABLE felt (id int PRIMARY KEY, one mood, many mood[], place spot, places spot[], few moods, span moodrange);
CREATE FUNCTION cheer(mood) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''cheer '' || $1::text';
INSERT INTO felt VALUES (1, 'ok', '{sad,happy}', '(1,sad,"{ok}")', '{"(2,ok,{happy})"}', '{ok}', '[sad,ok]')`

// newNumberedStage has nodes that number the types otherwise, in a way in which main's
// numbers are other objects elsewhere.
func newNumberedStage(t testing.TB, mode config.ClusteringMode) *stage {
	t.Helper()
	s := newStageIn(t, mode)
	for i, node := range s.nodes {
		conn := node.ConnectTo(database)
		for j := range 3 * i {
			if _, err := conn.Exec(bounded(t), fmt.Sprintf("CREATE TYPE gone%d AS ENUM ('x'); DROP TYPE gone%d", j, j)); err != nil {
				t.Fatal(err)
			}
		}
	}
	conn := s.connect()
	s.exec(conn, numberedTypes)
	if main, other := s.numberOn(0, "mood"), s.numberOn(1, "mood"); main == other {
		t.Fatalf("both nodes give the type the number %d", main)
	}
	return s
}

// numberOn is what a node numbers a type.
func (s *stage) numberOn(node int, typeName string) uint32 {
	s.t.Helper()
	return s.askNumber(node, "SELECT $1::text::regtype::oid::bigint", typeName)
}

func (s *stage) askNumber(node int, query string, args ...any) uint32 {
	s.t.Helper()
	var number int64
	if err := s.nodes[node].ConnectTo(database).QueryRow(bounded(s.t), query, args...).Scan(&number); err != nil {
		s.t.Fatal(err)
	}
	return uint32(number)
}

// valueOf is a node's binary form of an expression.
func (s *stage) valueOf(node int, expression string) []byte {
	s.t.Helper()
	conn := s.nodes[node].ConnectTo(database)
	result := conn.PgConn().ExecParams(bounded(s.t), "SELECT "+expression, nil, nil, nil, []int16{1}).Read()
	if result.Err != nil {
		s.t.Fatal(result.Err)
	}
	return result.Rows[0][0]
}

// numberedColumns are the columns of felt with their types and content.
var numberedColumns = []struct{ name, typeName, value string }{
	{"one", "mood", "'ok'"},
	{"many", "mood[]", "'{sad,happy}'"},
	{"place", "spot", `'(1,sad,"{ok}")'`},
	{"places", "spot[]", `'{"(2,ok,{happy})"}'`},
	{"few", "moods", "'{ok}'"},
	{"span", "moodrange", "'[sad,ok]'"},
}

var replicating = []config.ClusteringMode{config.NativeReplication, config.SnapshotIsolation}

func TestFrontendSeesMainsNumbers(t *testing.T) {
	t.Parallel()
	for _, mode := range replicating {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			s := newNumberedStage(t, mode)
			conn := s.connect()
			table := s.askNumber(0, "SELECT 'felt'::regclass::oid::bigint")
			for _, c := range numberedColumns {
				want := s.numberOn(0, c.typeName)
				if c.typeName == "moods" {
					want = s.numberOn(0, "mood[]") // a domain is described as its base type
				}
				sql := "SELECT " + c.name + " FROM felt"
				results, err := conn.PgConn().Exec(bounded(t), sql).ReadAll()
				if err != nil {
					t.Fatal(err)
				}
				described, err := conn.PgConn().Prepare(bounded(t), "", sql, nil)
				if err != nil {
					t.Fatal(err)
				}
				for road, fields := range map[string][]pgconn.FieldDescription{"simple": results[0].FieldDescriptions, "extended": described.Fields} {
					if fields[0].DataTypeOID != want || fields[0].TableOID != table {
						t.Errorf("%s, %s: type %d of table %d, want %d of %d", c.name, road, fields[0].DataTypeOID, fields[0].TableOID, want, table)
					}
				}
				insert := "INSERT INTO felt (" + c.name + ") VALUES ($1)"
				for _, sql := range []string{insert, "SELECT $1::" + c.typeName} {
					described, err = conn.PgConn().Prepare(bounded(t), "", sql, nil)
					if err != nil {
						t.Fatal(err)
					}
					if want := s.numberOn(0, c.typeName); described.ParamOIDs[0] != want {
						t.Errorf("parameter of %s: type %d, want %d", sql, described.ParamOIDs[0], want)
					}
				}
			}
		})
	}
}

func TestNodesAreToldOfTypesInTheirOwnNumbers(t *testing.T) {
	t.Parallel()
	for _, mode := range replicating {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			s := newNumberedStage(t, mode)
			conn := s.connect().PgConn()
			for i, c := range numberedColumns {
				value, number := s.valueOf(0, c.value+"::"+c.typeName), s.numberOn(0, c.typeName)
				for j, types := range [][]uint32{{number}, {0}, nil} {
					id := 100 + 10*i + j
					sql := fmt.Sprintf("INSERT INTO felt (id, %s) VALUES (%d, $1) RETURNING %[1]s", c.name, id)
					result := conn.ExecParams(bounded(t), sql, [][]byte{value}, types, []int16{1}, []int16{1}).Read()
					if result.Err != nil {
						t.Fatalf("%s with types %v: %v", sql, types, result.Err)
					}
					if !bytes.Equal(result.Rows[0][0], value) {
						t.Errorf("%s returns %x, want %x", sql, result.Rows[0][0], value)
					}
					result = conn.ExecParams(bounded(t), fmt.Sprintf("SELECT %s FROM felt WHERE id = %d", c.name, id), nil, nil, nil, []int16{1}).Read()
					if result.Err != nil || !bytes.Equal(result.Rows[0][0], value) {
						t.Errorf("read of %s: %x, %v, want %x", c.name, result.Rows, result.Err, value)
					}
					if _, err := conn.Prepare(bounded(t), "again", sql, types); err == nil {
						result = conn.ExecPrepared(bounded(t), "again", [][]byte{value}, []int16{1}, nil).Read()
						if codeOf(result.Err) != "23505" {
							t.Errorf("%s again: %v", sql, result.Err)
						}
						if err := conn.Deallocate(bounded(t), "again"); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			pgtest.WantEqual(t, s.nodes...)
		})
	}
}

func TestReadsWithTypesAreBalanced(t *testing.T) {
	t.Parallel()
	s := newNumberedStage(t, config.NativeReplication)
	conn := s.connect()
	const marked = "SELECT one, many, place, places, span FROM felt WHERE one = $1"
	before := s.selects(1)
	for range 10 {
		result := conn.PgConn().ExecParams(bounded(t), marked, [][]byte{[]byte("ok")}, []uint32{s.numberOn(0, "mood")}, []int16{1}, []int16{1}).Read()
		if result.Err != nil || len(result.Rows) != 1 {
			t.Fatal(result.Err, len(result.Rows))
		}
		for i, c := range []int{1, 2, 3, 5} {
			column := numberedColumns[c]
			if want := s.valueOf(0, column.value+"::"+column.typeName); !bytes.Equal(result.Rows[0][i+1], want) {
				t.Errorf("%s: %x, want %x", column.name, result.Rows[0][i+1], want)
			}
		}
	}
	if done := s.selects(1) - before; done < 9 {
		t.Errorf("node 1 had %d of 10 reads", done)
	}
}

// selects is how many SELECTs a node was sent.
func (s *stage) selects(node int) int {
	s.t.Helper()
	rows := s.proxy.Query("SHOW POOL_BACKEND_STATS")
	count, err := strconv.Atoi(rows[node][5])
	if err != nil {
		s.t.Fatalf("%q: %v", rows[node], err)
	}
	return count
}

// Drivers that look types up send them as the catalogue has told them.
func TestDriverUsesTypesThatItHasLookedUp(t *testing.T) {
	t.Parallel()
	s := newNumberedStage(t, config.NativeReplication)
	conn := s.connect()
	for _, name := range []string{"mood", "_mood", "spot", "_spot"} {
		known, err := conn.LoadType(bounded(t), name)
		if err != nil {
			t.Fatal(name, err)
		}
		conn.TypeMap().RegisterType(known)
	}
	type spot struct {
		X        int32
		Feeling  string
		Feelings []string
	}
	want := spot{7, "happy", []string{"sad", "ok"}}
	for range 3 {
		if _, err := conn.Exec(bounded(t), "UPDATE felt SET many = $1, place = $2, places = $3 WHERE id = 1", []string{"happy"}, want, []spot{want}); err != nil {
			t.Fatal(err)
		}
		var many []string
		var got spot
		var all []spot
		if err := conn.QueryRow(bounded(t), "SELECT many, place, places FROM felt WHERE id = 1").Scan(&many, &got, &all); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(many, []string{"happy"}) || got.Feeling != want.Feeling || !slices.Equal(all[0].Feelings, want.Feelings) {
			t.Errorf("got %v %v %v", many, got, all)
		}
	}
	pgtest.WantEqual(t, s.nodes...)
}

// A type that the transaction has just made is known by the session's own connections only.
func TestTypeIsUsedInTheTransactionThatMakesIt(t *testing.T) {
	t.Parallel()
	s := newNumberedStage(t, config.NativeReplication)
	conn := s.connect()
	s.exec(conn, "BEGIN; CREATE TYPE colour AS ENUM ('red'); CREATE TABLE painted (c colour[])")
	number := int64(0)
	if err := conn.QueryRow(bounded(t), "SELECT oid::bigint FROM pg_type WHERE typname = '_colour'").Scan(&number); err != nil {
		t.Fatal(err)
	}
	element := int64(0)
	if err := conn.QueryRow(bounded(t), "SELECT oid::bigint FROM pg_type WHERE typname = 'colour'").Scan(&element); err != nil {
		t.Fatal(err)
	}
	result := conn.PgConn().ExecParams(bounded(t), "INSERT INTO painted VALUES ($1)", [][]byte{binaryArray(uint32(element), "red")}, []uint32{uint32(number)}, []int16{1}, nil).Read()
	if result.Err != nil {
		t.Fatal(result.Err)
	}
	s.exec(conn, "COMMIT")
	pgtest.WantEqual(t, s.nodes...)
	s.want(conn, "SELECT c FROM painted", "{red}")
}

// binaryArray is an array of one text-like element.
func binaryArray(element uint32, value string) []byte {
	var b []byte
	for _, n := range []uint32{1, 0, element, 1, 1, uint32(len(value))} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return append(b, value...)
}

func TestFunctionCallNamesTheSameFunctionOnEveryNode(t *testing.T) {
	t.Parallel()
	s := newNumberedStage(t, config.NativeReplication)
	conn := s.connect().PgConn()
	front := conn.Frontend()
	front.Send(&pgproto3.FunctionCall{Function: s.askNumber(0, "SELECT 'cheer'::regproc::oid::bigint"), Arguments: [][]byte{[]byte("ok")}})
	if err := front.Flush(); err != nil {
		t.Fatal(err)
	}
	message, err := front.Receive()
	if err != nil {
		t.Fatal(err)
	}
	answer, ok := message.(*pgproto3.FunctionCallResponse)
	if !ok || string(answer.Result) != "cheer ok" {
		t.Errorf("got %#v", message)
	}
}

// A session goes on in the numbers that it has learnt, also when the node that they are from
// is lost; a new session sees those of the next main.
func TestSessionKeepsItsNumbersWhenMainIsLost(t *testing.T) {
	t.Parallel()
	s := newNumberedStage(t, config.NativeReplication)
	old := s.connect()
	number, value := s.numberOn(0, "mood[]"), s.valueOf(0, "'{happy}'::mood[]")
	s.nodes[0].Kill()
	s.proxy.WaitNodeStatus(0, "down")
	for i := range 3 {
		sql := fmt.Sprintf("INSERT INTO felt (id, many) VALUES (%d, $1) RETURNING many", 50+i)
		result := old.PgConn().ExecParams(bounded(t), sql, [][]byte{value}, []uint32{number}, []int16{1}, []int16{1}).Read()
		if result.Err != nil {
			t.Fatal(result.Err)
		}
		if !bytes.Equal(result.Rows[0][0], value) || result.FieldDescriptions[0].DataTypeOID != number {
			t.Fatalf("old session: %v, %x of type %d; want %x of %d", result.Err, result.Rows, result.FieldDescriptions[0].DataTypeOID, value, number)
		}
	}
	s.wantType(s.connect(), "SELECT many FROM felt", s.numberOn(1, "mood[]"))
	s.exec(s.connect(), "CREATE TYPE late AS ENUM ('x'); CREATE TABLE lately (l late); INSERT INTO lately VALUES ('x')")
	s.want(old, "SELECT l FROM lately", "x")
	pgtest.WantEqual(t, s.nodes[1:]...)
}

func (s *stage) wantType(conn *pgx.Conn, sql string, want uint32) {
	s.t.Helper()
	results, err := conn.PgConn().Exec(bounded(s.t), sql).ReadAll()
	if err != nil {
		s.t.Fatal(err)
	}
	if got := results[0].FieldDescriptions[0].DataTypeOID; got != want {
		s.t.Errorf("%s: type %d, want %d", sql, got, want)
	}
}

// Sessions write and read arrays of an enum in binary while others make types and tables, and
// main is killed under them.
func TestTypesUnderLoadWhileMainIsLost(t *testing.T) {
	t.Parallel()
	const clients, rounds = 6, 30
	s := newNumberedStage(t, config.NativeReplication)
	number, value := s.numberOn(0, "mood[]"), s.valueOf(0, "'{happy,sad}'::mood[]")
	conns := make([]*pgconn.PgConn, clients)
	for i := range conns {
		conns[i] = s.connect().PgConn()
	}
	maker := s.connect()
	done := make(chan error, clients+1)
	halfway := make(chan struct{}, clients)
	for i, conn := range conns {
		go func() { done <- useTypes(t.Context(), conn, i, rounds, number, value, halfway) }()
	}
	go func() {
		for i := range rounds {
			sql := fmt.Sprintf("CREATE TYPE made%d AS ENUM ('x'); CREATE TABLE of%[1]d (m made%[1]d[]); INSERT INTO of%[1]d VALUES ('{x}')", i)
			if _, err := repeated(func() ([]string, error) { return rowsOf(maker, sql) }); err != nil {
				done <- fmt.Errorf("%s: %w", sql, err)
				return
			}
		}
		done <- nil
	}()
	for range clients {
		<-halfway
	}
	s.nodes[0].Kill()
	for range clients + 1 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	pgtest.WantEqual(t, s.nodes[1:]...)
	s.want(s.connect(), "SELECT count(*) FROM felt WHERE many = '{happy,sad}'", strconv.Itoa(clients*rounds))
}

// useTypes inserts and reads rounds rows.
func useTypes(ctx context.Context, conn *pgconn.PgConn, client, rounds int, number uint32, value []byte, halfway chan<- struct{}) error {
	for i := range rounds {
		if i == rounds/2 {
			halfway <- struct{}{}
		}
		id := 1000*(client+1) + i
		sql := fmt.Sprintf("INSERT INTO felt (id, many) VALUES (%d, $1) ON CONFLICT (id) DO UPDATE SET many = excluded.many RETURNING many", id)
		for _, ask := range []func() *pgconn.Result{
			func() *pgconn.Result {
				return conn.ExecParams(ctx, sql, [][]byte{value}, []uint32{number}, []int16{1}, []int16{1}).Read()
			},
			func() *pgconn.Result {
				return conn.ExecParams(ctx, fmt.Sprintf("SELECT many FROM felt WHERE id = %d", id), nil, nil, nil, []int16{1}).Read()
			},
		} {
			result, err := repeated(func() (*pgconn.Result, error) { r := ask(); return r, r.Err })
			if err != nil {
				return fmt.Errorf("client %d, row %d: %w", client, i, err)
			}
			if len(result.Rows) != 1 || !bytes.Equal(result.Rows[0][0], value) || result.FieldDescriptions[0].DataTypeOID != number {
				return fmt.Errorf("client %d, row %d: got %x of type %d", client, i, result.Rows, result.FieldDescriptions[0].DataTypeOID)
			}
		}
	}
	return nil
}

// repeated asks again for as long as the answer says that this may help.
func repeated[T any](ask func() (T, error)) (T, error) {
	for end := time.Now().Add(patience); ; {
		got, err := ask()
		if codeOf(err) != "40001" || time.Now().After(end) {
			return got, err
		}
	}
}

// A node that comes back may have been made anew, and number everything otherwise.
func TestNodeThatWasMadeAnewIsUnderstood(t *testing.T) {
	t.Parallel()
	s := newNumberedStage(t, config.NativeReplication)
	old := s.connect()
	want := s.numberOn(0, "mood[]")
	s.wantType(old, "SELECT many FROM felt", want)
	before := s.numberOn(1, "mood[]")
	s.leave(1)
	s.nodes[1].Start()
	node := s.nodes[1].ConnectTo(database)
	for _, sql := range []string{"DROP TABLE felt", "DROP FUNCTION cheer", "DROP TYPE moodrange", "DROP DOMAIN moods", "DROP TYPE spot", "DROP TYPE mood", numberedTypes} {
		if _, err := node.Exec(bounded(t), sql); err != nil {
			t.Fatal(err)
		}
	}
	if s.numberOn(1, "mood[]") == before {
		t.Fatal("the node numbers as before")
	}
	s.comeBack(1)
	for _, conn := range []*pgx.Conn{old, s.connect()} {
		value := s.valueOf(0, "'{ok}'::mood[]")
		result := conn.PgConn().ExecParams(bounded(t), "UPDATE felt SET many = $1 RETURNING many", [][]byte{value}, []uint32{want}, []int16{1}, []int16{1}).Read()
		if result.Err != nil || !bytes.Equal(result.Rows[0][0], value) {
			t.Fatalf("%v, %x", result.Err, result.Rows)
		}
		s.wantType(conn, "SELECT many FROM felt", want)
	}
	pgtest.WantEqual(t, s.nodes...)
}
