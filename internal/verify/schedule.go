package verify

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/logkey"
)

// Schedule compares the nodes again and again in the background: one table at a time,
// each at a common point of its own, so that no snapshot is kept for long, and with a
// pause behind each table as long as it took, so that at most half of one connection's
// worth of load comes on. What it finds is logged.
type Schedule struct {
	// Options is asked before each piece of work. With fewer than two nodes in it there
	// is nothing to do. Databases, Tables and SkipRows of it are set by the Schedule.
	Options func() Options
	// Interval is checksum_interval: the time from the beginning of one round to that of
	// the next; 0 is never. It is asked anew every minute.
	Interval func() time.Duration
	// Found, if set, is called with every report in which nodes differ.
	Found func(*Report)
	Log   *zap.Logger
}

const (
	// firstWait is how long after the start the first round begins, if that is not later
	// than a whole interval.
	firstWait = 10 * time.Minute
	// intervalCheck is how soon a changed interval is noticed.
	intervalCheck = time.Minute
)

// Run compares until ctx ends. It returns when nothing of it is left on the nodes.
func (s *Schedule) Run(ctx context.Context) error {
	begun, first := time.Now(), true
	for ctx.Err() == nil {
		if wait := s.untilNext(time.Since(begun), first); wait > 0 {
			pause(ctx, wait)
			continue
		}
		begun, first = time.Now(), false
		s.round(ctx)
	}
	return nil
}

// untilNext is how long to wait before looking again whether a round is due; 0 is now.
func (s *Schedule) untilNext(passed time.Duration, first bool) time.Duration {
	interval := s.Interval()
	if interval <= 0 {
		return intervalCheck
	}
	if first {
		interval = min(interval, firstWait)
	}
	return max(min(interval-passed, intervalCheck), 0)
}

// round compares everything once.
func (s *Schedule) round(ctx context.Context) {
	started := time.Now()
	opts := s.Options()
	if len(opts.Nodes) < 2 {
		return
	}
	opts.SkipRows = true
	report := s.part(ctx, opts, "schema, sequences, roles and settings")
	if report == nil {
		return
	}
	differences, tables, rows := len(report.Differences), 0, int64(0)
	for _, database := range report.Databases {
		names, err := tableNames(ctx, s.Options(), database.Name)
		if err != nil {
			s.failed(ctx, database.Name, err)
			continue
		}
		for _, name := range names {
			report := s.table(ctx, database.Name, name)
			if ctx.Err() != nil {
				return
			}
			if report != nil {
				differences += len(report.Differences)
				tables++
				rows += report.Databases[0].Rows
			}
		}
	}
	s.Log.Info("nodes compared", zap.Int("differences", differences), zap.Int("tables", tables), zap.Int64("rows", rows), zap.Duration("took", time.Since(started)))
}

// table compares one table and pauses.
func (s *Schedule) table(ctx context.Context, database, name string) *Report {
	opts := s.Options()
	if len(opts.Nodes) < 2 {
		return nil
	}
	opts.Databases, opts.Tables, opts.SkipRows = []string{database}, []string{name}, false
	started := time.Now()
	report := s.part(ctx, opts, "table "+name)
	pause(ctx, time.Since(started))
	return report
}

// part compares a part and logs what it found; nil means that it could not.
func (s *Schedule) part(ctx context.Context, opts Options, what string) *Report {
	report, err := Run(ctx, opts)
	if err != nil {
		s.failed(ctx, what, err)
		return nil
	}
	for _, d := range report.Differences {
		s.Log.Error("nodes differ", zap.Int(logkey.Node, int(d.Node)), zap.String(logkey.Database, d.Database), zap.String("difference", d.String()))
	}
	for _, d := range report.Warnings {
		s.Log.Warn("nodes are set up differently", zap.Int(logkey.Node, int(d.Node)), zap.String("difference", d.String()))
	}
	for _, gap := range report.Unchecked {
		// A table may have been dropped since the list was made.
		s.Log.Info("not compared", zap.String(logkey.Database, gap.Database), zap.String("object", gap.Object), zap.String(logkey.Reason, gap.Reason))
	}
	if s.Found != nil && len(report.Differences) > 0 {
		s.Found(report)
	}
	return report
}

func (s *Schedule) failed(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		s.Log.Warn("nodes could not be compared", zap.String("part", what), zap.Error(err))
	}
}

// tableNames are the tables of a database as main has them.
func tableNames(ctx context.Context, opts Options, database string) ([]string, error) {
	if len(opts.Nodes) == 0 {
		return nil, nil
	}
	ps, err := connectAll(ctx, opts.Nodes[:1], database)
	if err != nil {
		return nil, err
	}
	defer ps.close()
	rows, err := query(ctx, ps[0].conn, tablesQuery)
	if err != nil {
		return nil, err
	}
	names := []string{largeObjects.name}
	for _, values := range rows {
		names = append(names, string(values[0]))
	}
	return names, nil
}

// pause ends early when ctx does.
func pause(ctx context.Context, length time.Duration) {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
