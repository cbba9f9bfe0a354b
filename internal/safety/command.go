package safety

import (
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/parser"
)

// command judges by the kind of statement: utilities, and what touches the outside world.
func (j *judge) command(stmt *parser.Statement) {
	switch stmt.Kind {
	case parser.CopyFrom, parser.CopyTo:
		j.copy(stmt)
	case parser.Notify:
		j.notify()
	case parser.Unknown:
		j.unparsed()
	case parser.DDL, parser.Utility, parser.CreateTableAs, parser.SelectInto:
		j.utility(stmt)
	}
}

// copy: a file of the server is another one on each host.
func (j *judge) copy(stmt *parser.Statement) {
	if stmt.FromStdin || stmt.ToStdout {
		return
	}
	what, action := "COPY to a file or program of the server", j.policy.actions[filesystemClass]
	if stmt.Kind == parser.CopyFrom {
		what = "COPY from a file or program of the server"
		if action == "main" {
			action = "deny" // the others would lack the rows
		}
	}
	r := Reason{Level: NodeLocal, Text: what, Name: "copy"}
	switch action {
	case "deny":
		r.Action, r.Hint, r.denied = Refuse, classHints[filesystemClass], true
		r.Text += ", and function_policy denies class filesystem"
	case "main":
		r.Action = Main
	case "warn":
		r.Action = Warn
	}
	j.add(r)
}

func (j *judge) notify() {
	switch j.policy.actions[notifyClass] {
	case "main":
		j.add(Reason{Level: NodeLocal, Action: Main, Text: "notifies those who listen on the main node"})
		j.v.OutsideOnly = true
	case "deny":
		j.add(Reason{Level: NodeLocal, Action: Refuse, Text: "NOTIFY, and function_policy denies class notify", Name: "notify", denied: true})
	case "warn":
		j.add(Reason{Level: NodeLocal, Action: Warn, Text: "NOTIFY"})
	}
}

// unparsed is a text in newer syntax, or with an error.
func (j *judge) unparsed() {
	r := Reason{Level: SideEffects, Action: Warn, Text: "the statement is not understood"}
	switch {
	case j.policy.Unparsed == "refuse" || j.policy.Safety == config.SafetyStrict:
		r.Action, r.Hint = Refuse, "If PostgreSQL understands it, set unparsed_statement = warn and replication_safety = mixed."
	case j.policy.Unparsed == "allow":
		r.Action = Run
	}
	j.add(r)
}

// utility judges commands by their node in the parse tree.
func (j *judge) utility(stmt *parser.Statement) {
	switch stmt.Node {
	case "AlterSystemStmt":
		if j.policy.actions[adminClass] == "deny" {
			j.add(Reason{Level: NodeLocal, Action: Refuse, Text: "ALTER SYSTEM changes the configuration of a node", Hint: classHints[adminClass], Name: "system", denied: true})
		}
	case "CreateSubscriptionStmt", "AlterSubscriptionStmt":
		if !stmt.Subscribes {
			return
		}
		j.add(Reason{Level: NodeLocal, Action: Refuse, Text: "a subscription brings changes to each node past the others", Name: "subscription", denied: true,
			Hint: "Subscribe from outside of the cluster, and write what comes in through pgchorus."})
	case "CreateRoleStmt", "AlterRoleStmt":
		if _, read := stmt.RolePassword(j.in.Text); !read && stmt.SetsPassword(j.in.Text) {
			j.add(Reason{Level: NodeLocal, Action: j.policy.bySafety(Warn, Refuse, Refuse), Text: "each node would store the password with a salt of its own",
				Hint: "Write the password as a plain string, without backslashes.", Name: "password"})
		}
	case "AlterTableStmt":
		for i := range stmt.Added {
			j.added(&stmt.Added[i])
		}
	case "ImportForeignSchemaStmt":
		j.add(Reason{Level: NodeLocal, Action: j.policy.bySafety(Warn, Warn, Refuse), Text: "IMPORT FOREIGN SCHEMA hangs on what each node finds at the remote server",
			Hint: "Create the foreign tables one by one.", Name: "import"})
	case "CreateStmt", "CreateTableAsStmt", "SelectStmt":
		if stmt.HashedBy != "" {
			j.add(Reason{Level: NodeLocal, Action: j.policy.bySafety(Run, Warn, Refuse), Text: "rows go to partitions by the hash of " + stmt.HashedBy + ", which hangs on the numbers that each node gives if it is an enum",
				Hint: "Partition by list or range, or by the hash of a type of PostgreSQL's own.", Name: stmt.HashedBy})
		}
		if parser.FindWord(j.in.Text, "unlogged") > 0 {
			j.add(Reason{Level: NodeLocal, Action: j.policy.bySafety(Run, Warn, Refuse), Text: "an unlogged table is empty on a node that has crashed, and on no other",
				Hint: "Leave UNLOGGED out.", Name: "unlogged"})
		}
	}
}

// added judges the values that rows which are there already get in a new column.
func (j *judge) added(a *parser.Added) {
	differs, compared := a.Differs, true
	for i := range a.Functions {
		if fact, known := j.facts.Function(nameOf(&a.Functions[i])); !known || !fact.Alike {
			differs, compared = "calls "+a.Functions[i].String()+"()", false // what else it does is not
		}
	}
	switch {
	case a.Stored:
		j.add(Reason{Level: Rows, Action: j.policy.bySafety(Warn, Refuse, Refuse), Text: "column " + a.Column + " " + differs,
			Hint: "Use a function, such as now(), or a constant.", Name: a.Column})
	case differs != "":
		action := j.policy.bySafety(Warn, Lock, Lock)
		j.add(Reason{Level: Rows, Action: action, Text: "column " + a.Column + " " + differs + " for the rows that are there", quiet: compared && action == Lock})
	case a.Time:
		j.add(Reason{Level: Time, Action: Rewrite, Text: "column " + a.Column + " asks for the time"})
	}
}
