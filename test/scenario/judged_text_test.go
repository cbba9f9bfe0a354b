package scenario

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

// While main computes a value that is put into a statement's text, another session changes the
// schema, so that what is known of the statement has to be found anew: of its own text, not of
// the one with the value.
func TestStatementIsJudgedByItsOwnText(t *testing.T) {
	t.Parallel()
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			writes, other := s.connect(), s.connect()
			s.exec(other, itemTable+`CREATE TABLE gate (id int PRIMARY KEY); INSERT INTO gate VALUES (1);
				CREATE FUNCTION slow(text) RETURNS text LANGUAGE plpgsql VOLATILE AS 'BEGIN PERFORM FROM gate WHERE id = 1 FOR UPDATE; RETURN left($1, 1); END'`)
			insert := func() error {
				_, err := writes.Exec(bounded(t), "INSERT INTO item (id, text) VALUES (101, 'is shorter: ' || slow('the value of it is much shorter than the call') || slow('second'))", mode)
				return err
			}
			g := hold(t, "SELECT FROM gate WHERE id = 1 FOR UPDATE", s.nodes[0])
			done := make(chan error, 1)
			go func() { done <- insert() }()
			awaitWaiter(t, s.nodes[0])
			s.exec(other, "CREATE TABLE changes_the_schema (id int)")
			g.open()
			if err := <-done; err != nil {
				t.Error(err)
			}
			s.want(other, "SELECT text FROM item WHERE id = 101", "is shorter: ts")
			s.wantAllUp()
			s.wantEqual()
		})
	}
}
