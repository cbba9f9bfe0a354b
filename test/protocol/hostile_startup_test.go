package protocol

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// guardedFixture asks the user guarded for a password, in clear text or by SCRAM for
// the database scram, and lets the superuser in.
func guardedFixture(t testing.TB, lines ...string) *fixture {
	t.Helper()
	f := &fixture{nodes: pgtest.Start(t, 1, pgtest.WithTLS())}
	certificate, key := selfSigned(t)
	f.proxy = proxy.Start(t, f.nodes,
		proxy.WithFile("pool_hba.conf", "host all postgres 127.0.0.1/32 trust\nhost scram guarded 127.0.0.1/32 scram-sha-256\nhost all guarded 127.0.0.1/32 password\n"),
		proxy.WithFile("pool_passwd", "guarded:TEXTsecret\n"),
		proxy.WithFile("server.crt", certificate), proxy.WithFile("server.key", key),
		proxy.WithConfig(append([]string{
			"enable_pool_hba = on", "pool_passwd = 'pool_passwd'", "authentication_timeout = 2", "num_init_children = 1500", "listen_backlog_multiplier = 2",
			"ssl = on", "ssl_cert = 'server.crt'", "ssl_key = 'server.key'",
		}, lines...)...))
	c := logIn(t, f.proxyAddr(), "postgres")
	c.must(t, "CREATE DATABASE "+database)
	c.must(t, "CREATE ROLE guarded LOGIN PASSWORD 'secret'")
	c.send(t, terminate().bytes)
	app := logIn(t, f.proxyAddr(), database)
	app.must(t, schema)
	app.send(t, terminate().bytes)
	return f
}

// selfSigned makes a certificate for 127.0.0.1 and its key.
func selfSigned(t testing.TB) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

// good is the start-up packet of the superuser.
func good() []byte { return startup(protocol30, "user", "postgres", "database", database) }

func TestFirstPacket(t *testing.T) {
	f := guardedFixture(t)
	watcher := f.watch(t)
	huge := make([]string, 0, 4000)
	for i := range 2000 {
		huge = append(huge, fmt.Sprintf("p%d", i), "xxxxxxxx")
	}
	for _, tt := range []struct {
		name string
		send []byte
		want string // PostgreSQL's: severity and code, "in" for a log-in, "" for a silent end
	}{
		{"as it should be", good(), "in"},
		{"length 0", []byte{0, 0, 0, 0, 'x'}, ""},
		{"length 3", []byte{0, 0, 0, 3, 'x'}, ""},
		{"length 4", []byte{0, 0, 0, 4, 'x'}, ""},
		{"length 7", []byte{0, 0, 0, 7, 'x'}, ""},
		{"length 10005", []byte{0, 0, 0x27, 0x15, 'x'}, ""},
		{"length 2 GiB", []byte{0x7f, 0xff, 0xff, 0xff, 'x'}, ""},
		{"length -2 GiB", []byte{0x80, 0, 0, 0, 'x'}, ""},
		{"length -1", []byte{0xff, 0xff, 0xff, 0xff, 'x'}, ""},
		{"a huge packet", startup(protocol30, append([]string{"user", "postgres"}, huge...)...), ""},
		{"an HTTP request", []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), ""},
		{"no parameters at all", startup(protocol30), "FATAL 28000"},
		{"an empty user", startup(protocol30, "user", ""), "FATAL 28000"},
		{"a user without an end", append(long(long(nil, 12), protocol30), "user"...), "FATAL 08P01"},
		{"bytes behind the end", append(long(long(nil, 24), protocol30), "user\x00postgres\x00\x00xx"...), "FATAL 08P01"},
		{"replication = true", startup(protocol30, "user", "postgres", "replication", "true"), "FATAL 0A000"},
		{"replication = database", startup(protocol30, "user", "postgres", "database", database, "replication", "database"), "FATAL 0A000"},
		{"replication = false", startup(protocol30, "user", "postgres", "database", database, "replication", "false"), "in"},
		{"protocol 1.0", startup(1<<16, "user", "postgres"), "FATAL 0A000"},
		{"protocol 2.0", append(long(long(nil, 296), 2<<16), make([]byte, 288)...), "FATAL 0A000"},
		{"protocol 4.0", startup(4<<16, "user", "postgres"), "FATAL 0A000"},
		{"an unknown database", startup(protocol30, "user", "postgres", "database", "nowhere"), "FATAL 3D000"},
		{"an unknown parameter", startup(protocol30, "user", "postgres", "database", database, "nothing", "x"), "FATAL 42704"},
		{"a user without a rule", startup(protocol30, "user", "stranger", "database", database), "FATAL 28000"},
		{"a wrong password", append(startup(protocol30, "user", "guarded", "database", database), encode('p', "", []byte("wrong\x00")).bytes...), "FATAL 28P01"},
		{"a password, all in one segment", append(startup(protocol30, "user", "guarded", "database", database), encode('p', "", []byte("secret\x00")).bytes...), "in"},
		{"an empty password", append(startup(protocol30, "user", "guarded", "database", database), encode('p', "", []byte("\x00")).bytes...), "FATAL 28P01"},
		{"a Query in place of a password", append(startup(protocol30, "user", "guarded", "database", database), query("SELECT 1").bytes...), "FATAL 08P01"},
		{"a password with a length of 1 GiB", append(startup(protocol30, "user", "guarded", "database", database), 'p', 0x40, 0, 0, 0), ""},
		{"a password with length 0", append(startup(protocol30, "user", "guarded", "database", database), 'p', 0, 0, 0, 0), ""},
		{"a password with length -1", append(startup(protocol30, "user", "guarded", "database", database), 'p', 0xff, 0xff, 0xff, 0xff), ""},
		{"SASL with a mechanism that does not exist", append(startup(protocol30, "user", "guarded", "database", "scram"), encode('p', "", []byte("NONE\x00\x00\x00\x00\x00")).bytes...), "FATAL 08P01"},
		{"SASL cut short", append(startup(protocol30, "user", "guarded", "database", "scram"), encode('p', "", []byte("SCRAM-SHA-256\x00\x7f\xff\xff\xff")).bytes...), "FATAL 08P01"},
		{"GSSENCRequest, then as it should be", append(packet(codeGSSENC), good()...), "N in"},
		{"GSSENCRequest three times", bytes.Repeat(packet(codeGSSENC), 3), "NNN FATAL 08P01"},
		{"cancel for nobody", packet(codeCancel, 0, 0, 0, 1, 1, 2, 3, 4), ""},
		{"cancel cut short", packet(codeCancel, 0, 0, 0, 1), ""},
		{"cancel with a huge key", packet(codeCancel, make([]byte, 5000)...), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, f.proxyAddr())
			c.trySend(tt.send)
			if got := c.firstAnswer(t, strings.Count(tt.want, "N")); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	f.wantServing(t)
	watcher.verdict(t)
}

