package follow

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/logkey"
)

// firstPause and maxPause are the time between two attempts to follow a node.
const (
	firstPause = 200 * time.Millisecond
	maxPause   = 10 * time.Second
)

// link follows one node in one database, again and again. Its goroutine is run's.
type link struct {
	f        *Follower
	database *database
	id       config.NodeID
	stop     context.CancelCauseFunc
	ended    chan struct{} // closed when run has returned

	mu    sync.Mutex // guards the field below
	stand stand
}

// stand is how a link stands.
type stand struct {
	// ready: the node is followed, and what was kept before has been made worthless.
	ready bool
	// fresh: everything that was committed before then is known.
	fresh  time.Time
	since  time.Time
	reason string // why it is not ready
}

func (l *link) standing() stand {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stand
}

// run follows until ctx ends.
func (l *link) run(ctx context.Context) {
	defer close(l.ended)
	pause := firstPause
	for ctx.Err() == nil {
		err := l.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if isGone(err) {
			l.database.goes(l)
			return
		}
		if l.standing().ready {
			pause = firstPause
		}
		l.lose(err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, maxPause)
	}
}

// follow makes the connections and follows until one of them is lost.
func (l *link) follow(ctx context.Context) error {
	at, err := l.f.openAsker(ctx, l.id, l.database.name)
	if err != nil {
		return err
	}
	defer at.close()
	s, err := l.f.openStream(ctx, l.id, l.database.name)
	if err != nil {
		return err
	}
	err = newReading(l, at, s).run(ctx)
	if errors.Is(context.Cause(ctx), errLeaving) {
		l.awaitSlotGone(at, s.slot)
	}
	return err
}

// lose says that the node is not followed. The same reason is told once.
func (l *link) lose(err error) {
	l.mu.Lock()
	again := !l.stand.ready && l.stand.reason == err.Error()
	if !again {
		l.stand = stand{since: time.Now(), reason: err.Error()}
	}
	l.mu.Unlock()
	l.database.renew()
	if again {
		return
	}
	l.log().Warn("node is not followed, so nothing is answered from memory in this database", zap.Error(err), zap.String("hint", hintFor(err)))
}

// awaitSlotGone waits until the node has noticed that a stream is closed, so that nothing
// of ours stands in the way of DROP DATABASE.
func (l *link) awaitSlotGone(at *asker, slot string) {
	// What has led to here has ended the caller's context.
	ctx, stop := context.WithTimeout(context.Background(), askTimeout)
	defer stop()
	if at.conn.IsClosed() { // a question was under way
		again, err := l.f.openAsker(ctx, l.id, l.database.name)
		if err != nil {
			return
		}
		defer again.close()
		at = again
	}
	at.awaitSlotGone(ctx, slot)
}

// gain says that the node is followed, as of a moment.
func (l *link) gain(fresh time.Time) {
	l.mu.Lock()
	first := !l.stand.ready
	if first {
		l.stand = stand{ready: true, since: time.Now()}
	}
	l.stand.fresh = fresh
	l.mu.Unlock()
	l.database.renew()
	if first {
		l.log().Info("node is followed: others' writes end cached answers of this database")
	}
}

func (l *link) log() *zap.Logger {
	return l.f.Log.With(zap.String(logkey.Database, l.database.name), zap.Int(logkey.Node, int(l.id)))
}
