package commitlog

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/logkey"
)

// differs is why a node cannot join. One without any slot has been filled in a way that
// left ours out: its slots cannot tell, its operator has to know, and it is given main's.
func (l *Log) differs(ctx context.Context, main, id config.NodeID, ledgers map[config.NodeID]ledger) error {
	v := compare(ledgers)
	if len(v.splits) == 0 {
		return nil
	}
	if len(ledgers[id]) == 0 {
		l.Log.Warn("node has no commit slots: whether it has all transactions is not known", zap.Int(logkey.Node, int(id)))
		return l.copySlots(ctx, main, id, ledgers[main])
	}
	return fmt.Errorf("it does not have the same transactions as the nodes in service: %s, and %d slots in all differ; copy the data of a node in service to it, with schema pgchorus",
		v.splits[0], len(v.splits))
}

// copySlots gives a node the objects and main's slots.
func (l *Log) copySlots(ctx context.Context, main, id config.NodeID, has ledger) error {
	nodes, err := l.Nodes([]config.NodeID{main, id})
	if err != nil {
		return err
	}
	databases := map[string]bool{}
	for at := range has {
		databases[at.database] = true
	}
	for database := range databases {
		if _, err := nodes[1].install(ctx, database); err != nil {
			return err
		}
		values, err := nodes[0].slotValues(ctx, database)
		if err != nil {
			return err
		}
		err = nodes[1].with(ctx, database, func(ctx context.Context, conn *pgconn.PgConn) error {
			_, err := query(ctx, conn, "INSERT INTO pgchorus.commit_slot VALUES "+strings.Join(values, ","))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// slotValues are the slots of a database as the rows of an INSERT; there is one at least.
func (n Node) slotValues(ctx context.Context, database string) (values []string, err error) {
	err = n.with(ctx, database, func(ctx context.Context, conn *pgconn.PgConn) error {
		rows, err := queryRows(ctx, conn, "SELECT pg_catalog.format('(%s,%s,%s,%s,%L)', proxy, slot, epoch, seq, at) FROM pgchorus.commit_slot", 1)
		for _, row := range rows {
			values = append(values, row[0])
		}
		return err
	})
	return values, err
}
