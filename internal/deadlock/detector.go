package deadlock

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/logkey"
)

// Sessions are those of the server. It is called from the Detector's goroutine.
type Sessions interface {
	// Running are the statements under way.
	Running() []Statement
	// Owner is the session that a process on a node belongs to; false for none.
	Owner(node config.NodeID, pid uint32) (session uint32, ok bool)
	// GiveUp ends the statement, wherever it waits, if it is still under way. Its
	// transaction is rolled back, and its frontend told 40P01.
	GiveUp(ctx context.Context, victim Statement, reason string) bool
}

// Detector looks for deadlocks. Its Run is a part of the program, and all of it belongs to
// that goroutine.
type Detector struct {
	// Interval is deadlock_check_interval; 0 is never. It is asked anew each time.
	Interval func() time.Duration
	Live     func() []config.NodeID
	// Connect opens a connection that nobody else uses. Any role will do.
	Connect  func(ctx context.Context, id config.NodeID) (*pgconn.PgConn, error)
	Sessions Sessions
	Log      *zap.Logger

	conns map[config.NodeID]*pgconn.PgConn
}

const (
	// offInterval is how soon it is noticed that deadlock_check_interval is no longer 0.
	offInterval = 10 * time.Second
	// askTimeout bounds asking one node. One that hangs is left out.
	askTimeout = 2 * time.Second
	// maxWaits bounds how many waits of one node are looked at.
	maxWaits = 10_000
)

// Run looks until ctx ends.
func (d *Detector) Run(ctx context.Context) error {
	d.conns = map[config.NodeID]*pgconn.PgConn{}
	defer d.hangUp()
	for {
		pause := d.Interval()
		off := pause <= 0
		if off {
			pause = offInterval
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		if !off {
			d.look(ctx, pause)
		}
	}
}

// look breaks what it finds, if a statement has been under way for too long.
func (d *Detector) look(ctx context.Context, longer time.Duration) {
	running := byID(d.Sessions.Running())
	if !anyLonger(running, longer) {
		return
	}
	first := Find(d.waits(ctx))
	if len(first) == 0 {
		return
	}
	again := byID(d.Sessions.Running())
	second := Find(d.waits(ctx))
	for _, cycle := range second {
		if !contains(first, cycle) || !same(cycle, running, again) {
			continue
		}
		if victim, ok := Victim(cycle, again); ok {
			d.give(ctx, victim, cycle)
		}
	}
}

func (d *Detector) give(ctx context.Context, victim Statement, cycle []Party) {
	if d.Sessions.GiveUp(ctx, victim, describe(cycle)) {
		d.Log.Warn("deadlock over several nodes is broken", zap.String("cycle", describe(cycle)), zap.Uint32(logkey.Session, victim.Session))
	}
}

// describe names who waits for whom.
func describe(cycle []Party) string {
	names := make([]string, 0, len(cycle)+1)
	for _, party := range append(cycle[:len(cycle):len(cycle)], cycle[0]) {
		if party.Session != 0 {
			names = append(names, fmt.Sprintf("session %d", party.Session))
		} else {
			names = append(names, fmt.Sprintf("process %d on node %d", party.PID, party.Node))
		}
	}
	return strings.Join(names, " waits for ")
}

func byID(list []Statement) map[uint32]Statement {
	all := make(map[uint32]Statement, len(list))
	for _, it := range list {
		all[it.Session] = it
	}
	return all
}

func anyLonger(running map[uint32]Statement, limit time.Duration) bool {
	for _, it := range running {
		if time.Since(it.Since) >= limit {
			return true
		}
	}
	return false
}

func contains(cycles [][]Party, cycle []Party) bool {
	for _, other := range cycles {
		if len(other) == len(cycle) && describe(other) == describe(cycle) {
			return true
		}
	}
	return false
}

// same reports whether the sessions of a cycle have the same statements under way as before.
func same(cycle []Party, before, now map[uint32]Statement) bool {
	for _, party := range cycle {
		if party.Session != 0 && before[party.Session].Number != now[party.Session].Number {
			return false
		}
	}
	return true
}

// waits are those of all nodes in service. A node that does not answer in time adds none.
func (d *Detector) waits(ctx context.Context) []Wait {
	var all []Wait
	for _, id := range d.Live() {
		waits, err := d.waitsOn(ctx, id)
		if err != nil && ctx.Err() == nil {
			d.Log.Warn("waits of a node not seen", zap.Int(logkey.Node, int(id)), zap.Error(err))
		}
		all = append(all, waits...)
	}
	return all
}

// waitsQuery has a row for each process that waits and one that keeps it waiting. Everybody
// may see pg_locks.
const waitsQuery = `SELECT DISTINCT l.pid, b.pid FROM pg_catalog.pg_locks l, pg_catalog.unnest(pg_catalog.pg_blocking_pids(l.pid)) AS b (pid)
WHERE NOT l.granted AND b.pid <> 0 LIMIT 10000`

func (d *Detector) waitsOn(ctx context.Context, id config.NodeID) ([]Wait, error) {
	ctx, stop := context.WithTimeout(ctx, askTimeout)
	defer stop()
	conn, err := d.conn(ctx, id)
	if err != nil {
		return nil, err
	}
	results, err := conn.Exec(ctx, waitsQuery).ReadAll()
	if err != nil {
		delete(d.conns, id)
		_ = conn.Close(ctx) // it is of no more use
		return nil, err
	}
	var waits []Wait
	for _, row := range rowsOf(results) {
		if len(row) != 2 {
			return nil, fmt.Errorf("a row of %d columns", len(row))
		}
		who, err := d.party(id, row[0])
		if err != nil {
			return nil, err
		}
		whom, err := d.party(id, row[1])
		if err != nil {
			return nil, err
		}
		waits = append(waits, Wait{Who: who, For: whom, On: id})
	}
	return waits[:min(len(waits), maxWaits)], nil
}

func rowsOf(results []*pgconn.Result) (rows [][][]byte) {
	for _, result := range results {
		rows = append(rows, result.Rows...)
	}
	return rows
}

func (d *Detector) party(id config.NodeID, text []byte) (Party, error) {
	pid, err := strconv.ParseUint(string(text), 10, 32)
	if err != nil {
		return Party{}, fmt.Errorf("process number: %w", err)
	}
	if session, ok := d.Sessions.Owner(id, uint32(pid)); ok {
		return Party{Session: session}, nil
	}
	return Party{Node: id, PID: uint32(pid)}, nil
}

// conn is the connection to a node, which is kept.
func (d *Detector) conn(ctx context.Context, id config.NodeID) (*pgconn.PgConn, error) {
	if conn := d.conns[id]; conn != nil && !conn.IsClosed() {
		return conn, nil
	}
	conn, err := d.Connect(ctx, id)
	if err == nil {
		d.conns[id] = conn
	}
	return conn, err
}

func (d *Detector) hangUp() {
	// Run's context has ended.
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	for _, conn := range d.conns {
		_ = conn.Close(ctx) // the server ends
	}
}
