package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"
)

// scope is what one pass compares.
type scope struct {
	database string
	shared   bool            // also what all databases share
	only     map[string]bool // parts to compare; nil: all
	last     bool            // its word is final, so it waits for what may still come
}

func (s scope) has(part string) bool { return s.only == nil || s.only[part] }

// findings are the result of a pass over a database.
type findings struct {
	stats DatabaseReport

	mu          sync.Mutex // guards the fields below
	differences []Difference
	tables      []tableResult // with differences
	gaps        []Gap
	suspects    map[string]bool // the parts in which something was found
	moving      bool            // a part was being changed
}

func (f *findings) add(part string, differences []Difference) {
	if len(differences) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.differences = append(f.differences, differences...)
	f.suspects[part] = true
}

// failed notes that a part could not be compared, unless that is the end of the pass.
func (f *findings) failed(ctx context.Context, part, database, object string, err error) error {
	var broken *brokenError
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.As(err, &broken) {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gaps = append(f.gaps, Gap{Database: database, Object: object, Reason: reason(err)})
	f.suspects[part] = true
	f.moving = f.moving || isMoving(err)
	return nil
}

// isMoving are errors of things that are changed or dropped while they are looked at:
// undefined_table, undefined_column, undefined_object, undefined_function,
// invalid_schema_name, and what the functions that show definitions say then.
func isMoving(err error) bool {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return errors.Is(err, errRewritten)
	}
	return slices.Contains([]string{"42P01", "42703", "42704", "42883", "3F000"}, answer.Code) ||
		answer.Code == "XX000" && strings.Contains(answer.Message, "cache lookup failed") ||
		answer.Code == "XX000" && strings.Contains(answer.Message, "could not open relation")
}

// reason is what a person needs of an error.
func reason(err error) string {
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		return fmt.Sprintf("%s (SQLSTATE %s)", answer.Message, answer.Code)
	}
	return err.Error()
}

func tablePart(name string) string { return "table " + name }

const sequencesPart = "sequences"

// pass compares at one common point.
func (r *run) pass(ctx context.Context, s scope) (*findings, error) {
	p, err := r.takePoint(ctx, s.database)
	if err != nil {
		return nil, err
	}
	defer p.close()
	f := &findings{suspects: map[string]bool{}}
	f.stats.Name, f.stats.HoldMS = s.database, float64(p.held.Microseconds())/1000
	if len(r.opts.Tables) == 0 {
		if err := r.compareListings(ctx, p, s, f); err != nil {
			return nil, err
		}
		if err := r.compareSequences(ctx, p, s, f); err != nil {
			return nil, err
		}
	}
	if r.opts.SkipRows {
		return f, nil
	}
	tables, err := r.tablesOf(ctx, p, s, f)
	if err != nil {
		return nil, err
	}
	return f, r.compareTables(ctx, p, tables, f)
}

func (r *run) compareListings(ctx context.Context, p *point, s scope, f *findings) error {
	for _, l := range []listing{rolesListing, passwordsListing, settingsListing, schemaListing} {
		if !l.database && !s.shared || !s.has(l.what) {
			continue
		}
		found, err := r.compareListing(ctx, p, l)
		if err != nil {
			if err := f.failed(ctx, l.what, s.database, l.what, err); err != nil {
				return err
			}
		}
		f.add(l.what, found)
	}
	return nil
}

// tablesOf are the tables that the pass compares.
func (r *run) tablesOf(ctx context.Context, p *point, s scope, f *findings) ([]table, error) {
	var all []table
	var differ []Difference
	err := guarded(ctx, p.peers, func() (err error) {
		all, differ, err = r.listTables(ctx, p)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, d := range differ {
		r.seen[d.Object] = true
		// Where the schema is compared it has been said there, column by column.
		if len(r.opts.Tables) > 0 && s.has(tablePart(d.Object)) {
			f.add(tablePart(d.Object), []Difference{d})
		}
	}
	if r.wants(largeObjects.name) && !r.opts.Quick {
		all = append(all, largeObjects)
	}
	for _, t := range all {
		r.seen[t.name] = true
	}
	tables := slices.DeleteFunc(all, func(t table) bool { return !s.has(tablePart(t.name)) })
	// The largest first, so that no worker is left alone with it at the end.
	slices.SortStableFunc(tables, func(a, b table) int { return cmp.Compare(b.bytes, a.bytes) })
	return tables, nil
}

// compareTables shares the tables out among the workers.
func (r *run) compareTables(ctx context.Context, p *point, tables []table, f *findings) error {
	r.progress.start(p.database, tables)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var taken atomic.Int64
	var workers sync.WaitGroup
	for n := range min(r.opts.Jobs, len(tables)) {
		workers.Go(func() {
			if err := r.work(ctx, p, n, tables, &taken, f); err != nil {
				stop(err)
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// work compares tables until none is left. Worker 0 has the point's own connections.
func (r *run) work(ctx context.Context, p *point, n int, tables []table, taken *atomic.Int64, f *findings) error {
	ps := p.peers
	if n > 0 {
		var err error
		if ps, err = r.join(ctx, p); err != nil {
			return err
		}
		defer ps.close()
	}
	for {
		next := int(taken.Add(1)) - 1
		if next >= len(tables) || ctx.Err() != nil {
			return nil
		}
		if err := r.compareOne(ctx, p, ps, tables[next], f); err != nil {
			return err
		}
		r.progress.finished()
	}
}

func (r *run) compareOne(ctx context.Context, p *point, ps peers, t table, f *findings) error {
	var result tableResult
	err := guarded(ctx, ps, func() (err error) {
		result, err = r.compareTable(ctx, p, ps, t)
		return err
	})
	if err != nil {
		return f.failed(ctx, tablePart(t.name), p.database, t.name, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.Tables++
	f.stats.Rows += result.rows
	if len(result.found)+len(result.other) > 0 {
		f.tables = append(f.tables, result)
		f.suspects[tablePart(t.name)] = true
	}
	return nil
}
