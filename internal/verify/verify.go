package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
)

// Options says what to compare and how.
type Options struct {
	// Nodes are the nodes of one replicated set, main first.
	Nodes []Node
	// Hold keeps COMMITs back while snapshots are taken; nil if nothing can be held.
	Hold Hold
	// Databases are the databases to compare; none means all but templates.
	Databases []string
	// Tables restricts the comparison to the rows of these tables, each as schema.table
	// and quoted as in SQL where needed.
	Tables []string
	// Maintenance is the database in which others are looked up; empty is postgres.
	Maintenance string
	// Quick compares the number of rows of tables instead of the rows.
	Quick bool
	// SkipRows compares no tables at all.
	SkipRows bool
	// Repair gives a node that is proven wrong the rows of main.
	Repair bool
	// Jobs is how many tables are compared at a time, each with a connection to every
	// node; 0 is 1.
	Jobs int
	// MaxKeys bounds how many differences of a table or listing are reported; 0 is 100.
	MaxKeys int
	// ChunkBytes is the size of the pieces in which large tables are read, on PostgreSQL
	// 14 and newer; 0 is 256 MB.
	ChunkBytes int64
	// Patience is how long a sequence that is behind main's is given to follow; 0 is 3 s.
	Patience time.Duration
	// Progress, if set, is called with what has been read. Calls do not overlap.
	Progress func(Progress)
}

const (
	defaultMaxKeys    = 100
	defaultChunkBytes = 256 << 20
	defaultPatience   = 3 * time.Second
	// MaxJobs keeps the connections to a node well below max_connections.
	MaxJobs = 16
)

func (o Options) withDefaults() Options {
	o.Jobs = min(max(o.Jobs, 1), MaxJobs)
	o.MaxKeys = cmp.Or(o.MaxKeys, defaultMaxKeys)
	o.ChunkBytes = cmp.Or(o.ChunkBytes, defaultChunkBytes)
	o.Patience = cmp.Or(o.Patience, defaultPatience)
	o.Maintenance = cmp.Or(o.Maintenance, "postgres")
	return o
}

// run is one comparison.
type run struct {
	opts     Options
	progress *meter
	seen     map[string]bool // tables that some database has

	mu     sync.Mutex // guards the fields below
	report *Report
	gone   []config.NodeID // nodes that are out of service
}

// Run compares. An error means that nothing can be said, such as when a node cannot be
// reached; what could not be compared for a reason of its own is in Report.Unchecked.
// Nothing of it is left on the nodes when it returns, but for repaired rows.
func Run(ctx context.Context, opts Options) (*Report, error) {
	opts = opts.withDefaults()
	started := time.Now()
	r := &run{opts: opts, progress: newMeter(opts.Progress), seen: map[string]bool{}, report: &Report{
		Held: opts.Hold != nil, Started: started.UTC(),
		// For JSON: empty lists, not null.
		Databases: []DatabaseReport{}, Differences: []Difference{}, Warnings: []Difference{}, Unchecked: []Gap{}, Notes: []string{},
	}}
	if len(opts.Nodes) < 2 {
		return nil, errTooFew
	}
	databases, err := r.databases(ctx)
	if err != nil {
		return nil, err
	}
	for i, database := range databases {
		if err := r.compareDatabase(ctx, database, i == 0); err != nil {
			return nil, fmt.Errorf("database %s: %w", database, err)
		}
	}
	r.conclude(time.Since(started))
	return r.report, nil
}

func (r *run) conclude(took time.Duration) {
	r.report.DurationMS = float64(took.Microseconds()) / 1000
	for _, node := range r.opts.Nodes {
		if !slices.Contains(r.gone, node.ID) {
			r.report.Nodes = append(r.report.Nodes, node.ID)
		}
	}
	for _, name := range r.opts.Tables {
		if !r.seen[name] {
			r.report.Unchecked = append(r.report.Unchecked, Gap{Object: "table " + name, Reason: "there is no permanent table of that name (expected schema.table, quoted as in SQL)"})
		}
	}
	open := func(d Difference) bool { return !d.Repaired }
	switch {
	case slices.ContainsFunc(r.report.Differences, open):
		r.report.Result = Different
	case len(r.report.Unchecked) > 0:
		r.report.Result = Unchecked
	default:
		r.report.Result = Equal
	}
}

const databasesQuery = `SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname COLLATE "C"`

// databases are those that all nodes have. That a node lacks one is said by
// rolesListing.
func (r *run) databases(ctx context.Context) ([]string, error) {
	if len(r.opts.Databases) > 0 {
		return r.opts.Databases, nil
	}
	ps, err := connectAll(ctx, r.opts.Nodes, r.opts.Maintenance)
	if err != nil {
		return nil, err
	}
	defer ps.close()
	answers, err := ps.ask(ctx, databasesQuery)
	if err != nil {
		return nil, err
	}
	seen := map[string]int{}
	for _, rows := range answers {
		for _, values := range rows {
			seen[string(values[0])]++
		}
	}
	maps.DeleteFunc(seen, func(_ string, count int) bool { return count < len(ps) })
	if len(seen) == 0 {
		return nil, errors.New("the nodes have no database in common")
	}
	return slices.Sorted(maps.Keys(seen)), nil
}

// maxPasses bounds how often a database is looked at: what differs is compared twice, and
// what could not be compared because it was just being changed, more often.
const maxPasses = 8

// compareDatabase compares, compares what seemed to differ once more, repairs, and looks
// at what was repaired.
func (r *run) compareDatabase(ctx context.Context, database string, first bool) error {
	found, err := r.pass(ctx, scope{database: database, shared: first})
	if err != nil {
		return err
	}
	r.report.Databases = append(r.report.Databases, found.stats)
	for n := 2; n <= maxPasses && len(found.suspects) > 0 && (n == 2 || found.moving); n++ {
		if found, err = r.pass(ctx, scope{database: database, shared: first, only: found.suspects, last: true}); err != nil {
			return err
		}
	}
	if r.opts.Repair {
		if err := r.repair(ctx, database, found); err != nil {
			return err
		}
	}
	r.collect(found)
	return nil
}

// collect puts what a pass has found into the report.
func (r *run) collect(found *findings) {
	warns := map[string]bool{KindSequence + Ahead: true}
	for _, l := range []listing{rolesListing, passwordsListing, settingsListing, schemaListing} {
		for _, kind := range l.warns {
			warns[kind] = true
		}
	}
	for _, d := range found.differences {
		if warns[d.Kind] || warns[d.Kind+d.What] {
			r.report.Warnings = append(r.report.Warnings, d)
		} else {
			r.report.Differences = append(r.report.Differences, d)
		}
	}
	slices.SortFunc(found.tables, func(a, b tableResult) int { return cmp.Compare(a.table.name, b.table.name) })
	for _, t := range found.tables {
		r.report.Differences = append(r.report.Differences, t.other...)
		for _, d := range t.found {
			r.report.Differences = append(r.report.Differences, d.Difference)
		}
		if t.more {
			r.report.Notes = append(r.report.Notes, fmt.Sprintf("table %s has more differences than the %d listed", t.table.name, len(t.found)))
		}
	}
	r.report.Unchecked = append(r.report.Unchecked, found.gaps...)
}
