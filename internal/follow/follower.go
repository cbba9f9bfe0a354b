package follow

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/cache"
	"github.com/pgchorus/pgchorus/internal/config"
)

// Options are what a Follower works with.
type Options struct {
	Cache *cache.Cache
	// Delay is how old the news of a node may be for answers to be given out.
	Delay time.Duration
	// Nodes are those whose commits end answers. Changed is a channel that is closed when
	// they may have changed; it is taken before Nodes is asked.
	Nodes   func() []config.NodeID
	Changed func() <-chan struct{}
	// Connect opens a connection that nobody else uses, as a role that may replicate and
	// make event triggers. stream: it speaks the replication protocol as well.
	Connect func(ctx context.Context, id config.NodeID, database string, stream bool) (*pgconn.PgConn, error)
	// Ready, if any, is called before our objects are made in a database.
	Ready func(ctx context.Context, database string)
	// Forget drops what is known of the catalogue of a database.
	Forget func(database string)
	// Epoch is how this process's own transactions mark themselves (package commitlog); 0
	// if they do not, and are taken for those of others.
	Epoch int64
	Log   *zap.Logger
}

// Follower follows nodes in the databases that have cached answers. It is safe for
// concurrent use. Its Run is a part of the program and has goroutines of its own.
type Follower struct {
	Options
	kick  chan struct{}
	links sync.WaitGroup

	mu        sync.Mutex // guards the fields below
	databases map[string]*database
}

// New returns a Follower that follows nothing yet.
func New(opts Options) *Follower {
	return &Follower{Options: opts, kick: make(chan struct{}, 1), databases: map[string]*database{}}
}

// Lease is for how long the answers of a database may be given out. The first call has the
// database followed. A nil Follower has none.
func (f *Follower) Lease(name string) *cache.Lease {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.databases[name]
	if d == nil {
		d = &database{f: f, name: name, lease: cache.NewLease(), links: map[config.NodeID]*link{}, gone: true}
		f.databases[name] = d
	}
	if d.comes() {
		f.wake()
	}
	return d.lease
}

func (f *Follower) wake() {
	select {
	case f.kick <- struct{}{}:
	default: // Run is awake
	}
}

// Run starts and ends links as databases and nodes come and go, until ctx ends.
func (f *Follower) Run(ctx context.Context) error {
	defer f.links.Wait()
	defer f.endAll()
	for {
		changed := f.Changed()
		nodes := f.Nodes()
		for _, d := range f.all() {
			d.adapt(ctx, nodes)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-f.kick:
		}
	}
}

func (f *Follower) all() []*database {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]*database, 0, len(f.databases))
	for _, d := range f.databases {
		all = append(all, d)
	}
	return all
}

// errStopped and errLeaving are why links end.
var (
	errStopped = errors.New("pgchorus is stopping")
	errLeaving = errors.New("the database is being dropped or copied")
)

func (f *Follower) endAll() {
	for _, d := range f.all() {
		d.drop(errStopped, func(config.NodeID) bool { return true })
	}
}

// Leave closes all connections of ours to a database, or, if it has no name, to all of them,
// since DROP DATABASE and a copy of it are refused while there are any. After the call of
// comeBack it is followed again, if it is still there. A nil Follower has none.
func (f *Follower) Leave(name string) (comeBack func()) {
	if f == nil {
		return func() {}
	}
	var left []*database
	for _, d := range f.all() {
		if name == "" || d.name == name {
			d.leave()
			left = append(left, d)
		}
	}
	return func() {
		for _, d := range left {
			d.comeBack()
		}
		f.wake()
	}
}

// makeWorthless ends all answers of a database: what has happened before is not known.
func (f *Follower) makeWorthless(database string) {
	f.Forget(database)
	f.Cache.Touch(f.Cache.Database(database))
}

// State is how a node is followed in a database.
type State struct {
	Database  string
	Node      config.NodeID
	Following bool
	// Delay is how old the newest news is, if Following.
	Delay  time.Duration
	Since  time.Time
	Reason string // why it is not followed; empty while a first attempt is under way
}

// States are those of all links, by database and node. A nil Follower has none.
func (f *Follower) States() []State {
	if f == nil {
		return nil
	}
	var all []State
	for _, d := range f.all() {
		all = append(all, d.states()...)
	}
	slices.SortFunc(all, compareStates)
	return all
}
