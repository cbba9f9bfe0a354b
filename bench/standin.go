package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

// standIn takes the place of a server where only the proxy before it is looked at: it
// logs everybody in and answers every query with the same row.
type standIn struct {
	port     *localpg.Port
	listener net.Listener
	serving  sync.WaitGroup

	mu    sync.Mutex // guards conns
	conns map[net.Conn]bool
}

func startStandIn() (*standIn, error) {
	port, err := localpg.ReservePort()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port.Number)))
	if err != nil {
		return nil, errors.Join(err, port.Release())
	}
	s := &standIn{port: port, listener: listener, conns: map[net.Conn]bool{}}
	s.serving.Go(s.accept)
	return s, nil
}

// close ends all connections and waits for their goroutines.
func (s *standIn) close() error {
	err := s.listener.Close()
	s.mu.Lock()
	for nc := range s.conns {
		nc.Close()
	}
	s.conns = nil // whoever comes now is turned away
	s.mu.Unlock()
	s.serving.Wait()
	return errors.Join(err, s.port.Release())
}

func (s *standIn) accept() {
	for {
		nc, err := s.listener.Accept()
		if err != nil {
			return
		}
		if !s.keep(nc) {
			nc.Close()
			return
		}
		s.serving.Go(func() {
			_ = serveStandIn(nc) // the proxy has gone
			s.drop(nc)
		})
	}
}

func (s *standIn) keep(nc net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil {
		return false
	}
	s.conns[nc] = true
	return true
}

func (s *standIn) drop(nc net.Conn) {
	nc.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, nc)
}

// maxStandInMessage bounds a message that we read, in bytes: they are all short.
const maxStandInMessage = 1 << 20

// message frames a body; kind 0 is the start-up packet's, which has none (protocol
// chapter, "Message Formats").
func message(kind byte, body []byte) []byte {
	var b []byte
	if kind != 0 {
		b = append(b, kind)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)+4))
	return append(b, body...)
}

// readBody reads what a length announces.
func readBody(nc net.Conn, length []byte) ([]byte, error) {
	n := int64(binary.BigEndian.Uint32(length)) - 4
	if n < 0 || n > maxStandInMessage {
		return nil, fmt.Errorf("a message of %d bytes", n)
	}
	body := make([]byte, n)
	_, err := io.ReadFull(nc, body)
	return body, err
}

// serveStandIn is a session.
func serveStandIn(nc net.Conn) error {
	head := make([]byte, 5)
	if _, err := io.ReadFull(nc, head[:4]); err != nil {
		return err
	}
	if _, err := readBody(nc, head[:4]); err != nil {
		return err
	}
	if _, err := nc.Write(welcome()); err != nil {
		return err
	}
	for {
		if _, err := io.ReadFull(nc, head); err != nil || head[0] == 'X' {
			return err
		}
		body, err := readBody(nc, head[1:])
		if err != nil {
			return err
		}
		if _, err := nc.Write(standInAnswer(string(body))); err != nil {
			return err
		}
	}
}

func welcome() []byte {
	said := message('R', []byte{0, 0, 0, 0})
	for _, setting := range []string{
		"server_version\x0015.0", "server_encoding\x00UTF8", "client_encoding\x00UTF8", "DateStyle\x00ISO, MDY", "TimeZone\x00UTC",
		"integer_datetimes\x00on", "standard_conforming_strings\x00on", "is_superuser\x00on", "session_authorization\x00" + superuser, "IntervalStyle\x00postgres",
	} {
		said = append(said, message('S', []byte(setting+"\x00"))...)
	}
	return slices.Concat(said, message('K', []byte{0, 0, 0, 1, 0, 0, 0, 2}), message('Z', []byte{'I'}))
}

// standInAnswer is one row: what the proxies ask for themselves is the version, which
// they parse, or the isolation level; to other questions they pass on whatever comes. Its
// catalogue, which pgchorus asks about in JSON, is empty.
func standInAnswer(sql string) []byte {
	value := "read committed"
	if strings.Contains(sql, "version()") {
		value = "PostgreSQL 15.0"
	}
	if strings.Contains(sql, "json_build_object") {
		return slices.Concat(message('C', []byte("SELECT 0\x00")), message('Z', []byte{'I'}))
	}
	row := binary.BigEndian.AppendUint32([]byte{0, 1}, uint32(len(value)))
	// One column of type text (OID 25).
	return slices.Concat(message('T', []byte("\x00\x01x\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x19\xff\xff\xff\xff\xff\xff\x00\x00")),
		message('D', append(row, value...)), message('C', []byte("SELECT 1\x00")), message('Z', []byte{'I'}))
}

// answerPatience bounds what a client of ours waits for.
const answerPatience = 30 * time.Second

// logIn connects a client that needs less of our memory than a driver's.
func logIn(ctx context.Context, address, database string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: answerPatience}
	nc, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if err := nc.SetDeadline(time.Now().Add(answerPatience)); err != nil {
		return nc, err
	}
	if _, err := nc.Write(message(0, []byte("\x00\x03\x00\x00user\x00"+superuser+"\x00database\x00"+database+"\x00\x00"))); err != nil {
		return nc, err
	}
	return nc, readReady(nc)
}

func query(nc net.Conn, sql string) error {
	if err := nc.SetDeadline(time.Now().Add(answerPatience)); err != nil {
		return err
	}
	if _, err := nc.Write(message('Q', []byte(sql+"\x00"))); err != nil {
		return err
	}
	return readReady(nc)
}

// readReady reads up to ReadyForQuery.
func readReady(nc net.Conn) error {
	head := make([]byte, 5)
	for {
		if _, err := io.ReadFull(nc, head); err != nil {
			return err
		}
		body, err := readBody(nc, head[1:])
		switch {
		case err != nil:
			return err
		case head[0] == 'E':
			return fmt.Errorf("the proxy answers %q", body)
		case head[0] == 'Z':
			return nil
		}
	}
}
