package pgmock

import (
	"net"
	"sync"
	"testing"
	"time"
)

// patience bounds every read and write of a script; it ends what hangs.
const patience = 30 * time.Second

// Server listens and plays a script to each connection. It ends with the test.
type Server struct {
	Host string
	Port int

	script   func(n int) []Step
	listener net.Listener
	played   sync.WaitGroup

	mu   sync.Mutex // guards the fields below
	open map[net.Conn]struct{}
	n    int // connections whose script has begun
	errs []error
}

// Start plays the same steps to every connection.
func Start(t testing.TB, steps ...Step) *Server {
	t.Helper()
	return StartEach(t, func(int) []Step { return steps })
}

// StartEach asks for the steps of each connection; n counts them from 0. A connection
// whose first packet is a CancelRequest is closed and not counted.
func StartEach(t testing.TB, script func(n int) []Step) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr)
	s := &Server{Host: addr.IP.String(), Port: addr.Port, script: script, listener: l, open: map[net.Conn]struct{}{}}
	s.played.Go(s.accept)
	t.Cleanup(s.close)
	return s
}

// Errs are the scripts' ends that were not their last steps: a peer that left or said
// something else than was expected.
func (s *Server) Errs() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]error(nil), s.errs...)
}

// Connections is the number of connections whose script has begun.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

func (s *Server) close() {
	s.listener.Close()
	s.mu.Lock()
	for nc := range s.open {
		nc.Close()
	}
	s.mu.Unlock()
	s.played.Wait()
}

func (s *Server) accept() {
	for {
		nc, err := s.listener.Accept()
		if err != nil {
			return
		}
		nc.SetDeadline(time.Now().Add(patience))
		s.mu.Lock()
		s.open[nc] = struct{}{}
		s.mu.Unlock()
		s.played.Go(func() { s.play(nc) })
	}
}

// play runs the script for one connection.
func (s *Server) play(nc net.Conn) {
	defer s.forget(nc)
	c := &Conn{nc: nc}
	if err := c.readStart(); err != nil || c.cancel {
		return
	}
	s.mu.Lock()
	n := s.n
	s.n++
	s.mu.Unlock()
	for _, step := range s.script(n) {
		if err := step(c); err != nil {
			s.mu.Lock()
			s.errs = append(s.errs, err)
			s.mu.Unlock()
			return
		}
	}
}

func (s *Server) forget(nc net.Conn) {
	nc.Close()
	s.mu.Lock()
	delete(s.open, nc)
	s.mu.Unlock()
}
