package cluster

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// message frames a body as a server would send it.
func message(kind byte, body string) string {
	return string(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))) + body
}

func errorResponse(code, text string) string {
	return message('E', "SFATAL\x00VFATAL\x00C"+code+"\x00M"+text+"\x00\x00")
}

const authenticationOk = "R\x00\x00\x00\x08\x00\x00\x00\x00"

// fakeServer accepts one connection, reads the start-up packet, sends answer, and
// tells what else it was sent until the end.
type fakeServer struct {
	address  string
	startup  chan []byte
	farewell chan string
}

func serve(t *testing.T, network, address, answer string, hangUp bool) fakeServer {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	s := fakeServer{listener.Addr().String(), make(chan []byte, 1), make(chan string, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		s.startup <- readStartup(conn)
		io.WriteString(conn, answer) //nolint:errcheck // the prober may have left
		if !hangUp {
			rest, _ := io.ReadAll(conn)
			s.farewell <- string(rest)
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return s
}

func readStartup(r io.Reader) []byte {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:])-4)
	io.ReadFull(r, body) //nolint:errcheck // a short packet is seen by the test
	return body
}

func nodeAt(t *testing.T, address string) NodeConfig {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	number, _ := strconv.Atoi(port)
	return NodeConfig{Host: host, Port: number, ConnectTimeout: 10 * time.Second}
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestProbeJudgesTheFirstAnswer(t *testing.T) {
	loggedIn := authenticationOk + message('S', "server_version\x0015.1\x00") + message('K', "12345678") + message('Z', "I")
	tests := []struct {
		name   string
		answer string
		want   string // part of the error; empty for alive
	}{
		{"no password needed", loggedIn, ""},
		{"let in, then an error", authenticationOk + errorResponse("3D000", `database "x" does not exist`), ""},
		{"cleartext password", message('R', "\x00\x00\x00\x03"), ""},
		{"MD5 password", message('R', "\x00\x00\x00\x05salt"), ""},
		{"SCRAM", message('R', "\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00"), ""},
		{"a notice first", message('N', "SNOTICE\x00\x00") + message('R', "\x00\x00\x00\x03"), ""},
		{"another protocol version first", message('v', "\x00\x03\x00\x00\x00\x00\x00\x00") + loggedIn, ""},
		{"no rule in pg_hba.conf", errorResponse("28000", "no pg_hba.conf entry"), ""},
		{"too many connections", errorResponse("53300", "sorry, too many clients already"), ""},
		{"no such database", errorResponse("3D000", "no such database"), ""},
		{"starting up", errorResponse("57P03", "the database system is starting up"), "server refuses sessions: the database system is starting up (SQLSTATE 57P03)"},
		{"shutting down", errorResponse("57P03", "the database system is shutting down"), "shutting down"},
		{"recovering", errorResponse("57P03", "the database system is in recovery mode"), "recovery"},
		{"cannot fork", "Ecould not fork new process for connection: Cannot allocate memory\n\x00", "cannot start a process"},
		{"an error without code", message('E', "Mhello\x00\x00"), "no PostgreSQL"},
		{"an error without end", message('E', "C57P03"), "no PostgreSQL"},
		{"another protocol", "HTTP/1.1 400 Bad Request\r\n\r\n", "no PostgreSQL"},
		{"another message", message('Z', "I"), "no PostgreSQL"},
		{"a length below the header's", "R\x00\x00\x00\x03", "no PostgreSQL"},
		{"a length beyond the bound", "R\x7f\xff\xff\xff", "no PostgreSQL"},
		{"an authentication request without code", message('R', ""), "authentication request with 0 bytes"},
		{"notices without end", strings.Repeat(message('N', strings.Repeat("x", 1000)), 20), "closed the connection"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, "tcp", "127.0.0.1:0", tt.answer, false)
			var prober PostgresProber
			err := prober.Probe(within(t, 10*time.Second), nodeAt(t, server.address))
			if got := errorText(err); (tt.want == "") != (err == nil) || !strings.Contains(got, tt.want) {
				t.Errorf("Probe = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestProbeOfAServerThatHangsUp(t *testing.T) {
	for name, answer := range map[string]string{"at once": "", "within a message": "R\x00\x00", "within a body": "E\x00\x00\x00\x20SFATAL"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, "tcp", "127.0.0.1:0", answer, true)
			var prober PostgresProber
			if err := prober.Probe(within(t, 10*time.Second), nodeAt(t, server.address)); err == nil {
				t.Error("Probe = nil, want an error")
			}
		})
	}
}

func TestProbeSendsAStartupPacket(t *testing.T) {
	tests := []struct {
		name           string
		user, database string
		want           string
	}{
		{"as configured", "checker", "app", "\x00\x03\x00\x00user\x00checker\x00database\x00app\x00application_name\x00pgchorus health check\x00\x00"},
		{"with nothing configured", "", "", "\x00\x03\x00\x00user\x00postgres\x00database\x00postgres\x00application_name\x00pgchorus health check\x00\x00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, "tcp", "127.0.0.1:0", message('R', "\x00\x00\x00\x03"), false)
			n := nodeAt(t, server.address)
			n.HealthCheck.User, n.HealthCheck.Database = tt.user, tt.database
			var prober PostgresProber
			if err := prober.Probe(within(t, 10*time.Second), n); err != nil {
				t.Fatal(err)
			}
			if got := <-server.startup; string(got) != tt.want {
				t.Errorf("start-up packet %q, want %q", got, tt.want)
			}
		})
	}
}

