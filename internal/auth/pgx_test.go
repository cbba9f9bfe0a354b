package auth

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/pgerr"
)

// proxyFor lets pgx in through an Authenticator, with no backend behind it.
func proxyFor(conn net.Conn, a *Authenticator, config *tls.Config, l Login) error {
	ctx := context.Background()
	start := make([]byte, 8)
	if config != nil {
		if _, err := io.ReadFull(conn, start); err != nil { // SSLRequest
			return err
		}
		if _, err := conn.Write([]byte{'S'}); err != nil {
			return err
		}
		encrypted := tls.Server(conn, config)
		if err := encrypted.Handshake(); err != nil {
			return err
		}
		conn = encrypted
		l.TLS, l.PeerCertCN, l.ServerEndPoint = true, PeerCN(encrypted.ConnectionState()), ServerEndPoint(config)
	}
	if _, err := io.ReadFull(conn, start[:4]); err != nil {
		return err
	}
	if _, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(start))-4); err != nil {
		return err
	}
	peer := testPeer{conn}
	if _, err := a.Frontend(ctx, peer, l); err != nil {
		_ = peer.Send(ctx, 'E', []byte("SFATAL\x00VFATAL\x00C"+string(pgerr.CodeOf(err))+"\x00Mno\x00\x00"))
		return err
	}
	if err := SendOK(ctx, peer); err != nil {
		return err
	}
	return peer.Send(ctx, 'Z', []byte("I"))
}

// TestPgxIsLetIn checks our side towards frontends against another implementation.
func TestPgxIsLetIn(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	_, certFile, keyFile := ca.issue(t, "proxy")
	server, _, err := FrontendTLS(context.Background(), TLSFiles{Cert: certFile, Key: keyFile, CACert: ca.certFile(t)})
	if err != nil {
		t.Fatal(err)
	}
	alice, _, _ := ca.issue(t, testUser)
	withCert := &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{alice}}
	anonymous := &tls.Config{InsecureSkipVerify: true}
	tests := []struct {
		name, method, entry string
		client              *tls.Config
		binding             string
		password            string
		want                string // SQLSTATE of the refusal
	}{
		{"password", "password", "TEXT", nil, "", testPassword, ""},
		{"wrong password", "password", "TEXT", nil, "", "wrong", "28P01"},
		{"md5", "md5", "md5", nil, "", testPassword, ""},
		{"wrong md5", "md5", "md5", nil, "", "wrong", "28P01"},
		{"scram", "scram-sha-256", "TEXT", nil, "", testPassword, ""},
		{"scram with a verifier", "scram-sha-256", "SCRAM", nil, "", testPassword, ""},
		{"wrong scram", "scram-sha-256", "SCRAM", nil, "", "wrong", "28P01"},
		{"unknown user", "scram-sha-256", "none", nil, "", testPassword, "28P01"},
		{"scram bound to the certificate", "scram-sha-256", "SCRAM", anonymous, "require", testPassword, ""},
		{"wrong scram bound to the certificate", "scram-sha-256", "SCRAM", anonymous, "require", "wrong", "28P01"},
		{"scram over TLS without binding", "scram-sha-256", "SCRAM", anonymous, "disable", testPassword, ""},
		{"cert", "cert", "none", withCert, "", "", ""},
		{"cert without one", "cert", "none", anonymous, "", "", "28000"},
		{"trust", "trust", "none", nil, "", "", ""},
		{"reject", "reject", "TEXT", nil, "", testPassword, "28000"},
	}
	entries := testEntries(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := New(Config{EnablePoolHBA: true, HBA: mustHBA(t, "host all all all "+tt.method, nil), Passwd: entries[tt.entry]})
			var config *tls.Config
			if tt.client != nil {
				config = server
			}
			login := testLogin()
			login.TLS, login.PeerCertCN = false, ""
			err := connectPgx(t, tt.client, tt.binding, tt.password, func(conn net.Conn) error {
				return proxyFor(conn, a, config, login)
			})
			var refused *pgconn.PgError
			got := ""
			if errors.As(err, &refused) {
				got = refused.Code
			} else if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("pgx got %q, want %q", got, tt.want)
			}
		})
	}
}

func connectPgx(t *testing.T, client *tls.Config, binding, password string, serve func(net.Conn) error) error {
	t.Helper()
	ours, theirs := socketPair(t)
	config, err := pgconn.ParseConfig("host=proxy user=" + testUser + " database=shop sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	config.Password, config.TLSConfig = password, client
	if binding != "" {
		config.ChannelBinding = binding
	}
	config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"192.0.2.1"}, nil }
	config.DialFunc = func(context.Context, string, string) (net.Conn, error) { return theirs.conn, nil }
	served := make(chan error, 1)
	go func() { served <- serve(ours.conn) }()
	conn, err := pgconn.ConnectConfig(context.Background(), config)
	if conn != nil {
		_ = theirs.conn.Close()
	}
	_ = ours.conn.Close()
	<-served
	return err
}
