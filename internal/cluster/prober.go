package cluster

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// PostgresProber asks a node whether it lets sessions begin. It is a Prober for real
// servers, safe for concurrent use.
//
// A probe opens a connection, sends a start-up packet and judges the first answer:
//
//   - the server wants a password, lets us in, or refuses us for a reason of its own
//     (no such user, no rule in pg_hba.conf, too many connections): alive. A wrong
//     setting of ours is not a fault of the node.
//   - 57P03, cannot_connect_now: starting up, shutting down or recovering: dead.
//   - no connection, no answer in time, or no PostgreSQL: dead.
//
// No query is sent. A postmaster that accepts, forks, and has its child speak of
// authentication is alive; sessions find out about the rest, under deadlines of
// their own. For the same reason there is no TLS here: a server that insists on it
// says so, which is an answer.
type PostgresProber struct {
	// Dial opens a connection; nil for a net.Dialer's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu sync.Mutex // guards the field below
	// resolved is the address that a host name led to last. It is used when the
	// name cannot be resolved, since a resolver's failure is not the node's.
	resolved map[string]string
}

const (
	// maxAnswer bounds what is read from a node that may be anything: a log-in
	// without password takes PostgreSQL some 500 bytes.
	maxAnswer = 8 << 10
	// protocolVersion is 3.0 (protocol chapter, StartupMessage).
	protocolVersion = 3 << 16
	// farewell bounds the wait for the end of a log-in that was let in.
	farewell = time.Second
	// cannotConnectNow is the SQLSTATE of a server that is not ready yet, or no
	// more.
	cannotConnectNow = "57P03"
)

// Probe implements Prober.
func (p *PostgresProber) Probe(ctx context.Context, n NodeConfig) error {
	conn, err := p.connect(ctx, n)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	// The end of ctx, deadline or not, ends a read or write under way.
	defer context.AfterFunc(ctx, func() { conn.Close() })()

	if err := ask(conn, n.HealthCheck); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("no answer to the start-up packet: %w", context.Cause(ctx))
		}
		return err
	}
	return nil
}

func ask(conn net.Conn, hc HealthCheck) error {
	if _, err := conn.Write(startupPacket(hc)); err != nil {
		return fmt.Errorf("send start-up packet: %w", err)
	}
	return judge(conn, io.LimitReader(conn, maxAnswer))
}

func (p *PostgresProber) connect(ctx context.Context, n NodeConfig) (net.Conn, error) {
	if n.ConnectTimeout > 0 {
		limited, cancel := context.WithTimeout(ctx, n.ConnectTimeout)
		defer cancel()
		ctx = limited
	}
	network, address := n.Address()
	conn, err := p.dial(ctx, network, address)
	var unresolved *net.DNSError
	if errors.As(err, &unresolved) {
		if last, ok := p.last(address); ok {
			return p.dial(ctx, network, last)
		}
	}
	if err == nil && network == "tcp" {
		p.remember(address, conn.RemoteAddr().String())
	}
	return conn, err
}

func (p *PostgresProber) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if p.Dial != nil {
		return p.Dial(ctx, network, address)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

func (p *PostgresProber) last(address string) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last, ok := p.resolved[address]
	return last, ok
}

// remember keeps one entry for each configured address, so there is no more than
// one for each node and reload.
func (p *PostgresProber) remember(address, resolved string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.resolved == nil {
		p.resolved = make(map[string]string)
	}
	p.resolved[address] = resolved
}

// startupPacket: without a user every probe would leave a complaint in the server's
// log, hence the fallback.
func startupPacket(hc HealthCheck) []byte {
	packet := binary.BigEndian.AppendUint32(make([]byte, 4, 128), protocolVersion)
	for _, text := range []string{
		"user", orPostgres(hc.User),
		"database", orPostgres(hc.Database),
		"application_name", "pgchorus health check",
		"", // the empty name ends the list
	} {
		packet = append(append(packet, text...), 0)
	}
	binary.BigEndian.PutUint32(packet, uint32(len(packet)))
	return packet
}

