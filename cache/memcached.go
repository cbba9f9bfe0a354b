package cache

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

// Server is what [Shared] needs of memcached. An error says that it is not known whether
// the server has done what was asked. Safe for concurrent use.
type Server interface {
	// Get returns the items that are there, by their keys.
	Get(keys []string) (map[string]Item, error)
	// Add stores an item unless there is one by that key, which it reports.
	Add(key string, item Item, age time.Duration) (added bool, err error)
	// Set stores an item in the place of what is there.
	Set(key string, item Item, age time.Duration) error
	// Up adds to a number; found is false if there is none.
	Up(key string, n uint64) (value uint64, found bool, err error)
	// Touch begins an item's age anew, if it is there.
	Touch(key string, age time.Duration) error
	// Delete drops an item, if it is there, over a connection that is made for it if need be.
	Delete(key string) error
	// Close ends all connections.
	Close()
}

// Item is what memcached keeps.
type Item struct {
	Value []byte
	Flags uint32
}

const (
	// callTimeout bounds each read and write of a socket to memcached, and making one.
	callTimeout = 250 * time.Millisecond
	// maxConnections bounds the connections in use: memcached lets in 1024 unless it is told
	// otherwise (option -c).
	maxConnections = 128
	// MaxItem is the longest item that memcached takes unless it is told otherwise
	// (option -I), less what it adds.
	MaxItem = 1<<20 - 512
	// maxReply bounds what one call may bring: an entry with its counters.
	maxReply = 4 * MaxItem
)

// Memcached is a Server over the network.
type Memcached struct {
	client *memcache.Client
	turns  chan struct{} // one for each connection in use
}

var _ Server = (*Memcached)(nil)

// NewMemcached returns the memcached at a host and port, or, if host begins with a slash,
// at a Unix socket (memqcache_memcached_host, memqcache_memcached_port). It connects when it
// is asked something, and looks the host's name up each time.
func NewMemcached(host string, port int) *Memcached {
	at := address{"tcp", net.JoinHostPort(host, strconv.Itoa(port))}
	if strings.HasPrefix(host, "/") {
		at = address{"unix", host}
	}
	client := memcache.NewFromSelector(at)
	client.Timeout, client.MaxIdleConns, client.DialContext = callTimeout, maxConnections, dialBounded
	return &Memcached{client: client, turns: make(chan struct{}, maxConnections)}
}

// address is the one server that all keys are at.
type address struct{ network, text string }

func (a address) Network() string                     { return a.network }
func (a address) String() string                      { return a.text }
func (a address) PickServer(string) (net.Addr, error) { return a, nil }
func (a address) Each(do func(net.Addr) error) error  { return do(a) }

func dialBounded(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &boundedConn{Conn: conn}, nil
}

// boundedConn does not read more between two writes than a reply may have.
type boundedConn struct {
	net.Conn
	read int
}

func (c *boundedConn) Write(b []byte) (int, error) {
	c.read = 0
	return c.Conn.Write(b)
}

func (c *boundedConn) Read(b []byte) (int, error) {
	if c.read > maxReply {
		return 0, fmt.Errorf("memcached: reply of more than %d bytes", maxReply)
	}
	n, err := c.Conn.Read(b)
	c.read += n
	return n, err
}

// enter takes a turn, for which it waits no longer than a call may take.
func (m *Memcached) enter() error {
	select {
	case m.turns <- struct{}{}:
		return nil
	default:
	}
	limit := time.NewTimer(callTimeout)
	defer limit.Stop()
	select {
	case m.turns <- struct{}{}:
		return nil
	case <-limit.C:
		return errors.New("memcached: all connections are in use")
	}
}

func (m *Memcached) leave() { <-m.turns }

// Get implements Server.
func (m *Memcached) Get(keys []string) (map[string]Item, error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	defer m.leave()
	found, err := m.client.GetMulti(keys)
	if err != nil {
		return nil, err
	}
	items := make(map[string]Item, len(found))
	for key, it := range found {
		items[key] = Item{Value: it.Value, Flags: it.Flags}
	}
	return items, nil
}

// Add implements Server.
func (m *Memcached) Add(key string, item Item, age time.Duration) (bool, error) {
	if err := m.enter(); err != nil {
		return false, err
	}
	defer m.leave()
	err := m.client.Add(itemOf(key, item, age))
	if errors.Is(err, memcache.ErrNotStored) {
		return false, nil
	}
	return err == nil, err
}

// Set implements Server.
func (m *Memcached) Set(key string, item Item, age time.Duration) error {
	if err := m.enter(); err != nil {
		return err
	}
	defer m.leave()
	return m.client.Set(itemOf(key, item, age))
}

func itemOf(key string, item Item, age time.Duration) *memcache.Item {
	return &memcache.Item{Key: key, Value: item.Value, Flags: item.Flags, Expiration: seconds(age)}
}

// maxSeconds is the longest age that memcached takes for one; more is a date.
const maxSeconds = 30 * 24 * 3600

// seconds is an age as memcached has it; 0 is none.
func seconds(age time.Duration) int32 {
	return int32(min((age+time.Second-1)/time.Second, maxSeconds))
}

// Up implements Server.
func (m *Memcached) Up(key string, n uint64) (uint64, bool, error) {
	if err := m.enter(); err != nil {
		return 0, false, err
	}
	defer m.leave()
	value, err := m.client.Increment(key, n)
	if errors.Is(err, memcache.ErrCacheMiss) {
		return 0, false, nil
	}
	return value, err == nil, err
}

// Touch implements Server.
func (m *Memcached) Touch(key string, age time.Duration) error {
	if err := m.enter(); err != nil {
		return err
	}
	defer m.leave()
	return there(m.client.Touch(key, seconds(age)))
}

// Delete implements Server. The idle connections are given up first: it is called when one
// of them has failed, and then the others are no better.
func (m *Memcached) Delete(key string) error {
	if err := m.enter(); err != nil {
		return err
	}
	defer m.leave()
	_ = m.client.Close() // of what is not in use
	return there(m.client.Delete(key))
}

func there(err error) error {
	if errors.Is(err, memcache.ErrCacheMiss) {
		return nil
	}
	return err
}

// Close implements Server.
func (m *Memcached) Close() { _ = m.client.Close() }
