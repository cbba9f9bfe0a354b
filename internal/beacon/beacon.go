package beacon

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/cache"
	"github.com/pgchorus/pgchorus/internal/config"
)

// What a lock says: the first of its two keys. They are "pgcA" and "pgcB" in ASCII.
const (
	classWithout  = 0x70676341
	classReturned = 0x70676342
)

// maxShown bounds how many locks of one node are looked at.
const maxShown = 1000

// Beacon is what one proxy shows and sees. Not safe for concurrent use.
type Beacon struct {
	// Live are the nodes in service.
	Live func() []config.NodeID
	// Connect opens a connection that nobody else uses. Any role will do.
	Connect func(ctx context.Context, id config.NodeID) (*pgconn.PgConn, error)

	conns map[config.NodeID]*lamp
}

var _ cache.Nodes = (*Beacon)(nil)

// lamp is the connection to one node, with the locks that it holds.
type lamp struct {
	conn  *pgconn.PgConn
	holds map[lock]bool
}

type lock struct{ class, token uint32 }

// Shown implements cache.Nodes.
func (b *Beacon) Shown(ctx context.Context) (without, returned []uint32, err error) {
	for _, id := range b.Live() {
		rows, err := b.ask(ctx, id, shownQuery)
		if err != nil {
			return nil, nil, err
		}
		for _, row := range rows {
			token, err := strconv.ParseUint(string(row[1]), 10, 32)
			if err != nil {
				return nil, nil, fmt.Errorf("node %d: %w", id, err)
			}
			if string(row[0]) == strconv.Itoa(classWithout) {
				without = append(without, uint32(token))
			} else {
				returned = append(returned, uint32(token))
			}
		}
	}
	return without, returned, nil
}

// shownQuery looks at the locks of all databases.
var shownQuery = fmt.Sprintf(`SELECT DISTINCT classid, objid FROM pg_catalog.pg_locks
WHERE locktype = 'advisory' AND objsubid = 2 AND granted AND classid IN (%d, %d) LIMIT %d`, classWithout, classReturned, maxShown)

// Declare implements cache.Nodes.
func (b *Beacon) Declare(ctx context.Context, token uint32) error {
	return b.everywhere(ctx, func(id config.NodeID) error { return b.light(ctx, id, lock{classWithout, token}) })
}

// Return implements cache.Nodes.
func (b *Beacon) Return(ctx context.Context, token uint32) error {
	return b.everywhere(ctx, func(id config.NodeID) error {
		return errors.Join(b.light(ctx, id, lock{classReturned, token}), b.darken(ctx, id, lock{classWithout, token}))
	})
}

// Withdraw implements cache.Nodes.
func (b *Beacon) Withdraw(ctx context.Context, token uint32) error {
	return b.everywhere(ctx, func(id config.NodeID) error { return b.darken(ctx, id, lock{classReturned, token}) })
}

// everywhere does something on all nodes in service, also behind one where it fails.
func (b *Beacon) everywhere(ctx context.Context, do func(config.NodeID) error) error {
	var failed error
	for _, id := range b.Live() {
		failed = errors.Join(failed, do(id))
	}
	return errors.Join(failed, ctx.Err())
}

// light takes a lock, unless the connection holds it.
func (b *Beacon) light(ctx context.Context, id config.NodeID, l lock) error {
	if at := b.conns[id]; at != nil && !at.conn.IsClosed() && at.holds[l] {
		if _, err := b.ask(ctx, id, "SELECT 1"); err == nil {
			return nil // so it is still there
		}
	}
	if _, err := b.ask(ctx, id, fmt.Sprintf("SELECT pg_catalog.pg_advisory_lock_shared(%d, %d)", l.class, l.token)); err != nil {
		return err
	}
	b.conns[id].holds[l] = true
	return nil
}

// darken gives a lock back, if the connection holds it.
func (b *Beacon) darken(ctx context.Context, id config.NodeID, l lock) error {
	at := b.conns[id]
	if at == nil || !at.holds[l] {
		return nil
	}
	delete(at.holds, l)
	_, err := b.ask(ctx, id, fmt.Sprintf("SELECT pg_catalog.pg_advisory_unlock_shared(%d, %d)", l.class, l.token))
	return err
}

// ask asks a node, over a connection that is made if need be and dropped if it fails.
func (b *Beacon) ask(ctx context.Context, id config.NodeID, sql string) ([][][]byte, error) {
	at, err := b.lampOf(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("node %d: %w", id, err)
	}
	results, err := at.conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		delete(b.conns, id)
		_ = at.conn.Close(ctx) // it is of no more use
		return nil, fmt.Errorf("node %d: %w", id, err)
	}
	if len(results) == 0 {
		return nil, nil
	}
	return results[0].Rows, nil
}

func (b *Beacon) lampOf(ctx context.Context, id config.NodeID) (*lamp, error) {
	if at := b.conns[id]; at != nil {
		return at, nil
	}
	conn, err := b.Connect(ctx, id)
	if err != nil {
		return nil, err
	}
	if b.conns == nil {
		b.conns = map[config.NodeID]*lamp{}
	}
	b.conns[id] = &lamp{conn: conn, holds: map[lock]bool{}}
	return b.conns[id], nil
}

// Close implements cache.Nodes.
func (b *Beacon) Close() {
	// It is called when everything else has ended.
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	for id, at := range b.conns {
		delete(b.conns, id)
		_ = at.conn.Close(ctx) // what is shown goes with it
	}
}
