package protocol

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
)

// kinds are all messages of a frontend, and two that are none.
const kinds = "QPBEDCSHFdcfpX!\x00"

// hostileLengths are the length words of bug class 31 of the other proxies.
var hostileLengths = []uint32{0, 3, 4, 5, 0x7fffffff, 0x80000000, 0xffffffff}

// finish says that no more will be sent, and reads until the server has closed.
func (c *client) finish(t testing.TB) []reply {
	t.Helper()
	c.Conn.(*net.TCPConn).CloseWrite()
	replies, err := c.readToEnd()
	if err != nil {
		t.Errorf("the server neither answers nor closes: %v after %q", err, renderings(replies))
	}
	c.Close()
	return replies
}

// TestHostileLengths sends every kind of message with every hostile length, before
// and after log-in and inside of an extended query.
func TestHostileLengths(t *testing.T) {
	f := newFixture(t)
	watcher := f.watch(t)
	base := f.proxy.RSS()
	for _, kind := range []byte(kinds) {
		for _, length := range hostileLengths {
			if kind == 'S' && length == 4 {
				continue // a Sync as it should be, which commits
			}
			head := binary.BigEndian.AppendUint32([]byte{kind}, length)
			for _, where := range []struct {
				name   string
				before []byte
			}{
				{"after log-in", nil},
				{"in an extended query", join(run("INSERT INTO t VALUES (77, 'x')"))},
				{"in a block", query("BEGIN; INSERT INTO t VALUES (78, 'x')").bytes},
				{"in copy data", query("COPY t FROM STDIN").bytes},
			} {
				t.Run(fmt.Sprintf("kind %q length %#x %s", kind, length, where.name), func(t *testing.T) {
					c := logIn(t, f.proxyAddr(), database)
					c.send(t, append(append(where.before, head...), "x"...))
					c.finish(t)
				})
			}
			c := dial(t, f.proxyAddr())
			c.trySend(append(head, "x"...))
			c.finish(t)
		}
	}
	f.wantServing(t)
	watcher.verdict(t)
	f.wantQuiet(t)
	f.wantEmptyOf(t, 77, 78)
	if grown := f.proxy.RSS() - base; grown > 64<<20 {
		t.Errorf("the server has grown by %d MiB", grown>>20)
	}
}

// wantEmptyOf fails the test if rows of abandoned transactions are there.
func (f *fixture) wantEmptyOf(t testing.TB, ids ...int) {
	t.Helper()
	for _, node := range f.nodes {
		c := logIn(t, nodeAddr(node), database)
		for _, id := range ids {
			if rows := c.must(t, fmt.Sprintf("SELECT * FROM t WHERE id = %d", id)); len(rows) != 0 {
				t.Errorf("node %d has a row of a transaction that nobody committed: %v", node.ID, rows)
			}
		}
		c.Close()
	}
}

// whole is a conversation with every message that a frontend may send.
func whole() []message {
	return all(
		query("SELECT 1"), parse("s", "SELECT $1::int"), describeStatement("s"), bind("p", "s", "7"), describePortal("p"), execute("p", 0), closePortal("p"), closeStatement("s"), flush(), syncUp(),
		call(1257, "abc"), query("COPY t FROM STDIN"), copyData("91\tx\n"), copyDone(), query("COPY t FROM STDIN"), copyData("92\tx\n"), copyFail("no"), query("DELETE FROM t WHERE id > 90"), query("SELECT 'end'"),
	)
}

const wholeReady = 7

// TestOneByteAtATime sends a whole conversation in segments of one byte.
func TestOneByteAtATime(t *testing.T) {
	f := newFixture(t)
	want := logIn(t, f.bareAddr(), database).conversation(t, join(whole()), len(join(whole())))
	bytewise := logIn(t, f.proxyAddr(), database).conversation(t, join(whole()), 1)
	if strings.Join(want, "\n") != strings.Join(bytewise, "\n") {
		t.Errorf("PostgreSQL answers\n\t%s\npgchorus answers\n\t%s", strings.Join(want, "\n\t"), strings.Join(bytewise, "\n\t"))
	}
}

