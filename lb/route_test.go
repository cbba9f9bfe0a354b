package lb

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/pgchorus/pgchorus/internal/cluster"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/parser"
)

// read is an ordinary read, balanced over three live nodes towards node 1.
func read() Input {
	return Input{
		Traits: Traits{Class: Read}, Policy: &Policy{LoadBalance: true}, View: viewOf(0, 1, 2),
		Main: 0, LoadBalanceNode: 1, Txn: Txn{ReadNode: NoNode},
	}
}

var allModes = []ClusteringMode{NativeReplication, SnapshotIsolation, StreamingReplication, LogicalReplication, Raw}

var writeRules = []config.WriteRule{config.WriteRuleOff, config.WriteRuleTransaction, config.WriteRuleTransTransaction,
	config.WriteRuleAlways, config.WriteRuleDMLAdaptive, config.WriteRuleDMLAdaptiveGlobal}

// drawer draws the parts of an input.
type drawer struct{ *rapid.T }

func (d drawer) flag(name string) bool { return rapid.Bool().Draw(d.T, name) }

// mayNode is any node or none.
func (d drawer) mayNode(name string) config.NodeID {
	return config.NodeID(rapid.IntRange(-1, 2).Draw(d.T, name))
}

func (d drawer) policy(modes ...ClusteringMode) *Policy {
	return &Policy{
		Mode:        rapid.SampledFrom(modes).Draw(d.T, "mode"),
		LoadBalance: d.flag("load_balance_mode"), ReplicateSelect: d.flag("replicate_select"),
		WriteRule:          rapid.SampledFrom(writeRules).Draw(d.T, "disable_load_balance_on_write"),
		DelayThreshold:     int64(rapid.IntRange(0, 2).Draw(d.T, "delay_threshold")),
		DelayThresholdTime: time.Duration(rapid.IntRange(0, 2).Draw(d.T, "delay_threshold_by_time")),
		PreferLowerDelay:   d.flag("prefer_lower_delay_standby"),
	}
}

func (d drawer) traits() Traits {
	t := Traits{
		Class:       rapid.SampledFrom([]Class{Write, Read, State, Control, Bound}).Draw(d.T, "class"),
		EndsFailure: d.flag("ends failure"), Pins: d.flag("pins"),
		Reason: Reason(rapid.IntRange(0, int(endOfReasons)-1).Draw(d.T, "reason")),
	}
	if t.Class == Read {
		t.MainOnly, t.Everywhere = d.flag("main only"), d.flag("everywhere")
	}
	return t
}

func (d drawer) lags() Lags {
	lags := lagging{}
	for id := config.NodeID(0); id < 3; id++ {
		if behind := rapid.IntRange(-1, 3).Draw(d.T, "lag"); behind >= 0 {
			lags[id] = Lag{Known: true, Bytes: int64(behind), Time: time.Duration(behind)}
		}
	}
	return lags
}

// input draws any input whose main node, if there is one, is live.
func (d drawer) input(modes ...ClusteringMode) Input {
	live := rapid.SliceOfNDistinct(rapid.IntRange(0, 2), 1, 3, rapid.ID[int]).Draw(d.T, "live")
	ids := make([]config.NodeID, len(live))
	for i, id := range live {
		ids[i] = config.NodeID(id)
	}
	in := Input{
		Local: d.flag("local"), Traits: d.traits(), Policy: d.policy(modes...),
		Txn: Txn{
			Open: d.flag("open"), Explicit: d.flag("explicit"), Wrote: d.flag("wrote"), Pinned: d.flag("pinned"),
			Failed: d.flag("failed"), ReadOnly: d.flag("read only"),
			RepeatableRead: d.flag("repeatable read"), Serializable: d.flag("serializable"),
			ReadNode: d.mayNode("read node"),
		},
		Past:            Past{Wrote: d.flag("session wrote"), WroteInTransaction: d.flag("session wrote in transaction")},
		Stale:           d.flag("stale"),
		View:            viewOf(ids...),
		Main:            ids[0],
		LoadBalanceNode: d.mayNode("load balance node"),
		Lags:            d.lags(),
		Random:          rapid.Uint64().Draw(d.T, "random"),
	}
	if d.flag("touched") {
		in.Touched = Touch{RelationWritten, "t"}
	}
	if in.Policy.Mode.HasPrimary() && d.flag("no primary") {
		in.Main = NoNode
	}
	return in
}

// TestOnlyReadsRunOnOneNode is the rule that outranks all others where writes run on all
// nodes.
func TestOnlyReadsRunOnOneNode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawer{t}.input(NativeReplication, SnapshotIsolation)
		in.Local = false
		if d := Route(&in); in.Traits.Class != Read && d.Target != AllNodes {
			t.Errorf("Route(%+v) = %v, want all nodes", in, d)
		}
	})
}

