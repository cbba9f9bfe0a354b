package streaming

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
)

const (
	// openTime bounds the opening of a connection.
	openTime = 5 * time.Second
	// askTime bounds a question.
	askTime = 2 * time.Second
	// closeTime bounds the farewell on a connection that is not needed any more.
	closeTime = time.Second
	// retryTime is how long a node that could not be asked is left in peace.
	retryTime = 100 * time.Millisecond
)

// link owns the connection to one node. Those who ask at the same time share the
// answer; there is one query at a time. Run does the asking.
type link struct {
	id      config.NodeID
	connect Connect
	logical func() bool
	// observe is called with each answer, or with the error in its place, before
	// those who asked hear of it.
	observe func(r reading, err error)

	wake chan struct{} // holds a token if there is something to do

	mu     sync.Mutex // guards the fields below
	next   *batch     // the question to put next, nil if nobody asks
	unused bool       // the connection is to be closed
	stale  bool       // it is to be replaced before the next question

	conn     *conn // of run only, as are the fields below
	sessions uint64
	failed   time.Time // when the node could not be asked, and why
	failure  error
}

// batch is a question that has not been put yet.
type batch struct {
	question
	done   chan struct{} // closed when reading and err are set
	result reading
	err    error
}

// errStale is in place of an answer that was under way when the node was doubted.
var errStale = errors.New("the connection may have been replaced meanwhile")

func newLink(id config.NodeID, connect Connect, logical func() bool, observe func(reading, error)) *link {
	return &link{id: id, connect: connect, logical: logical, observe: observe, wake: make(chan struct{}, 1)}
}

// ask returns an answer to a question that is put after the call.
func (l *link) ask(ctx context.Context, q question) (reading, error) {
	b := l.join(q)
	select {
	case <-b.done:
		return b.result, b.err
	case <-ctx.Done():
		return reading{}, context.Cause(ctx)
	}
}

func (l *link) join(q question) *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next == nil {
		l.next = &batch{done: make(chan struct{})}
		l.signal()
	}
	l.next.facts = l.next.facts || q.facts
	l.next.flush = l.next.flush || q.flush
	l.unused = false
	return l.next
}

// release closes the connection unless somebody asks again.
func (l *link) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unused = l.next == nil
	l.signal()
}

// renew lets the next question be put on a new connection.
func (l *link) renew() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stale = true
}

func (l *link) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// take returns the question to put, and whether the connection is to be closed first.
func (l *link) take() (b *batch, closes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, l.next = l.next, nil
	closes = l.unused || l.stale
	l.stale = false
	return b, closes
}

// run puts the questions until ctx ends.
func (l *link) run(ctx context.Context) {
	defer l.close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		}
		b, closes := l.take()
		if closes {
			l.close()
		}
		if b == nil {
			continue
		}
		b.result, b.err = l.put(ctx, b.question)
		if l.isStale() {
			b.result, b.err = reading{}, errStale
		}
		l.observe(b.result, b.err)
		close(b.done)
	}
}

func (l *link) isStale() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stale
}

func (l *link) put(ctx context.Context, q question) (reading, error) {
	if l.failure != nil && time.Since(l.failed) < retryTime {
		return reading{}, l.failure
	}
	r, err := l.read(ctx, q)
	l.failure, l.failed = err, time.Now()
	if err != nil {
		l.close()
	}
	return r, err
}

func (l *link) read(ctx context.Context, q question) (reading, error) {
	if l.conn == nil {
		if err := l.open(ctx); err != nil {
			return reading{}, fmt.Errorf("connect: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	r, err := l.conn.read(ctx, l.logical(), q)
	if err != nil {
		return reading{}, fmt.Errorf("ask: %w", err)
	}
	return r, nil
}

func (l *link) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	c, err := l.connect(ctx, l.id)
	if err != nil {
		return err
	}
	l.sessions++
	if l.conn, err = begin(ctx, c, l.sessions); err != nil {
		bid(c.Close)
	}
	return err
}

func (l *link) close() {
	if l.conn != nil {
		bid(l.conn.Close)
		l.conn = nil
	}
}

// bid says goodbye. The context of the one who closes may have ended already.
func bid(close func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	_ = close(ctx) // it is closed for us, whatever the server makes of it
}