// TestSplitAtEveryByte sends the conversation in two pieces, for every place between
// two bytes; what was answered is read between the pieces as far as it is there.
func TestSplitAtEveryByte(t *testing.T) {
	f := newFixture(t)
	b := join(whole())
	want := strings.Join(logIn(t, f.bareAddr(), database).conversation(t, b, len(b)), "\n")
	c := logIn(t, f.proxyAddr(), database)
	for at := 1; at < len(b); at++ {
		if got := strings.Join(c.conversation(t, b, at), "\n"); got != want {
			t.Fatalf("split at %d: PostgreSQL answers\n%s\npgchorus answers\n%s", at, want, got)
		}
	}
}

// conversation sends b in pieces and reads the answers to whole.
func (c *client) conversation(t testing.TB, b []byte, piece int) []string {
	t.Helper()
	for len(b) > 0 {
		n := min(piece, len(b))
		c.send(t, b[:n])
		b = b[n:]
	}
	replies, err := c.readUntil('Z', wholeReady)
	if err != nil {
		t.Fatalf("%v after %q", err, renderings(replies))
	}
	return c.settled(replies)
}

// TestTruncatedMessages ends the connection inside of each message of the
// conversation, at every byte.
func TestTruncatedMessages(t *testing.T) {
	f := newFixture(t)
	watcher := f.watch(t)
	var before []byte
	for _, m := range whole() {
		for at := range m.bytes {
			c := logIn(t, f.proxyAddr(), database)
			c.send(t, append(before[:len(before):len(before)], m.bytes[:at]...))
			c.finish(t)
			if at > 12 {
				break // the rest of a body is like its beginning
			}
		}
		before = append(before, m.bytes...)
	}
	f.wantServing(t)
	watcher.verdict(t)
	f.wantQuiet(t)
	f.wantEqual(t)
}

// TestGarbage sends bytes that mean nothing, before and after log-in.
func TestGarbage(t *testing.T) {
	f := newFixture(t)
	watcher := f.watch(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 150 {
		b := make([]byte, 1+rnd.IntN(400))
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		c := dial(t, f.proxyAddr())
		c.trySend(b)
		c.finish(t)
		c = logIn(t, f.proxyAddr(), database)
		c.trySend(b)
		c.finish(t)
	}
	for range 300 {
		c := logIn(t, f.proxyAddr(), database)
		c.trySend(damaged(rnd, join(whole())))
		c.finish(t)
	}
	f.wantServing(t)
	watcher.verdict(t)
	f.wantQuiet(t)
	f.wantEqual(t)
}

// damaged changes a few bytes of a conversation. The kinds X and lengths survive often
// enough for the damage to be found deep inside.
func damaged(rnd *rand.Rand, b []byte) []byte {
	for range 1 + rnd.IntN(4) {
		b[rnd.IntN(len(b))] = byte(rnd.Uint32())
	}
	return b
}

// TestWrongPlace: messages that have no place where they come end the session with an
// error, as PostgreSQL does, if not with the same words.
func TestWrongPlace(t *testing.T) {
	f := newFixture(t)
	for _, tt := range []struct {
		name string
		send []message
	}{
		{"Query in copy data", all(query(copyIn), copyData("20\tx\n"), query("SELECT 1"))},
		{"Parse in copy data", all(query(copyIn), parse("", "SELECT 1"), syncUp())},
		{"Terminate in copy data", all(query(copyIn), copyData("20\tx\n"), terminate())},
		{"a password after log-in", all(encode('p', "Password", []byte("x\x00")), query("SELECT 1"))},
		{"a kind that does not exist", all(encode('!', "!", nil), query("SELECT 1"))},
		{"a backend's kind", all(encode('Z', "Ready", []byte("I")), query("SELECT 1"))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := lastError(logIn(t, f.bareAddr(), database), t, tt.send)
			got := lastError(logIn(t, f.proxyAddr(), database), t, tt.send)
			if got != want {
				t.Errorf("the last error is %s, PostgreSQL's is %s", got, want)
			}
		})
	}
	f.wantServing(t)
	f.wantQuiet(t)
	f.wantEqual(t)
}

// lastError is severity and code of the error with which a session ends.
func lastError(c *client, t testing.TB, messages []message) string {
	t.Helper()
	c.trySend(join(messages))
	replies, err := c.readToEnd()
	if err != nil {
		return "none: the session goes on"
	}
	last := "none"
	for _, r := range replies {
		if r.kind == 'E' {
			last = r.field('V') + " " + r.field('C')
		}
	}
	return last
}
