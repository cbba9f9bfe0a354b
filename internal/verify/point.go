package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
)

// Hold keeps the COMMITs of writers back. When it returns, none is under way and none
// starts until Release is called or the one who holds has had enough, which is not before
// HoldAtLeast. ctx bounds the wait.
type Hold func(ctx context.Context) (Held, error)

// Held is a hold that is in force.
type Held struct {
	// Live are the nodes in service, main first. Others have missed transactions.
	Live []config.NodeID
	// Release lets COMMITs go on. Its error says that they did so before.
	Release func() error
}

const (
	// HoldAtLeast is how long a hold lasts if nobody releases it.
	HoldAtLeast = 2 * time.Second
	// holdBudget is what we do under a hold at most, well below HoldAtLeast.
	holdBudget = HoldAtLeast / 2
	// holdPatience bounds the wait for COMMITs that are under way.
	holdPatience = 10 * time.Second
)

// errTooFew: there is nothing to compare with.
var errTooFew = errors.New("fewer than two nodes are live, so there is nothing to compare")

// point is one moment of a database that all nodes show alike. Not safe for concurrent
// use; workers on other connections share its snapshots.
type point struct {
	database  string
	peers     peers    // in transactions that hold the snapshots
	snapshots []string // exported, by peer
	held      time.Duration
	server    server
}

// takePoint opens a transaction on every node at a common point.
func (r *run) takePoint(ctx context.Context, database string) (*point, error) {
	p := &point{database: database}
	var err error
	if p.peers, err = connectAll(ctx, r.opts.Nodes, database); err != nil {
		return nil, err
	}
	if err = r.snapshot(ctx, p); err == nil {
		p.server, err = describe(ctx, p.peers)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *point) close() { p.peers.close() }

// snapshot takes the snapshots under a hold, if there is anybody to hold.
func (r *run) snapshot(ctx context.Context, p *point) error {
	if r.opts.Hold == nil {
		return p.begin(ctx)
	}
	held, err := r.hold(ctx)
	if err != nil {
		return err
	}
	started := time.Now()
	p.peers = p.peers.keep(held.Live)
	within, stop := context.WithTimeout(ctx, holdBudget)
	defer stop()
	beginErr := p.begin(within)
	releaseErr := held.Release()
	p.held = time.Since(started)
	if beginErr != nil {
		return beginErr
	}
	if releaseErr != nil {
		return fmt.Errorf("common point: %w", releaseErr)
	}
	return nil
}

// hold asks for a hold and remembers which nodes were live.
func (r *run) hold(ctx context.Context) (Held, error) {
	waiting, stop := context.WithTimeout(ctx, holdPatience)
	defer stop()
	held, err := r.opts.Hold(waiting)
	if err != nil {
		return Held{}, fmt.Errorf("hold commits: %w", err)
	}
	r.sawLive(held.Live)
	return held, nil
}

// sawLive notes nodes that are out of service.
func (r *run) sawLive(live []config.NodeID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, node := range r.opts.Nodes {
		if !slices.Contains(live, node.ID) && !slices.Contains(r.gone, node.ID) {
			r.gone = append(r.gone, node.ID)
			r.report.Notes = append(r.report.Notes, fmt.Sprintf("node %d is out of service and was not compared", node.ID))
		}
	}
}

// begin takes and exports a snapshot on every node at the same time.
func (p *point) begin(ctx context.Context) error {
	if len(p.peers) < 2 {
		return errTooFew
	}
	answers, err := p.peers.ask(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT pg_export_snapshot()")
	if err != nil {
		return fmt.Errorf("take snapshots: %w", err)
	}
	for _, rows := range answers {
		p.snapshots = append(p.snapshots, string(rows[0][0]))
	}
	return nil
}

// join opens more connections with the point's snapshots, for a worker.
func (r *run) join(ctx context.Context, p *point) (peers, error) {
	nodes := make([]Node, 0, len(p.peers))
	for _, node := range r.opts.Nodes {
		if slices.Contains(p.peers.ids(), node.ID) {
			nodes = append(nodes, node)
		}
	}
	all, err := connectAll(ctx, nodes, p.database)
	if err != nil {
		return nil, err
	}
	err = all.each(func(i int, own *peer) error {
		_, err := query(ctx, own.conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT "+quoteLiteral(p.snapshots[i]))
		return err
	})
	if err != nil {
		all.close()
		return nil, fmt.Errorf("join snapshots: %w", err)
	}
	return all, nil
}

// guarded does something in a subtransaction, so that an error in it, such as a table
// that may not be read, does not end the snapshot.
func guarded(ctx context.Context, ps peers, do func() error) error {
	if _, err := ps.ask(ctx, "SAVEPOINT part"); err != nil {
		return err
	}
	err := do()
	if err == nil {
		_, err = ps.ask(ctx, "RELEASE part")
		return err
	}
	if _, broken := ps.ask(ctx, "ROLLBACK TO part; RELEASE part"); broken != nil {
		return &brokenError{err}
	}
	return err
}

// brokenError: a connection is lost, so that nothing more can be compared on it.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }
