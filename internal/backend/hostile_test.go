package backend

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/auth"
	"github.com/pgchorus/pgchorus/internal/pgmock"
	"github.com/pgchorus/pgchorus/internal/wire"
)

// trusted logs in where nothing is asked for.
func trusted(ctx context.Context, conn wire.Login, secured *tls.ConnectionState) (auth.Opened, error) {
	return auth.Backend(ctx, conn, "u", auth.Secret{}, auth.BackendOptions{TLS: secured})
}

// connect opens a connection to a script, within five seconds.
func connect(t *testing.T, s *pgmock.Server, settings *tls.Config) (*Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := Connect(ctx, 0, Address{Host: s.Host, Port: s.Port, TLS: settings}, map[string]string{"user": "u"}, trusted)
	if err == nil {
		t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

// authOK is AuthenticationOk.
var authOK = pgmock.Message('R', []byte{0, 0, 0, 0})

func TestHostileLogIn(t *testing.T) {
	tests := []struct {
		name  string
		steps []pgmock.Step
		want  string // a part of the error; "" for a log-in
	}{
		{"as it should be", []pgmock.Step{pgmock.LogIn(), pgmock.Hang()}, ""},
		{"a byte at a time", []pgmock.Step{pgmock.Dribble(authOK, pgmock.Message('K', []byte{0, 0, 0, 7, 1, 2, 3, 4}), pgmock.Ready('I')), pgmock.Hang()}, ""},
		{"closed at once", []pgmock.Step{pgmock.Close()}, "EOF"},
		{"reset at once", []pgmock.Step{pgmock.Reset()}, "read from backend"},
		{"closed after AuthenticationOk", []pgmock.Step{pgmock.Send(authOK), pgmock.Close()}, "EOF"},
		{"closed inside of a message", []pgmock.Step{pgmock.Send(authOK[:7]), pgmock.Close()}, "EOF"},
		{"no PostgreSQL", []pgmock.Step{pgmock.Send([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")), pgmock.Hang()}, "too long"},
		{"length 0", []pgmock.Step{pgmock.Send(pgmock.Header('R', 0)), pgmock.Hang()}, "length"},
		{"length 2 GiB", []pgmock.Step{pgmock.Send(pgmock.Header('R', 0x7fffffff)), pgmock.Hang()}, "too long"},
		{"length -1", []pgmock.Step{pgmock.Send(pgmock.Header('R', 0xffffffff)), pgmock.Hang()}, "too long"},
		{"an authentication without a code", []pgmock.Step{pgmock.Send(pgmock.Message('R', nil)), pgmock.Hang()}, "authentication"},
		{"an authentication that does not exist", []pgmock.Step{pgmock.Send(pgmock.Message('R', []byte{0, 0, 0, 99})), pgmock.Hang()}, "auth"},
		{"an error without fields", []pgmock.Step{pgmock.Send(pgmock.Message('E', nil)), pgmock.Hang()}, ""},
		{"ReadyForQuery before authentication", []pgmock.Step{pgmock.Send(pgmock.Ready('I')), pgmock.Hang()}, ""},
		{"a row before ReadyForQuery", []pgmock.Step{pgmock.Send(authOK, pgmock.Row("x")), pgmock.Hang()}, "unexpected message 'D'"},
		{"a key without a secret", []pgmock.Step{pgmock.Send(authOK, pgmock.Message('K', []byte{0, 0, 0, 1})), pgmock.Hang()}, "key data"},
		{"a key of 1 KiB", []pgmock.Step{pgmock.Send(authOK, pgmock.Message('K', make([]byte, 1024))), pgmock.Hang()}, "key data"},
		{"an endless list of parameters", []pgmock.Step{pgmock.Send(authOK), endless(pgmock.Message('S', []byte("a\x00b\x00")))}, "1000 messages"},
		{"a parameter without an end", []pgmock.Step{pgmock.Send(authOK, pgmock.Message('S', []byte("a")), pgmock.Ready('I')), pgmock.Hang()}, ""},
	}
	refused := map[string]bool{"an error without fields": true, "ReadyForQuery before authentication": true}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := connect(t, pgmock.Start(t, tt.steps...), nil)
			switch {
			case tt.want == "" && !refused[tt.name]:
				if err != nil {
					t.Errorf("not let in: %v", err)
				}
			case err == nil || !strings.Contains(err.Error(), tt.want):
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// endless sends bytes until the peer leaves.
func endless(b []byte) pgmock.Step {
	return func(c *pgmock.Conn) error {
		for {
			if err := pgmock.Send(b)(c); err != nil {
				return nil //nolint:nilerr // as intended
			}
		}
	}
}

// TestHostileTLSAnswer: what comes in clear text with the answer to SSLRequest, or in its
// place, is not used and not shown (CVE-2021-23222, CVE-2024-10977).
func TestHostileTLSAnswer(t *testing.T) {
	for _, tt := range []struct {
		name string
		send []byte
	}{
		{"S and an error", append([]byte("S"), pgmock.Error("FATAL", "28000", "injected")...)},
		{"S and a log-in", append([]byte("S"), authOK...)},
		{"an error in place of an answer", pgmock.Error("FATAL", "28000", "injected")},
		{"N and a log-in", append([]byte("N"), authOK...)},
		{"another letter", []byte("X")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := pgmock.Start(t, pgmock.Send(tt.send), pgmock.Hang())
			_, err := connect(t, s, &tls.Config{InsecureSkipVerify: true})
			if err == nil || strings.Contains(err.Error(), "injected") {
				t.Errorf("got %v", err)
			}
			var shown *auth.BackendError
			if errors.As(err, &shown) {
				t.Errorf("%v would be shown to the frontend", err)
			}
		})
	}
}

// collector keeps the kinds of what the frontend would see.
type collector struct{ kinds []byte }

func (k *collector) Take(c *Conn, kind wire.Kind, total int, _ *wire.Expect) error {
	k.kinds = append(k.kinds, kind)
	return c.Discard(total)
}

func (k *collector) Fail(wire.Frame, *wire.Expect) error {
	k.kinds = append(k.kinds, 'E')
	return nil
}

func TestHostileAnswers(t *testing.T) {
	row := []byte{0, 1, 0xff, 0xff, 0xff, 0xfe}
	tests := []struct {
		name string
		send [][]byte
		want string // a part of the error; "" if the answer is taken
		seen string // kinds that the frontend sees
	}{
		{"as it should be", [][]byte{pgmock.Column("c"), pgmock.Row("1"), pgmock.Complete("SELECT 1"), pgmock.Ready('I')}, "", "TDC"},
		{"dies before CommandComplete", [][]byte{pgmock.Column("c"), pgmock.Row("1")}, "EOF", "TD"},
		{"dies between CommandComplete and ReadyForQuery", [][]byte{pgmock.Complete("SELECT 1")}, "EOF", "C"},
		{"dies inside of a row", [][]byte{pgmock.Column("c"), pgmock.Row("12345678")[:9]}, "EOF", "TD"},
		{"dies with FATAL", [][]byte{pgmock.Error("FATAL", "57P01", "bye")}, "EOF", ""},
		{"an error without fields", [][]byte{pgmock.Message('E', nil), pgmock.Ready('I')}, "", "E"},
		{"an error without an end", [][]byte{pgmock.Message('E', []byte("SERROR")), pgmock.Ready('I')}, "", "E"},
		{"a row with a negative length", [][]byte{pgmock.Column("c"), pgmock.Message('D', row), pgmock.Complete("SELECT 1"), pgmock.Ready('I')}, "", "TDC"},
		{"an empty CommandComplete", [][]byte{pgmock.Message('C', nil), pgmock.Ready('I')}, "", "C"},
		{"a parameter without an end", [][]byte{pgmock.Message('S', []byte("x")), pgmock.Complete("SET"), pgmock.Ready('I')}, "", "SC"},
		{"ReadyForQuery without a status", [][]byte{pgmock.Message('Z', nil)}, "ReadyForQuery", ""},
		{"ReadyForQuery with a long status", [][]byte{pgmock.Message('Z', []byte("II"))}, "too long", ""},
		{"ReadyForQuery with a status that does not exist", [][]byte{pgmock.Ready('?')}, "ReadyForQuery", ""},
		{"a length of 0", [][]byte{pgmock.Header('D', 0)}, "length", ""},
		{"a length of 3", [][]byte{pgmock.Header('D', 3)}, "length", ""},
		{"a length of 2 GiB", [][]byte{pgmock.Header('D', 0x7fffffff)}, "too long", ""},
		{"a length of -1", [][]byte{pgmock.Header('C', 0xffffffff)}, "too long", ""},
		{"a request to log in again", [][]byte{pgmock.Message('R', []byte{0, 0, 0, 3}), pgmock.Ready('I')}, "unexpected", ""},
		{"a new cancel key", [][]byte{pgmock.Message('K', []byte{0, 0, 0, 1, 0, 0, 0, 2}), pgmock.Ready('I')}, "unexpected", ""},
		{"COPY in both directions", [][]byte{pgmock.Message('W', []byte{0, 0, 0}), pgmock.Ready('I')}, "unexpected", ""},
		{"a kind that does not exist", [][]byte{pgmock.Message('!', nil), pgmock.Ready('I')}, "unexpected", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, deliver := range []func(...[]byte) pgmock.Step{pgmock.Send, pgmock.Dribble} {
				conn, err := connect(t, pgmock.Start(t, pgmock.LogIn(), pgmock.Expect('Q'), deliver(tt.send...), pgmock.Close()), nil)
				if err != nil {
					t.Fatal(err)
				}
				var seen collector
				err = ask(conn, wire.Expect{What: wire.ExpectQuery}, &seen)
				if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
					t.Errorf("got %v, want %q", err, tt.want)
				}
				if string(seen.kinds) != tt.seen {
					t.Errorf("the frontend sees %q, want %q", seen.kinds, tt.seen)
				}
			}
		})
	}
}

// ask sends a query and receives the answer.
func ask(c *Conn, e wire.Expect, sink Sink) error {
	c.SetDeadline(time.Now().Add(5 * time.Second))
	c.SetOutbox(wire.AppendQuery(c.Outbox(), "SELECT 1"))
	if err := c.Flush(); err != nil {
		return err
	}
	var x Exchange
	x.Begin()
	x.Add(e)
	var a wire.Answer
	return c.Receive(&x, sink, &a)
}

// TestReadyOutOfOrder: an answer that ends before it has begun breaks the connection,
// rather than being taken for that of the next request.
func TestReadyOutOfOrder(t *testing.T) {
	conn, err := connect(t, pgmock.Start(t, pgmock.LogIn(), pgmock.Expect('P'), pgmock.Expect('S'), pgmock.Send(pgmock.Ready('I')), pgmock.Hang()), nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	conn.SetOutbox(wire.AppendSync(wire.AppendParse(conn.Outbox(), "", "SELECT 1", nil)))
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	var x Exchange
	x.Begin()
	x.Add(wire.Expect{What: wire.ExpectParse})
	x.Add(wire.Expect{What: wire.ExpectSync})
	var a wire.Answer
	if err := conn.Receive(&x, nil, &a); err == nil || !strings.Contains(err.Error(), "unexpected ReadyForQuery") {
		t.Errorf("got %v", err)
	}
}

// TestErrorSkipsToSync: after an error the server answers nothing until Sync, and
// neither is anything else expected.
func TestErrorSkipsToSync(t *testing.T) {
	conn, err := connect(t, pgmock.Start(t, pgmock.LogIn(), pgmock.Expect('P'), pgmock.Expect('B'), pgmock.Expect('E'), pgmock.Expect('S'),
		pgmock.Dribble(pgmock.Message('1', nil), pgmock.Error("ERROR", "22012", "division by zero"), pgmock.Ready('E')), pgmock.Hang()), nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	b := wire.AppendExecute(wire.AppendBindPlain(wire.AppendParse(conn.Outbox(), "", "SELECT 1/0", nil), "", ""), "")
	conn.SetOutbox(wire.AppendSync(b))
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	var x Exchange
	x.Begin()
	for _, what := range []wire.ExpectKind{wire.ExpectParse, wire.ExpectBind, wire.ExpectExecute, wire.ExpectSync} {
		x.Add(wire.Expect{What: what})
	}
	var a wire.Answer
	var seen collector
	if err := conn.Receive(&x, &seen, &a); err != nil {
		t.Fatal(err)
	}
	if a.Code() != "22012" || a.Status != wire.TxFailed || x.FailedAt() != 1 || string(seen.kinds) != "1E" || conn.Skipping {
		t.Errorf("code %q, status %q, failed at %d, seen %q", a.Code(), a.Status, x.FailedAt(), seen.kinds)
	}
}
