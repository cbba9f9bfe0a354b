package verify_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/internal/verify"
)

// maxGrowth is how much memory a comparison may take, in bytes. The tables below have
// several times as much.
const maxGrowth = 16 << 20

// Not parallel, since it measures the memory of the process.
func TestMemoryDoesNotGrowWithTheTable(t *testing.T) {
	nodes := pgtest.Start(t, 2)
	for _, node := range nodes {
		node.Exec(`CREATE TABLE wide (a int, b text, PRIMARY KEY (a));
			INSERT INTO wide SELECT i, repeat(i::text, 30) FROM generate_series(1, 200000) i;
			CREATE TABLE wide_keyless AS SELECT * FROM wide`)
	}
	// Nearly every bucket differs, and of the keys in their order only the last.
	nodes[1].Exec("UPDATE wide SET b = b || 'x' WHERE a > 99000 AND a < 100000; UPDATE wide_keyless SET b = b || 'x' WHERE a % 200 = 0")
	opts := optionsFor(nodes...)
	opts.ChunkBytes, opts.MaxKeys = 4<<20, 3000
	opts.Tables = []string{"public.wide_keyless"}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	report := run(t, opts)
	opts.Tables = []string{"public.wide"}
	keyed := run(t, opts)
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > maxGrowth {
		t.Errorf("the heap has grown by %d MB, want at most %d", grown>>20, maxGrowth>>20)
	}
	if report.Databases[0].Rows != 200_000 || len(report.Differences) != 2000 || len(keyed.Differences) != 999 {
		t.Errorf("compared %+v, found %d and %d", report.Databases, len(report.Differences), len(keyed.Differences))
	}
	wantNothingLeft(t, nodes...)
}

var errEnough = errors.New("enough")

func TestEndingHalfwayLeavesNothing(t *testing.T) {
	t.Parallel()
	nodes := startEqual(t, 3)
	for _, jobs := range []int{1, 3} {
		ctx, stop := context.WithCancelCause(t.Context())
		opts := optionsFor(nodes...)
		opts.Jobs = jobs
		opts.Progress = func(p verify.Progress) {
			if p.Tables == 3 {
				stop(errEnough)
			}
		}
		if _, err := verify.Run(ctx, opts); !errors.Is(err, errEnough) {
			t.Errorf("with %d jobs: %v, want the cause", jobs, err)
		}
		wantNothingLeft(t, nodes...)
	}
}

func TestProgressEndsAtTheWhole(t *testing.T) {
	t.Parallel()
	nodes := startEqual(t, 2)
	opts := optionsFor(nodes...)
	opts.Databases, opts.ChunkBytes, opts.Jobs = []string{"postgres"}, 8192, 2
	var last verify.Progress
	opts.Progress = func(p verify.Progress) {
		if p.Bytes < last.Bytes || p.Tables < last.Tables {
			t.Errorf("progress went from %+v to %+v", last, p)
		}
		last = p
	}
	run(t, opts)
	if last.Tables != last.TablesTotal || last.Bytes != last.BytesTotal || last.Tables == 0 || last.Bytes == 0 {
		t.Errorf("the last progress is %+v", last)
	}
}

func TestHold(t *testing.T) {
	t.Parallel()
	nodes := startEqual(t, 3)
	var held, released atomic.Int64
	opts := optionsFor(nodes...)
	opts.Hold = func(context.Context) (verify.Held, error) {
		held.Add(1)
		return verify.Held{Live: []config.NodeID{0, 2}, Release: func() error { released.Add(1); return nil }}, nil
	}
	nodes[1].Exec("DELETE FROM shop.item") // it is not live
	report := run(t, opts)
	wantEqual(t, report)
	if held.Load() != 2 || released.Load() != 2 || !report.Held || len(report.Nodes) != 2 || len(report.Notes) != 1 {
		t.Errorf("held %d and released %d times for two databases:\n%s", held.Load(), released.Load(), text(t, report))
	}
}

func TestTableThatIsRewrittenAfterTheSnapshotIsComparedAgain(t *testing.T) {
	t.Parallel()
	nodes := startEqual(t, 2)
	opts := optionsFor(nodes...)
	opts.Databases = []string{"postgres"}
	holds := 0
	opts.Hold = func(context.Context) (verify.Held, error) {
		holds++
		release := func() error { return nil }
		if holds <= 2 { // by then the snapshots are taken; the same happens on all nodes
			release = func() error {
				for _, node := range nodes {
					if _, err := node.Try("TRUNCATE shop.item; INSERT INTO shop.item (id, name) VALUES (1, 'new')"); err != nil {
						return err
					}
				}
				return nil
			}
		}
		return verify.Held{Live: []config.NodeID{0, 1}, Release: release}, nil
	}
	wantEqual(t, run(t, opts))
	if holds != 3 {
		t.Errorf("compared %d times, want 3: twice the table was rewritten", holds)
	}
}
