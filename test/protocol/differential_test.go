package protocol

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"sort"
	"strings"
	"testing"
)

// step is messages that are sent in one piece, and what is read then: up to the
// ready-th ReadyForQuery, or up to the first message of the kind until. With both, it
// is up to the first ReadyForQuery behind that message.
type step struct {
	send  []message
	ready int
	until byte
}

// ready sends messages and reads up to the count-th ReadyForQuery.
func ready(count int, parts ...any) step { return step{send: all(parts...), ready: count} }

// until sends messages and reads up to a message of that kind.
func until(kind byte, parts ...any) step { return step{send: all(parts...), until: kind} }

// push sends messages and reads nothing.
func push(parts ...any) step { return step{send: all(parts...)} }

// ask sends a simple query and reads its answer.
func ask(sql string) step { return ready(1, query(sql)) }

// sequence is a script that both servers are given.
type sequence struct {
	name  string
	steps []step
}

// play runs a sequence on a new session and returns what came back, step by step. A
// connection that ends is a part of the answer.
func play(t testing.TB, addr string, steps []step) [][]string {
	t.Helper()
	c := logIn(t, addr, database)
	defer c.Close()
	var out [][]string
	for _, st := range steps {
		replies, err := c.playStep(st)
		shown := c.settled(replies)
		if err != nil {
			return append(out, append(shown, ending(err)))
		}
		out = append(out, shown)
	}
	replies, err := c.playStep(step{send: all(syncUp(), query("ROLLBACK"), query("SELECT 'sentinel'")), ready: 3})
	shown := c.settled(replies)
	if err != nil {
		shown = append(shown, ending(err))
	}
	c.trySend(terminate().bytes)
	return append(out, shown)
}

// settled are the replies with what may come at any moment put where PostgreSQL 15
// has it, in front of ReadyForQuery: notifications, and of the parameters those whose
// value is another one than at the last ReadyForQuery. Until version 13 PostgreSQL
// reported each change at once, so the order is nobody's to rely on.
func (c *client) settled(replies []reply) []string {
	var shown, asides []string
	for _, r := range replies {
		switch r.kind {
		case 'S':
			name, value, _ := bytes.Cut(bytes.TrimRight(r.body, "\x00"), []byte{0})
			c.params[string(name)] = string(value)
			continue
		case 'A':
			asides = append(asides, r.String())
			continue
		case 'Z':
			shown = append(append(shown, asides...), c.changed()...)
			asides = nil
		}
		shown = append(shown, r.String())
	}
	return append(shown, asides...)
}

// changed are the parameters that the frontend was told anew since the last call.
func (c *client) changed() []string {
	var shown []string
	for name, value := range c.params {
		if c.known[name] != value {
			shown = append(shown, fmt.Sprintf("ParameterStatus(%s=%s)", name, value))
		}
	}
	sort.Strings(shown)
	c.known = maps.Clone(c.params)
	return shown
}

// ending says how a session came to its end, without the words of the system.
func ending(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "then nothing more came"
	}
	return "then the connection ended"
}

func (c *client) playStep(st step) ([]reply, error) {
	if err := c.trySend(join(st.send)); err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	switch {
	case st.until != 0 && st.ready != 0:
		replies, err := c.readUntil(st.until, 1)
		if err != nil {
			return replies, err
		}
		last, err := c.readUntil('Z', 1)
		return append(replies, last...), err
	case st.ready > 0:
		return c.readUntil('Z', st.ready)
	case st.until != 0:
		return c.readUntil(st.until, 1)
	}
	return nil, nil
}

// check plays a sequence to both servers and compares, then looks for what it has
// left behind.
func (f *fixture) check(t *testing.T, steps []step) {
	t.Helper()
	f.refill(t)
	defer func() {
		if t.Failed() {
			f.evict(t)
		}
	}()
	want := play(t, f.bareAddr(), steps)
	got := play(t, f.proxyAddr(), steps)
	f.compare(t, steps, want, got)
}

// refill gives table t its content again.
func (f *fixture) refill(t testing.TB) {
	t.Helper()
	for _, addr := range []string{f.bareAddr(), f.proxyAddr()} {
		c := logIn(t, addr, database)
		c.must(t, content)
		c.send(t, terminate().bytes)
		c.Close()
	}
}

// compare names the first step whose answer differs.
func (f *fixture) compare(t *testing.T, steps []step, want, got [][]string) {
	t.Helper()
	for i := range max(len(want), len(got)) {
		var w, g []string
		if i < len(want) {
			w = want[i]
		}
		if i < len(got) {
			g = got[i]
		}
		if strings.Join(w, "\n") == strings.Join(g, "\n") {
			continue
		}
		sent := "the sentinel"
		if i < len(steps) {
			sent = texts(steps[i].send)
		}
		t.Errorf("step %d: %s\nPostgreSQL answers\n\t%s\npgchorus answers\n\t%s",
			i, abridged(sent), abridged(strings.Join(w, "\n\t")), abridged(strings.Join(g, "\n\t")))
		return
	}
}

// abridged keeps the report of a failed test readable.
func abridged(s string) string {
	const most = 4000
	if len(s) <= most {
		return s
	}
	return s[:most/2] + " ... " + s[len(s)-most/2:]
}
