package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
)

// world is a memcached that may be lost, nodes, and proxies in front of them. It is for
// testing/synctest: time passes when everybody waits.
type world struct {
	t      *testing.T
	r      *rand.Rand
	server *fakeServer
	board  *board
	tables []*worldTable
}

// worldTable is a table as each node has it: a number that only rises.
type worldTable struct {
	slot   Slot
	turn   chan struct{} // held by who writes
	nodes  [3]atomic.Int64
	acked  atomic.Int64 // acknowledged
	writes atomic.Int64 // ever begun
}

func newWorld(t *testing.T, seed uint64, tables int) *world {
	w := &world{t: t, r: rand.New(rand.NewPCG(seed, 0)), server: &fakeServer{items: map[string]fakeItem{}}, board: &board{shown: map[lockKey]int{}}}
	for i := range tables {
		w.tables = append(w.tables, &worldTable{slot: NewVersions().Name("d", strconv.Itoa(i)), turn: make(chan struct{}, 1)})
	}
	return w
}

// worldProxy is one proxy, with its own way to the server.
type worldProxy struct {
	w     *world
	cache *Cache
	link  *fakeLink
	scope *Scope
	kill  func()
	dead  atomic.Bool
}

// proxy starts one.
func (w *world) proxy(seed uint64) *worldProxy {
	p := &worldProxy{w: w, link: &fakeLink{server: w.server, r: newLockedRand(seed)}}
	p.cache = NewShared(p.link, &boardNodes{board: w.board}, "", 0, 1<<16, zap.NewNop())
	p.scope = p.cache.NewScope("s")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.cache.Run(ctx) // it has no errors
	}()
	p.kill = func() {
		cancel()
		<-ended // no time passes when the test has ended
	}
	return p
}

// write writes a table on all nodes, one after the other, and acknowledges.
func (p *worldProxy) write(table *worldTable, pause func()) {
	table.turn <- struct{}{}
	defer func() { <-table.turn }()
	n := table.writes.Add(1)
	commit := p.cache.Begin([]Slot{table.slot})
	if p.dead.Load() {
		return
	}
	for i := range table.nodes {
		pause()
		table.nodes[i].Store(n)
	}
	if p.dead.Load() {
		return // it is on the nodes, and nobody hears of it
	}
	commit.End(true)
	if !p.dead.Load() {
		table.acked.Store(n)
	}
}

// read reads a table, and complains about an answer from memory that is too old.
func (p *worldProxy) read(table *worldTable, pause func()) (hit bool) {
	before := table.acked.Load()
	key := Key{Scope: p.scope, Text: []byte(strconv.Itoa(int(table.slot)))}
	slots := []Slot{everything, table.slot}
	e, found := p.cache.Find(key, false, slots)
	if e != nil {
		if got, _ := strconv.ParseInt(string(e.Rows), 10, 64); got < before {
			p.w.t.Errorf("at %v: an answer of write %d was given out, %d was acknowledged", time.Since(p.cache.start), got, before)
		}
		return true
	}
	stamps, keeps := p.cache.Stamps(found, slots)
	pause()
	value := table.nodes[rand.IntN(len(table.nodes))].Load()
	pause()
	if keeps {
		p.cache.Put(key, nil, strconv.AppendInt(nil, value, 10), stamps)
	}
	return false
}

// lockedRand may be used by many.
type lockedRand struct {
	mu sync.Mutex
	r  *rand.Rand
}

func newLockedRand(seed uint64) *lockedRand { return &lockedRand{r: rand.New(rand.NewPCG(seed, 1))} }

func (l *lockedRand) IntN(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.IntN(n)
}

// fakeServer is memcached.
type fakeServer struct {
	mu    sync.Mutex
	items map[string]fakeItem
}

type fakeItem struct {
	Item
	ends time.Time
}

func (s *fakeServer) find(key string) (fakeItem, bool) {
	it, found := s.items[key]
	if found && !it.ends.IsZero() && time.Now().After(it.ends) {
		delete(s.items, key)
		return fakeItem{}, false
	}
	return it, found
}

// forget drops everything, or one item in so many.
func (s *fakeServer) forget(oneIn int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.items {
		if rand.IntN(oneIn) == 0 {
			delete(s.items, key)
		}
	}
}

// fakeLink is one proxy's way to the server.
type fakeLink struct {
	server *fakeServer
	r      *lockedRand
	cut    atomic.Bool
}

var errCut = errors.New("cut")

