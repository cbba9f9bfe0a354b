package wire

import (
	"net"
	"testing"
)

// pairOf are two ends of a connection.
func pairOf(t *testing.T) (ours *Conn, theirs net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialled, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ours = NewConn(dialled, Backend)
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return ours, theirs
}

func TestLookout(t *testing.T) {
	var look Lookout
	spoke := func(conns ...*Conn) bool {
		look.Reset()
		for _, c := range conns {
			look.Add(c)
		}
		return look.Spoke()
	}
	if spoke() {
		t.Error("nobody has spoken")
	}
	a, _ := pairOf(t)
	b, peer := pairOf(t)
	if spoke(a, b) {
		t.Error("both are silent")
	}
	if _, err := peer.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := b.AwaitReadable(); err != nil {
		t.Fatal(err)
	}
	if !spoke(a, b) || spoke(a) {
		t.Error("the second one has spoken, the first one has not")
	}
	c, peer := pairOf(t)
	peer.Close()
	if err := c.AwaitReadable(); err != nil {
		t.Fatal(err)
	}
	if !spoke(a, c) {
		t.Error("one has ended")
	}
	conns := []*Conn{a, a, a}
	if n := testing.AllocsPerRun(100, func() { spoke(conns...) }); n > 0 {
		t.Errorf("%v allocations for a look", n)
	}
}
