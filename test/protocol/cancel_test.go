package protocol

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// cancel sends a CancelRequest and returns when the server has closed that connection:
// whatever it does has been done then.
func cancel(t testing.TB, addr string, pid uint32, secret []byte) {
	t.Helper()
	c := dial(t, addr)
	c.trySend(packet(codeCancel, append(binary.BigEndian.AppendUint32(nil, pid), secret...)...))
	c.SetReadDeadline(time.Now().Add(patience))
	io.Copy(io.Discard, c.in)
	c.Close()
}

// wantWaiting waits until count sessions of the nodes wait for an advisory lock.
func wantWaiting(t testing.TB, node *pgtest.Node, count int) {
	t.Helper()
	node.In(t).WaitRows("SELECT count(*) FROM pg_stat_activity WHERE datname = 'app' AND wait_event_type = 'Lock'", itoa(count))
}

// TestCancelKeys: the right key cancels, on every node where the statement runs; any
// other does nothing.
func TestCancelKeys(t *testing.T) {
	f := newFixture(t)
	for _, tt := range []struct {
		name string
		sql  string
		on   []int // nodes that wait
	}{
		{"a statement on all nodes, while main runs it", "INSERT INTO t SELECT 30, 'x' FROM (SELECT pg_advisory_xact_lock(1)) AS s", []int{0}},
		{"a statement on all nodes, while the others run it", "DELETE FROM t WHERE id = 5", []int{1, 2}},
		{"COPY", "COPY (SELECT pg_advisory_xact_lock(1)) TO STDOUT", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f.refill(t)
			holders := f.hold(t, tt.on)
			c := logIn(t, f.proxyAddr(), database)
			c.send(t, query(tt.sql).bytes)
			waiting := f.waiting(t, tt.on)
			other := logIn(t, f.proxyAddr(), database)

			wrong := slices.Clone(c.secret)
			wrong[0] ^= 1
			cancel(t, f.proxyAddr(), c.pid, wrong)
			cancel(t, f.proxyAddr(), c.pid+1, c.secret)
			cancel(t, f.proxyAddr(), c.pid, other.secret)
			cancel(t, f.proxyAddr(), other.pid, other.secret)
			cancel(t, f.proxyAddr(), c.pid|1<<31, c.secret)
			for _, node := range waiting {
				wantWaiting(t, node, 1)
			}

			cancel(t, f.proxyAddr(), c.pid, c.secret)
			replies, err := c.readUntil('Z', 1)
			if err != nil || lastCode(replies) != "57014" {
				t.Errorf("the cancelled session was answered with %q, %v", renderings(replies), err)
			}
			for _, h := range holders {
				h.must(t, "ROLLBACK")
			}
			if rows := c.must(t, "SELECT count(*) FROM t"); rows[0][0] != `"10"` {
				t.Errorf("the session goes on with %v rows", rows)
			}
			cancel(t, f.proxyAddr(), c.pid, c.secret) // late: nothing runs
			c.must(t, "SELECT 1")
			other.must(t, "SELECT 1")
			c.send(t, terminate().bytes)
			c.Close()
		})
	}
	f.wantQuiet(t)
	f.wantEqual(t)
}

// lastCode is the SQLSTATE of the last error; "" if there was none.
func lastCode(replies []reply) string {
	code := ""
	for _, r := range replies {
		if r.kind == 'E' {
			code = r.field('C')
		}
	}
	return code
}

// hold takes, on the nodes themselves, the locks for which a statement shall wait: a row
// of t, and advisory lock 1. With no nodes it is the lock on all of them.
func (f *fixture) hold(t testing.TB, on []int) []*client {
	t.Helper()
	var holders []*client
	for _, node := range f.chosen(on) {
		h := logIn(t, nodeAddr(node), "app")
		h.must(t, "BEGIN; SELECT pg_advisory_xact_lock(1); SELECT * FROM t WHERE id = 5 FOR UPDATE")
		holders = append(holders, h)
	}
	return holders
}

func (f *fixture) chosen(on []int) []*pgtest.Node {
	if on == nil {
		return f.nodes
	}
	var nodes []*pgtest.Node
	for _, id := range on {
		nodes = append(nodes, f.nodes[id])
	}
	return nodes
}

