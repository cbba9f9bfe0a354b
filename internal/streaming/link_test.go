package streaming

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/config"
)

// inLink runs a test with a link in a bubble of its own time. observed counts what the
// link has said of the node.
func inLink(t *testing.T, connect Connect, test func(t *testing.T, l *link, observed *atomic.Int32)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var observed atomic.Int32
		l := newLink(1, connect, func() bool { return false }, func(reading, error) { observed.Add(1) })
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { l.run(ctx) })
		test(t, l, &observed)
		cancel()
		running.Wait()
	})
}

func TestLinkLeavesANodeInPeaceThatCannotBeAsked(t *testing.T) {
	var tries atomic.Int32
	connect := func(ctx context.Context, id config.NodeID) (*pgx.Conn, error) {
		tries.Add(1)
		return noServer(ctx, id)
	}
	inLink(t, connect, func(t *testing.T, l *link, observed *atomic.Int32) {
		for range 100 {
			if _, err := l.ask(t.Context(), question{}); !errors.Is(err, errNoServer) {
				t.Fatalf("answer %v", err)
			}
		}
		if tries.Load() != 1 || observed.Load() != 100 {
			t.Errorf("%d tries, %d answers observed", tries.Load(), observed.Load())
		}
		time.Sleep(retryTime)          // of the bubble
		l.ask(t.Context(), question{}) //nolint:errcheck
		if tries.Load() != 2 {
			t.Errorf("%d tries", tries.Load())
		}
	})
}

// TestLinkThatHangsIsOneTry: those who ask meanwhile share the next one, and wait no
// longer than they want.
func TestLinkThatHangsIsOneTry(t *testing.T) {
	var tries atomic.Int32
	connect := func(ctx context.Context, _ config.NodeID) (*pgx.Conn, error) {
		tries.Add(1)
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	inLink(t, connect, func(t *testing.T, l *link, _ *atomic.Int32) {
		began := time.Now()
		var asking sync.WaitGroup
		for range 1000 {
			asking.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
				if _, err := l.ask(ctx, question{}); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("answer %v", err)
				}
			})
		}
		asking.Wait()
		if took := time.Since(began); took != 50*time.Millisecond || tries.Load() != 1 {
			t.Errorf("%v, %d tries", took, tries.Load())
		}
	})
}

func TestAnswerUnderWayWhenTheNodeIsDoubtedDoesNotCount(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	connect := func(context.Context, config.NodeID) (*pgx.Conn, error) {
		close(asked)
		<-answer
		return nil, errNoServer
	}
	var last error
	l := newLink(1, connect, func() bool { return false }, func(_ reading, err error) { last = err })
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { l.run(ctx) })
	running.Go(func() {
		<-asked
		l.renew()
		close(answer)
	})
	if _, err := l.ask(t.Context(), question{}); !errors.Is(err, errStale) {
		t.Errorf("answer %v", err)
	}
	cancel()
	running.Wait()
	if !errors.Is(last, errStale) {
		t.Errorf("observed %v", last)
	}
}

// TestWaitersAreReleasedInTheOrderOfTheirNeed also looks that none is left behind.
func TestWaitersAreReleasedInTheOrderOfTheirNeed(t *testing.T) {
	n := &node{wake: make(chan struct{}, 1)}
	n.standing.Store(&standing{})
	early, late, gone := n.join(moment(1)), n.join(moment(2)), n.join(moment(3))
	if need, any := n.latestNeed(); !any || need != moment(3) {
		t.Errorf("need %v, %t", need, any)
	}
	n.leave(gone)
	n.standing.Store(&standing{fresh: moment(1)})
	n.release()
	if !isClosed(early.done) || isClosed(late.done) {
		t.Error("not the one whose moment has come")
	}
	n.standing.Store(&standing{fresh: moment(5)})
	n.release()
	if _, any := n.latestNeed(); any || !isClosed(late.done) || isClosed(gone.done) {
		t.Error("somebody is left, or was told who had gone")
	}
	n.leave(late) // who has been released may still say goodbye
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func BenchmarkCaught(b *testing.B) {
	m := monitorOf(Settings{CheckPeriod: time.Second}, twoNodes(0))
	n := &node{id: 1, wake: make(chan struct{}, 1)}
	n.standing.Store(&standing{fresh: moment(5)})
	m.nodes[1].Store(n)
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !m.Caught(b.Context(), 1, moment(4), time.Second) {
				b.Fatal("it is known")
			}
		}
	})
	b.Run("delay", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.Delay(1)
		}
	})
}
