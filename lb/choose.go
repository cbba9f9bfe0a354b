package lb

import (
	"github.com/pgchorus/pgchorus/internal/cluster"
	"github.com/pgchorus/pgchorus/internal/config"
)

// ChooseInput is all that Choose looks at.
type ChooseInput struct {
	Policy *Policy
	View   *cluster.View
	// Main is the main node: the primary in the modes that have one, or NoNode.
	Main config.NodeID
	// User, Database and Application are those of the startup packet.
	User, Database, Application string
	// Lags tells how far standbys are behind; it may be nil, which is not known.
	Lags Lags
	// Random is a random number over the whole range of its type.
	Random uint64
}

// Choice is a load balance node and why it was chosen.
type Choice struct {
	Node   config.NodeID // NoNode if there is no live node to choose
	Reason Reason
}

// Choose says which node the reads of a session go to (of a statement, with
// statement_level_load_balance): the one that a redirect list names, or one by weight.
func Choose(in ChooseInput) Choice {
	if !in.Policy.LoadBalance || in.Policy.Mode == Raw {
		return Choice{in.Main, LoadBalanceOff}
	}
	choice := in.redirected()
	if choice.Node == NoNode {
		choice = in.byWeight()
	}
	return in.lessDelayed(choice)
}

// byWeight chooses among all live nodes; without any weight it is the main node.
func (in *ChooseInput) byWeight() Choice {
	if id := in.pick(in.draw(), func(config.NodeID) bool { return true }); id != NoNode {
		return Choice{id, ByWeight}
	}
	if in.Main != NoNode {
		return Choice{in.Main, NoWeights}
	}
	if live := in.View.Live(); len(live) > 0 {
		return Choice{live[0], NoWeights}
	}
	return Choice{NoNode, NoWeights}
}

// redirected asks the lists in Pgpool-II's order. The first list with an entry that
// matches is followed, unless the node that it names is not there: then the next is.
func (in *ChooseInput) redirected() Choice {
	if !in.Policy.Mode.HasPrimary() {
		return Choice{NoNode, None}
	}
	if id := in.byList(in.Policy.ByApplication, in.Application); id != NoNode {
		return Choice{id, AppNameRedirect}
	}
	if id := in.byList(in.Policy.ByDatabase, in.Database); id != NoNode {
		return Choice{id, DatabaseRedirect}
	}
	return Choice{in.byList(in.Policy.ByUser, in.User), UserRedirect}
}

// byList follows the first entry that matches.
func (in *ChooseInput) byList(list []config.Redirect, name string) config.NodeID {
	for i := range list {
		if list[i].Pattern.MatchString(name) {
			return in.follow(&list[i])
		}
	}
	return NoNode
}

// follow goes where an entry says as often as it says, and else to one of the other
// nodes. NoNode: there is none.
func (in *ChooseInput) follow(r *config.Redirect) config.NodeID {
	named := unit(in.Random) < r.Weight
	if r.Target == config.RedirectStandby {
		if named {
			return in.pick(in.draw(), func(id config.NodeID) bool { return id != in.Main })
		}
		return in.Main
	}
	node := in.Main
	if r.Target == config.RedirectNode {
		node = r.Node
	}
	switch {
	case !in.View.Up(node):
		return NoNode
	case named:
		return node
	}
	return in.pick(in.draw(), func(id config.NodeID) bool { return id != node })
}

// usualNodes is how many nodes are chosen from without allocating. There may be config.MaxNodes, but room for
// those would double the stack of each session.
const usualNodes = 16

// pick chooses by weight among the live nodes that may be chosen. A weight of 0 never
// is; NoNode if there is no other.
func (in *ChooseInput) pick(r uint64, may func(config.NodeID) bool) config.NodeID {
	var room [usualNodes]Weighted // on the stack
	nodes := room[:0]
	for i := range in.View.Nodes {
		n := &in.View.Nodes[i]
		if w := (Weighted{ID: n.ID, Weight: n.Weight}); n.Status.Live() && w.share() > 0 && may(n.ID) {
			nodes = append(nodes, w)
		}
	}
	return Pick(nodes, r)
}

// draw makes a second random number of the first, which says whether an entry of a list
// is followed (the finisher of SplitMix64).
func (in *ChooseInput) draw() uint64 {
	z := in.Random + 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// lessDelayed replaces a standby that is too far behind, with
// prefer_lower_delay_standby. If all are, the choice stays and Route sends what comes to
// the primary until the standby has caught up.
func (in *ChooseInput) lessDelayed(c Choice) Choice {
	p := in.Policy
	if !p.PreferLowerDelay || !p.checksDelay() || c.Node == NoNode || c.Node == in.Main || !p.over(lagOf(in.Lags, c.Node)) {
		return c
	}
	if id := leastDelayed(p, in.View, in.Main, in.Lags, in.draw()); id != NoNode {
		return Choice{id, LowerDelay}
	}
	return c
}

// leastDelayed chooses by weight among the standbys that are within the threshold and
// least behind. NoNode if all are over it.
func leastDelayed(p *Policy, v *cluster.View, main config.NodeID, lags Lags, random uint64) config.NodeID {
	var room [usualNodes]Weighted // on the stack
	least, best := room[:0], int64(0)
	for i := range v.Nodes {
		n := &v.Nodes[i]
		w := Weighted{ID: n.ID, Weight: n.Weight}
		if !n.Status.Live() || n.ID == main || w.share() == 0 {
			continue
		}
		lag := lagOf(lags, n.ID)
		behind := p.behind(lag)
		switch {
		case p.over(lag):
			continue
		case len(least) == 0, behind < best:
			least, best = append(least[:0], w), behind
		case behind == best:
			least = append(least, w)
		}
	}
	return Pick(least, random)
}

// behind measures a lag by the threshold that counts.
func (p *Policy) behind(lag Lag) int64 {
	if p.DelayThresholdTime > 0 {
		return int64(lag.Time)
	}
	return lag.Bytes
}
