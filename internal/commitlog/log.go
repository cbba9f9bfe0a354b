package commitlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/logkey"
	"github.com/pgchorus/pgchorus/internal/pgerr"
)

// Options are what a Log works with.
type Options struct {
	// Proxy tells several servers before the same nodes apart.
	Proxy int
	// Marker is commit_marker.
	Marker config.CommitMarker
	// Nodes are how the given nodes are reached.
	Nodes func(ids []config.NodeID) ([]Node, error)
	// Live are the nodes in service, and Changed a channel that is closed when they change.
	Live    func() []config.NodeID
	Changed func() <-chan struct{}
	// Fence takes a node out of service.
	Fence func(ctx context.Context, id config.NodeID, reason string) error
	// Hold runs look while no COMMIT is under way.
	Hold func(ctx context.Context, look func()) error
	Log  *zap.Logger
}

// Log is one for all sessions; safe for concurrent use. Its Run is a part of the program.
type Log struct {
	Options
	slots slots

	// looked is closed when the nodes have been compared for the first time.
	looked chan struct{}
	// generation counts Doubt.
	generation atomic.Uint64

	mu        sync.Mutex // guards the field below, and is held while objects are made
	databases map[string]knowledge
}

// knowledge is what was found out about a database.
type knowledge struct {
	Standing
	until time.Time // zero: for good
}

// Standing is what a session can rely on in its database.
type Standing struct {
	// Marked: transactions can be marked.
	Marked bool
	// TwoPhase: all nodes can keep transactions prepared.
	TwoPhase bool
	// Generation is the Log's when it was so.
	Generation uint64
}

// New returns a Log that has compared nothing yet; Init does.
func New(opts Options) *Log {
	epoch := newEpoch(time.Now())
	return &Log{
		Options:   opts,
		slots:     slots{proxy: opts.Proxy, epoch: epoch},
		looked:    make(chan struct{}),
		databases: map[string]knowledge{},
	}
}

// Epoch is what this process's transactions have in their marks, and no others.
func (l *Log) Epoch() int64 { return l.slots.epoch }

// Lend gives a session its slot, until it gives it back. What the session before it
// has committed is by then on every node in service.
func (l *Log) Lend() *Slot { return l.slots.lend() }

// GiveBack takes a slot back that numbers no transaction any more.
func (l *Log) GiveBack(slot *Slot) { l.slots.giveBack(slot) }

// How long a database goes without markers before it is tried again: where a server has
// refused, for lack of rights, and where one could not be reached, which it soon may.
const (
	retryRefused = time.Minute
	retryLost    = 2 * time.Second
)

// Generation is the present one. A Standing of an older one has to be asked for anew.
func (l *Log) Generation() uint64 { return l.generation.Load() }

// Doubt says that what is known of databases may no longer hold: one was made or dropped,
// or a node has joined.
func (l *Log) Doubt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.generation.Add(1)
	clear(l.databases)
}

// Ready says what can be relied on in a database, and makes the objects if they are missing,
// which takes a moment, once. An error is for the frontend: commit_marker is on, and they
// cannot be made.
func (l *Log) Ready(ctx context.Context, database string) (Standing, error) {
	if l.Marker == config.CommitMarkerOff {
		return Standing{Generation: l.Generation()}, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	known, found := l.databases[database]
	if !found || !known.until.IsZero() && time.Now().After(known.until) {
		var err error
		if known, err = l.learn(ctx, database); err != nil {
			if l.Marker == config.CommitMarkerOn {
				return Standing{}, errNoMarker(database, err)
			}
			l.Log.Warn("transactions are not marked: if pgchorus dies in a COMMIT, nobody finds out which nodes have it",
				zap.String(logkey.Database, database), zap.Error(err))
		}
		known.until = untilRetry(err, known.until)
		l.databases[database] = known
	}
	return known.Standing, nil
}

// untilRetry is when something that has failed is tried again.
func untilRetry(err error, never time.Time) time.Time {
	var refused *pgconn.PgError
	switch {
	case err == nil:
		return never
	case errors.As(err, &refused):
		return time.Now().Add(retryRefused)
	}
	return time.Now().Add(retryLost)
}

// learn makes the objects of a database on all nodes in service.
func (l *Log) learn(ctx context.Context, database string) (knowledge, error) {
	known := knowledge{Standing: Standing{Generation: l.Generation()}}
	nodes, err := l.Nodes(l.Live())
	if err != nil {
		return known, err
	}
	twoPhase := len(nodes) > 0
	for _, node := range nodes {
		maxPrepared, err := node.install(ctx, database)
		if err != nil {
			return known, err
		}
		twoPhase = twoPhase && maxPrepared > 0
	}
	known.Marked, known.TwoPhase = len(nodes) > 0, twoPhase
	return known, nil
}

func errNoMarker(database string, cause error) error {
	return pgerr.New(pgerr.ObjectNotInPrerequisiteState, "transactions cannot be marked, so none that writes is committed").
		WithDetail("commit_marker is on, and schema pgchorus of database %q cannot be made: %s", database, fmt.Sprint(cause)).
		WithHint("Give recovery_user or health_check_user a role that may make it, or run pgchorus setup, or set commit_marker = auto.")
}