// firstAnswer is what a first packet is answered with: as many single bytes as asked
// for, and then an error or a log-in.
func (c *client) firstAnswer(t testing.TB, bytes int) string {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	head := make([]byte, bytes)
	if _, err := io.ReadFull(c.in, head); err != nil {
		return "no byte: " + ending(err)
	}
	answer := string(head)
	for {
		r, err := c.read()
		switch {
		case err != nil && ending(err) == ending(io.EOF):
			return answer
		case err != nil:
			return answer + " " + ending(err)
		case r.kind == 'E':
			return strings.TrimSpace(answer + " " + r.field('V') + " " + r.field('C'))
		case r.kind == 'Z':
			return strings.TrimSpace(answer + " in")
		}
	}
}

// TestStartupByteByByte: the packet may come in as many segments as it has bytes.
func TestStartupByteByByte(t *testing.T) {
	f := guardedFixture(t)
	c := dial(t, f.proxyAddr())
	for _, b := range good() {
		c.send(t, []byte{b})
	}
	if err := c.awaitLogin(); err != nil {
		t.Fatal(err)
	}
	c = dial(t, f.proxyAddr())
	c.send(t, append(good(), query("SELECT 'in the same segment'").bytes...))
	if err := c.awaitLogin(); err != nil {
		t.Fatal(err)
	}
	replies, err := c.readUntil('Z', 1)
	if err != nil || !strings.Contains(fmt.Sprint(renderings(replies)), "in the same segment") {
		t.Errorf("the query behind the start-up packet was answered with %q, %v", renderings(replies), err)
	}
	large := []string{"user", "postgres", "database", database, "application_name", strings.Repeat("x", 9800)}
	c = dial(t, f.proxyAddr())
	c.send(t, startup(protocol30, large...))
	if err := c.awaitLogin(); err != nil {
		t.Errorf("a packet of just under 10,000 bytes: %v", err)
	}
}

