package memcachedtest

import (
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
)

// Way is a way to a memcached that can be cut.
type Way struct {
	// Socket is where it begins.
	Socket string

	to       *Server
	listener net.Listener

	mu    sync.Mutex // guards the fields below
	cut   bool
	conns map[net.Conn]struct{}
}

// Way makes a way to the server, beside its socket.
func (s *Server) Way(t testing.TB, name string) *Way {
	t.Helper()
	w := &Way{Socket: filepath.Join(filepath.Dir(s.Socket), name), to: s, conns: map[net.Conn]struct{}{}}
	var err error
	if w.listener, err = net.Listen("unix", w.Socket); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Cut(); w.listener.Close() })
	go w.serve()
	return w
}

func (w *Way) serve() {
	for {
		from, err := w.listener.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("unix", w.to.Socket)
		if err != nil || !w.keep(from, to) {
			from.Close() // as good as refused
			continue
		}
		go pass(from, to)
		go pass(to, from)
	}
}

// keep notes connections, to be closed by Cut; false if the way is cut.
func (w *Way) keep(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, conn := range conns {
		if w.cut {
			conn.Close()
			continue
		}
		w.conns[conn] = struct{}{}
	}
	return !w.cut
}

func pass(from, to net.Conn) {
	_, _ = io.Copy(to, from) // ends with either of them
	from.Close()
	to.Close()
}

// Cut breaks all connections, and lets no new one through.
func (w *Way) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
	for conn := range w.conns {
		conn.Close()
		delete(w.conns, conn)
	}
}

// Mend lets connections through again.
func (w *Way) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = false
}