// waiting waits until the statement hangs, and returns the nodes where it does.
func (f *fixture) waiting(t testing.TB, on []int) []*pgtest.Node {
	t.Helper()
	if on != nil {
		for _, node := range f.chosen(on) {
			wantWaiting(t, node, 1)
		}
		return f.chosen(on)
	}
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		for _, node := range f.nodes {
			if node.In(t).Query("SELECT count(*) FROM pg_stat_activity WHERE datname = 'app' AND wait_event_type = 'Lock'")[0][0] == "1" {
				return []*pgtest.Node{node}
			}
		}
	}
	t.Fatal("the statement does not wait on any node")
	return nil
}

// TestCancelKeysAreNotTheServers: the key that a frontend is given is not one of a
// backend, and dies with the session.
func TestCancelKeysAreNotTheServers(t *testing.T) {
	f := newFixture(t)
	c := logIn(t, f.proxyAddr(), database)
	second := logIn(t, f.proxyAddr(), database)
	if string(c.secret) == string(second.secret) {
		t.Error("two sessions have the same secret")
	}
	for _, node := range f.nodes {
		cancel(t, nodeAddr(node), c.pid, c.secret)
	}
	c.must(t, "SELECT 1")
	pid, secret := c.pid, c.secret
	c.send(t, terminate().bytes)
	io.Copy(io.Discard, c.in)
	cancel(t, f.proxyAddr(), pid, secret)
	second.must(t, "SELECT 1")
}

// TestCancelStorm: sessions that cancel themselves at random, all at once. A cancel hits
// the statement that it was meant for or nothing.
func TestCancelStorm(t *testing.T) {
	const crowd, rounds = 200, 12
	nodes := pgtest.Start(t, 2, pgtest.WithSettings(map[string]string{"max_connections": "300"}))
	f := &fixture{nodes: nodes}
	f.proxy = proxy.Start(t, nodes, proxy.WithConfig("num_init_children = 250"))
	f.proxy.Exec("CREATE DATABASE " + database)
	setup := logIn(t, f.proxyAddr(), database)
	setup.must(t, "CREATE TABLE storm (id int PRIMARY KEY, n int); INSERT INTO storm SELECT i, 0 FROM generate_series(1, 200) AS i")

	clients := make([]*client, crowd)
	for i := range clients {
		clients[i] = logIn(t, f.proxyAddr(), database)
	}
	complaints := make(chan string, crowd)
	var running sync.WaitGroup
	for i, c := range clients {
		running.Go(func() {
			if complaint := c.storm(t, f.proxyAddr(), i+1, rounds); complaint != "" {
				complaints <- fmt.Sprintf("session %d: %s", i+1, complaint)
			}
		})
	}
	running.Wait()
	close(complaints)
	for complaint := range complaints {
		t.Error(complaint)
	}
	for _, c := range clients {
		c.send(t, terminate().bytes)
		c.Close()
	}
	f.wantQuiet(t)
	pgtest.WantEqual(t, nodes...)
}

// storm is one session of TestCancelStorm; it returns what it has to complain of.
func (c *client) storm(t testing.TB, addr string, id, rounds int) string {
	rnd := rand.New(rand.NewPCG(uint64(id), 0))
	written := 0
	for range rounds {
		switch rnd.IntN(3) {
		case 0: // cancelled for certain
			c.trySend(query("SELECT pg_sleep(60)").bytes)
			code := ""
			for code == "" {
				cancel(t, addr, c.pid, c.secret)
				c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
				if _, err := c.in.Peek(1); err != nil {
					continue // the cancel came before the statement
				}
				replies, err := c.readUntil('Z', 1)
				if err != nil {
					return err.Error()
				}
				code = lastCode(replies)
			}
			if code != "57014" {
				return "cancelled with " + code
			}
		case 1: // a write that is or is not cancelled, and says which
			c.trySend(query(fmt.Sprintf("UPDATE storm SET n = n + 1 WHERE id = %d", id)).bytes)
			cancel(t, addr, c.pid, c.secret)
			replies, err := c.readUntil('Z', 1)
			if err != nil {
				return err.Error()
			}
			switch shown := strings.Join(renderings(replies), " "); {
			case strings.Contains(shown, "CommandComplete(UPDATE 1)"):
				written++
			case !strings.Contains(shown, "C57014"):
				return "a write was answered with " + shown
			}
		case 2: // nobody cancels it
			want := fmt.Sprintf("%d-%d", id, written)
			if err := c.wantRow(run(fmt.Sprintf("SELECT id || '-' || n FROM storm WHERE id = %d", id)), want); err != nil {
				return err.Error()
			}
		}
	}
	return ""
}
