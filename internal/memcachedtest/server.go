package memcachedtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

const (
	// patience bounds everything that is waited for; it only ends what hangs.
	patience     = 20 * time.Second
	pollInterval = 5 * time.Millisecond
)

// Server is a memcached that belongs to a test.
type Server struct {
	// Socket is the path of its Unix socket.
	Socket string

	t         testing.TB
	megabytes int
	process   *exec.Cmd
}

// Start runs a memcached with so many megabytes.
func Start(t testing.TB, megabytes int) *Server {
	t.Helper()
	if testing.Short() {
		t.Skip("needs memcached")
	}
	dir, err := os.MkdirTemp("", "memcached") // t.TempDir's path is too long for a socket (unix(7))
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Socket: filepath.Join(dir, "socket"), t: t, megabytes: megabytes}
	t.Cleanup(func() { s.Kill(); os.RemoveAll(dir) })
	s.Start()
	return s
}

// Start starts it, again, and returns when it answers.
func (s *Server) Start() {
	s.t.Helper()
	program, err := exec.LookPath("memcached")
	if err != nil {
		s.t.Fatalf("%v (scripts/need-memcached.sh installs it)", err)
	}
	args := []string{"-s", s.Socket, "-m", strconv.Itoa(s.megabytes), "-t", "2"}
	if os.Geteuid() == 0 {
		args = append(args, "-u", "root") // it wants to be told
	}
	s.process = exec.Command(program, args...)
	s.process.Stderr = os.Stderr
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	for end := time.Now().Add(patience); !s.answers(); time.Sleep(pollInterval) {
		if time.Now().After(end) {
			s.t.Fatal("memcached does not answer")
		}
	}
}

func (s *Server) answers() bool {
	conn, err := net.Dial("unix", s.Socket)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience)) // a socket takes one
	if _, err := fmt.Fprint(conn, "version\r\n"); err != nil {
		return false
	}
	_, err = conn.Read(make([]byte, 1))
	return err == nil
}

// Kill ends it by SIGKILL; it forgets everything.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill() // it may have ended
	_ = s.process.Wait()         // says that it was killed
	s.process = nil
	_ = os.Remove(s.Socket) // the next one makes it anew
}

// Pause stops it where it is, and Resume lets it go on.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume lets a paused one go on.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.process.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// Forget makes it forget everything, as if all had been evicted.
func (s *Server) Forget() {
	s.t.Helper()
	conn, err := net.Dial("unix", s.Socket)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprint(conn, "flush_all\r\n"); err != nil {
		s.t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 4)); err != nil {
		s.t.Fatal(err)
	}
}
