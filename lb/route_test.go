package lb

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/pgchorus/pgchorus/internal/cluster"
	"github.com/pgchorus/pgchorus/internal/config"
)

// viewOf makes a view of three nodes of which the given ones are live.
func viewOf(live ...config.NodeID) *cluster.View {
	nodes := make([]cluster.Node, 3)
	for i := range nodes {
		nodes[i] = cluster.Node{ID: config.NodeID(i), Status: cluster.Down, Weight: 1}
	}
	for _, id := range live {
		nodes[id].Status = cluster.Up
	}
	return cluster.NewView(1, nodes)
}

// read is an ordinary read, balanced over three live nodes towards node 1.
func read() Input {
	return Input{
		ReadOnly: true, LoadBalanceMode: true, View: viewOf(0, 1, 2),
		Main: 0, LoadBalanceNode: 1, Txn: Txn{ReadNode: NoNode},
	}
}

func TestRoute(t *testing.T) {
	open := func(change func(*Txn)) func(*Input) {
		return func(in *Input) {
			in.Txn.Open = true
			if change != nil {
				change(&in.Txn)
			}
		}
	}
	tests := []struct {
		name   string
		change func(*Input)
		want   string
	}{
		{"read outside a transaction", func(in *Input) {}, "node 1: load balanced"},
		{"read when the load balance node is the main node", func(in *Input) { in.LoadBalanceNode = 0 }, "node 0: load balanced"},
		{"read when the load balance node is down", func(in *Input) { in.View = viewOf(0, 2) }, "node 0: load balance node is down"},
		{"read when none was chosen", func(in *Input) { in.LoadBalanceNode = NoNode }, "node 0: load balance node is down"},
		{"read with load_balance_mode off", func(in *Input) { in.LoadBalanceMode = false }, "node 0: load_balance_mode is off"},
		{"read with load_balance_mode off, node 0 down", func(in *Input) { in.LoadBalanceMode, in.Main = false, 2 }, "node 2: load_balance_mode is off"},
		{"read with replicate_select", func(in *Input) { in.ReplicateSelect = true }, "all nodes: replicate_select is on"},
		{"replicate_select before load_balance_mode", func(in *Input) { in.ReplicateSelect, in.LoadBalanceMode = true, false }, "all nodes: replicate_select is on"},
		{"read with the comment", func(in *Input) { in.NoLoadBalance = true }, "node 0: comment says so"},
		{"first read in a transaction", open(nil), "node 1: load balanced"},
		{"next read in a transaction", open(func(x *Txn) { x.ReadNode = 2 }), "node 2: transaction reads there"},
		{"next read when its node is down", func(in *Input) { in.Txn = Txn{Open: true, ReadNode: 2}; in.View = viewOf(0, 1) }, "node 1: load balanced"},
		{"read after a write in the transaction", open(func(x *Txn) { x.Wrote = true }), "node 0: transaction has written"},
		{"the same with a node it has read from", open(func(x *Txn) { x.Wrote, x.ReadNode = true, 2 }), "node 0: transaction has written"},
		{"read at repeatable read", open(func(x *Txn) { x.RepeatableRead = true }), "node 0: transaction keeps one snapshot"},
		{"read at serializable", open(func(x *Txn) { x.Serializable = true }), "node 0: transaction keeps one snapshot"},
		{"isolation outside a transaction", func(in *Input) { in.Txn.Serializable = true }, "node 1: load balanced"},
		{"read in a failed transaction", open(func(x *Txn) { x.Failed = true }), "here: transaction has failed"},
		{"ROLLBACK of a failed transaction", func(in *Input) { in.ReadOnly, in.Txn = false, Txn{Open: true, Failed: true} }, "all nodes: writes"},
		{"write", func(in *Input) { in.ReadOnly = false }, "all nodes: writes"},
		{"write with the comment", func(in *Input) { in.ReadOnly, in.NoLoadBalance = false, true }, "all nodes: writes"},
		{"write with one node left", func(in *Input) { in.ReadOnly, in.View = false, viewOf(1) }, "all nodes: writes"},
		{"SHOW POOL_NODES", func(in *Input) { in.Local = true }, "here: no node knows it"},
		{"read in raw mode", func(in *Input) { in.Mode = Raw }, "node 0: raw mode"},
		{"write in raw mode", func(in *Input) { in.Mode, in.ReadOnly, in.Main = Raw, false, 2 }, "node 2: raw mode"},
		{"replicate_select in raw mode", func(in *Input) { in.Mode, in.ReplicateSelect = Raw, true }, "node 0: raw mode"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := read()
			tt.change(&in)
			if got := Route(in).String(); got != tt.want {
				t.Errorf("Route = %q, want %q", got, tt.want)
			}
		})
	}
}