func TestProbeTakesLeaveAsTheServerExpects(t *testing.T) {
	tests := []struct {
		name   string
		answer string
		want   string
	}{
		{"Terminate after a log-in", authenticationOk + message('Z', "I"), "X\x00\x00\x00\x04"},
		{"nothing instead of a password", message('R', "\x00\x00\x00\x03"), ""},
		{"nothing after an error", errorResponse("28000", "no"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, "tcp", "127.0.0.1:0", tt.answer, false)
			var prober PostgresProber
			if err := prober.Probe(within(t, 10*time.Second), nodeAt(t, server.address)); err != nil {
				t.Fatal(err)
			}
			if got := <-server.farewell; got != tt.want {
				t.Errorf("the server was sent %q, want %q", got, tt.want)
			}
		})
	}
}

func TestProbeThroughAUnixSocket(t *testing.T) {
	folder := t.TempDir()
	serve(t, "unix", filepath.Join(folder, ".s.PGSQL.6543"), message('R', "\x00\x00\x00\x03"), false)
	var prober PostgresProber
	if err := prober.Probe(within(t, 10*time.Second), NodeConfig{Host: folder, Port: 6543}); err != nil {
		t.Error(err)
	}
}

func TestProbeEndsAtItsDeadline(t *testing.T) {
	server := serve(t, "tcp", "127.0.0.1:0", "", false)
	var prober PostgresProber
	err := prober.Probe(within(t, 20*time.Millisecond), nodeAt(t, server.address))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Probe = %v, want the deadline", err)
	}
}

func TestProbeEndsWhenItIsCancelled(t *testing.T) {
	server := serve(t, "tcp", "127.0.0.1:0", "", false)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-server.startup; cancel() }()
	var prober PostgresProber
	if err := prober.Probe(ctx, nodeAt(t, server.address)); !errors.Is(err, context.Canceled) {
		t.Errorf("Probe = %v, want context.Canceled", err)
	}
}

func TestProbeOfNoServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	var prober PostgresProber
	if err := prober.Probe(within(t, 10*time.Second), nodeAt(t, address)); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("Probe = %v, want connection refused", err)
	}
	if err := prober.Probe(within(t, 10*time.Second), NodeConfig{Host: t.TempDir(), Port: 1}); err == nil {
		t.Error("Probe of no socket = nil")
	}
}

// TestProbeForgivesTheResolver: the name led to the server once; that it cannot be
// resolved now says nothing of the server.
func TestProbeForgivesTheResolver(t *testing.T) {
	server := serve(t, "tcp", "127.0.0.1:0", message('R', "\x00\x00\x00\x03"), false)
	resolvable := true
	var dialled []string
	prober := PostgresProber{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled = append(dialled, address)
		switch {
		case !resolvable && address == server.address:
			return nil, errRefused
		case !resolvable:
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "server misbehaving", Name: "db1"}}
		}
		var d net.Dialer
		return d.DialContext(ctx, network, server.address)
	}}
	n := NodeConfig{Host: "db1", Port: 5432}
	if err := prober.Probe(within(t, 10*time.Second), n); err != nil {
		t.Fatal(err)
	}
	resolvable = false
	if err := prober.Probe(within(t, 10*time.Second), n); !errors.Is(err, errRefused) {
		t.Errorf("Probe = %v, want what the last good address answers", err)
	}
	if want := []string{"db1:5432", "db1:5432", server.address}; strings.Join(dialled, " ") != strings.Join(want, " ") {
		t.Errorf("dialled %v, want %v", dialled, want)
	}
	if err := prober.Probe(within(t, 10*time.Second), NodeConfig{Host: "db2", Port: 5432}); err == nil {
		t.Error("a name that never led anywhere is alive")
	}
}

func TestAddress(t *testing.T) {
	tests := []struct {
		host             string
		network, address string
	}{
		{"db1", "tcp", "db1:5432"},
		{"::1", "tcp", "[::1]:5432"},
		{"/var/run/postgresql", "unix", "/var/run/postgresql/.s.PGSQL.5432"},
		{"", "unix", "/tmp/.s.PGSQL.5432"},
	}
	for _, tt := range tests {
		network, address := NodeConfig{Host: tt.host, Port: 5432}.Address()
		if network != tt.network || address != tt.address {
			t.Errorf("Address of host %q = %s %s, want %s %s", tt.host, network, address, tt.network, tt.address)
		}
	}
}

// connOf is a connection whose answers are given and which forgets what it is sent.
type connOf struct {
	net.Conn
	answers io.Reader
}

func (c connOf) Read(p []byte) (int, error)    { return c.answers.Read(p) }
func (connOf) Write(p []byte) (int, error)     { return len(p), nil }
func (connOf) SetReadDeadline(time.Time) error { return nil }

// FuzzJudge: whatever a node answers, the verdict comes, and is good only after an
// authentication request or an error with a code.
func FuzzJudge(f *testing.F) {
	f.Add([]byte(authenticationOk + message('Z', "I")))
	f.Add([]byte(errorResponse("57P03", "starting up")))
	f.Add([]byte(message('N', "x") + message('v', "y")))
	f.Add([]byte("E\x00\x00\x00\x06C\x00"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		conn := connOf{answers: bytes.NewReader(answer)}
		err := judge(conn, io.LimitReader(conn, maxAnswer))
		if err == nil && !bytes.ContainsAny(answer, "RE") {
			t.Errorf("%q passes for PostgreSQL", answer)
		}
	})
}
