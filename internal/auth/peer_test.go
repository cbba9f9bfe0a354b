package auth

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/pgerr"
)

// testPeer frames messages over a connection: a kind, a length that counts itself, a
// body.
type testPeer struct {
	conn net.Conn
}

var errTooLong = errors.New("message is too long")

func (p testPeer) Receive(_ context.Context, max int) (byte, []byte, error) {
	var header [5]byte
	if _, err := io.ReadFull(p.conn, header[:]); err != nil {
		return 0, nil, err
	}
	length := int64(binary.BigEndian.Uint32(header[1:])) - 4
	if length < 0 || length > int64(max) {
		return 0, nil, errTooLong
	}
	body := make([]byte, length)
	_, err := io.ReadFull(p.conn, body)
	return header[0], body, err
}

func (p testPeer) Send(_ context.Context, kind byte, body []byte) error {
	message := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))
	_, err := p.conn.Write(append(message, body...))
	return err
}

// pipe returns the two ends of a connection that ends with the test.
func pipe(t testing.TB) (ours, theirs testPeer) {
	t.Helper()
	a, b := net.Pipe()
	return limited(t, a, b)
}

// socketPair is pipe with buffers in between, for both sides may write at once in TLS.
func socketPair(t testing.TB) (ours, theirs testPeer) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	a, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return limited(t, a, b)
}

func limited(t testing.TB, a, b net.Conn) (ours, theirs testPeer) {
	t.Helper()
	for _, c := range []net.Conn{a, b} {
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	return testPeer{a}, testPeer{b}
}

// scriptPeer plays messages that it was given and keeps what it is sent.
type scriptPeer struct {
	incoming []message
	sent     []message
}

type message struct {
	kind byte
	body string
}

func (p *scriptPeer) Receive(_ context.Context, max int) (byte, []byte, error) {
	if len(p.incoming) == 0 {
		return 0, nil, io.EOF
	}
	m := p.incoming[0]
	p.incoming = p.incoming[1:]
	if len(m.body) > max {
		return 0, nil, errTooLong
	}
	return m.kind, []byte(m.body), nil
}

func (p *scriptPeer) Send(_ context.Context, kind byte, body []byte) error {
	p.sent = append(p.sent, message{kind, string(body)})
	return nil
}

// request is the body of an Authentication message.
func request(number uint32, data string) string {
	return string(binary.BigEndian.AppendUint32(nil, number)) + data
}

// client answers whatever it is asked with one password and returns how it went. Its
// side is the one that serves backends, which other tests compare with libraries.
func client(t testing.TB, peer testPeer, user, password string) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := Backend(context.Background(), peer, user, ClearText(password), BackendOptions{})
		done <- err
	}()
	return done
}

func wantCode(t testing.TB, err error, code pgerr.Code) {
	t.Helper()
	if err == nil || pgerr.CodeOf(err) != code {
		t.Errorf("error %v has SQLSTATE %s, want %s", err, pgerr.CodeOf(err), code)
	}
}

func mustVerifier(t testing.TB, password, salt string, iterations int) Verifier {
	t.Helper()
	v, err := BuildVerifier(password, []byte(salt), iterations)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