func TestOnlyReadsRunOnStandbys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawer{t}.input(StreamingReplication, LogicalReplication)
		d := Route(&in)
		switch {
		case d.Target == AllNodes:
			t.Errorf("Route(%+v) = %v", in, d)
		case d.Target == SessionNodes && in.Traits.Class != State && in.Traits.Class != Control:
			t.Errorf("Route(%+v) = %v, want the primary", in, d)
		case d.Target == OneNode && d.Node != in.Main && (in.Traits.Class != Read || in.Traits.MainOnly):
			t.Errorf("Route(%+v) = %v, want the primary", in, d)
		}
	})
}

func TestReadsFollowWhatWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawer{t}.input(allModes...)
		in.Txn.Open, in.Txn.Wrote = true, true
		if in.Policy.followsWrites() && !in.mayBalanceReadOnly() {
			if d := Route(&in); d.Target == OneNode && d.Node != in.Main {
				t.Errorf("Route(%+v) = %v, want the main node %d", in, d, in.Main)
			}
		}
	})
}

func TestStaleStandbysAreNotRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawer{t}.input(StreamingReplication, LogicalReplication)
		d := Route(&in)
		if d.Target != OneNode || d.Node == in.Main || d.Reason == TransactionReads && in.Txn.RepeatableRead {
			return
		}
		if in.Stale {
			t.Errorf("Route(%+v) = %v, which has not replayed what the session wrote", in, d)
		}
		if in.Policy.checksDelay() && in.Policy.over(in.Lags.Lag(d.Node)) {
			t.Errorf("Route(%+v) = %v, which is too far behind", in, d)
		}
	})
}

func TestRouteNamesLiveNodesOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawer{t}.input(allModes...)
		d := Route(&in)
		if d.Target == OneNode && !in.View.Up(d.Node) {
			t.Errorf("Route(%+v) = %v, which is down", in, d)
		}
		if (d.Target == OneNode) != (d.Node != NoNode) {
			t.Errorf("Route(%+v) = %#v: a node without OneNode, or the reverse", in, d)
		}
		if d.Target == NoPrimary && in.Main != NoNode {
			t.Errorf("Route(%+v) = %v, but the primary is known", in, d)
		}
	})
}

func TestExplainEndsWithRoutesAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawer{t}.input(allModes...)
		d, steps := Route(&in), Explain(&in)
		if again := Route(&in); again != d {
			t.Errorf("Route(%+v) = %v, then %v", in, d, again)
		}
		for i, step := range steps {
			if last := i == len(steps)-1; step.Decides != last || last && step.Decision != d {
				t.Errorf("Route(%+v) = %v, step %d of %d is %+v", in, d, i, len(steps), step)
			}
			if step.Rule == "" || step.Found == "" {
				t.Errorf("step %d says nothing: %+v", i, step)
			}
		}
	})
}

func TestReasonsHaveTexts(t *testing.T) {
	seen := map[string]Reason{}
	for r := None; r < endOfReasons; r++ {
		text := r.About("x")
		if text == "" || text == "unknown" || r.String() == "" {
			t.Errorf("reason %d has no text", r)
		}
		if other, ok := seen[text]; ok {
			t.Errorf("reasons %d and %d have the same text %q", other, r, text)
		}
		seen[text] = r
	}
	if got := endOfReasons.About("x"); got != "unknown" {
		t.Errorf("text of no reason = %q, want unknown", got)
	}
}

func ExampleRoute() {
	view := cluster.NewView(1, []cluster.Node{
		{ID: 0, Status: cluster.Up},
		{ID: 1, Status: cluster.Up},
	})
	policy := &Policy{Mode: NativeReplication, LoadBalance: true}
	for _, sql := range []string{"SELECT 1", "DELETE FROM t", "SELECT nextval('s')"} {
		traits, _ := Examine(&parser.Classify(sql).Statements[0], sql, policy, nil)
		fmt.Println(Route(&Input{Traits: traits, Policy: policy, View: view, Main: 0, LoadBalanceNode: 1}))
	}
	// Output:
	// node 1: load balanced
	// all nodes: writes t
	// all nodes: calls write function nextval()
}

func ExampleExplain() {
	view := cluster.NewPrimaryView(1, []cluster.Node{{ID: 0, Status: cluster.Up}, {ID: 1, Status: cluster.Up}}, 0)
	policy := &Policy{Mode: StreamingReplication, LoadBalance: true, WriteRule: config.WriteRuleTransaction}
	in := Input{
		Traits: Traits{Class: Read}, Policy: policy, View: view, Main: 0, LoadBalanceNode: 1,
		Txn: Txn{Open: true, Explicit: true, Wrote: true, ReadNode: NoNode},
	}
	for _, step := range Explain(&in) {
		fmt.Printf("%s %s\n", step.Rule, step.Found)
	}
	fmt.Println(Route(&in))
	// Output:
	// does pgchorus answer itself? no
	// has the transaction failed? no
	// does it begin or end a transaction? read
	// does it set the session's state, outside of a transaction? read
	// is it more than a read? read
	// is load balancing off? on
	// does something keep the read on the main node? read
	// has the transaction left state on the primary? no
	// has the transaction written? transaction; transaction, written
	// node 0: transaction has written
}
