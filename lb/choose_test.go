package lb

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/cluster"
	"github.com/pgchorus/pgchorus/internal/config"
)

// TestChoose draws with a fixed seed, so it passes always or never. Node 0 is the
// primary.
func TestChoose(t *testing.T) {
	const draws = 30_000
	tests := []struct {
		name    string
		mode    string
		lines   []string
		change  func(*ChooseInput)
		weights []float64
		want    []float64 // share of the draws
		reason  Reason    // of the last draw; None: any
	}{
		{name: "by weight", weights: []float64{1, 2, 1}, want: []float64{.25, .5, .25}, reason: ByWeight},
		{name: "load_balance_mode off", lines: []string{"load_balance_mode = off"}, want: []float64{1, 0, 0}, reason: LoadBalanceOff},
		{name: "raw", mode: "raw", want: []float64{1, 0, 0}},
		{name: "no weights", weights: []float64{0, 0, 0}, want: []float64{1, 0, 0}, reason: NoWeights},
		{name: "no weights and no primary", weights: []float64{0, 0, 0}, change: withoutPrimary, want: []float64{1, 0, 0}},
		{name: "primary without weight", weights: []float64{0, 1, 1}, want: []float64{0, .5, .5}},
		{name: "a node is down", change: live(0, 2), want: []float64{.5, 0, .5}},

		{name: "database to a node", lines: []string{"database_redirect_preference_list = 'shop:2'"}, want: []float64{0, 0, 1}, reason: DatabaseRedirect},
		{name: "database to the primary", lines: []string{"database_redirect_preference_list = 'shop:primary'"}, want: []float64{1, 0, 0}},
		{name: "database to standbys", lines: []string{"database_redirect_preference_list = 'shop:standby'"}, weights: []float64{5, 1, 3}, want: []float64{0, .25, .75}},
		{name: "pattern", lines: []string{"database_redirect_preference_list = 'sh.*:2'"}, want: []float64{0, 0, 1}},
		{name: "pattern is the whole name", lines: []string{"database_redirect_preference_list = 'sho:2'"}, want: []float64{1. / 3, 1. / 3, 1. / 3}},
		{name: "first entry wins", lines: []string{"database_redirect_preference_list = 'shop:2,sh.*:1'"}, want: []float64{0, 0, 1}},
		{name: "part to a node", lines: []string{"database_redirect_preference_list = 'shop:2(0.4)'"}, want: []float64{.3, .3, .4}},
		{name: "part to the primary", lines: []string{"database_redirect_preference_list = 'shop:primary(0.5)'"}, weights: []float64{1, 1, 4}, want: []float64{.5, .1, .4}},
		{name: "part to standbys", lines: []string{"database_redirect_preference_list = 'shop:standby(0.3)'"}, want: []float64{.7, .15, .15}},
		{name: "no part", lines: []string{"database_redirect_preference_list = 'shop:2(0)'"}, want: []float64{.5, .5, 0}},
		{name: "user", lines: []string{"user_redirect_preference_list = 'ann:1'"}, want: []float64{0, 1, 0}, reason: UserRedirect},
		{name: "database before user", lines: []string{"user_redirect_preference_list = 'ann:1'", "database_redirect_preference_list = 'shop:2'"}, want: []float64{0, 0, 1}},
		{name: "application before database", lines: []string{"app_name_redirect_preference_list = 'psql:1'", "database_redirect_preference_list = 'shop:2'"}, want: []float64{0, 1, 0}, reason: AppNameRedirect},
		{name: "list without a match", lines: []string{"app_name_redirect_preference_list = 'x:1'", "database_redirect_preference_list = 'shop:2'"}, want: []float64{0, 0, 1}},
		{
			name: "named node is down, next list", lines: []string{"app_name_redirect_preference_list = 'psql:1(0.2)'", "database_redirect_preference_list = 'shop:2'"},
			change: live(0, 2), want: []float64{0, 0, 1}, reason: DatabaseRedirect,
		},
		{name: "named node is down, no other list", lines: []string{"database_redirect_preference_list = 'shop:1'"}, change: live(0, 2), want: []float64{.5, 0, .5}},
		{name: "named node is not in the view", lines: []string{"database_redirect_preference_list = 'shop:2'"}, change: two, want: []float64{.5, .5, 0}},
		{name: "no standby", lines: []string{"database_redirect_preference_list = 'shop:standby'"}, change: live(0), want: []float64{1, 0, 0}},
		{name: "no primary is known", lines: []string{"database_redirect_preference_list = 'shop:primary'"}, change: withoutPrimary, want: []float64{1. / 3, 1. / 3, 1. / 3}},
		{name: "named node has no weight", lines: []string{"database_redirect_preference_list = 'shop:2'"}, weights: []float64{1, 1, 0}, want: []float64{0, 0, 1}},
		{name: "modes without a primary", mode: "native_replication", lines: []string{"database_redirect_preference_list = 'shop:2'"}, want: []float64{1. / 3, 1. / 3, 1. / 3}},

		{name: "lag without preference", lines: []string{"delay_threshold = 10", "database_redirect_preference_list = 'shop:1'"}, change: lag(20, 1), want: []float64{0, 1, 0}},
		{
			name: "standby that is late", lines: []string{"delay_threshold = 10", "prefer_lower_delay_standby = on", "database_redirect_preference_list = 'shop:1'"},
			change: lag(20, 1), want: []float64{0, 0, 1}, reason: LowerDelay,
		},
		{name: "both are late", lines: []string{"delay_threshold = 10", "prefer_lower_delay_standby = on", "database_redirect_preference_list = 'shop:1'"}, change: lag(20, 30), want: []float64{0, 1, 0}},
		{name: "by weight and late", lines: []string{"delay_threshold = 10", "prefer_lower_delay_standby = on"}, change: lag(20, 1), want: []float64{1. / 3, 0, 2. / 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.mode == "" {
				tt.mode = "streaming_replication"
			}
			nodes := nodesOf(0, 1, 2)
			for i := range tt.weights {
				nodes[i].Weight = tt.weights[i]
			}
			in := ChooseInput{
				Policy: policyOf(t, tt.mode, append(tt.lines, "sr_check_period = 1")...), View: cluster.NewView(1, nodes),
				Main: 0, User: "ann", Database: "shop", Application: "psql",
			}
			if tt.change != nil {
				tt.change(&in)
			}
			random := rand.New(rand.NewPCG(1, 2))
			count := make([]float64, 3)
			for range draws {
				in.Random = random.Uint64()
				choice := Choose(in)
				if count[choice.Node]++; tt.reason != None && choice.Reason != tt.reason {
					t.Fatalf("reason %v, want %v", choice.Reason, tt.reason)
				}
			}
			for id, n := range count {
				if want := tt.want[id] * draws; math.Abs(n-want) > 0.03*draws*max(tt.want[id], 0.1) {
					t.Errorf("node %d was chosen %.0f times of %d, want %.0f", id, n, draws, want)
				}
			}
		})
	}
}