func orPostgres(name string) string {
	if name == "" {
		return "postgres"
	}
	return name
}

// judge reads the first answer to the start-up packet that says anything.
func judge(conn net.Conn, answers io.Reader) error {
	for {
		kind, size, err := readHeader(answers)
		if err != nil {
			return fmt.Errorf("read answer to start-up packet: %w", err)
		}
		switch kind {
		case 'R': // Authentication, whichever
			return judgeAuthentication(conn, answers, size)
		case 'E': // ErrorResponse
			return judgeError(answers, size)
		case 'N', 'v': // NoticeResponse, NegotiateProtocolVersion
			if _, err := io.CopyN(io.Discard, answers, int64(size)); err != nil {
				return fmt.Errorf("read answer to start-up packet: %w", eof(err))
			}
		default:
			return fmt.Errorf("answered with message type %q, which is no PostgreSQL", kind)
		}
	}
}

// readHeader reads type and length of a message. size is what follows.
func readHeader(r io.Reader) (kind byte, size int, err error) {
	var header [5]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return 0, 0, eof(err)
	}
	length := binary.BigEndian.Uint32(header[1:])
	if length < 4 || length > maxAnswer {
		return 0, 0, fmt.Errorf("message of type %q with length %d, which is no PostgreSQL or one that cannot start a process",
			header[0], length)
	}
	return header[0], int(length) - 4, nil
}

// eof names the end of what is read: the server's, or that of our patience.
func eof(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the server closed the connection, or said nothing to judge it by")
	}
	return err
}

// judgeAuthentication: a server that asks for a password gets none; it takes the end
// of the connection there for a client that has changed its mind, and logs nothing.
// One that lets us in is listened to until it is ready, because it would log a
// connection that breaks in the middle of that.
func judgeAuthentication(conn net.Conn, answers io.Reader, size int) error {
	if size < 4 {
		return fmt.Errorf("authentication request with %d bytes", size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(answers, body); err != nil {
		return fmt.Errorf("read authentication request: %w", err)
	}
	if binary.BigEndian.Uint32(body) == 0 { // AuthenticationOk
		sayGoodbye(conn, answers)
	}
	return nil
}

// sayGoodbye ends a session that was let in. It is a courtesy: the verdict has been
// given.
func sayGoodbye(conn net.Conn, answers io.Reader) {
	_ = conn.SetReadDeadline(time.Now().Add(farewell))
	for {
		kind, size, err := readHeader(answers)
		if err != nil || kind == 'E' {
			return
		}
		if _, err := io.CopyN(io.Discard, answers, int64(size)); err != nil {
			return
		}
		if kind == 'Z' { // ReadyForQuery
			_, _ = conn.Write([]byte{'X', 0, 0, 0, 4}) // Terminate
			return
		}
	}
}

// judgeError reads an ErrorResponse: fields, each a letter and a text that ends with
// a zero byte, and a zero byte at the end.
func judgeError(answers io.Reader, size int) error {
	body := make([]byte, size)
	if _, err := io.ReadFull(answers, body); err != nil {
		return fmt.Errorf("read error response: %w", err)
	}
	code, message := errorFields(body)
	switch code {
	case "":
		return errors.New("error response without an SQLSTATE, which is no PostgreSQL")
	case cannotConnectNow:
		return fmt.Errorf("server refuses sessions: %s (SQLSTATE %s)", message, code)
	}
	return nil
}

func errorFields(body []byte) (code, message string) {
	for len(body) > 1 {
		end := bytes.IndexByte(body[1:], 0)
		if end < 0 {
			break
		}
		text := string(body[1 : 1+end])
		switch body[0] {
		case 'C':
			code = text
		case 'M':
			message = text
		}
		body = body[end+2:]
	}
	return code, message
}
