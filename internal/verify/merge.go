package verify

import (
	"bytes"
	"context"
	"fmt"
)

// fetchRows is how many rows of a cursor are held in memory at a time.
const fetchRows = 1000

// cursor reads the rows of a query from one node, in batches.
type cursor struct {
	peer *peer
	rows []row
	at   int
	done bool
}

// peek is the next row, or nil behind the last.
func (c *cursor) peek(ctx context.Context) (row, error) {
	if c.at == len(c.rows) && !c.done {
		rows, err := query(ctx, c.peer.conn, fmt.Sprintf("FETCH FORWARD %d FROM merged", fetchRows))
		if err != nil {
			return nil, fmt.Errorf("node %d: %w", c.peer.id, err)
		}
		c.rows, c.at, c.done = rows, 0, len(rows) < fetchRows
	}
	if c.at == len(c.rows) {
		return nil, nil
	}
	return c.rows[c.at], nil
}

// merge runs sql on all nodes and hands over what they return, one key at a time: the
// row of each node, nil where it has none. sql is sorted by its first column, byte by
// byte; a key that comes twice is handed over twice. visit says whether to go on.
//
// The peers are in a transaction.
func (ps peers) merge(ctx context.Context, sql string, visit func(rows []row) (more bool)) error {
	cursors := make([]*cursor, len(ps))
	// The first batch waits for the server's sort, so all are asked at the same time.
	err := ps.each(func(i int, p *peer) error {
		cursors[i] = &cursor{peer: p}
		if _, err := query(ctx, p.conn, "DECLARE merged NO SCROLL CURSOR FOR "+sql); err != nil {
			return err
		}
		_, err := cursors[i].peek(ctx)
		return err
	})
	if err != nil {
		return err
	}
	for more := true; more; {
		rows, err := next(ctx, cursors)
		if err != nil {
			return err
		}
		if rows == nil {
			break
		}
		more = visit(rows)
	}
	_, err = ps.ask(ctx, "CLOSE merged")
	return err
}

// next takes the rows with the lowest key, or nothing at the end of all.
func next(ctx context.Context, cursors []*cursor) ([]row, error) {
	rows := make([]row, len(cursors))
	var lowest []byte
	for i, c := range cursors {
		var err error
		if rows[i], err = c.peek(ctx); err != nil {
			return nil, err
		}
		if rows[i] != nil && (lowest == nil || bytes.Compare(rows[i][0], lowest) < 0) {
			lowest = rows[i][0]
		}
	}
	if lowest == nil {
		return nil, nil
	}
	for i, c := range cursors {
		if rows[i] != nil && bytes.Equal(rows[i][0], lowest) {
			c.at++
		} else {
			rows[i] = nil
		}
	}
	return rows, nil
}
