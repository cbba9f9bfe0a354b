package lb

import (
	"strings"

	"github.com/pgchorus/pgchorus/internal/config"
)

// Step is one rule that was asked on the way to a decision.
type Step struct {
	Rule      string   // the question
	Parameter string   // the parameters that it looks at; "" for none
	Found     string   // what it looked at
	Decides   bool     // it has decided; it is the last step then
	Decision  Decision // if it decides
}

// Explain tells how Route comes to its answer, rule by rule. The Decision of the last
// step is Route's, since both ask the same rules.
func Explain(in *Input) []Step {
	var steps []Step
	for _, r := range in.Policy.Mode.rules() {
		step := Step{Rule: ruleTexts[r].question, Parameter: ruleTexts[r].parameter, Found: in.found(r)}
		if step.Decides = in.applies(r); step.Decides {
			step.Decision = in.decide(r)
		}
		steps = append(steps, step)
		if step.Decides {
			break
		}
	}
	return steps
}

var ruleTexts = [endOfRules]struct{ question, parameter string }{
	answeredHere:      {"does pgchorus answer itself?", ""},
	keptOnMain:        {"does function_policy keep it on the main node?", "function_policy"},
	rawMode:           {"is it raw mode?", "backend_clustering_mode"},
	notRead:           {"is it more than a read?", "read_only_function_list, write_function_list"},
	failed:            {"has the transaction failed?", ""},
	replicationHint:   {"does its comment say REPLICATION?", ""},
	snapshotReadOnly:  {"is it a read-only transaction of snapshot_isolation?", "backend_clustering_mode"},
	replicateSelect:   {"do reads go to all nodes?", "replicate_select"},
	control:           {"does it begin or end a transaction?", ""},
	sessionState:      {"does it set the session's state, outside of a transaction?", ""},
	primaryNeeded:     {"is it more than a read?", "read_only_function_list, write_function_list"},
	loadBalanceMode:   {"is load balancing off?", "load_balance_mode"},
	mainOnly:          {"does something keep the read on the main node?", "primary_routing_query_pattern_list, allow_sql_comments, check_temp_table, check_unlogged_table"},
	transactionPinned: {"has the transaction left state on the primary?", ""},
	transactionWrote:  {"has the transaction written?", "disable_load_balance_on_write"},
	sessionWrote:      {"has the session written before?", "disable_load_balance_on_write"},
	isolation:         {"does its snapshot have to be the main node's?", ""},
	touched:           {"was what it reads written, or is it temporary?", "disable_load_balance_on_write, dml_adaptive_object_relationship_list, check_temp_table"},
	standby:           {"which node do its reads go to?", "delay_threshold, delay_threshold_by_time, prefer_lower_delay_standby, read_consistency"},
}

// found says what a rule looks at, in words.
func (in *Input) found(r rule) string {
	p := in.Policy
	switch r {
	case keptOnMain:
		return yes(in.Traits.OnMain)
	case answeredHere:
		return yes(in.Local)
	case rawMode:
		return "raw"
	case notRead, primaryNeeded, control, sessionState, mainOnly:
		return in.Traits.String()
	case failed:
		return yes(in.Txn.Failed)
	case replicationHint:
		return yes(in.Traits.Everywhere)
	case snapshotReadOnly:
		return yes(p.Mode == SnapshotIsolation) + "; " + in.Txn.String()
	case replicateSelect:
		return onOff(p.ReplicateSelect)
	case loadBalanceMode:
		return onOff(p.LoadBalance)
	case transactionPinned:
		return yes(in.Txn.Open && in.Txn.Pinned)
	case transactionWrote:
		return in.writeRule() + "; " + in.Txn.String()
	case sessionWrote:
		return in.writeRule() + "; session has written: " + yes(in.Past.Wrote)
	case isolation:
		return in.Txn.String()
	case touched:
		return in.Touched.Reason.About(in.Touched.Name)
	}
	return in.foundStandby()
}

func (in *Input) writeRule() string {
	if in.Policy.WriteRule == "" {
		return string(config.WriteRuleTransaction)
	}
	return string(in.Policy.WriteRule)
}

// foundStandby tells of the node that is asked for.
func (in *Input) foundStandby() string {
	text := "load balance node " + nodeText(in.LoadBalanceNode)
	if in.Txn.Open && in.Txn.ReadNode != NoNode {
		text = "transaction reads on node " + nodeText(in.Txn.ReadNode)
	}
	if in.Stale {
		text += ", which has not replayed what the session wrote"
	}
	return text
}

func nodeText(id config.NodeID) string {
	if id == NoNode {
		return "none"
	}
	return strings.TrimPrefix(oneNode(id, None).Where(), "node ")
}

// String is such as "transaction, written, repeatable read".
func (t Txn) String() string {
	if !t.Open {
		return "no transaction"
	}
	text := "implicit transaction"
	if t.Explicit {
		text = "transaction"
	}
	for _, fact := range [...]struct {
		holds bool
		text  string
	}{
		{t.Wrote, "written"}, {t.Pinned, "with state"}, {t.Failed, "failed"}, {t.ReadOnly, "read only"},
		{t.RepeatableRead, "repeatable read"}, {t.Serializable, "serializable"},
	} {
		if fact.holds {
			text += ", " + fact.text
		}
	}
	return text
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

func onOff(is bool) string {
	if is {
		return "on"
	}
	return "off"
}
