package cluster

import (
	"math"
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
)

// HealthStats are the columns of SHOW POOL_HEALTH_CHECK_STATS for one node. Counts
// are of rounds since the start.
type HealthStats struct {
	Node             config.NodeID
	Host             string
	Port             int
	Status           Status
	Role             string // "main" or "replica"
	LastStatusChange time.Time

	Total, Success, Fail uint64
	Skip                 uint64 // the node was out of service; part of Total
	Retry                uint64 // tries after the first, of all rounds
	AverageRetry         float64
	MaxRetry             int

	MaxDuration time.Duration
	// MinDuration is NoDuration before the first round.
	MinDuration time.Duration
	// AverageDuration is in milliseconds, of the rounds that were not skipped;
	// not a number if there is none. So is AverageRetry.
	AverageDuration float64

	// The times are zero for what has not happened yet.
	LastCheck, LastSuccess, LastSkip, LastFail time.Time
}

// NoDuration is the least duration of no round at all: what Pgpool-II shows, the
// largest number of milliseconds in 32 bits.
const NoDuration = math.MaxInt32 * time.Millisecond

// Stats returns the figures of every node in the order of their IDs.
func (m *Manager) Stats() []HealthStats {
	v := m.View()
	m.statsMu.Lock()
	defer m.statsMu.Unlock()

	stats := make([]HealthStats, 0, len(v.Nodes))
	for _, n := range v.Nodes {
		c := m.stats[n.ID]
		if c == nil {
			c = &counters{minDuration: NoDuration}
		}
		stats = append(stats, c.stats(n, v.Role(n.ID)))
	}
	return stats
}

// counters collect what the health check of one node did.
type counters struct {
	success, fail, skip, retry              uint64
	maxRetry                                int
	maxDuration, minDuration, sumDuration   time.Duration
	lastSuccess, lastSkip, lastFail, lastOf time.Time
}

func (c *counters) stats(n Node, role string) HealthStats {
	rounds := float64(c.success + c.fail)
	return HealthStats{
		Node: n.ID, Host: n.Host, Port: n.Port, Status: n.Status, Role: role, LastStatusChange: n.Since,
		Total: c.success + c.fail + c.skip, Success: c.success, Fail: c.fail, Skip: c.skip,
		Retry: c.retry, AverageRetry: float64(c.retry) / rounds, MaxRetry: c.maxRetry,
		MaxDuration: c.maxDuration, MinDuration: c.minDuration,
		AverageDuration: float64(c.sumDuration) / float64(time.Millisecond) / rounds,
		LastCheck:       c.lastOf, LastSuccess: c.lastSuccess, LastSkip: c.lastSkip, LastFail: c.lastFail,
	}
}

// count lets a round be entered into the node's counters.
func (m *Manager) count(id config.NodeID, enter func(*counters)) {
	m.statsMu.Lock()
	defer m.statsMu.Unlock()
	c := m.stats[id]
	if c == nil {
		c = &counters{minDuration: NoDuration}
		m.stats[id] = c
	}
	enter(c)
}

// skipped is a round for a node that is out of service.
func skipped() func(*counters) {
	return func(c *counters) {
		c.skip++
		c.lastOf = time.Now()
		c.lastSkip = c.lastOf
	}
}

// checked is a round that took place.
func checked(retries int, took time.Duration, err error) func(*counters) {
	return func(c *counters) {
		c.lastOf = time.Now()
		if err == nil {
			c.success++
			c.lastSuccess = c.lastOf
		} else {
			c.fail++
			c.lastFail = c.lastOf
		}
		c.retry += uint64(retries)
		c.maxRetry = max(c.maxRetry, retries)
		c.maxDuration = max(c.maxDuration, took)
		c.minDuration = min(c.minDuration, took)
		c.sumDuration += took
	}
}
