package wire

import (
	"encoding/binary"
	"net"
	"sync"
	"time"
)

// Frame is one message: kind, length word and body. It belongs to the Conn it
// was read from and is valid until the next read there.
type Frame []byte

// Kind is the message's first byte.
func (f Frame) Kind() Kind { return f[0] }

// Body is what follows the length word.
func (f Frame) Body() []byte { return f[headerSize:] }

// headerSize is the kind and the length word.
const headerSize = 5

// Conn is one connection to a peer: its socket, the bytes read and not yet
// taken, and the bytes to be written (the outbox).
//
// Not safe for concurrent use, but for SetReadDeadline and Close.
type Conn struct {
	side Side
	sock *socket

	in     []byte // pooled; nil when nothing is buffered
	pooled bool   // in came from the pool
	r, w   int    // in[r:w] is unread

	out     []byte // not yet written
	flushed int64  // bytes written so far
}

// NewConn takes over nc.
func NewConn(nc net.Conn, side Side) *Conn {
	c := &Conn{side: side}
	c.sock = newSocket(nc, c)
	return c
}

// Upgrade replaces the socket, after a TLS handshake. Nothing may be buffered:
// bytes that came before the handshake are not protected by it.
func (c *Conn) Upgrade(nc net.Conn) {
	c.sock = newSocket(nc, c)
}

// NetConn is the socket under c.
func (c *Conn) NetConn() net.Conn { return c.sock.nc }

// Close closes the socket. A read in progress ends with an error.
func (c *Conn) Close() error { return c.sock.nc.Close() }

// SetDeadline bounds reads and writes; the zero time removes the bound.
func (c *Conn) SetDeadline(t time.Time) error { return c.sock.nc.SetDeadline(t) }

// SetReadDeadline bounds reads; the zero time removes the bound.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.sock.nc.SetReadDeadline(t) }

// Buffered is the number of bytes that were read and not yet taken.
func (c *Conn) Buffered() int { return c.w - c.r }

// HasFrame reports whether a whole message is buffered, so that Next would not
// wait.
func (c *Conn) HasFrame() bool {
	if c.w-c.r < headerSize {
		return false
	}
	length := binary.BigEndian.Uint32(c.in[c.r+1:])
	return uint64(c.w-c.r) >= uint64(length)+1
}

// buffers holds arrays rather than slices, so that giving one back allocates nothing.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// space makes room behind the unread bytes and returns it.
func (c *Conn) space() []byte {
	switch {
	case c.in == nil:
		c.in, c.pooled = buffers.Get().(*[bufferSize]byte)[:], true
		c.r, c.w = 0, 0
	case c.w == len(c.in) && c.r > 0:
		copy(c.in, c.in[c.r:c.w])
		c.r, c.w = 0, c.w-c.r
	case c.w == len(c.in):
		c.grow(2 * len(c.in))
	}
	return c.in[c.w:]
}

// grow moves the unread bytes into a buffer of at least size bytes.
func (c *Conn) grow(size int) {
	bigger := make([]byte, size)
	n := copy(bigger, c.in[c.r:c.w])
	c.release()
	c.in, c.pooled, c.r, c.w = bigger, false, 0, n
}

// Rest gives the buffer back to the pool if nothing is in it, before the connection is idle.
func (c *Conn) Rest() {
	if c.r == c.w {
		c.release()
	}
}

// release gives the buffer back; a buffer that was grown for one long message is
// left to the garbage collector.
func (c *Conn) release() {
	if c.in != nil && c.pooled {
		buffers.Put((*[bufferSize]byte)(c.in))
	}
	c.in, c.pooled, c.r, c.w = nil, false, 0, 0
}

// fill waits until at least n bytes are buffered. The buffer grows with the
// bytes that arrive, not with the length that the peer announced.
func (c *Conn) fill(n int) error {
	for c.w-c.r < n {
		if c.r == c.w && c.in != nil {
			if !c.pooled {
				c.release()
			} else {
				c.r, c.w = 0, 0
			}
		}
		got, err := c.sock.read()
		if err != nil {
			return &PeerError{Side: c.side, Op: "read from", Err: err}
		}
		c.w += got
	}
	return nil
}

// Peek waits for a message's header and returns its kind and the length of the
// whole message. A length outside of what the protocol allows is an error, after
// which c is of no more use.
func (c *Conn) Peek() (Kind, int, error) {
	if err := c.fill(headerSize); err != nil {
		return 0, 0, err
	}
	length := binary.BigEndian.Uint32(c.in[c.r+1:])
	switch {
	case length < 4:
		return 0, 0, &PeerError{Side: c.side, Op: "read from", Err: ErrBadLength}
	case length-4 > MaxMessage:
		return 0, 0, &PeerError{Side: c.side, Op: "read from", Err: ErrTooLong}
	}
	return c.in[c.r], int(length) + 1, nil
}

// Next waits for a whole message with a body of at most max bytes and takes it.
func (c *Conn) Next(max int) (Frame, error) {
	_, total, err := c.Peek()
	if err != nil {
		return nil, err
	}
	if total-headerSize > max {
		return nil, &PeerError{Side: c.side, Op: "read from", Err: ErrTooLong}
	}
	if err := c.fill(total); err != nil {
		return nil, err
	}
	frame := Frame(c.in[c.r : c.r+total])
	c.r += total
	return frame, nil
}

// take takes n raw bytes, before framing has begun.
func (c *Conn) take(n int) ([]byte, error) {
	if err := c.fill(n); err != nil {
		return nil, err
	}
	b := c.in[c.r : c.r+n]
	c.r += n
	return b, nil
}

