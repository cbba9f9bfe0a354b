package wire

import (
	"bytes"
	"net"
	"testing"
	"time"
)

// sockets are the two ends of a TCP connection over loopback.
func sockets(t testing.TB) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if far, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if near, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for _, nc := range []net.Conn{near, far} {
		nc.SetDeadline(deadline)
		t.Cleanup(func() { nc.Close() })
	}
	return near, far
}

// forwarder passes messages from one socket to another, as the road of a read does.
type forwarder struct {
	from, to   *Conn
	sent, read net.Conn
}

func newForwarder(t testing.TB) *forwarder {
	backendNear, backendFar := sockets(t)
	frontNear, frontFar := sockets(t)
	return &forwarder{from: NewConn(backendNear, Backend), to: NewConn(frontNear, Frontend), sent: backendFar, read: frontFar}
}

// round sends b, forwards the messages in it, and reads them at the other end.
func (f *forwarder) round(b, into []byte) error {
	if _, err := f.sent.Write(b); err != nil {
		return err
	}
	for passed := 0; passed < len(b); {
		_, total, err := f.from.Peek()
		if err != nil {
			return err
		}
		if err := f.from.Forward(f.to, total); err != nil {
			return err
		}
		passed += total
	}
	if err := f.to.Flush(); err != nil {
		return err
	}
	for got := 0; got < len(b); {
		n, err := f.read.Read(into[got:])
		if err != nil {
			return err
		}
		got += n
	}
	return nil
}

// answer is what a point read is answered with.
func answer(row int) []byte {
	b := AppendTextColumns(nil, "abalance")
	b = AppendTextRow(b, string(bytes.Repeat([]byte("x"), row)))
	return AppendReady(AppendCommandComplete(b, "SELECT 1"), TxIdle)
}

// TestForwardDoesNotAllocate is the budget of a pass-through read: 0 allocations.
func TestForwardDoesNotAllocate(t *testing.T) {
	f := newForwarder(t)
	b := answer(100)
	into := make([]byte, len(b))
	allocs := testing.AllocsPerRun(200, func() {
		if err := f.round(b, into); err != nil {
			t.Fatal(err)
		}
	})
	if !bytes.Equal(into, b) {
		t.Errorf("forwarded %q, want %q", into, b)
	}
	if allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func BenchmarkForward(b *testing.B) {
	for _, bm := range []struct {
		name string
		row  int
	}{{"row_100B", 100}, {"row_1KiB", 1 << 10}, {"row_12KiB", 12 << 10}} {
		b.Run(bm.name, func(b *testing.B) {
			f := newForwarder(b)
			message := answer(bm.row)
			into := make([]byte, len(message))
			b.ReportAllocs()
			b.SetBytes(int64(len(message)))
			for b.Loop() {
				if err := f.round(message, into); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
