package scenario

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// A failed INSERT has drawn from its sequence on main; the others have to draw as well.
func TestSequencesStayInStepAfterAFailedStatement(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, "CREATE TABLE numbered (id serial PRIMARY KEY, name text NOT NULL)")
	for _, failing := range []string{
		"INSERT INTO numbered (name) VALUES (NULL)",
		"BEGIN; INSERT INTO numbered (name) VALUES (NULL); COMMIT",
	} {
		if _, err := conn.Exec(bounded(t), failing); err == nil {
			t.Fatalf("%s: no error", failing)
		}
		s.exec(conn, "ROLLBACK")
	}
	s.want(conn, "INSERT INTO numbered (name) VALUES ('x') RETURNING id", "3")
	pgtest.WantEqual(t, s.nodes...)
}

// What is returned is compared: values that each node computes for itself are never
// committed in silence there.
func TestReturnedRowsThatDifferAreNotCommitted(t *testing.T) {
	t.Parallel()
	s := newStage(t, proxy.WithConfig("replication_safety = compat")) // else main's rows are given to the others
	conn := s.connect()
	s.exec(conn, "CREATE TABLE chance (id int PRIMARY KEY, value float)")
	s.exec(conn, "CREATE FUNCTION roll() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.value = random(); RETURN NEW; END'")
	s.exec(conn, "CREATE TRIGGER roll BEFORE INSERT ON chance FOR EACH ROW EXECUTE FUNCTION roll()")
	_, err := conn.Exec(bounded(t), "INSERT INTO chance (id) VALUES (1) RETURNING value")
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || refused.Code != "40001" {
		t.Errorf("got %v, want 40001", err)
	}
	s.want(conn, "SELECT count(*) FROM chance", "0")
	pgtest.WantEqual(t, s.nodes...)
}
