package pgmock_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/pgmock"
)

// connect opens a session of a real driver.
func connect(t *testing.T, s *pgmock.Server) (*pgconn.PgConn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgconn.Connect(ctx, fmt.Sprintf("postgres://u@%s:%d/d?sslmode=disable", s.Host, s.Port))
	if err == nil {
		t.Cleanup(func() { conn.Close(context.Background()) })
	}
	return conn, err
}

func TestServeIsGoodEnoughForADriver(t *testing.T) {
	s := pgmock.Start(t, pgmock.LogIn(), pgmock.Serve())
	conn, err := connect(t, s)
	if err != nil {
		t.Fatal(err)
	}
	results, err := conn.Exec(context.Background(), "BEGIN; SELECT 1").ReadAll()
	if err != nil || len(results) != 2 || string(results[1].Rows[0][0]) != "1" {
		t.Errorf("got %v, %v", results, err)
	}
	if conn.TxStatus() != 'T' {
		t.Errorf("transaction status is %c", conn.TxStatus())
	}
}

func TestDribbleIsTheSameInSmallPieces(t *testing.T) {
	s := pgmock.Start(t, pgmock.LogIn(), pgmock.Expect('Q'), pgmock.Dribble(pgmock.Column("c"), pgmock.Row("v"), pgmock.Complete("SELECT 1"), pgmock.Ready('I')), pgmock.Hang())
	conn, err := connect(t, s)
	if err != nil {
		t.Fatal(err)
	}
	results, err := conn.Exec(context.Background(), "SELECT 1").ReadAll()
	if err != nil || string(results[0].Rows[0][0]) != "v" {
		t.Errorf("got %v, %v", results, err)
	}
}

func TestScriptsDifferByConnection(t *testing.T) {
	s := pgmock.StartEach(t, func(n int) []pgmock.Step {
		if n == 0 {
			return []pgmock.Step{pgmock.Send(pgmock.Error("FATAL", "57P03", "not yet")), pgmock.Close()}
		}
		return []pgmock.Step{pgmock.LogIn(), pgmock.Reset()}
	})
	var refused *pgconn.PgError
	if _, err := connect(t, s); !errors.As(err, &refused) || refused.Code != "57P03" {
		t.Errorf("the first connection got %v", err)
	}
	if conn, err := connect(t, s); err == nil {
		if _, err := conn.Exec(context.Background(), "SELECT 1").ReadAll(); err == nil {
			t.Error("the second connection was not reset")
		}
	}
	if s.Connections() != 2 {
		t.Errorf("%d connections", s.Connections())
	}
}

func TestExpectNamesWhatCame(t *testing.T) {
	s := pgmock.Start(t, pgmock.LogIn(), pgmock.Expect('P'), pgmock.Hang())
	conn, err := connect(t, s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(context.Background(), "SELECT 1").ReadAll(); err == nil {
		t.Error("a Query was answered where Parse was expected")
	}
	if errs := s.Errs(); len(errs) != 1 || !errors.Is(errs[0], pgmock.ErrUnexpected) {
		t.Errorf("the script ended with %v", errs)
	}
}
