package commitlog

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/config"
)

// connections are to every database of some nodes, opened before COMMITs are held, so that
// they are held for no longer than reading takes.
type connections struct {
	open []connection
}

type connection struct {
	node     config.NodeID
	database string
	conn     *pgconn.PgConn
}

func (l *Log) connectAll(ctx context.Context, ids []config.NodeID) (connections, error) {
	var c connections
	nodes, err := l.Nodes(ids)
	if err != nil {
		return c, err
	}
	databases, err := allDatabases(ctx, nodes)
	if err != nil {
		return c, err
	}
	for _, node := range nodes {
		for _, database := range databases {
			conn, err := node.Connect(ctx, database)
			if err != nil {
				c.close()
				return c, err
			}
			c.open = append(c.open, connection{node.ID, database, conn})
		}
	}
	return c, nil
}

func (c connections) close() {
	for _, it := range c.open {
		hangUp(it.conn)
	}
}

// ledgers reads all slots.
func (c connections) ledgers(ctx context.Context) (map[config.NodeID]ledger, error) {
	all := map[config.NodeID]ledger{}
	for _, it := range c.open {
		found, err := readSlots(ctx, it.conn, it.database, "")
		if err != nil {
			return nil, err
		}
		if all[it.node] == nil {
			all[it.node] = ledger{}
		}
		for at, seq := range found {
			all[it.node][at] = seq
		}
	}
	return all, nil
}

// Admit compares a node that joins with one in service; an error keeps it out. Nothing may be
// committed meanwhile. Transactions that it has prepared are ended as main has ended them.
func (l *Log) Admit(ctx context.Context, id config.NodeID) error {
	live := l.Live()
	if l.Marker == config.CommitMarkerOff || len(live) == 0 {
		return nil
	}
	main := live[0]
	if err := l.endPrepared(ctx, main, id); err != nil {
		return err
	}
	held, err := l.connectAll(ctx, []config.NodeID{main, id})
	if err != nil {
		return err
	}
	defer held.close()
	ledgers, err := held.ledgers(ctx)
	if err != nil {
		return err
	}
	defer l.Doubt() // it may lack the objects
	return l.differs(ctx, main, id, ledgers)
}

// endPrepared ends what a node that was away still has prepared.
func (l *Log) endPrepared(ctx context.Context, main, id config.NodeID) error {
	nodes, err := l.Nodes([]config.NodeID{main, id})
	if err != nil {
		return err
	}
	left, err := nodes[1].prepared(ctx)
	if err != nil || len(left) == 0 {
		return err
	}
	var databases []string
	for _, b := range left {
		if !slices.Contains(databases, b.database) {
			databases = append(databases, b.database)
		}
	}
	ledgers, err := readAll(ctx, nodes, databases, nothing)
	if err != nil {
		return err
	}
	for i := range left {
		left[i].main = main // in service, and its word is what counts
	}
	return l.resolve(ctx, left, ledgers, []config.NodeID{main, id})
}
