package protocol

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"testing"
	"time"
)

// patience bounds every wait for a reply. It ends what hangs and measures nothing.
const patience = 5 * time.Second

// maxReply is the longest message that a test expects, in bytes.
const maxReply = 64 << 20

// client is a raw connection to a server.
type client struct {
	net.Conn
	in     *bufio.Reader
	pid    uint32
	secret []byte
	params map[string]string // by ParameterStatus
	known  map[string]string // params at the last ReadyForQuery; see settled
}

// dial connects and says nothing.
func dial(t testing.TB, addr string) *client {
	t.Helper()
	nc, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatalf("connect to %s: %v", addr, err)
	}
	t.Cleanup(func() { nc.Close() })
	return &client{Conn: nc, in: bufio.NewReader(nc), params: map[string]string{}}
}

// logIn connects as the superuser and waits for ReadyForQuery.
func logIn(t testing.TB, addr, database string, params ...string) *client {
	t.Helper()
	c := dial(t, addr)
	all := append([]string{"user", "postgres", "database", database}, params...)
	c.send(t, startup(protocol30, all...))
	if err := c.awaitLogin(); err != nil {
		t.Fatalf("log in at %s: %v", addr, err)
	}
	return c
}

// awaitLogin reads up to the first ReadyForQuery.
func (c *client) awaitLogin() error {
	for {
		r, err := c.read()
		if err != nil {
			return err
		}
		switch r.kind {
		case 'E':
			return errors.New(r.String())
		case 'S':
			c.settled([]reply{r})
		case 'K':
			c.pid, c.secret = binary.BigEndian.Uint32(r.body), r.body[4:]
		case 'Z':
			c.known = maps.Clone(c.params)
			return nil
		}
	}
}

func (c *client) send(t testing.TB, b []byte) {
	t.Helper()
	if err := c.trySend(b); err != nil {
		t.Fatalf("send: %v", err)
	}
}

func (c *client) trySend(b []byte) error {
	c.SetWriteDeadline(time.Now().Add(patience))
	_, err := c.Write(b)
	return err
}

// read reads one message.
func (c *client) read() (reply, error) {
	c.SetReadDeadline(time.Now().Add(patience))
	var head [5]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return reply{}, fmt.Errorf("read: %w", err)
	}
	length := binary.BigEndian.Uint32(head[1:])
	if length < 4 || length > maxReply {
		return reply{}, fmt.Errorf("message %q with length %d", head[0], length)
	}
	body := make([]byte, length-4)
	if _, err := io.ReadFull(c.in, body); err != nil {
		return reply{}, fmt.Errorf("read a body: %w", err)
	}
	return reply{kind: head[0], body: body}, nil
}

// readUntil reads up to the count-th message of a kind.
func (c *client) readUntil(kind byte, count int) ([]reply, error) {
	var replies []reply
	for count > 0 {
		r, err := c.read()
		if err != nil {
			return replies, err
		}
		replies = append(replies, r)
		if r.kind == kind {
			count--
		}
	}
	return replies, nil
}

// readToEnd reads until the server closes the connection.
func (c *client) readToEnd() ([]reply, error) {
	var replies []reply
	for {
		r, err := c.read()
		switch {
		case err == nil:
			replies = append(replies, r)
		case errors.Is(err, os.ErrDeadlineExceeded):
			return replies, err
		default:
			return replies, nil
		}
	}
}

// query runs a simple query and returns what came up to ReadyForQuery.
func (c *client) query(t testing.TB, sql string) []reply {
	t.Helper()
	c.send(t, query(sql).bytes)
	replies, err := c.readUntil('Z', 1)
	if err != nil {
		t.Fatalf("%s: %v after %q", sql, err, renderings(replies))
	}
	return replies
}

// must runs a simple query that may not fail and returns its rows.
func (c *client) must(t testing.TB, sql string) [][]string {
	t.Helper()
	var rows [][]string
	for _, r := range c.query(t, sql) {
		switch r.kind {
		case 'E':
			t.Fatalf("%s: %s", sql, r)
		case 'D':
			rows = append(rows, r.values())
		}
	}
	return rows
}

// hangUp closes the connection without a good-bye.
func (c *client) hangUp() { c.Close() }

// reset closes the connection with RST, as the kernel does for a killed process that
// had unread bytes.
func (c *client) reset() {
	c.Conn.(*net.TCPConn).SetLinger(0)
	c.Close()
}
