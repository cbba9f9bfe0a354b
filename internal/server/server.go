package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/logkey"
	"github.com/pgchorus/pgchorus/internal/pgerr"
)

// Serve runs one session on an accepted connection and closes it.
type Serve func(ctx context.Context, nc net.Conn) error

// Server accepts frontends.
type Server struct {
	cfg   config.Listen
	serve Serve
	log   *zap.Logger

	listeners []net.Listener
	waiting   chan struct{} // a token for each accepted frontend
	places    chan struct{} // a token for each session that may run
	connected atomic.Int64  // sessions that run
	sessions  sync.WaitGroup
}

// New returns a server that does not listen yet.
func New(cfg config.Listen, serve Serve, log *zap.Logger) *Server {
	return &Server{
		cfg: cfg, serve: serve, log: log,
		waiting: make(chan struct{}, cfg.NumInitChildren+cfg.Backlog()),
		places:  make(chan struct{}, cfg.NumInitChildren),
	}
}

// Listen opens the ports and sockets. On error none is open.
func (s *Server) Listen(ctx context.Context) error {
	for _, host := range s.cfg.ListenAddresses {
		if host == "*" {
			host = ""
		}
		if err := s.listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(s.cfg.Port))); err != nil {
			return err
		}
	}
	for _, dir := range s.cfg.UnixSocketDirectories {
		if err := s.listenUnix(ctx, dir); err != nil {
			return err
		}
	}
	if len(s.listeners) == 0 {
		return errors.New("listen: neither listen_addresses nor unix_socket_directories names a place to listen on")
	}
	return nil
}

func (s *Server) listen(ctx context.Context, network, address string) error {
	l, err := listenBacklog(ctx, network, address, s.cfg.Backlog())
	if err != nil {
		s.closeListeners()
		return fmt.Errorf("listen: %w", err)
	}
	s.listeners = append(s.listeners, l)
	s.log.Info("listening", zap.String(logkey.Address, l.Addr().String()))
	return nil
}

// listenUnix opens a socket file; one that nobody answers at is left from a server
// that was killed, and is removed.
func (s *Server) listenUnix(ctx context.Context, dir string) error {
	path := filepath.Join(dir, ".s.PGSQL."+strconv.Itoa(s.cfg.Port))
	if _, err := os.Stat(path); err == nil {
		if nc, err := net.DialTimeout("unix", path, time.Second); err == nil {
			nc.Close()
			s.closeListeners()
			return fmt.Errorf("listen: %s is in use by another server", path)
		}
		os.Remove(path)
	}
	if err := s.listen(ctx, "unix", path); err != nil {
		return err
	}
	if err := setOwner(path, s.cfg); err != nil {
		s.closeListeners()
		return err
	}
	return nil
}

// setOwner applies unix_socket_permissions and unix_socket_group.
func setOwner(path string, cfg config.Listen) error {
	if err := os.Chmod(path, cfg.UnixSocketPermissions); err != nil {
		return fmt.Errorf("unix_socket_permissions: %w", err)
	}
	if cfg.UnixSocketGroup == "" {
		return nil
	}
	gid, err := strconv.Atoi(cfg.UnixSocketGroup)
	if err != nil {
		group, err := user.LookupGroup(cfg.UnixSocketGroup)
		if err != nil {
			return fmt.Errorf("unix_socket_group: %w", err)
		}
		if gid, err = strconv.Atoi(group.Gid); err != nil {
			return fmt.Errorf("unix_socket_group: %w", err)
		}
	}
	if err := os.Chown(path, -1, gid); err != nil {
		return fmt.Errorf("unix_socket_group: %w", err)
	}
	return nil
}

// Connected is the number of sessions that run.
func (s *Server) Connected() int { return int(s.connected.Load()) }

// Run accepts frontends until accepting ends, then waits for the sessions. They are
// told to end when sessions ends; so a smart shutdown ends the first context and
// leaves the second alone.
func (s *Server) Run(accepting, sessions context.Context) error {
	stop := context.AfterFunc(accepting, s.closeListeners)
	defer stop()
	var loops sync.WaitGroup
	for _, l := range s.listeners {
		loops.Go(func() { s.accept(accepting, sessions, l) })
	}
	loops.Wait()
	s.sessions.Wait()
	return nil
}

func (s *Server) closeListeners() {
	for _, l := range s.listeners {
		l.Close()
	}
}

// accept takes frontends, as many as may run and as may wait for that; more stay in the
// kernel's queue.
func (s *Server) accept(accepting, sessions context.Context, l net.Listener) {
	for {
		select {
		case s.waiting <- struct{}{}:
		case <-accepting.Done():
			return
		}
		nc, err := l.Accept()
		if err == nil {
			s.start(sessions, nc)
			continue
		}
		<-s.waiting
		if accepting.Err() != nil || errors.Is(err, net.ErrClosed) {
			return
		}
		s.log.Warn("accept", zap.Error(err))
		pause(accepting)
	}
}

// Admit waits for a place for a frontend that has said that it wants to come in; with
// reserved_connections it is refused instead of waiting (Pgpool-II, 53300).
func (s *Server) Admit(ctx context.Context) (leave func(), err error) {
	if s.cfg.ReservedConnections > 0 {
		if int(s.connected.Add(1)) > s.cfg.NumInitChildren-s.cfg.ReservedConnections {
			s.connected.Add(-1)
			return nil, pgerr.Fatal(pgerr.TooManyConnections, "Sorry, too many clients already")
		}
		return func() { s.connected.Add(-1) }, nil
	}
	select {
	case s.places <- struct{}{}:
		s.connected.Add(1)
		return func() { s.connected.Add(-1); <-s.places }, nil
	case <-ctx.Done():
		return nil, pgerr.Fatal(pgerr.AdminShutdown, "the server is stopping").Wrap(context.Cause(ctx))
	}
}

func (s *Server) start(ctx context.Context, nc net.Conn) {
	s.sessions.Go(func() {
		defer func() { <-s.waiting }()
		defer s.survive(nc)
		s.ended(nc, s.serve(ctx, nc))
	})
}

// ended logs why a session has ended.
func (s *Server) ended(nc net.Conn, err error) {
	if err != nil {
		s.log.Debug("session ended", zap.Error(err), zap.Stringer(logkey.Frontend, nc.RemoteAddr()))
	}
}

// survive keeps a fault in one session from ending the others.
func (s *Server) survive(nc net.Conn) {
	if fault := recover(); fault != nil {
		s.log.Error("session ended by a fault in pgchorus", zap.Any("fault", fault), zap.Stack("stack"))
		nc.Close()
	}
}

// pause keeps a failing accept (no file descriptors left) from spinning.
func pause(ctx context.Context) {
	select {
	case <-time.After(acceptPause):
	case <-ctx.Done():
	}
}

const acceptPause = 50 * time.Millisecond
