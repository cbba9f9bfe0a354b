package follow

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/config"
)

// askTimeout bounds a question to a node, and closeTimeout saying goodbye.
const (
	askTimeout   = 5 * time.Second
	closeTimeout = time.Second
)

// asker is an ordinary connection to a node, beside the stream.
type asker struct {
	conn *pgconn.PgConn
	utf8 bool // the database's encoding
}

// openAsker connects and sees to it that the node can be followed.
func (f *Follower) openAsker(ctx context.Context, id config.NodeID, database string) (*asker, error) {
	ctx, stop := context.WithTimeout(ctx, askTimeout)
	defer stop()
	conn, err := f.Connect(ctx, id, database, false)
	if err != nil {
		return nil, err
	}
	at := &asker{conn: conn}
	if err := at.prepare(ctx, f.Ready, database); err != nil {
		at.close()
		return nil, err
	}
	return at, nil
}

// errWALLevel: the node's WAL does not say what was changed.
var errWALLevel = errors.New("wal_level is not logical")

// prepare makes the event triggers where they are missing. ready, if any, is called before:
// it makes other things in the same schema.
func (a *asker) prepare(ctx context.Context, ready func(context.Context, string), database string) error {
	row, err := a.row(ctx, standing, 3)
	switch {
	case err != nil:
		return err
	case row[0] != "logical":
		return errWALLevel
	}
	a.utf8 = row[1] == "UTF8"
	if row[2] == allTriggers {
		return nil
	}
	if ready != nil {
		ready(ctx, database)
	}
	if _, err := a.conn.Exec(ctx, schema).ReadAll(); err != nil {
		return &schemaError{err}
	}
	return nil
}

// schemaError: the event triggers cannot be made.
type schemaError struct{ cause error }

func (e *schemaError) Error() string { return "make event triggers: " + e.cause.Error() }
func (e *schemaError) Unwrap() error { return e.cause }

// row asks for one row of so many columns.
func (a *asker) row(ctx context.Context, sql string, columns int) ([]string, error) {
	ctx, stop := context.WithTimeout(ctx, askTimeout)
	defer stop()
	results, err := a.conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(results) != 1 || len(results[0].Rows) != 1 || len(results[0].Rows[0]) != columns {
		return nil, errors.New("not the row that was asked for")
	}
	row := make([]string, columns)
	for i, value := range results[0].Rows[0] {
		row[i] = string(value)
	}
	return row, nil
}

// sight is what can be seen on a node, and how far its WAL goes.
type sight struct {
	snapshot
	at       time.Time // before it was asked
	position uint64
}

// errNotTold: somebody has dropped or disabled the event triggers.
var errNotTold = errors.New("the event triggers that tell of definitions are missing")

// look asks for the positions up to which WAL is inserted, not only flushed, since that of a
// commit with synchronous_commit = off is not.
func (a *asker) look(ctx context.Context) (s sight, err error) {
	s.at = time.Now()
	row, err := a.row(ctx, "SELECT pg_current_snapshot(), pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0'), "+triggers, 3)
	switch {
	case err != nil:
		return s, err
	case row[2] != allTriggers:
		return s, errNotTold
	}
	if s.snapshot, err = parseSnapshot(row[0]); err != nil {
		return s, err
	}
	if s.position, err = strconv.ParseUint(row[1], 10, 64); err != nil {
		return s, fmt.Errorf("position: %w", err)
	}
	return s, nil
}

// newest is a transaction number that is greater than all that have been given out.
func (a *asker) newest(ctx context.Context) (uint64, error) {
	row, err := a.row(ctx, "SELECT pg_current_xact_id()", 1)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(row[0], 10, 64)
}

// flushStatement commits without waiting for synchronous standbys, which writes everything
// in front of it: the position that the node is at need not be the end of a record, and what
// nobody commits is written when there is more of it.
const flushStatement = `BEGIN; SET LOCAL synchronous_commit = local; SELECT pg_logical_emit_message(true, '` + prefix + `', ''); COMMIT`

func (a *asker) flush(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, askTimeout)
	defer stop()
	_, err := a.conn.Exec(ctx, flushStatement).ReadAll()
	return err
}

// awaitSlotGone waits until there is no such slot.
func (a *asker) awaitSlotGone(ctx context.Context, slot string) {
	for ctx.Err() == nil {
		row, err := a.row(ctx, "SELECT count(*) FROM pg_replication_slots WHERE slot_name = '"+slot+"'", 1)
		if err != nil || row[0] == "0" {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (a *asker) close() {
	// The caller's time may have run out, which is no reason to leave a session behind.
	ctx, stop := context.WithTimeout(context.Background(), closeTimeout)
	defer stop()
	_ = a.conn.Close(ctx) // the node may be lost
}
