package scenario

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// volatileSchema has defaults of every kind that each node would compute for itself.
const volatileSchema = `
CREATE FUNCTION dice() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT (random() * 1000000)::int';
CREATE FUNCTION stamped(text) RETURNS text LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN $1 || clock_timestamp(); END';
CREATE DOMAIN moment AS timestamptz DEFAULT clock_timestamp();
CREATE TABLE v (
	id int, a timestamptz DEFAULT now(), b timestamp(0) DEFAULT CURRENT_TIMESTAMP, c date DEFAULT CURRENT_DATE, d time DEFAULT LOCALTIME,
	e uuid DEFAULT gen_random_uuid(), f float8 DEFAULT random(), g int DEFAULT dice(), h text DEFAULT 'x' || clock_timestamp(),
	i moment, j text DEFAULT md5(random()::text), k int DEFAULT pg_backend_pid(), "L m" timestamptz DEFAULT now() + interval '1 day', n int DEFAULT 7);
CREATE TABLE one (LIKE v INCLUDING ALL, PRIMARY KEY (id));
INSERT INTO one(id) VALUES (1), (2)`

// volatileWrites give values that each node would compute for itself, by a default or by
// the statement.
var volatileWrites = []string{
	"INSERT INTO v(id) VALUES (1)",
	"INSERT INTO v DEFAULT VALUES",
	"INSERT INTO v(id, a, e) VALUES (2, DEFAULT, DEFAULT), (3, '2020-01-01', gen_random_uuid())",
	"INSERT INTO v VALUES (4), (5)",
	"INSERT INTO v(id) VALUES (6) RETURNING *",
	"INSERT INTO public.v AS w (id, g) VALUES (7, dice()) ON CONFLICT DO NOTHING RETURNING w.g, w.f",
	"WITH x AS (SELECT 1) INSERT INTO v(id, f) VALUES (8, random() * 10)",
	"UPDATE v SET a = DEFAULT, b = now(), n = 8 WHERE id = 1",
	"UPDATE one SET a = DEFAULT, e = DEFAULT, f = random() WHERE id = 1",
	"UPDATE one SET j = stamped('u'), f = random() WHERE id = 2",
	"INSERT INTO v(id, j) VALUES (9, stamped('i')), (10, stamped('ä'))",
}

// TestVolatileValuesAreEqual runs them by both protocols, in and out of blocks.
func TestVolatileValuesAreEqual(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, volatileSchema)
	simple, err := pgx.ParseConfig(s.proxy.DSN(database, s.proxy.User))
	if err != nil {
		t.Fatal(err)
	}
	simple.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	prepared := simple.Copy()
	prepared.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	unnamed := simple.Copy()
	unnamed.DefaultQueryExecMode = pgx.QueryExecModeExec
	for name, config := range map[string]*pgx.ConnConfig{"simple": simple, "prepared": prepared, "unnamed": unnamed} {
		for _, block := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, block %v", name, block), func(t *testing.T) {
				conn, err := pgx.ConnectConfig(bounded(t), config)
				if err != nil {
					t.Fatal(err)
				}
				defer hangUp(conn)
				run := func(sql string) {
					if _, err := conn.Exec(bounded(t), sql); err != nil {
						t.Errorf("%s: %v", sql, err)
					}
				}
				if block {
					run("BEGIN")
				}
				for range 2 {
					for _, sql := range volatileWrites {
						run(sql)
					}
				}
				if block {
					run("COMMIT")
				}
				pgtest.WantEqual(t, s.nodes...)
			})
		}
	}
	s.want(conn, "SELECT count(*) > 0, count(DISTINCT e) > 10, count(DISTINCT f) > 10 FROM v", "t|t|t")
	s.want(conn, "SELECT count(*) FROM v WHERE abs(extract(epoch FROM now() - a)) > 600 AND a <> '2020-01-01'", "0")
}