// TestProtocolVersions: a newer minor version, or an option that nobody knows, is
// answered with what we speak, and the log-in goes on (protocol chapter 55.2.1).
func TestProtocolVersions(t *testing.T) {
	f := guardedFixture(t)
	for _, tt := range []struct {
		name    string
		version int
		options []string
		want    string
		secret  int // length of the cancel key
	}{
		{"3.0", protocol30, nil, "", 4},
		{"3.2", protocol30 | 2, nil, "", 32},
		{"3.99", protocol30 | 99, nil, "NegotiateProtocolVersion(0003000200000000)", 32},
		{"3.0 with options", protocol30, []string{"_pq_.b", "1", "_pq_.a", "2"}, "NegotiateProtocolVersion(00030000000000025f70715f2e61005f70715f2e6200)", 4},
		{"3.99 with an option", protocol30 | 99, []string{"_pq_.a", ""}, "NegotiateProtocolVersion(00030002000000015f70715f2e6100)", 32},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, f.proxyAddr())
			c.send(t, startup(tt.version, append([]string{"user", "postgres", "database", database}, tt.options...)...))
			replies, err := c.readUntil('Z', 1)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, r := range replies {
				switch r.kind {
				case 'v':
					got = r.String()
				case 'K':
					if len(r.body)-4 != tt.secret {
						t.Errorf("the cancel key has %d bytes, want %d", len(r.body)-4, tt.secret)
					}
				}
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			c.must(t, "SELECT 1")
		})
	}
}

// TestTLSRequest: TLS is offered, works, and bytes that came in clear text with the
// request are refused (CVE-2021-23214).
func TestTLSRequest(t *testing.T) {
	f := guardedFixture(t)
	watcher := f.watch(t)
	c := dial(t, f.proxyAddr())
	c.send(t, packet(codeSSL))
	answer := make([]byte, 1)
	if _, err := io.ReadFull(c.in, answer); err != nil || answer[0] != 'S' {
		t.Fatalf("SSLRequest was answered with %q, %v", answer, err)
	}
	secured := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true})
	c.Conn = secured
	c.in.Reset(secured)
	c.send(t, append(good(), query("SELECT 1").bytes...))
	if err := c.awaitLogin(); err != nil {
		t.Errorf("log-in over TLS: %v", err)
	}
	for _, tt := range []struct {
		name  string
		extra []byte
	}{
		{"a start-up packet", good()},
		{"a start-up packet and a query", append(good(), query("DROP TABLE t").bytes...)},
		{"one byte", []byte{0}},
		{"another SSLRequest", packet(codeSSL)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, f.proxyAddr())
			c.send(t, append(packet(codeSSL), tt.extra...))
			b, err := io.ReadAll(c.in)
			if err != nil && !strings.Contains(err.Error(), "reset") {
				t.Fatalf("the connection was not ended: %v", err)
			}
			if bytes.Contains(b, []byte("\x00server_version\x00")) || len(b) > 0 && b[0] == 'S' {
				t.Errorf("answered with %q", b)
			}
		})
	}
	f.wantServing(t)
	watcher.verdict(t)
}

// TestUnauthenticatedMemory: frontends that have not logged in hold no memory and no
// place for longer than authentication_timeout (bug classes 24 and 34).
func TestUnauthenticatedMemory(t *testing.T) {
	f := guardedFixture(t)
	watcher := f.watch(t)
	const crowd = 1000
	for _, tt := range []struct {
		name string
		send []byte
	}{
		{"a password of 1 GiB is announced", append(startup(protocol30, "user", "guarded", "database", database), append([]byte{'p', 0x40, 0, 0, 0}, make([]byte, 1000)...)...)},
		{"half a password", append(startup(protocol30, "user", "guarded", "database", database), 'p', 0, 0, 0xff, 0xff, 'x')},
		{"nothing is said", nil},
		{"half a start-up packet", good()[:20]},
		{"half an SSLRequest", packet(codeSSL)[:6]},
		{"a TLS handshake that does not begin", packet(codeSSL)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			base := f.proxy.RSS()
			clients := make([]*client, crowd)
			for i := range clients {
				clients[i] = dial(t, f.proxyAddr())
				clients[i].trySend(tt.send)
			}
			peak := f.proxy.RSS()
			for i, c := range clients {
				if _, err := io.Copy(io.Discard, c.in); err != nil && !strings.Contains(err.Error(), "reset") {
					t.Fatalf("frontend %d was not sent away: %v", i, err)
				}
				c.Close()
			}
			if grown := max(peak, f.proxy.RSS()) - base; grown > 48<<20 {
				t.Errorf("%d frontends that have not logged in hold %d MiB", crowd, grown>>20)
			}
		})
	}
	f.wantServing(t)
	watcher.verdict(t)
}
