package safety

import (
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/parser"
)

// Policy is the part of a configuration that Judge asks. It is made once for each
// configuration, by PolicyOf, and never changes.
type Policy struct {
	// Replicates: pgchorus repeats writes itself. Where PostgreSQL replicates, the deny
	// list alone means something.
	Replicates bool
	Safety     config.Safety   // replication_safety
	Deny       config.Patterns // function_deny_list
	Unparsed   string          // unparsed_statement
	// AdminBroadcast is admin_broadcast.
	AdminBroadcast bool

	actions map[string]string // function_policy
}

// PolicyOf takes from a configuration what Judge asks.
func PolicyOf(cfg *config.Config) *Policy {
	r := &cfg.Replication
	p := &Policy{
		Replicates: cfg.ClusteringMode.Replicates(), Safety: r.ReplicationSafety, Deny: r.FunctionDenyList,
		Unparsed: r.UnparsedStatement, AdminBroadcast: r.AdminBroadcast, actions: map[string]string{},
	}
	for _, rule := range config.DefaultFunctionPolicy() {
		p.actions[rule.Class] = rule.Action
	}
	if p.AdminBroadcast {
		p.actions["admin"] = "broadcast"
	}
	for _, rule := range r.FunctionPolicy {
		if p.AdminBroadcast && rule == (config.FunctionRule{Class: "admin", Action: "deny"}) {
			continue // the default, written down
		}
		p.actions[rule.Class] = rule.Action
	}
	return p
}

// PassesObjects reports whether nothing forbids the functions of large objects.
func (p *Policy) PassesObjects() bool { return p.Deny.Empty() && p.actions[largeObjectClass] != "deny" }

// denies looks a function up in the deny list, by its name and by both if the schema is
// known.
func (p *Policy) denies(schema, name string) bool {
	return p.Deny.Match(name) || schema != "" && p.Deny.Match(schema+"."+name)
}

// Matters reports whether Judge may have something to say of a statement: not of a plain
// read, which most statements are, nor of what begins and ends transactions.
func (p *Policy) Matters(stmt *parser.Statement) bool {
	if stmt.Kind.TransactionControl() {
		return false
	}
	if !stmt.ReadOnly || !p.Deny.Empty() {
		return p.Replicates || !p.Deny.Empty()
	}
	return p.Replicates && stmt.NodeLocal
}

// NumbersObjects reports whether large objects are to get one number on all nodes.
func (p *Policy) NumbersObjects() bool {
	return p.Replicates && p.actions[largeObjectClass] == "rewrite"
}

// JudgeCall judges a function call message, which names one of PostgreSQL's own functions.
// onMain: the main node alone is to call it.
func (p *Policy) JudgeCall(name string) (onMain bool, refusal error) {
	f := parser.Function{Schema: "pg_catalog", Name: name, Class: parser.ClassOf("pg_catalog", name, 0)}
	j := judge{policy: p, v: &Verdict{}}
	if r := j.denied(&f, ""); r != nil {
		return false, r.refusal("")
	}
	class := classOf(&f)
	return class != notifyClass && class != "" && (p.actions[class] == "main" || p.actions[class] == "map"), nil
}

// bySafety picks an action by replication_safety.
func (p *Policy) bySafety(compat, mixed, strict Action) Action {
	switch p.Safety {
	case config.SafetyCompat:
		return compat
	case config.SafetyStrict:
		return strict
	}
	return mixed
}
