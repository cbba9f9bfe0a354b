package backend

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pgchorus/pgchorus/internal/wire"
)

// Address is where a node listens.
type Address struct {
	Host string // a name, an address, or the folder of a Unix socket
	Port int
	TLS  *tls.Config // nil for plain connections; a server without TLS gets those anyway
}

// local reports whether the node is reached by a Unix socket.
func (a Address) local() bool { return strings.HasPrefix(a.Host, "/") }

func (a Address) String() string {
	if a.local() {
		return filepath.Join(a.Host, ".s.PGSQL."+strconv.Itoa(a.Port))
	}
	return net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
}

// dial connects and, where a says so, secures the connection.
func dial(ctx context.Context, a Address) (*wire.Conn, error) {
	network := "tcp"
	if a.local() {
		network = "unix"
	}
	nc, err := (&net.Dialer{}).DialContext(ctx, network, a.String())
	if err != nil {
		return nil, err
	}
	conn := wire.NewConn(nc, wire.Backend)
	if a.TLS == nil || a.local() {
		return conn, nil
	}
	if err := secure(ctx, conn, a); err != nil {
		nc.Close()
		return nil, fmt.Errorf("tls with %s: %w", a, err)
	}
	return conn, nil
}

// secure asks for TLS. Bytes that come behind the server's one-byte answer were
// sent in clear text and could be an attacker's: they end the connection
// (CVE-2021-23222).
func secure(ctx context.Context, conn *wire.Conn, a Address) error {
	conn.Append(wire.AppendSSLRequest(nil))
	if err := conn.Flush(); err != nil {
		return err
	}
	answer, err := conn.TakeByte()
	switch {
	case err != nil:
		return err
	case answer == 'N' && conn.Buffered() == 0:
		return nil // plain, as with Pgpool-II
	case answer != 'S':
		return fmt.Errorf("unexpected answer %q to SSLRequest", answer)
	case conn.Buffered() > 0:
		return errors.New("unencrypted data after the answer to SSLRequest")
	}
	secured := tls.Client(conn.NetConn(), a.TLS)
	if err := secured.HandshakeContext(ctx); err != nil {
		return err
	}
	conn.Upgrade(secured)
	return nil
}

// bound ends what is going on at conn when ctx ends; the returned function
// removes the bound.
func bound(ctx context.Context, conn *wire.Conn) (release func()) {
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	return func() {
		stop()
		conn.SetDeadline(noDeadline)
	}
}
