package history

import (
	"fmt"
	"slices"
	"strings"
)

// dependency is why one transaction comes before another.
type dependency uint8

const (
	wrote     dependency = iota // the other wrote behind it (ww)
	wasRead                     // the other read its write (wr)
	overwrote                   // it did not see the other's write (rw)
)

func (d dependency) String() string {
	return [...]string{"wrote before", "was read by", "did not see"}[d]
}

type edge struct {
	to  int
	why dependency
}

// graph are the dependencies between the transactions that took effect.
type graph [][]edge

func (g graph) add(from, to int, why dependency) {
	if from != to {
		g[from] = append(g[from], edge{to, why})
	}
}

func (c *checker) graph() graph {
	g := make(graph, len(c.history))
	for _, list := range c.final {
		for i := 1; i < len(list); i++ {
			g.add(c.writers[list[i-1]], c.writers[list[i]], wrote)
		}
	}
	for i := range c.history {
		if c.history[i].Outcome != Committed {
			continue
		}
		for _, op := range c.history[i].Operations {
			if op.Append == 0 {
				c.addRead(g, i, op)
			}
		}
	}
	return g
}

func (c *checker) addRead(g graph, i int, op Operation) {
	list, n := c.final[op.Key], len(op.Read)
	if n > 0 {
		g.add(c.writers[list[n-1]], i, wasRead)
	}
	if n < len(list) {
		g.add(i, c.writers[list[n]], overwrote)
	}
}

// cycles says the cycles that the level forbids, the first of each component.
func (c *checker) cycles(level Level) {
	g := c.graph()
	seen := func(e edge) bool { return e.why != overwrote }
	switch level {
	case ReadCommitted:
		c.sayCycle("G1c", g.cycle(seen))
	case Serializable:
		c.sayCycle("G2", g.cycle(func(edge) bool { return true }))
	case SnapshotIsolation:
		c.sayCycle("G1c", g.cycle(seen))
		for from := range g {
			for _, e := range g[from] {
				if e.why != overwrote {
					continue
				}
				if back := g.path(e.to, from, seen); back != nil {
					c.sayCycle("G-single", append([]edge{e}, back...))
					return
				}
			}
		}
	}
}

func (c *checker) sayCycle(name string, cycle []edge) {
	if cycle == nil {
		return
	}
	var b strings.Builder
	from := cycle[len(cycle)-1].to
	for _, e := range cycle {
		fmt.Fprintf(&b, "\n\t%v\n\t\t%v", &c.history[from], e.why)
		from = e.to
	}
	c.say("cycle (%s):%s", name, b.String())
}

// cycle is one of the edges that count, the shortest through the first transaction that is
// on any; nil if there is none.
func (g graph) cycle(counts func(edge) bool) []edge {
	for at := range g {
		if found := g.path(at, at, counts); found != nil {
			return found
		}
	}
	return nil
}

// path is the shortest way of at least one edge from one transaction to another.
func (g graph) path(from, to int, counts func(edge) bool) []edge {
	type step struct {
		edge
		from int // in steps; -1 for the first
	}
	var steps []step
	reached := map[int]bool{}
	extend := func(at, before int) (arrived bool) {
		for _, e := range g[at] {
			if counts(e) && !reached[e.to] {
				reached[e.to] = true
				steps = append(steps, step{e, before})
				if e.to == to {
					return true
				}
			}
		}
		return false
	}
	arrived := extend(from, -1)
	for i := 0; i < len(steps) && !arrived; i++ {
		arrived = extend(steps[i].to, i)
	}
	if !arrived {
		return nil
	}
	var way []edge
	for i := len(steps) - 1; i >= 0; i = steps[i].from {
		way = append(way, steps[i].edge)
	}
	slices.Reverse(way)
	return way
}
