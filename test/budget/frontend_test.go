package budget

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgproto3/v2"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/test/proxy"
)

// patience only ends what hangs.
const patience = 60 * time.Second

// frontend is a connection on which messages are sent as they are.
type frontend struct {
	t    testing.TB
	conn net.Conn
	in   []byte
}

func connect(t testing.TB, p *proxy.Proxy, database string) *frontend {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgconn.Connect(ctx, p.DSN(database, p.User))
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	hijacked, err := conn.Hijack()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hijacked.Conn.Close() })
	if err := hijacked.Conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &frontend{t: t, conn: hijacked.Conn, in: make([]byte, 64<<10)}
}

// ask sends messages in one piece and reads up to ReadyForQuery. An error that the server
// answers with fails the test.
func (f *frontend) ask(messages []byte) {
	f.t.Helper()
	if _, err := f.conn.Write(messages); err != nil {
		f.t.Fatal(err)
	}
	header := f.in[:5]
	for {
		if _, err := io.ReadFull(f.conn, header); err != nil {
			f.t.Fatal(err)
		}
		kind, body := header[0], f.in[5:][:binary.BigEndian.Uint32(header[1:])-4]
		if _, err := io.ReadFull(f.conn, body); err != nil {
			f.t.Fatal(err)
		}
		switch kind {
		case 'E':
			f.t.Fatalf("answered with %q", body)
		case 'Z':
			return
		}
	}
}

// encode puts messages one behind the other.
func encode(messages ...pgproto3.FrontendMessage) []byte {
	var out []byte
	for _, m := range messages {
		var err error
		if out, err = m.Encode(out); err != nil {
			panic(err) // ours, and constant
		}
	}
	return out
}

func query(sql string) []byte { return encode(&pgproto3.Query{String: sql}) }

// parse prepares a statement, once.
func parse(name, sql string) []byte {
	return encode(&pgproto3.Parse{Name: name, Query: sql}, &pgproto3.Sync{})
}

// execute is what pgbench -M prepared and drivers send for each execution.
func execute(name string, parameters ...string) []byte {
	bind := &pgproto3.Bind{PreparedStatement: name}
	for _, p := range parameters {
		bind.Parameters = append(bind.Parameters, []byte(p))
	}
	return encode(bind, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, &pgproto3.Sync{})
}
