package follow

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pgchorus/pgchorus/internal/config"
)

const (
	// maxLine is how much of a message is looked at, in bytes; the rest, such as the values
	// of a row, is passed over. Names have 63 bytes at most.
	maxLine = 4 << 10
	// silence is how long a stream may say nothing although it is asked all the time.
	silence = 60 * time.Second
	// writeTimeout bounds sending a status.
	writeTimeout = 5 * time.Second
	// slotTimeout bounds making the slot, which waits for the transactions that are under
	// way to end. To begin again loses nothing: it waits for the same ones.
	slotTimeout = 5 * time.Minute
)

// stream is a connection that PostgreSQL sends decoded transactions over (PostgreSQL, 55.4
// and 49). One goroutine reads, another one writes.
type stream struct {
	conn net.Conn
	in   *bufio.Reader
	slot string
	line [maxLine]byte
}

// openStream connects, makes a temporary slot, which goes with the connection, and starts it.
func (f *Follower) openStream(ctx context.Context, id config.NodeID, database string) (*stream, error) {
	connectCtx, stop := context.WithTimeout(ctx, askTimeout)
	defer stop()
	conn, err := f.Connect(connectCtx, id, database, true)
	if err != nil {
		return nil, err
	}
	return startStream(ctx, conn)
}

func startStream(ctx context.Context, conn *pgconn.PgConn) (*stream, error) {
	s := &stream{slot: newSlotName()}
	slotCtx, stop := context.WithTimeout(ctx, slotTimeout)
	defer stop()
	if err := conn.Exec(slotCtx, "CREATE_REPLICATION_SLOT "+s.slot+" TEMPORARY LOGICAL test_decoding NOEXPORT_SNAPSHOT").Close(); err != nil {
		_ = conn.Close(ctx) // it is of no more use
		return nil, fmt.Errorf("make a replication slot: %w", err)
	}
	raw, err := conn.Hijack()
	if err != nil {
		return nil, err
	}
	if raw.Frontend.ReadBufferLen() > 0 {
		_ = raw.Conn.Close() // it is of no more use
		return nil, errors.New("the node has sent something that nobody has asked for")
	}
	s.conn, s.in = raw.Conn, bufio.NewReaderSize(raw.Conn, 64<<10)
	return s, s.send(&pgproto3.Query{String: "START_REPLICATION SLOT " + s.slot + ` LOGICAL 0/0 ("include-xids" '1', "include-timestamp" '0')`})
}

// newSlotName is one that nobody else has.
func newSlotName() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return "pgchorus_" + hex.EncodeToString(b[:])
}

func (s *stream) send(m pgproto3.FrontendMessage) error {
	b, err := m.Encode(nil)
	if err != nil {
		return err
	}
	return s.write(b)
}

func (s *stream) write(b []byte) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := s.conn.Write(b)
	return err
}

// close says goodbye, if the node listens; the slot goes with the connection.
func (s *stream) close() {
	_ = s.send(&pgproto3.Terminate{}) // the node may be lost
	_ = s.conn.Close()
}

// status says how far the stream was read, and asks the node to say how far it is.
func (s *stream) status(position uint64) error {
	b := make([]byte, 0, 5+34)
	b = append(b, 'd', 0, 0, 0, 4+34, 'r')
	for range 3 { // written, flushed, applied
		b = binary.BigEndian.AppendUint64(b, position)
	}
	b = binary.BigEndian.AppendUint64(b, 0) // a clock that nobody looks at
	return s.write(append(b, 1))
}

// news is a message of the stream: a line of the plugin, or how far the node has decoded.
type news struct {
	line     []byte // nil for none; good until the next one is read
	position uint64
	// asks: the node wants a status.
	asks bool
}

// Message types of the protocol (PostgreSQL, 55.7 and 55.4).
const (
	copyData, copyDone, errorResponse = 'd', 'c', 'E'
	walData, keepalive                = 'w', 'k'
	walDataHeader, keepaliveSize      = 25, 18
)

// read returns the next message that says something.
func (s *stream) read() (news, error) {
	for {
		if err := s.conn.SetReadDeadline(time.Now().Add(silence)); err != nil {
			return news{}, err
		}
		var header [5]byte
		if _, err := io.ReadFull(s.in, header[:]); err != nil {
			return news{}, err
		}
		size := int64(binary.BigEndian.Uint32(header[1:])) - 4
		if size < 0 || size > 1<<31 {
			return news{}, fmt.Errorf("message %q of %d bytes", header[0], size)
		}
		n, said, err := s.message(header[0], size)
		if said || err != nil {
			return n, err
		}
	}
}

// message reads the body of a message, of which only the beginning is kept.
func (s *stream) message(kind byte, size int64) (n news, said bool, err error) {
	body := s.line[:min(size, maxLine)]
	if _, err := io.ReadFull(s.in, body); err != nil {
		return n, false, err
	}
	if _, err := io.CopyN(io.Discard, s.in, size-int64(len(body))); err != nil {
		return n, false, err
	}
	switch kind {
	case copyData:
		return s.data(body)
	case errorResponse:
		return n, false, errorOf(body)
	case copyDone:
		return n, false, errors.New("the node has ended the stream")
	}
	return n, false, nil
}

func (s *stream) data(body []byte) (n news, said bool, err error) {
	switch {
	case len(body) >= walDataHeader && body[0] == walData:
		n.line = body[walDataHeader:]
	case len(body) == keepaliveSize && body[0] == keepalive:
		n.position, n.asks = binary.BigEndian.Uint64(body[1:]), body[keepaliveSize-1] != 0
	default:
		return n, false, errors.New("a message that is none of a replication stream")
	}
	return n, true, nil
}

// errorOf is the error of an ErrorResponse.
func errorOf(body []byte) error {
	var m pgproto3.ErrorResponse
	if err := m.Decode(body); err != nil {
		return fmt.Errorf("the node has ended the stream: %w", err)
	}
	return pgconn.ErrorResponseToPgError(&m)
}
