package sequence_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/internal/sequence"
)

// server is a session on a real server.
type server struct {
	t    *testing.T
	conn *pgx.Conn
}

func (s *server) exec(sql string) {
	s.t.Helper()
	if _, err := s.conn.Exec(s.t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

// row is the last row of a query.
func (s *server) row(sql string) [][]byte {
	s.t.Helper()
	results, err := s.conn.PgConn().Exec(s.t.Context(), sql).ReadAll()
	if err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	rows := results[len(results)-1].Rows
	if len(rows) == 0 {
		return nil
	}
	return rows[len(rows)-1]
}

func (s *server) draw(name string, n, more int) string {
	s.t.Helper()
	row := s.row(sequence.Draw(name, false, n, more))
	if row == nil {
		return "none"
	}
	d, err := sequence.DecodeDraw(row)
	if err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprint(d.Name, d.Values)
}

func TestQueries(t *testing.T) {
	s := &server{t, pgtest.Start(t, 1)[0].ConnectTo("postgres")}
	// A search_path with functions and operators of the same names must mean nothing.
	s.exec(`CREATE SCHEMA evil; CREATE FUNCTION evil.nextval(regclass) RETURNS bigint LANGUAGE sql AS 'SELECT 666::bigint';
		CREATE FUNCTION evil.eq(oid, oid) RETURNS bool LANGUAGE sql AS 'SELECT false';
		CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.eq);
		SET search_path = evil, pg_catalog, public; SET standard_conforming_strings = off;
		CREATE SEQUENCE public.up; CREATE SEQUENCE public."Down' \" INCREMENT -2; CREATE SEQUENCE public.small MAXVALUE 5; CREATE SEQUENCE public.cyc MAXVALUE 3 CYCLE;
		CREATE TABLE public.t (id int)`)
	for _, tt := range []struct {
		name    string
		n, more int
		want    string
	}{
		{"up", 1, 3, "public.up[1 2 3 4]"}, {"public.up", 2, 0, "public.up[5 6]"},
		{`"Down' \"`, 2, 1, `public."Down' \"[-1 -3 -5]`},
		{"small", 1, 2, "public.small[1 2 3]"}, {"small", 1, 9, "public.small[4 5]"},
		{"cyc", 1, 3, "public.cyc[1 2 3 1]"}, {"t", 1, 1, "none"}, {"nothing", 1, 1, "none"},
	} {
		if got := s.draw(tt.name, tt.n, tt.more); got != tt.want {
			t.Errorf("draw %d and %d of %s: %s, want %s", tt.n, tt.more, tt.name, got, tt.want)
		}
	}
	for _, tt := range []struct {
		high int64
		want string
	}{{6, "0"}, {3, "0"}, {7, "1"}, {50, "43"}} {
		if got := s.row(sequence.AdvanceTo("public.up", tt.high, 1)); string(got[0]) != tt.want {
			t.Errorf("advance to %d: %s draws, want %s", tt.high, got[0], tt.want)
		}
	}
	if got := s.row(sequence.AdvanceTo(`public."Down' \"`, -11, -2)); string(got[0]) != "3" {
		t.Errorf("advance downwards: %s draws, want 3", got[0])
	}
}

// TestAdvanceHasTheSequenceToItself: what somebody else draws on the way to the same value is
// not drawn a second time, and the lock does not outlast the advance.
func TestAdvanceHasTheSequenceToItself(t *testing.T) {
	node := pgtest.Start(t, 1)[0]
	other, s := &server{t, node.ConnectTo("postgres")}, &server{t, node.ConnectTo("postgres")}
	other.exec("CREATE SEQUENCE s; BEGIN")
	other.row(sequence.Lock("public.s"))
	s.exec("BEGIN")
	done := make(chan error, 1)
	go func() {
		_, err := s.conn.PgConn().Exec(t.Context(), sequence.Advance(drawn(1, 0, 1, 5, 1))).ReadAll()
		done <- err
	}()
	node.WaitRows("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", "1")
	other.exec("SELECT nextval('s') FROM generate_series(1, 5); COMMIT")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := string(other.row("SELECT last_value FROM s")[0]); got != "5" {
		t.Errorf("the sequence stands at %s, want 5", got)
	}
	if held := string(other.row("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")[0]); held != "0" {
		t.Errorf("%s locks held after the advance", held)
	}
}

// TestSchemaThatMayNotBeUsed: the default of a column needs no right to the schema of its
// sequence.
func TestSchemaThatMayNotBeUsed(t *testing.T) {
	s := &server{t, pgtest.Start(t, 1)[0].ConnectTo("postgres")}
	s.exec(`CREATE SCHEMA "Closed"; CREATE SEQUENCE "Closed"."S s"; CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT nextval(''"Closed"."S s"'')';
		CREATE ROLE clerk; GRANT USAGE ON SEQUENCE "Closed"."S s" TO clerk; SET ROLE clerk`)
	const name = `"Closed"."S s"`
	if got := s.draw(name, 1, 1); got != name+"[1 2]" {
		t.Error(got)
	}
	s.row(sequence.AdvanceTo(name, 5, 1))
	p, err := sequence.DecodePosition(s.row(sequence.Lock(name)))
	if err != nil || p.Last != 5 || p.Sets || !p.May || !p.Known {
		t.Errorf("%+v, %v", p, err)
	}
	h, err := sequence.DecodeHabits(string(s.row(sequence.HabitsSQL())[0]))
	if err != nil || strings.Join(h.OfFunction("f"), "") != name {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestHabits(t *testing.T) {
	s := &server{t, pgtest.Start(t, 1)[0].ConnectTo("postgres")}
	s.exec(`CREATE SEQUENCE s; CREATE TABLE a (id serial, x int GENERATED ALWAYS AS IDENTITY); CREATE TABLE "B" (id int);
		CREATE FUNCTION one() RETURNS bigint LANGUAGE sql AS 'SELECT NEXTVAL ( ''public.s'' )';
		CREATE FUNCTION two() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN INSERT INTO a DEFAULT VALUES; RETURN one(); END';
		CREATE FUNCTION "Three"() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN insert  into public.a DEFAULT VALUES; RETURN NEW; END';
		CREATE FUNCTION one_more() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM nextval(''s''); RETURN NULL; END';
		CREATE TRIGGER x AFTER INSERT ON "B" FOR EACH ROW EXECUTE FUNCTION "Three"();
		CREATE FUNCTION four() RETURNS bigint LANGUAGE sql AS 'SELECT setval(''s'', 1)';
		CREATE FUNCTION nothing() RETURNS bigint LANGUAGE sql AS 'SELECT 1';
		ALTER TABLE "B" ADD UNIQUE (id); CREATE TABLE top (id int PRIMARY KEY); ALTER TABLE "B" ADD FOREIGN KEY (id) REFERENCES top ON DELETE CASCADE;
		CREATE TABLE beside (id int PRIMARY KEY); ALTER TABLE "B" ADD FOREIGN KEY (id) REFERENCES beside;
		CREATE TABLE child () INHERITS (beside); CREATE TRIGGER x AFTER DELETE ON child FOR EACH ROW EXECUTE FUNCTION one_more()`)
	h, err := sequence.DecodeHabits(string(s.row(sequence.HabitsSQL())[0]))
	if err != nil {
		t.Fatal(err)
	}
	for got, want := range map[string]string{
		strings.Join(h.OfFunction("one"), " "): "public.s", strings.Join(h.OfFunction("two"), " "): "public.a_id_seq public.a_x_seq public.s",
		strings.Join(h.OfTable("public", "B"), " "): "public.a_id_seq public.a_x_seq", strings.Join(h.OfTable("", "B"), ","): "public.a_id_seq,public.a_x_seq",
		strings.Join(h.OfTable("", "top"), " "): "public.a_id_seq public.a_x_seq", strings.Join(h.OfTable("", "beside"), " "): "public.s",
		strings.Join(h.OfFunction("nothing"), " ") + strings.Join(h.OfTable("", "a"), " "): "",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if !h.Resets("four") || h.Resets("one") || h.Remembers {
		t.Errorf("resets: %v, remembers: %v", h.Resetting, h.Remembers)
	}
	s.exec(`CREATE FUNCTION five() RETURNS bigint LANGUAGE sql RETURN currval('s')`)
	if h, _ = sequence.DecodeHabits(string(s.row(sequence.HabitsSQL())[0])); !h.Remembers {
		t.Error("a body in SQL is not read")
	}
}

func TestAlign(t *testing.T) {
	at := func(last int64) sequence.Position {
		return sequence.Position{Name: "public.s", May: true, Sets: true, Known: true, Called: last > 0, Last: last, Increment: 1, Cache: 1, Start: 1}
	}
	draws := func(p sequence.Position) sequence.Position { p.Sets = false; return p }
	cached := func(p sequence.Position) sequence.Position { p.Cache = 10; return p }
	unknown := func(p sequence.Position) sequence.Position { p.Known = false; return p }
	tests := []struct {
		name      string
		positions []sequence.Position
		want      string
	}{
		{"they stand alike", []sequence.Position{at(5), at(5), at(5)}, "- - -"},
		{"one is behind, one before", []sequence.Position{at(5), at(4), at(9)}, "- 5,true 5,true"},
		{"main was not drawn from", []sequence.Position{at(0), at(4), at(0)}, "- 1,false -"},
		{"who may draw only", []sequence.Position{draws(at(5)), draws(at(4)), draws(at(9))}, "to 9 to 9 -"},
		{"sessions have values left", []sequence.Position{cached(at(10)), cached(at(10))}, "10,true 10,true"},
		{"sessions have values left, and who may draw only", []sequence.Position{draws(cached(at(10))), draws(cached(at(10)))}, "no right"},
		{"who may do nothing", []sequence.Position{unknown(at(0)), unknown(at(0))}, "no right"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			queries, ok := sequence.Align(tt.positions)
			if got := shortened(queries, ok); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// shortened shows what the queries of Align come to.
func shortened(queries []string, ok bool) string {
	if !ok {
		return "no right"
	}
	var out []string
	for _, q := range queries {
		switch {
		case q == "":
			q = "-"
		case strings.Contains(q, "setval"):
			parts := strings.Split(q, ", ")
			q = strings.Trim(strings.TrimSuffix(parts[1], "::pg_catalog.int8"), "'") + "," + strings.TrimSuffix(parts[2], ")")
		default:
			_, q, _ = strings.Cut(q, "OPERATOR(pg_catalog.<) '")
			q = "to " + q[:strings.IndexByte(q, '\'')]
		}
		out = append(out, q)
	}
	return strings.Join(out, " ")
}
