package commitlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/logkey"
)

const (
	// firstLook bounds the comparison at start.
	firstLook = time.Minute
	// laterLook bounds one while COMMITs are held.
	laterLook = 5 * time.Second
)

// Init compares the nodes before anybody is served. With none in service there is nothing
// to compare: Run does it as soon as there is.
func (l *Log) Init(ctx context.Context) error {
	if l.Marker == config.CommitMarkerOff {
		close(l.looked)
		return nil
	}
	l.lookFirst(ctx)
	return nil
}

// lookFirst is the first comparison, if there is something to compare.
func (l *Log) lookFirst(ctx context.Context) {
	live := l.Live()
	if len(live) == 0 {
		return
	}
	ctx, stop := context.WithTimeout(ctx, firstLook)
	defer stop()
	defer close(l.looked)
	for {
		err := l.takeOver(ctx, live)
		if err == nil {
			return
		}
		if !isPatient(err) || ctx.Err() != nil {
			l.Log.Error("nodes not compared: whether they have the same transactions is not known", zap.Error(err))
			return
		}
		l.Log.Warn("a COMMIT of an earlier run is still under way, and waited for", zap.Error(err))
	}
}

// isPatient reports whether an error is the end of a wait for a lock, which takes as long
// as whoever has it.
func isPatient(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == "55P03"
}

