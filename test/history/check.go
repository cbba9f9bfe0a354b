package history

import (
	"fmt"
	"slices"
)

// Check returns the anomalies of a history that the level forbids, none if it is sound.
// final are the lists at the end.
func Check(level Level, history []Transaction, final map[int][]int) []string {
	c := &checker{history: history, final: final, writers: map[int]int{}}
	c.index()
	c.writes()
	for i := range history {
		if history[i].Outcome == Committed {
			c.reads(i)
		}
	}
	c.sessions()
	if len(c.found) == 0 { // the graph needs lists that grow in one order
		c.cycles(level)
	}
	return c.found
}

type checker struct {
	history []Transaction
	final   map[int][]int
	writers map[int]int // the transaction that has appended a number
	found   []string
}

func (c *checker) say(format string, args ...any) {
	c.found = append(c.found, fmt.Sprintf(format, args...))
}

// index finds out who has appended what.
func (c *checker) index() {
	for i := range c.history {
		for _, op := range c.history[i].Operations {
			if op.Append != 0 {
				c.writers[op.Append] = i
			}
		}
	}
}

// writes compares the lists at the end with what clients were told.
func (c *checker) writes() {
	present := map[int]bool{}
	for key, list := range c.final {
		for _, number := range list {
			writer, known := c.writers[number]
			switch {
			case !known:
				c.say("list %d has %d, which nobody has appended", key, number)
			case present[number]:
				c.say("list %d has %d twice", key, number)
			case c.history[writer].Outcome == Aborted:
				c.say("list %d has %d of a transaction that was told to be aborted: %v", key, number, &c.history[writer])
			}
			present[number] = true
		}
	}
	for i := range c.history {
		t := &c.history[i]
		for _, op := range t.Operations {
			if t.Outcome == Committed && op.Append != 0 && !present[op.Append] {
				c.say("list %d lacks %d, which was acknowledged: %v", op.Key, op.Append, t)
			}
		}
	}
}

// reads checks that a committed transaction saw lists as they were at one time, of
// committed transactions that had ended.
func (c *checker) reads(i int) {
	t := &c.history[i]
	for _, op := range t.Operations {
		list := c.final[op.Key]
		switch {
		case op.Append != 0:
		case len(op.Read) > len(list) || !slices.Equal(op.Read, list[:len(op.Read)]):
			c.say("a read that is not a beginning of the list %v: %v", list, t)
		case c.endsWithin(i, op):
			c.say("a read of half a transaction (G1b), list %v: %v", list, t)
		}
	}
}

// endsWithin reports whether a read ends between two appends of another transaction.
func (c *checker) endsWithin(i int, op Operation) bool {
	list, n := c.final[op.Key], len(op.Read)
	if n == 0 || n == len(list) {
		return false
	}
	before, after := c.writers[list[n-1]], c.writers[list[n]]
	return before == after && before != i
}

// sessions checks that no client reads backwards in time: what it has read or written is
// in what its later transactions read.
func (c *checker) sessions() {
	type list struct{ client, key int }
	seen := map[list]int{}
	for i := range c.history {
		t := &c.history[i]
		if t.Outcome != Committed {
			continue
		}
		for _, op := range t.Operations {
			at := list{t.Client, op.Key}
			now := len(op.Read)
			if op.Append != 0 {
				now = slices.Index(c.final[op.Key], op.Append) + 1
			}
			if now < seen[at] {
				c.say("a client that knew %d numbers of list %d reads backwards: %v", seen[at], op.Key, t)
			}
			seen[at] = max(seen[at], now)
		}
	}
}
