package scenario

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// idleFrontends is how many frontends the server has to hold. A session keeps a
// connection to each node, so no PostgreSQL of this size is at hand: the nodes are
// stand-ins that log everybody in and answer every query with
// the isolation level, which the server asks for itself. What is
// measured is the server's own memory. Where the system does not allow that many open
// files, there are as many frontends as it allows.
const idleFrontends = 10_000

// spareFiles is what the test and the server need besides the frontends' sockets.
const spareFiles = 500

// maxIdleSession is what one idle session may cost in the server, in bytes, goroutine
// stack and maps included, whatever the number of nodes.
const maxIdleSession = 64 << 10

func TestTenThousandIdleFrontends(t *testing.T) {
	files := raiseFileLimit(t)
	for _, count := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d nodes", count), func(t *testing.T) {
			var nodes []*pgtest.Node
			for id := range count {
				nodes = append(nodes, standIn(t, id))
			}
			p := proxy.Start(t, nodes, proxy.WithConfig(
				"num_init_children = 10100", "max_pool = 1", "health_check_period = 0", "listen_backlog_multiplier = 1"))
			n := min(idleFrontends, (files-spareFiles)/(count+1))
			holdIdle(t, p, n)
		})
	}
}

// holdIdle connects n frontends and looks at what they cost.
func holdIdle(t *testing.T, p *proxy.Proxy, n int) {
	t.Helper()
	before := p.RSS()
	frontends := connectAll(t, p, n)
	if len(frontends) != n {
		t.Fatalf("%d frontends are connected, want %d", len(frontends), n)
	}
	for _, nc := range frontends[:min(n, 100)] {
		roundTrip(t, nc)
	}
	each := (p.RSS() - before) / int64(n)
	t.Logf("%d idle frontends: %d MiB, %.1f KiB each", n, p.RSS()>>20, float64(each)/1024)
	if each > maxIdleSession {
		t.Errorf("an idle frontend takes %d bytes, at most %d are allowed", each, maxIdleSession)
	}
}

// raiseFileLimit raises the limit on open files as far as it goes; the server, a child,
// inherits it. It returns the limit.
func raiseFileLimit(t *testing.T) int {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	old := limit
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatalf("limit on open files: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old) })
	return int(limit.Cur)
}

// connectAll logs in so many frontends, a few at a time.
func connectAll(t *testing.T, p *proxy.Proxy, n int) []net.Conn {
	t.Helper()
	var (
		mu        sync.Mutex // guards frontends
		frontends []net.Conn
		dialling  sync.WaitGroup
	)
	t.Cleanup(func() {
		for _, nc := range frontends {
			nc.Close()
		}
	})
	address := net.JoinHostPort(p.Host, strconv.Itoa(p.Port))
	for worker := range 32 {
		dialling.Go(func() {
			for i := worker; i < n; i += 32 {
				nc, err := net.Dial("tcp", address)
				if err == nil {
					nc.SetDeadline(time.Now().Add(2 * time.Minute))
					err = logIn(nc)
				}
				if err != nil {
					t.Errorf("frontend %d: %v", i, err)
					return
				}
				mu.Lock()
				frontends = append(frontends, nc)
				mu.Unlock()
			}
		})
	}
	dialling.Wait()
	return frontends
}

// startup is a StartupMessage of protocol 3.0 for user and database app.
var startup = message(0, []byte("\x00\x03\x00\x00user\x00app\x00database\x00app\x00\x00"))

// message frames a body; kind 0 is the start-up packet's, which has none.
func message(kind byte, body []byte) []byte {
	var b []byte
	if kind != 0 {
		b = append(b, kind)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)+4))
	return append(b, body...)
}

func logIn(nc net.Conn) error {
	if _, err := nc.Write(startup); err != nil {
		return err
	}
	return readReady(nc)
}

func roundTrip(t *testing.T, nc net.Conn) {
	t.Helper()
	if _, err := nc.Write(message('Q', []byte("SELECT 1\x00"))); err != nil {
		t.Fatal(err)
	}
	if err := readReady(nc); err != nil {
		t.Fatal(err)
	}
}

// readReady reads up to ReadyForQuery, 'Z'.
func readReady(nc net.Conn) error {
	head := make([]byte, 5)
	for {
		if _, err := io.ReadFull(nc, head); err != nil {
			return err
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(nc, body); err != nil {
			return err
		}
		if head[0] == 'E' {
			return &serverError{string(bytes.ReplaceAll(body, []byte{0}, []byte{' '}))}
		}
		if head[0] == 'Z' {
			return nil
		}
	}
}

type serverError struct{ text string }

func (e *serverError) Error() string { return e.text }

// standIn listens as a node and serves whoever comes, until the test ends.
func standIn(t *testing.T, id int) *pgtest.Node {
	t.Helper()
	real := pgtest.Start(t, 1)[0] // for a folder, a free port and a name
	real.Stop()
	listener, err := net.Listen("tcp", net.JoinHostPort(real.Host, strconv.Itoa(real.Port)))
	if err != nil {
		t.Fatal(err)
	}
	real.Node.ID = id
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { defer nc.Close(); serveStandIn(nc) })
		}
	})
	t.Cleanup(func() { listener.Close() })
	return real
}

var (
	authenticationOk = message('R', []byte{0, 0, 0, 0})
	backendKeyData   = message('K', []byte{0, 0, 0, 1, 0, 0, 0, 2})
	// rowDescription is of one column of type text (OID 25).
	rowDescription  = message('T', []byte("\x00\x01x\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x19\xff\xff\xff\xff\xff\xff\x00\x00"))
	dataRow         = message('D', []byte("\x00\x01\x00\x00\x00\x0eread committed"))
	commandComplete = message('C', []byte("SELECT 1\x00"))
	readyForQuery   = message('Z', []byte{'I'})
	oneRow          = bytes.Join([][]byte{rowDescription, dataRow, commandComplete, readyForQuery}, nil)
)

// serveStandIn reads messages and answers each Query with the same row.
func serveStandIn(nc net.Conn) {
	size := make([]byte, 4)
	if _, err := io.ReadFull(nc, size); err != nil {
		return
	}
	if _, err := io.CopyN(io.Discard, nc, int64(binary.BigEndian.Uint32(size))-4); err != nil {
		return
	}
	nc.Write(bytes.Join([][]byte{authenticationOk, backendKeyData, readyForQuery}, nil))
	head := make([]byte, 5)
	for {
		if _, err := io.ReadFull(nc, head); err != nil || head[0] == 'X' {
			return
		}
		if _, err := io.CopyN(io.Discard, nc, int64(binary.BigEndian.Uint32(head[1:]))-4); err != nil {
			return
		}
		nc.Write(oneRow)
	}
}
