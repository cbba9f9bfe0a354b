package scenario

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pgchorus/pgchorus/internal/config"
)

// boundLater are statements of tables $t and $o, which have a row 1 each and are not known yet, with a parameter 1.
var boundLater = []struct {
	name, sql, tag string
	alone          bool // not in a block
}{
	{"update from", "UPDATE $t SET n = o.n FROM $o o WHERE o.k = $t.k AND o.k = $1", "UPDATE 1", false},
	{"update that returns", "UPDATE $t SET n = o.n FROM $o o WHERE o.k = $t.k AND o.k = $1 RETURNING $t.n", "UPDATE 1", false},
	{"insert of a time", "INSERT INTO $t (k, at) VALUES ($1 + 1, now())", "INSERT 0 1", false},
	{"insert by chance", "INSERT INTO $t (k, n) SELECT k + $1, random() * 1000 FROM $o", "INSERT 0 1", false},
	{"insert into a serial", "INSERT INTO $o (k, n) VALUES ($1 + 1, 1)", "INSERT 0 1", false},
	{"delete", "DELETE FROM $t WHERE k = $1", "DELETE 1", false},
	{"read", "SELECT n FROM $t WHERE k = $1", "SELECT 1", false},
	{"vacuum", "VACUUM $t", "VACUUM", true},
	{"call", "CALL $t_write($1)", "CALL", false},
	{"call by chance", "CALL $t_chance($1)", "CALL", false},
	{"delete that notes the time", "DELETE FROM $o WHERE k = $1", "DELETE 1", false},
	{"create", "CREATE TABLE $t_made AS SELECT k, n FROM $t WHERE k = $1::int", "SELECT 1", true},
}

// TestPortalThatIsExecutedLater: what pgchorus asks the nodes between Bind and Execute does not end the unnamed portal.
func TestPortalThatIsExecutedLater(t *testing.T) {
	t.Parallel()
	for _, mode := range []config.ClusteringMode{config.NativeReplication, config.SnapshotIsolation} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			s := newStageIn(t, mode)
			conn, other := s.connect(), s.connect()
			for i, tt := range boundLater {
				for _, in := range []portalRun{{}, {describe: true}, {block: true}, {block: true, sync: true}, {block: true, describe: true}, {between: true}, {block: true, between: true}} {
					if tt.alone && (in.block || in.between) {
						continue
					}
					table := fmt.Sprintf("t%d_%d", i, in.number())
					named := func(sql string) string {
						return strings.NewReplacer("$t", table, "$o", "of_"+table).Replace(sql)
					}
					s.exec(other, named(`CREATE TABLE $t (k int PRIMARY KEY, n int, at timestamptz); CREATE TABLE $o (id serial, k int PRIMARY KEY, n int);
						INSERT INTO $t VALUES (1, 1); INSERT INTO $o (k, n) VALUES (1, 2);
						CREATE PROCEDURE $t_write(k int) LANGUAGE sql AS 'UPDATE $t SET n = n + 1 WHERE $t.k = $1';
						CREATE PROCEDURE $t_chance(k int) LANGUAGE plpgsql AS 'BEGIN UPDATE $t SET n = random() * 1e6 WHERE $t.k = $1; END';
						CREATE FUNCTION $t_note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO $t VALUES (OLD.k + 100, 1, clock_timestamp()); RETURN NULL; END';
						CREATE TRIGGER noted AFTER DELETE ON $o FOR EACH ROW EXECUTE FUNCTION $t_note()`))
					if got := in.run(t, conn, named(tt.sql), named("INSERT INTO $t VALUES (50, 1, clock_timestamp())")); got != tt.tag {
						t.Errorf("%s, %+v: got %s, want %s", tt.name, in, got, tt.tag)
					}
				}
			}
			s.wantEqual()
		})
	}
}

// portalRun is how a portal is bound in one message and executed in another.
type portalRun struct {
	block    bool
	sync     bool // in between
	describe bool // in front of Execute
	between  bool // another write is executed
}

func (r portalRun) number() (n int) {
	for i, on := range []bool{r.block, r.sync, r.describe, r.between} {
		if on {
			n |= 1 << i
		}
	}
	return n
}

