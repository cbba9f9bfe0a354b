package wire

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"testing"
)

// ends are the two ends of a TCP connection.
func ends(t *testing.T) (near, far net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if far, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if near, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// TestFlushNowDoesNotWaitForThePeer: what the socket does not take stays, and is sent later in its
// order.
func TestFlushNowDoesNotWaitForThePeer(t *testing.T) {
	near, far := ends(t)
	c := NewConn(near, Frontend)
	chunk := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	var want []byte
	for c.Pending() == 0 {
		c.SetOutbox(append(c.Outbox(), chunk...))
		want = append(want, chunk...)
		if err := c.FlushNow(); err != nil {
			t.Fatal(err)
		}
	}
	if mark := c.Mark(); c.SentAfter(mark) || int64(mark) != int64(len(want)) {
		t.Errorf("mark %d behind %d bytes", mark, len(want))
	}
	got := make(chan []byte)
	go func() {
		all := make([]byte, len(want))
		_, _ = io.ReadFull(far, all) // a short read is seen below
		got <- all
	}()
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(<-got, want) {
		t.Error("the peer got something else")
	}
}

// TestFlushNowUnderTLS writes a short text to a peer that has read what came before, and nothing
// to one that has not.
func TestFlushNowUnderTLS(t *testing.T) {
	near, far := ends(t)
	fill, _ := ends(t)
	for _, raw := range []net.Conn{near, fill} {
		if n := newSocket(raw, nil).unsent(); n != 0 {
			t.Errorf("%d bytes unsent at the beginning", n)
		}
	}
	// A long text is not tried, so that no handshake is needed.
	c := NewConn(tls.Server(near, &tls.Config{MinVersion: tls.VersionTLS13}), Frontend)
	c.SetOutbox(append(c.Outbox(), make([]byte, promptly+1)...))
	if err := c.FlushNow(); err != nil || c.Pending() != promptly+1 {
		t.Errorf("a long text: %v, %d bytes are left", err, c.Pending())
	}
	stuffed := newSocket(fill, nil)
	for n := 1; n > 0; {
		var err error
		if n, err = stuffed.writeNow(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if n := stuffed.unsent(); n == 0 {
		t.Error("nothing is unsent, though the socket takes no more")
	}
	far.Close()
}
