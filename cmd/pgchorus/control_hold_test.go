package main

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/cluster"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/verify"
	"github.com/pgchorus/pgchorus/replicator"
)

// startHolding serves requests to hold on a socket until the test ends.
func startHolding(t *testing.T, window *replicator.Window) verify.Hold {
	t.Helper()
	path := filepath.Join(t.TempDir(), "control")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	view := cluster.NewView(1, []cluster.Node{{ID: 0, Status: cluster.Down}, {ID: 1, Status: cluster.Up}, {ID: 2, Status: cluster.Up}})
	hold := holdCommits(window, func() *cluster.View { return view })
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			var line [len(holdRequest) + 1]byte
			if _, err := nc.Read(line[:]); err == nil {
				serveHold(t.Context(), nc, hold)
			}
			nc.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return holdOver(path)
}

// commitStarts reports whether a COMMIT gets through before held ends.
func commitStarts(window *replicator.Window) <-chan struct{} {
	through := make(chan struct{})
	go func() { _ = window.Commit(context.Background(), func() { close(through) }) }()
	return through
}

func TestHoldKeepsCommitsBackUntilReleased(t *testing.T) {
	t.Parallel()
	window := replicator.NewWindow()
	held, err := startHolding(t, window)(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := []config.NodeID{1, 2}; !slices.Equal(held.Live, want) {
		t.Errorf("live nodes %v, want %v", held.Live, want)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := window.Commit(ctx, func() {}); !errors.Is(err, context.Canceled) {
		t.Errorf("a COMMIT under the hold: %v, want that it waits", err)
	}
	through := commitStarts(window)
	if err := held.Release(); err != nil {
		t.Errorf("release: %v", err)
	}
	<-through
}

func TestHoldWaitsForCommitsUnderWay(t *testing.T) {
	t.Parallel()
	window := replicator.NewWindow()
	hold := startHolding(t, window)
	inside, finish := make(chan struct{}), make(chan struct{})
	go func() { _ = window.Commit(context.Background(), func() { close(inside); <-finish }) }()
	<-inside
	ended := make(chan error, 1)
	go func() {
		held, err := hold(t.Context())
		if err == nil {
			err = held.Release()
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		t.Errorf("held while a COMMIT was under way: %v", err)
	case <-time.After(20 * time.Millisecond): // it would have been a mistake of the Window's, which has its own tests
	}
	close(finish)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestHoldEndsByItself(t *testing.T) {
	t.Parallel()
	window := replicator.NewWindow()
	held, err := startHolding(t, window)(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	<-commitStarts(window) // after holdLimit
	if err := held.Release(); err == nil {
		t.Error("release of a hold that has ended: no error")
	}
}

func TestHoldOfNobody(t *testing.T) {
	t.Parallel()
	if _, err := holdOver(filepath.Join(t.TempDir(), "nobody"))(t.Context()); err == nil {
		t.Error("held without a server")
	}
}
