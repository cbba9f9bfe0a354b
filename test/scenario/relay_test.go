package scenario

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// relay stands between pgchorus and a node. It passes messages on, one by one, and holds the
// one that a test waits for: in front of the node, or its answer.
type relay struct {
	node     *pgtest.Node
	listener net.Listener

	mu    sync.Mutex // guards the fields below
	point *point     // nil: nothing is held
	conns map[net.Conn]bool
}

// point is where a node's messages are held.
type point struct {
	holds func(query string) bool
	// done: the node has the message, and its answer is held.
	done    bool
	reached chan struct{}
	release chan struct{}
	// dropped is set before release is closed: what is held is never passed on.
	dropped bool
	once    sync.Once
}

func (p *point) hold() (dropped bool) {
	p.once.Do(func() { close(p.reached) })
	<-p.release
	return p.dropped
}

func newRelay(t testing.TB, node *pgtest.Node) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(node.Host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{node: node, listener: listener, conns: map[net.Conn]bool{}}
	t.Cleanup(func() { listener.Close(); r.cut() })
	go r.serve()
	return r
}

// config are the lines that send pgchorus here instead of to the node.
func (r *relay) config() []string {
	port := r.listener.Addr().(*net.TCPAddr).Port
	return []string{fmt.Sprintf("backend_hostname%d = '%s'", r.node.ID, r.node.Host), fmt.Sprintf("backend_port%d = %d", r.node.ID, port)}
}

func (r *relay) serve() {
	for {
		front, err := r.listener.Accept()
		if err != nil {
			return
		}
		back, err := net.Dial("tcp", net.JoinHostPort(r.node.Host, fmt.Sprint(r.node.Port)))
		if err != nil {
			front.Close() // as good as refused
			continue
		}
		r.mu.Lock()
		r.conns[front], r.conns[back] = true, true
		r.mu.Unlock()
		answers := &answers{}
		go r.forth(front, back, answers)
		go r.back(back, front, answers)
	}
}

// cut breaks all connections.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for conn := range r.conns {
		conn.Close()
	}
	clear(r.conns)
}

// holdAt has the next message held that holds says so of.
func (r *relay) holdAt(done bool, holds func(query string) bool) *point {
	p := &point{holds: holds, done: done, reached: make(chan struct{}), release: make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.point = p
	return p
}

// let has what is held passed on, or dropped. Nothing is held afterwards.
func (r *relay) let(dropped bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.point != nil {
		r.point.dropped = dropped
		close(r.point.release)
		r.point = nil
	}
}

func (r *relay) pointOf(kind byte, body []byte) *point {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.point; p != nil && p.holds(queryOf(kind, body)) {
		return p
	}
	return nil
}

// queryOf is the text of a Query, or what it would be of the Bind that begins a marked COMMIT.
func queryOf(kind byte, body []byte) string {
	switch {
	case kind == 'Q':
		return strings.TrimRight(string(body), "\x00")
	case kind == 'B' && strings.HasPrefix(string(body), "\x00pgchorus_mark\x00"):
		return "SELECT pgchorus.mark();COMMIT"
	}
	return ""
}

// answers says from where on the answers of one connection are held.
type answers struct {
	mu    sync.Mutex
	point *point
}

func (a *answers) holdAt(p *point) { a.mu.Lock(); a.point = p; a.mu.Unlock() }
func (a *answers) at() *point      { a.mu.Lock(); defer a.mu.Unlock(); return a.point }

// sslRequest asks whether the node would encrypt (protocol 55.7), to which the relay says no.
const sslRequest = "\x00\x00\x00\x08\x04\xd2\x16\x2f"

// forth passes on what pgchorus says. Its first packet has no kind.
func (r *relay) forth(front, back net.Conn, held *answers) {
	defer front.Close()
	defer back.Close()
	from := bufio.NewReader(front)
	for first := true; ; first = false {
		kind, message, err := readMessage(from, !first)
		if first && string(message) == sslRequest {
			if _, err = front.Write([]byte("N")); err == nil {
				kind, message, err = readMessage(from, false)
			}
		}
		if err != nil {
			return
		}
		if p := r.pointOf(kind, message[min(len(message), 5):]); p != nil {
			if p.done {
				held.holdAt(p)
			} else if p.hold() {
				return
			}
		}
		if _, err := back.Write(message); err != nil {
			return
		}
	}
}

// back passes on what the node says; an answer that is held up to its ReadyForQuery.
func (r *relay) back(back, front net.Conn, held *answers) {
	defer front.Close()
	defer back.Close()
	from := bufio.NewReader(back)
	var kept []byte
	for {
		kind, message, err := readMessage(from, true)
		if err != nil {
			return
		}
		kept = append(kept, message...)
		if p := held.at(); p != nil {
			if kind != 'Z' {
				continue
			}
			held.holdAt(nil)
			if p.hold() {
				return
			}
		}
		if _, err := front.Write(kept); err != nil {
			return
		}
		kept = kept[:0]
	}
}

// readMessage reads a message (protocol 55.7) with its header.
func readMessage(from *bufio.Reader, typed bool) (kind byte, message []byte, err error) {
	const most = 1 << 24
	header := 4
	if typed {
		header = 5
	}
	message = make([]byte, header)
	if _, err := io.ReadFull(from, message); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(message[header-4:])
	if length < 4 || length > most {
		return 0, nil, fmt.Errorf("a message of %d bytes", length)
	}
	message = append(message, make([]byte, length-4)...)
	if _, err := io.ReadFull(from, message[header:]); err != nil {
		return 0, nil, err
	}
	if typed {
		kind = message[0]
	}
	return kind, message, nil
}