// Await returns once the nodes have been compared, or when ctx ends.
func (l *Log) Await(ctx context.Context) error {
	select {
	case <-l.looked:
		return nil
	default:
	}
	select {
	case <-l.looked:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Run compares the nodes whenever one has gone out of service, until ctx ends.
func (l *Log) Run(ctx context.Context) error {
	for before := l.Live(); ; {
		changed := l.Changed()
		now := l.Live()
		switch {
		case l.Await(ended()) != nil:
			l.lookFirst(ctx)
		case l.Marker != config.CommitMarkerOff && lostOne(before, now):
			l.lookAgain(ctx, now)
		}
		before = now
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

// ended is a context that is over, to ask without waiting.
func ended() context.Context {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	return ctx
}

func lostOne(before, now []config.NodeID) bool {
	return slices.ContainsFunc(before, func(id config.NodeID) bool { return !slices.Contains(now, id) })
}

// lookAgain compares nodes in service while they are.
func (l *Log) lookAgain(ctx context.Context, live []config.NodeID) {
	if len(live) < 2 {
		return
	}
	ctx, stop := context.WithTimeout(ctx, laterLook)
	defer stop()
	var ledgers map[config.NodeID]ledger
	held, err := l.connectAll(ctx, live)
	if err == nil {
		defer held.close()
		err = errors.Join(l.Hold(ctx, func() { ledgers, err = held.ledgers(ctx) }), err)
	}
	if err != nil {
		if ctx.Err() == nil {
			l.Log.Warn("nodes not compared after one was lost", zap.Error(err))
		}
		return
	}
	l.settle(ctx, ledgers)
}

// takeOver ends what an earlier run has left and compares.
func (l *Log) takeOver(ctx context.Context, live []config.NodeID) error {
	nodes, err := l.Nodes(live)
	if err != nil {
		return err
	}
	databases, err := allDatabases(ctx, nodes)
	if err != nil {
		return err
	}
	left, err := allPrepared(ctx, nodes)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		ledgers, err := readAll(ctx, nodes, databases, func(id config.NodeID, database string) string { return l.fenceLeft(left, id, database) })
		if err != nil {
			return err
		}
		if err := l.resolve(ctx, left, ledgers, live); err != nil {
			return err
		}
	}
	ledgers, err := readAll(ctx, nodes, databases, func(config.NodeID, string) string { return l.raise() })
	if err != nil {
		return err
	}
	l.settle(ctx, ledgers)
	return nil
}

// raise puts our epoch in force, so that no COMMIT of an earlier run comes later. It waits for
// one that has marked itself already.
func (l *Log) raise() string {
	return fmt.Sprintf(raiseTimeout+"INSERT INTO pgchorus.proxy VALUES (%[1]d, %[2]d) ON CONFLICT (proxy) DO UPDATE SET epoch = excluded.epoch;"+
		"UPDATE pgchorus.commit_slot SET epoch = %[2]d WHERE proxy = %[1]d;", l.Proxy, l.slots.epoch)
}

const raiseTimeout = "SET lock_timeout = '5s';"

// fenceLeft keeps a node from committing, from now on, what others have left prepared: main above
// all, whose COMMIT may still be on its way, and has to end before anything is decided. It
// takes the row of the transaction's slot, which is made where it is missing, so that it waits for a mark
// that is being made, and makes a later one fail. Where the transaction is prepared it has the row
// locked itself.
func (l *Log) fenceLeft(left []branch, id config.NodeID, database string) string {
	fence := raiseTimeout
	for _, b := range left {
		if b.database != database || slices.ContainsFunc(left, func(own branch) bool {
			return own.node.ID == id && own.database == database && own.proxy == b.proxy && own.slot == b.slot
		}) {
			continue
		}
		fence += fmt.Sprintf("INSERT INTO pgchorus.commit_slot AS c VALUES (%d, %d, %d, 0, pg_catalog.now()) ON CONFLICT (proxy, slot) DO UPDATE SET epoch = excluded.epoch WHERE c.epoch < excluded.epoch;",
			b.proxy, b.slot, l.slots.epoch)
	}
	return fence
}

// resolve ends prepared transactions as the nodes' slots say.
func (l *Log) resolve(ctx context.Context, left []branch, ledgers map[config.NodeID]ledger, live []config.NodeID) error {
	var failed []error
	for _, b := range left {
		at := place{b.database, b.proxy, b.slot}
		var facts []Fact
		for _, id := range live {
			prepared := slices.ContainsFunc(left, func(other branch) bool { return other.node.ID == id && other.name == b.name })
			facts = append(facts, Fact{Node: id, Prepared: prepared, Committed: ledgers[id][at] == b.seq})
		}
		commit := Decide(b.main, facts)
		err := b.end(ctx, commit)
		l.Log.Warn("prepared transaction of an earlier run is ended", zap.Int(logkey.Node, int(b.node.ID)),
			zap.String("transaction", b.name), zap.Bool("commit", commit), zap.Error(err))
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// nothing is run in front of the slots.
func nothing(config.NodeID, string) string { return "" }

// settle has the nodes go that lack what others have.
func (l *Log) settle(ctx context.Context, ledgers map[config.NodeID]ledger) {
	v := compare(ledgers)
	for _, split := range v.splits {
		l.Log.Error("nodes do not have the same transactions", zap.Stringer("transaction", split), zap.Bool("unsafe", v.unsafe))
	}
	for _, id := range v.out {
		if err := l.Fence(ctx, id, v.reason(id)); err != nil {
			l.Log.Error("node not fenced", zap.Int(logkey.Node, int(id)), zap.Error(err))
		}
	}
	if len(v.splits) == 0 {
		l.Log.Info("nodes have the same transactions", zap.Int("slots", slotsOf(ledgers)))
	}
}

func slotsOf(ledgers map[config.NodeID]ledger) int {
	for _, l := range ledgers {
		return len(l)
	}
	return 0
}

func allDatabases(ctx context.Context, nodes []Node) ([]string, error) {
	var all []string
	for _, node := range nodes {
		names, err := node.databases(ctx)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all, nil
}

func allPrepared(ctx context.Context, nodes []Node) ([]branch, error) {
	var all []branch
	for _, node := range nodes {
		found, err := node.prepared(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// readAll reads the nodes' slots. before is SQL that is run in front, in the same transaction.
func readAll(ctx context.Context, nodes []Node, databases []string, before func(id config.NodeID, database string) string) (map[config.NodeID]ledger, error) {
	ledgers := map[config.NodeID]ledger{}
	for _, node := range nodes {
		found, err := node.ledger(ctx, databases, before)
		if err != nil {
			return nil, err
		}
		ledgers[node.ID] = found
	}
	return ledgers, nil
}