func withoutPrimary(in *ChooseInput) { in.Main = NoNode }

func two(in *ChooseInput) { in.View = cluster.NewView(1, nodesOf(0, 1)[:2]) }

func live(ids ...config.NodeID) func(*ChooseInput) {
	return func(in *ChooseInput) { in.View = viewOf(ids...) }
}

// lag puts nodes 1 and 2 behind by bytes.
func lag(bytes ...int64) func(*ChooseInput) {
	return func(in *ChooseInput) {
		lags := lagging{}
		for i, b := range bytes {
			lags[config.NodeID(i+1)] = Lag{Known: true, Bytes: b}
		}
		in.Lags = lags
	}
}

func TestNoNodeToChoose(t *testing.T) {
	in := ChooseInput{Policy: policyOf(t, "streaming_replication"), View: viewOf(), Main: NoNode}
	if got := Choose(in); got.Node != NoNode {
		t.Errorf("Choose = %+v, want no node", got)
	}
}

func TestLeastDelayed(t *testing.T) {
	byTime := &Policy{Mode: StreamingReplication, DelayThresholdTime: time.Second, DelayThreshold: 1}
	known := func(d time.Duration, b int64) Lag { return Lag{Known: true, Time: d, Bytes: b} }
	tests := []struct {
		name   string
		lags   lagging
		weight float64 // of node 2
		want   config.NodeID
	}{
		{"less time", lagging{1: known(20, 0), 2: known(10, 99)}, 1, 2},
		{"one is over the threshold", lagging{1: known(2*time.Second, 0), 2: known(time.Second, 0)}, 1, 2},
		{"all are", lagging{1: known(2*time.Second, 0), 2: known(time.Minute, 0)}, 1, NoNode},
		{"one is not known", lagging{1: known(time.Millisecond, 0)}, 1, 1},
		{"none is known", lagging{}, 1, NoNode},
		{"no weight", lagging{1: known(20, 0), 2: known(10, 0)}, 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			nodes := nodesOf(0, 1, 2)
			nodes[2].Weight = tt.weight
			if got := leastDelayed(byTime, cluster.NewView(1, nodes), 0, tt.lags, 1); got != tt.want {
				t.Errorf("leastDelayed = %d, want %d", got, tt.want)
			}
		})
	}
}