// call does something at the server. When the way is cut it is done or not, at once or
// later, and nobody hears of it.
func (l *fakeLink) call(do func(s *fakeServer)) error {
	time.Sleep(time.Duration(l.r.IntN(2000)) * time.Microsecond)
	done := func() {
		l.server.mu.Lock()
		defer l.server.mu.Unlock()
		do(l.server)
	}
	if !l.cut.Load() {
		done()
		time.Sleep(time.Duration(l.r.IntN(2000)) * time.Microsecond)
		if !l.cut.Load() {
			return nil
		}
		return errCut
	}
	switch l.r.IntN(4) {
	case 0:
		done()
	case 1:
		time.AfterFunc(time.Duration(l.r.IntN(3000))*time.Millisecond, done)
	case 2:
		time.Sleep(callTimeout)
	}
	return errCut
}

func (l *fakeLink) Get(keys []string) (map[string]Item, error) {
	var found atomic.Pointer[map[string]Item] // a late answer is nobody's
	err := l.call(func(s *fakeServer) {
		items := map[string]Item{}
		for _, key := range keys {
			if it, known := s.find(key); known {
				items[key] = it.Item
			}
		}
		found.Store(&items)
	})
	if err != nil {
		return nil, err
	}
	return *found.Load(), nil
}

func expiry(age time.Duration) time.Time {
	if age == 0 {
		return time.Time{}
	}
	return time.Now().Add(age)
}

func (l *fakeLink) Add(key string, item Item, age time.Duration) (bool, error) {
	var added atomic.Bool
	err := l.call(func(s *fakeServer) {
		if _, found := s.find(key); !found {
			s.items[key] = fakeItem{item, expiry(age)}
			added.Store(true)
		}
	})
	return added.Load() && err == nil, err
}

func (l *fakeLink) Set(key string, item Item, age time.Duration) error {
	return l.call(func(s *fakeServer) { s.items[key] = fakeItem{item, expiry(age)} })
}

func (l *fakeLink) Up(key string, n uint64) (uint64, bool, error) {
	var value atomic.Uint64
	var there atomic.Bool
	err := l.call(func(s *fakeServer) {
		it, found := s.find(key)
		if !found {
			return
		}
		old, _ := strconv.ParseUint(string(it.Value), 10, 64)
		it.Value = strconv.AppendUint(nil, old+n, 10)
		s.items[key] = it
		value.Store(old + n)
		there.Store(true)
	})
	return value.Load(), there.Load(), err
}

func (l *fakeLink) Touch(key string, age time.Duration) error {
	return l.call(func(s *fakeServer) {
		if it, found := s.find(key); found {
			it.ends = expiry(age)
			s.items[key] = it
		}
	})
}

func (l *fakeLink) Delete(key string) error {
	return l.call(func(s *fakeServer) { delete(s.items, key) })
}

func (l *fakeLink) Close() {}

// board is what proxies show on the nodes.
type board struct {
	mu    sync.Mutex
	shown map[lockKey]int
}

type lockKey struct {
	class string
	token uint32
}

// boardNodes is one proxy's view of it.
type boardNodes struct {
	board *board
	mine  map[lockKey]bool
}

func (b *boardNodes) Shown(context.Context) (without, returned []uint32, err error) {
	time.Sleep(time.Millisecond)
	b.board.mu.Lock()
	defer b.board.mu.Unlock()
	for key := range b.board.shown {
		if key.class == "without" {
			without = append(without, key.token)
		} else {
			returned = append(returned, key.token)
		}
	}
	return without, returned, nil
}

func (b *boardNodes) show(key lockKey, on bool) {
	time.Sleep(time.Millisecond)
	b.board.mu.Lock()
	defer b.board.mu.Unlock()
	if on {
		if b.mine == nil {
			b.mine = map[lockKey]bool{}
		}
		b.board.shown[key], b.mine[key] = 1, true
		return
	}
	delete(b.board.shown, key)
	delete(b.mine, key)
}

func (b *boardNodes) Declare(_ context.Context, token uint32) error {
	b.show(lockKey{"without", token}, true)
	return nil
}

func (b *boardNodes) Return(_ context.Context, token uint32) error {
	b.show(lockKey{"returned", token}, true)
	b.show(lockKey{"without", token}, false)
	return nil
}

func (b *boardNodes) Withdraw(_ context.Context, token uint32) error {
	b.show(lockKey{"returned", token}, false)
	return nil
}

func (b *boardNodes) Close() {
	for key := range b.mine {
		b.show(key, false)
	}
}
