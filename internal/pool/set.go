package pool

import (
	"maps"
	"sort"
	"strings"
	"time"

	"github.com/pgchorus/pgchorus/internal/backend"
	"github.com/pgchorus/pgchorus/internal/config"
)

// Key is what two sessions must have in common to use the same connections
// (Pgpool-II: user, database, protocol version and the start-up parameters).
type Key struct {
	User, Database string
	params         string
}

// KeyOf makes the key of a start-up packet's parameters.
func KeyOf(params map[string]string) Key {
	names := make([]string, 0, len(params))
	for name := range params {
		names = append(names, name)
	}
	sort.Strings(names)
	var all strings.Builder
	for _, name := range names {
		all.WriteString(name + "\x00" + params[name] + "\x00")
	}
	return Key{User: params["user"], Database: params["database"], params: all.String()}
}

// Set is the connections of one session. It belongs to the session that took it.
type Set struct {
	Key   Key
	Conns map[config.NodeID]*backend.Conn
	// Isolation is default_transaction_isolation as it is after log-in.
	Isolation string
	// Scope is that of the query cache after log-in; empty until it is asked for.
	Scope string
	// TimesOut: statement_timeout or its like is set after log-in.
	TimesOut bool

	Created time.Time
	Uses    int // sessions that had the set
	// Connected and Disconnected are when the last session took and returned it.
	Connected, Disconnected time.Time

	// Settings is what was set on all of its connections since log-in, and Kept what their
	// last borrower knows of them (transaction pooling).
	Settings string
	Kept     any

	group *group // of a set that Loans lends
}

// copied is what others may look at while the set goes on being used.
func (s *Set) copied() Set {
	out := *s
	out.Conns, out.Kept = maps.Clone(s.Conns), nil
	return out
}

// newSet returns an empty set in use.
func newSet(key Key) *Set {
	now := time.Now()
	return &Set{Key: key, Conns: map[config.NodeID]*backend.Conn{}, Created: now, Connected: now, Uses: 1}
}

// PIDs are the process numbers of the set's backends.
func (s Set) PIDs() map[config.NodeID]uint32 {
	pids := make(map[config.NodeID]uint32, len(s.Conns))
	for id, conn := range s.Conns {
		pids[id] = conn.PID()
	}
	return pids
}