// Forward passes the message that Peek has announced on to dst's outbox, in
// pieces when it is long, so that its length does not matter.
func (c *Conn) Forward(dst *Conn, total int) error {
	if total <= maxWhole {
		frame, err := c.Next(maxWhole)
		if err != nil {
			return err
		}
		return dst.Append(frame)
	}
	return c.Pieces(total, func(piece []byte) error {
		if err := dst.Append(piece); err != nil {
			return err
		}
		return dst.flushIfFull()
	})
}

// TakeRun takes all whole messages of one kind that are buffered one behind the other,
// as one piece; none if the next message is not of that kind or not whole.
func (c *Conn) TakeRun(kind Kind) []byte {
	start := c.r
	for c.HasFrame() && c.in[c.r] == kind {
		length := int(binary.BigEndian.Uint32(c.in[c.r+1:]))
		if length < 4 {
			break
		}
		c.r += length + 1
	}
	return c.in[start:c.r]
}

// Discard takes the message that Peek has announced and drops it, in pieces.
func (c *Conn) Discard(total int) error {
	return c.Pieces(total, func([]byte) error { return nil })
}

// Pieces takes total bytes in the pieces in which they arrive, so that the length of a
// message does not matter.
func (c *Conn) Pieces(total int, use func([]byte) error) error {
	for total > 0 {
		if err := c.fill(1); err != nil {
			return err
		}
		n := min(total, c.w-c.r)
		if err := use(c.in[c.r : c.r+n]); err != nil {
			return err
		}
		c.r += n
		total -= n
	}
	return nil
}

// Whole reports whether a message of that length is forwarded in one piece, so
// that it may still be held back.
func Whole(total int) bool { return total <= maxWhole }

// Append puts bytes into the outbox. It does not write; the error is always nil
// and makes Append fit where a piece is used.
func (c *Conn) Append(b []byte) error {
	c.out = append(c.Outbox(), b...)
	return nil
}

// Outbox lends the outbox to an encoder that appends to it; what it returns has
// to be given to SetOutbox.
func (c *Conn) Outbox() []byte {
	if c.out == nil {
		c.out = buffers.Get().(*[bufferSize]byte)[:0]
	}
	return c.out
}

// SetOutbox takes the outbox back.
func (c *Conn) SetOutbox(b []byte) { c.out = b }

// Pending is the number of bytes that wait in the outbox.
func (c *Conn) Pending() int { return len(c.out) }

// Mark is a place in the stream of bytes to the peer.
type Mark int64

// Mark is the place behind everything that was appended so far.
func (c *Conn) Mark() Mark { return Mark(c.flushed + int64(len(c.out))) }

// SentAfter reports whether bytes behind m have already been written to the peer.
func (c *Conn) SentAfter(m Mark) bool { return c.flushed > int64(m) }

// Rewind takes back what was appended behind m. It may be called only while
// SentAfter(m) is false.
func (c *Conn) Rewind(m Mark) { c.out = c.out[:int64(m)-c.flushed] }

func (c *Conn) flushIfFull() error {
	if len(c.out) < OutboxSize {
		return nil
	}
	return c.Flush()
}

// Flush writes the outbox.
func (c *Conn) Flush() error {
	if len(c.out) == 0 {
		return nil
	}
	err := c.sock.write(c.out)
	c.flushed += int64(len(c.out))
	c.releaseOut()
	if err != nil {
		return &PeerError{Side: c.side, Op: "write to", Err: err}
	}
	return nil
}

// FlushNow writes as much of the outbox as can be written without waiting for the peer to
// read.
func (c *Conn) FlushNow() error {
	n, err := c.sock.writeNow(c.out)
	c.flushed += int64(n)
	c.out = c.out[:copy(c.out, c.out[n:])]
	if len(c.out) == 0 {
		c.releaseOut()
	}
	if err != nil {
		return &PeerError{Side: c.side, Op: "write to", Err: err}
	}
	return nil
}

// FlushAside writes the outbox without what stands behind m counting as sent: a peer that
// is sent it again, after a Rewind to m, has it twice. For notices, which are no part of an
// answer.
func (c *Conn) FlushAside(m Mark) error {
	aside := int64(c.Mark() - m)
	err := c.Flush()
	c.flushed -= aside
	return err
}

// OnlyNotices reports whether encoded messages are NoticeResponses, all of them.
func OnlyNotices(messages []byte) bool {
	for len(messages) >= headerSize {
		if messages[0] != KindNoticeResponse {
			return false
		}
		size := 1 + int(binary.BigEndian.Uint32(messages[1:]))
		messages = messages[min(size, len(messages)):]
	}
	return len(messages) == 0
}

func (c *Conn) releaseOut() {
	if cap(c.out) == bufferSize {
		buffers.Put((*[bufferSize]byte)(c.out[:bufferSize]))
	}
	c.out = nil
}

// TakeByte takes one raw byte, before framing has begun.
func (c *Conn) TakeByte() (byte, error) {
	b, err := c.take(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// Peeked waits for the whole message that Peek has announced and shows it without
// taking it.
func (c *Conn) Peeked(total int) (Frame, error) {
	if err := c.fill(total); err != nil {
		return nil, err
	}
	return Frame(c.in[c.r : c.r+total]), nil
}

// Quiet reports, without waiting, whether the peer has said nothing that was not
// yet taken and has not gone. Under TLS only the bytes already read count.
func (c *Conn) Quiet() bool { return c.Buffered() == 0 && c.sock.quiet() }

// AwaitReadable waits until the peer has said something or has gone, and takes
// nothing. A deadline in the past ends it.
func (c *Conn) AwaitReadable() error {
	if c.Buffered() > 0 {
		return nil
	}
	return c.sock.awaitReadable()
}

// Tail is what was appended behind m. It is valid until the next append.
func (c *Conn) Tail(m Mark) []byte { return c.out[int64(m)-c.flushed:] }
