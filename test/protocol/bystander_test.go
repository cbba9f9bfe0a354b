package protocol

import (
	"fmt"
	"sync/atomic"
	"testing"
)

// bystander is a frontend that reads and writes through the server while others
// misbehave. Every value that it sends and expects carries its own pattern.
type bystander struct {
	stopping atomic.Bool
	ended    chan error
	rounds   int
}

// watch starts a bystander; it is asked for its verdict with verdict.
func (f *fixture) watch(t testing.TB) *bystander {
	t.Helper()
	b := &bystander{ended: make(chan error, 1)}
	c := logIn(t, f.proxyAddr(), database)
	c.must(t, "CREATE TABLE IF NOT EXISTS bystander (id int PRIMARY KEY, v text); TRUNCATE bystander; INSERT INTO bystander VALUES (1, '')")
	go func() { b.ended <- b.work(c) }()
	t.Cleanup(func() { b.stopping.Store(true) })
	return b
}

// verdict fails the test if the bystander has noticed anything.
func (b *bystander) verdict(t testing.TB) {
	t.Helper()
	b.stopping.Store(true)
	if err := <-b.ended; err != nil {
		t.Errorf("a bystander noticed in round %d: %v", b.rounds, err)
	}
}

func (b *bystander) work(c *client) error {
	for ; !b.stopping.Load(); b.rounds++ {
		pattern := fmt.Sprintf("bystander-%d", b.rounds)
		if err := c.wantRow(run("UPDATE bystander SET v = $1 WHERE id = 1 RETURNING v", pattern), pattern); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		if err := c.wantRow(run("SELECT v FROM bystander WHERE id = $1", "1"), pattern); err != nil {
			return fmt.Errorf("read: %w", err)
		}
	}
	return c.trySend(terminate().bytes)
}

// wantRow runs an extended query that returns one row of one column.
func (c *client) wantRow(messages []message, want string) error {
	if err := c.trySend(join(append(messages, syncUp()))); err != nil {
		return err
	}
	replies, err := c.readUntil('Z', 1)
	if err != nil {
		return fmt.Errorf("%w after %q", err, renderings(replies))
	}
	for _, r := range replies {
		if r.kind == 'D' && fmt.Sprint(r.values()) == fmt.Sprintf("[%q]", want) {
			return nil
		}
	}
	return fmt.Errorf("wanted %q, got %q", want, renderings(replies))
}
