package streaming

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/cluster"
	"github.com/pgchorus/pgchorus/internal/config"
)

// fixedCluster shows one view and takes no part in anything.
type fixedCluster struct{ view *cluster.View }

var errFixed = errors.New("this cluster does not change")

func (c fixedCluster) View() *cluster.View      { return c.view }
func (c fixedCluster) Changed() <-chan struct{} { return nil }
func (c fixedCluster) SetPrimary(context.Context, config.NodeID, string) (*cluster.View, error) {
	return c.view, errFixed
}
func (c fixedCluster) DetachFalsePrimary(context.Context, config.NodeID, string) error {
	return errFixed
}
func (c fixedCluster) Return(context.Context, config.NodeID, string) error { return errFixed }

var errNoServer = errors.New("connection refused")

func noServer(context.Context, config.NodeID) (*pgx.Conn, error) { return nil, errNoServer }

// twoNodes is a view with the given primary of the nodes 0 and 1.
func twoNodes(primary config.NodeID) *cluster.View {
	return cluster.NewPrimaryView(1, []cluster.Node{{ID: 0, Status: cluster.Up}, {ID: 1, Status: cluster.Up}}, primary)
}

func monitorOf(s Settings, v *cluster.View) *Monitor {
	return New(func() Settings { return s }, fixedCluster{v}, noServer, zap.NewNop())
}

func TestDelay(t *testing.T) {
	near := standing{role: roleStandby, known: true, lagKnown: true, bytes: 10, lag: time.Second, sampled: moment(100), state: "streaming", syncState: "async"}
	command := Settings{CheckPeriod: time.Second, SourceCommand: "x", SourceTimeout: 5 * time.Second}
	tests := []struct {
		name     string
		settings Settings
		standing standing
		reported *commandDelay
		primary  config.NodeID
		now      float64
		want     Delay
	}{
		{"fresh", Settings{CheckPeriod: time.Second}, near, nil, 0, 101,
			Delay{Known: true, Bytes: 10, Time: time.Second, At: moment(100), State: "streaming", SyncState: "async"}},
		{"the next measurement is late", Settings{CheckPeriod: time.Second}, near, nil, 0, 104,
			Delay{Known: true, Bytes: 10, Time: time.Second, At: moment(100), State: "streaming", SyncState: "async"}},
		{"too old", Settings{CheckPeriod: time.Second}, near, nil, 0, 104.1, Delay{At: moment(100), State: "streaming", SyncState: "async"}},
		{"old, but nothing was committed since", Settings{CheckPeriod: time.Second}, near, nil, -1, 1000,
			Delay{Known: true, Bytes: 10, Time: time.Second, At: moment(100), State: "streaming", SyncState: "async"}},
		{"not measured", Settings{}, near, nil, 0, 100, Delay{At: moment(100), State: "streaming", SyncState: "async"}},
		{"never asked", Settings{CheckPeriod: time.Second}, standing{}, nil, 0, 100, Delay{}},
		{"the lag in time is not known", Settings{CheckPeriod: time.Second}, standing{known: true, bytes: 10, sampled: moment(100)}, nil, 0, 100, Delay{At: moment(100)}},
		{"by command", command, near, &commandDelay{known: true, delay: time.Minute, at: moment(100)}, 0, 101,
			Delay{Known: true, ByCommand: true, Bytes: 10, Time: time.Minute, At: moment(100), State: "streaming", SyncState: "async"}},
		{"by command alone", command, standing{}, &commandDelay{known: true, delay: time.Minute, at: moment(100)}, 0, 101,
			Delay{Known: true, ByCommand: true, Time: time.Minute, At: moment(100)}},
		{"the command does not know", command, near, &commandDelay{at: moment(100)}, 0, 101,
			Delay{ByCommand: true, At: moment(100), State: "streaming", SyncState: "async"}},
		{"the command has not run yet", command, near, nil, 0, 101, Delay{ByCommand: true, At: moment(100), State: "streaming", SyncState: "async"}},
		{"the command ran long ago", command, near, &commandDelay{known: true, delay: time.Minute, at: moment(50)}, 0, 101,
			Delay{ByCommand: true, At: moment(50), State: "streaming", SyncState: "async"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := &node{id: 1}
			n.standing.Store(&tt.standing)
			n.reported.Store(tt.reported)
			v := twoNodes(tt.primary)
			if got := monitorOf(tt.settings, v).delay(n, v, &tt.settings, moment(tt.now)); got != tt.want {
				t.Errorf("delay %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestBeforeRunNothingIsKnown(t *testing.T) {
	m := monitorOf(Settings{CheckPeriod: time.Second}, twoNodes(0))
	if d := m.Delay(1); d != (Delay{}) {
		t.Errorf("delay %+v", d)
	}
	if d := m.Delay(0); !d.Known {
		t.Errorf("the primary's delay is %+v", d)
	}
	for _, id := range []config.NodeID{-1, 1, config.MaxNodes} {
		if m.Caught(t.Context(), id, time.Now(), time.Hour) {
			t.Errorf("node %d has caught up", id)
		}
		m.Doubt(id)
	}
	if greatest, known := m.MaxDelay(); greatest != 0 || known {
		t.Errorf("greatest delay %v, %t", greatest, known)
	}
}