// run returns the tag, or the error.
func (r portalRun) run(t *testing.T, conn *pgx.Conn, sql, other string) string {
	t.Helper()
	if r.block {
		defer func() { mustExec(t, conn, "COMMIT") }()
		mustExec(t, conn, "BEGIN")
	}
	var parameters [][]byte
	if strings.Contains(sql, "$1") {
		parameters = [][]byte{[]byte("1")}
	}
	front := conn.PgConn().Frontend()
	bound := []pgproto3.FrontendMessage{&pgproto3.Parse{Query: sql}, &pgproto3.Bind{Parameters: parameters}}
	var err error
	if r.sync {
		_, err = exchanged(t, front, append(bound, &pgproto3.Sync{})...)
	} else {
		_, err = exchanged(t, front, append(bound, &pgproto3.Flush{})...)
	}
	if err != nil {
		return "Bind: " + err.Error()
	}
	if r.describe {
		if _, err := exchanged(t, front, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Flush{}); err != nil {
			return "Describe: " + err.Error()
		}
	}
	if r.between {
		if _, err := exchanged(t, front, &pgproto3.Parse{Name: "other", Query: other}, &pgproto3.Bind{DestinationPortal: "other", PreparedStatement: "other"},
			&pgproto3.Execute{Portal: "other"}, &pgproto3.Close{ObjectType: 'S', Name: "other"}, &pgproto3.Flush{}); err != nil {
			return "other: " + err.Error()
		}
	}
	tag, err := exchanged(t, front, &pgproto3.Execute{}, &pgproto3.Sync{})
	if err != nil {
		return err.Error()
	}
	return tag
}

func mustExec(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := rowsOf(conn, sql); err != nil {
		t.Errorf("%s: %v", sql, err)
	}
}

// exchanged sends messages, the last of which is Flush or Sync, and reads all that is said to them. Behind an error it sends Sync.
func exchanged(t *testing.T, front *pgproto3.Frontend, messages ...pgproto3.FrontendMessage) (tag string, refused error) {
	t.Helper()
	send := func(messages ...pgproto3.FrontendMessage) {
		for _, m := range messages {
			front.Send(m)
		}
		if err := front.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	send(messages...)
	_, synced := messages[len(messages)-1].(*pgproto3.Sync)
	for answers := 0; synced || answers < len(messages)-1; {
		m, err := front.Receive()
		if err != nil {
			t.Fatal(err)
		}
		switch m := m.(type) {
		case *pgproto3.ErrorResponse:
			if refused = pgconn.ErrorResponseToPgError(m); !synced {
				send(&pgproto3.Sync{})
				synced = true
			}
		case *pgproto3.ReadyForQuery:
			return tag, refused
		case *pgproto3.CommandComplete:
			tag = string(m.CommandTag)
			answers++
		case *pgproto3.ParseComplete, *pgproto3.BindComplete, *pgproto3.CloseComplete, *pgproto3.RowDescription, *pgproto3.NoData:
			answers++
		}
	}
	return tag, nil
}

// TestQueryEndsTheUnnamedPortal: a Query of the frontend's own does, as it does in PostgreSQL.
func TestQueryEndsTheUnnamedPortal(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, "CREATE TABLE t (k int PRIMARY KEY)")
	s.exec(conn, "BEGIN")
	front := conn.PgConn().Frontend()
	if _, err := exchanged(t, front, &pgproto3.Parse{Query: "INSERT INTO t VALUES (1)"}, &pgproto3.Bind{}, &pgproto3.Sync{}); err != nil {
		t.Fatal(err)
	}
	s.exec(conn, "SELECT 1")
	if _, err := exchanged(t, front, &pgproto3.Execute{}, &pgproto3.Sync{}); codeOf(err) != "34000" {
		t.Errorf("got %v, want 34000", err)
	}
	s.exec(conn, "ROLLBACK")
	s.wantEqual()
}

// TestStatementThatIsPlannedAnewUnderBind: the catalogue has changed since its Parse, in the same batch. It is executed all the
// same, and as one.
func TestStatementThatIsPlannedAnewUnderBind(t *testing.T) {
	t.Parallel()
	for _, mode := range []config.ClusteringMode{config.NativeReplication, config.SnapshotIsolation} {
		for _, begin := range []string{"", "BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ"} {
			t.Run(string(mode)+" "+begin, func(t *testing.T) {
				t.Parallel()
				s := newStageIn(t, mode)
				conn, other := s.connect(), s.connect()
				s.exec(other, `CREATE DOMAIN moment timestamptz; CREATE TABLE told (k int PRIMARY KEY, at moment); CREATE TABLE other (k int PRIMARY KEY);
					CREATE VIEW telling AS SELECT k FROM told`)
				s.exec(other, "BEGIN; ALTER DOMAIN moment SET DEFAULT now(); LOCK TABLE told")
				if begin != "" {
					s.exec(conn, begin)
				}
				// Main tells the text of the view when nobody has locked its table.
				made := start(func() ([]string, error) {
					return nil, conn.PgConn().ExecParams(bounded(t), "CREATE RULE also AS ON INSERT TO other DO ALSO INSERT INTO telling VALUES (1)", nil, nil, nil, nil).Read().Err
				})
				awaitWaiter(t, s.nodes[0])
				s.exec(other, "COMMIT")
				if _, err := made.wait(t); err != nil {
					t.Error(err)
				}
				if begin != "" {
					s.exec(conn, "COMMIT")
				}
				s.want(conn, "SELECT count(*) FROM pg_rules WHERE rulename = 'also'", "1")
				s.wantEqual()
			})
		}
	}
}
