package lb

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/pgchorus/pgchorus/internal/config"
)

func weights(ws ...float64) []Weighted {
	nodes := make([]Weighted, len(ws))
	for i, w := range ws {
		nodes[i] = Weighted{ID: config.NodeID(i), Weight: w}
	}
	return nodes
}

// TestPickFollowsTheWeights draws with a fixed seed, so it passes always or never.
func TestPickFollowsTheWeights(t *testing.T) {
	const draws = 100_000
	tests := []struct {
		name    string
		weights []float64
		want    []float64 // share of the draws
	}{
		{"equal", []float64{1, 1, 1}, []float64{1. / 3, 1. / 3, 1. / 3}},
		{"unequal", []float64{1, 2, 7}, []float64{0.1, 0.2, 0.7}},
		{"not normalised", []float64{1e8, 1e8}, []float64{0.5, 0.5}},
		{"fractions", []float64{0.25, 0.75}, []float64{0.25, 0.75}},
		{"a zero among others", []float64{0, 1, 1}, []float64{0, 0.5, 0.5}},
		{"a zero at the end", []float64{1, 1, 0}, []float64{0.5, 0.5, 0}},
		{"one node", []float64{3}, []float64{1}},
		{"all zero", []float64{0, 0}, []float64{1, 0}},
		{"no numbers", []float64{math.NaN(), math.Inf(1), -1, 2}, []float64{0, 0, 0, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(1, 2))
			count := make([]float64, len(tt.weights))
			for range draws {
				count[Pick(weights(tt.weights...), random.Uint64())]++
			}
			for id, n := range count {
				if want := tt.want[id] * draws; math.Abs(n-want) > 0.03*want {
					t.Errorf("node %d was chosen %.0f times of %d, want %.0f and at most 3 %% off", id, n, draws, want)
				}
			}
		})
	}
}

func TestPickOfNothingIsNoNode(t *testing.T) {
	if got := Pick(nil, 1); got != NoNode {
		t.Errorf("Pick = %d, want NoNode", got)
	}
}

func TestPickNeverChoosesAZeroWeight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ws := rapid.SliceOfN(rapid.SampledFrom([]float64{0, 0, 1e-9, 0.1, 1, 1e8}), 1, 128).Draw(t, "weights")
		r := rapid.OneOf(rapid.Uint64(), rapid.Just(uint64(math.MaxUint64))).Draw(t, "r")
		got := Pick(weights(ws...), r)
		sum := 0.0
		for _, w := range ws {
			sum += w
		}
		if sum > 0 && ws[got] == 0 || sum == 0 && got != 0 {
			t.Errorf("Pick(%v, %d) = %d", ws, r, got)
		}
	})
}
