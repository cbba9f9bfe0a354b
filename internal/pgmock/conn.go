package pgmock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// Codes in the place of the protocol version (protocol chapter 55.7).
const (
	codeCancel = 80877102
	codeSSL    = 80877103
)

// maxMessage bounds what a peer may send to a script, in bytes.
const maxMessage = 16 << 20

// Conn is one connection to the peer under test.
type Conn struct {
	nc net.Conn
	// ssl: the first packet was an SSLRequest, which nobody has answered yet.
	ssl    bool
	cancel bool
}

// readStart reads the first packet, which says nothing that a script needs but whether
// it is an SSLRequest or a CancelRequest.
func (c *Conn) readStart() error {
	var head [8]byte
	if _, err := io.ReadFull(c.nc, head[:]); err != nil {
		return err
	}
	length, code := binary.BigEndian.Uint32(head[:]), binary.BigEndian.Uint32(head[4:])
	if length < 8 || length > maxMessage {
		return fmt.Errorf("first packet of %d bytes", length)
	}
	c.ssl, c.cancel = code == codeSSL, code == codeCancel
	_, err := io.CopyN(io.Discard, c.nc, int64(length)-8)
	return err
}

// read reads one message.
func (c *Conn) read() (kind byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(c.nc, head[:]); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(head[1:])
	if length < 4 || length > maxMessage {
		return 0, nil, fmt.Errorf("message %q of %d bytes", head[0], length)
	}
	body = make([]byte, length-4)
	_, err = io.ReadFull(c.nc, body)
	return head[0], body, err
}

// Step is one step of a script. An error ends the script and the connection.
type Step func(c *Conn) error

// ErrUnexpected is the error of Expect when the peer sends something else.
var ErrUnexpected = errors.New("unexpected message")

// Expect waits for a message of that kind.
func Expect(kind byte) Step {
	return func(c *Conn) error {
		got, body, err := c.read()
		if err != nil {
			return fmt.Errorf("expect %q: %w", kind, err)
		}
		if got != kind {
			return fmt.Errorf("expect %q: %w %q %q", kind, ErrUnexpected, got, body)
		}
		return nil
	}
}

// ExpectStart waits for the packet that follows an SSLRequest which was declined.
func ExpectStart() Step { return func(c *Conn) error { return c.readStart() } }

// Send sends bytes as they are.
func Send(parts ...[]byte) Step {
	return func(c *Conn) error {
		var all []byte
		for _, part := range parts {
			all = append(all, part...)
		}
		_, err := c.nc.Write(all)
		return err
	}
}

// Dribble sends bytes in segments of one byte.
func Dribble(parts ...[]byte) Step {
	return func(c *Conn) error {
		for _, part := range parts {
			for i := range part {
				if _, err := c.nc.Write(part[i : i+1]); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// Close ends the connection in good order.
func Close() Step {
	return func(c *Conn) error { return c.nc.Close() }
}

// Reset ends the connection with RST, as the kernel does for a process that was killed.
func Reset() Step {
	return func(c *Conn) error {
		if tcp, ok := c.nc.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		return c.nc.Close()
	}
}

// Hang reads and says nothing until the peer leaves.
func Hang() Step {
	return func(c *Conn) error {
		_, err := io.Copy(io.Discard, c.nc)
		return err
	}
}

// LogIn lets the peer in without asking for anything.
func LogIn() Step {
	return Send(
		Message('R', []byte{0, 0, 0, 0}),
		Message('S', []byte("server_version\x0015.0\x00")),
		Message('S', []byte("client_encoding\x00UTF8\x00")),
		Message('K', []byte{0, 0, 0, 7, 1, 2, 3, 4}),
		Ready('I'),
	)
}

// Serve answers queries until the peer leaves: a simple query with one row, the value
// "1" of a column of type text, Sync with ReadyForQuery. BEGIN, COMMIT and ROLLBACK at
// the beginning of a query's text change the transaction status.
func Serve() Step {
	return func(c *Conn) error {
		status := byte('I')
		for {
			kind, body, err := c.read()
			if err != nil {
				return nil //nolint:nilerr // the peer has left, as it may
			}
			switch kind {
			case 'Q':
				var answer []byte
				answer, status = answerTo(string(body), status)
				if _, err := c.nc.Write(answer); err != nil {
					return err
				}
			case 'S':
				if _, err := c.nc.Write(Ready(status)); err != nil {
					return err
				}
			case 'X':
				return nil
			}
		}
	}
}
