package streaming

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/cluster"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/logkey"
)

// Delay is how far a standby is behind the primary.
type Delay struct {
	// Known says that there is fresh evidence for the numbers. Without it the
	// standby must not be taken for one that is near.
	Known bool
	// Bytes is how much WAL the standby has not replayed. It may be 0 where the
	// primary's WAL cannot be measured and ByCommand is true.
	Bytes int64
	// Time is how old the standby's data is at most. For one that has everything it
	// is what asking takes, far below a millisecond on a near network.
	Time time.Duration
	// ByCommand says that Time comes from replication_delay_source_cmd, and that
	// it alone decides.
	ByCommand bool
	// At is when the primary was where the numbers are counted from, or when the
	// command was run.
	At time.Time
	// State and SyncState are those of pg_stat_replication, empty if the primary
	// does not know the standby by its backend_application_name.
	State, SyncState string
}

// Delay returns what is known of a node. The primary's is 0.
func (m *Monitor) Delay(id config.NodeID) Delay {
	v := m.cluster.View()
	if primary, ok := v.Main(); ok && primary == id {
		return Delay{Known: true, At: time.Now()}
	}
	n := m.node(id)
	if n == nil {
		return Delay{}
	}
	return m.delay(n, v, m.current.Load(), time.Now())
}

func (m *Monitor) delay(n *node, v *cluster.View, s *Settings, now time.Time) Delay {
	at := n.standing.Load()
	d := Delay{Bytes: at.bytes, Time: at.lag, At: at.sampled, State: at.state, SyncState: at.syncState}
	d.Known = at.known && at.lagKnown && s.CheckPeriod > 0
	if s.SourceCommand != "" {
		d.Known, d.ByCommand, d.Time = false, true, 0
		if told := n.reported.Load(); told != nil {
			d.Known, d.Time, d.At = told.known, told.delay, told.at
		}
	}
	// While there is no primary nothing is committed, so what was known stays true.
	if _, ok := v.Main(); ok && now.Sub(d.At) > s.evidenceTime() {
		d.Known = false
	}
	if !d.Known {
		d.Bytes, d.Time = 0, 0
	}
	return d
}

// evidenceTime is how long a measurement counts as fresh: until the one after the
// next should be there.
func (s *Settings) evidenceTime() time.Duration {
	age := 2*s.CheckPeriod + askTime
	if s.SourceCommand != "" {
		age += s.sourceTimeout()
	}
	return age
}

// MaxDelay returns the greatest known Time of the standbys in service, and whether
// all of them are known.
func (m *Monitor) MaxDelay() (greatest time.Duration, known bool) {
	v := m.cluster.View()
	known = true
	for _, id := range v.Live() {
		d := m.Delay(id)
		greatest = max(greatest, d.Time)
		known = known && d.Known
	}
	return greatest, known
}

// ServerRole is what the server says of itself, for pg_role in SHOW POOL_NODES:
// "primary", "standby", or "unknown" if it does not answer.
func (m *Monitor) ServerRole(id config.NodeID) string {
	if n := m.node(id); n != nil {
		switch n.standing.Load().role {
		case rolePrimary:
			return "primary"
		case roleStandby:
			return "standby"
		}
	}
	return "unknown"
}

// measurePatience is how long a standby is watched until it has replayed what the
// primary had at the beginning: what takes longer is known to the next round only.
const measurePatience = 250 * time.Millisecond

// measure lets all standbys be watched at the same time, then logs.
func (m *Monitor) measure(ctx context.Context, s Settings) {
	v := m.cluster.View()
	primary, ok := v.Main()
	if !ok {
		return
	}
	var all sync.WaitGroup
	defer all.Wait()
	if s.SourceCommand != "" {
		all.Go(func() { m.askCommand(ctx, s, primary) })
	}
	for _, id := range v.Live() {
		if n := m.node(id); n != nil && id != primary {
			all.Go(func() {
				m.await(ctx, n, time.Now(), min(measurePatience, s.CheckPeriod/2))
				m.logDelay(s, id, primary)
			})
		}
	}
}

// logDelay says what Pgpool-II says, as log_standby_delay demands.
func (m *Monitor) logDelay(s Settings, id, primary config.NodeID) {
	d := m.Delay(id)
	text, over := delayText(d, s, id, primary)
	if s.LogStandbyDelay == "always" || s.LogStandbyDelay == "if_over_threshold" && over {
		m.log.Info(text, nodeField(id), zap.Int64("bytes", d.Bytes), zap.Duration("time", d.Time), zap.String(logkey.Status, d.State))
	}
}

// delayText is the line for a standby, and whether it is over a threshold.
func delayText(d Delay, s Settings, id, primary config.NodeID) (text string, over bool) {
	byTime := d.ByCommand || s.DelayThresholdByTime > 0
	switch {
	case !d.Known:
		return fmt.Sprintf("Replication of node: %d is behind by an unknown amount from the primary server (node: %d)", id, primary),
			s.DelayThreshold > 0 || s.DelayThresholdByTime > 0
	case byTime:
		return fmt.Sprintf("Replication of node: %d is behind %.6f second(s) from the primary server (node: %d)", id, d.Time.Seconds(), primary),
			s.DelayThresholdByTime > 0 && d.Time > s.DelayThresholdByTime
	}
	return fmt.Sprintf("Replication of node: %d is behind %d bytes from the primary server (node: %d)", id, d.Bytes, primary),
		s.DelayThreshold > 0 && d.Bytes > s.DelayThreshold
}