// anyInput draws any input whose main node is a live one.
func anyInput() *rapid.Generator[Input] {
	return rapid.Custom(func(t *rapid.T) Input {
		live := rapid.SliceOfNDistinct(rapid.IntRange(0, 2), 1, 3, rapid.ID[int]).Draw(t, "live")
		ids := make([]config.NodeID, len(live))
		for i, id := range live {
			ids[i] = config.NodeID(id)
		}
		flag := func(name string) bool { return rapid.Bool().Draw(t, name) }
		maybe := rapid.Map(rapid.IntRange(-1, 2), func(i int) config.NodeID { return config.NodeID(i) })
		return Input{
			Local: flag("local"), ReadOnly: flag("read only"),
			LoadBalanceMode: flag("load_balance_mode"), ReplicateSelect: flag("replicate_select"),
			NoLoadBalance: flag("no load balance"),
			Txn: Txn{
				Open: flag("open"), Wrote: flag("wrote"), Failed: flag("failed"),
				RepeatableRead: flag("repeatable read"), Serializable: flag("serializable"),
				ReadNode: maybe.Draw(t, "read node"),
			},
			View:            viewOf(ids...),
			Main:            ids[0],
			LoadBalanceNode: maybe.Draw(t, "load balance node"),
			Mode:            rapid.SampledFrom([]ClusteringMode{NativeReplication, Raw}).Draw(t, "mode"),
		}
	})
}

func TestRouteNeverSendsAWriteToOneNode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput().Draw(t, "input")
		in.Mode, in.ReadOnly, in.Local = NativeReplication, false, false
		if d := Route(in); d.Target != AllNodes {
			t.Errorf("Route(%+v) = %v, want all nodes", in, d)
		}
	})
}

func TestRouteSendsToLiveNodesOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput().Draw(t, "input")
		d := Route(in)
		if d.Target == OneNode && !in.View.Up(d.Node) {
			t.Errorf("Route(%+v) = %v, which is down", in, d)
		}
		if (d.Target == OneNode) != (d.Node != NoNode) {
			t.Errorf("Route(%+v) = %#v: a node without OneNode, or the reverse", in, d)
		}
	})
}

func TestRouteReadsOnTheMainNodeAfterAWrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput().Draw(t, "input")
		in.Txn.Open, in.Txn.Wrote = true, true
		if d := Route(in); d.Target == OneNode && d.Node != in.Main {
			t.Errorf("Route(%+v) = %v, want the main node %d", in, d, in.Main)
		}
	})
}

func TestReasonsHaveTexts(t *testing.T) {
	seen := make(map[string]Reason)
	for r := Writes; r <= AnsweredHere; r++ {
		text := r.String()
		if text == "" || text == "unknown" {
			t.Errorf("reason %d has no text", r)
		}
		if other, ok := seen[text]; ok {
			t.Errorf("reasons %d and %d have the same text %q", other, r, text)
		}
		seen[text] = r
	}
	if got := Reason(len(reasonTexts)).String(); got != "unknown" {
		t.Errorf("String of no reason = %q, want unknown", got)
	}
}

func ExampleRoute() {
	view := cluster.NewView(1, []cluster.Node{
		{ID: 0, Status: cluster.Up},
		{ID: 1, Status: cluster.Up},
	})
	in := Input{LoadBalanceMode: true, View: view, Main: 0, LoadBalanceNode: 1}

	in.ReadOnly = true
	fmt.Println(Route(in))
	in.ReadOnly = false
	fmt.Println(Route(in))
	// Output:
	// node 1: load balanced
	// all nodes: writes
}
