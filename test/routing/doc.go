// Package routing is the judge of where statements run: a table of statements and of
// the nodes that they have to run on, and what it takes to play the table against real
// servers and see where each statement really ran.
//
// The judge does not ask pgchorus. The servers log every statement (log_statement =
// all), each statement of the table carries a token that no other has, and a Journal
// finds the token in the servers' logs. So a table holds for any proxy that reads
// pgpool.conf; package compare plays one against Pgpool-II too.
//
// # The table
//
// The files in testdata are for an operator to read:
//
//	mode native_replication
//	group reads stay on main when balancing is off
//	set load_balance_mode = off
//
//	main  SELECT 1 AS {}
//	all   INSERT INTO t AS {} VALUES (1)
//	-     BEGIN
//	  main   SELECT 2 AS {}  # a note
//
// A line is the nodes and a statement. It is a script with a connection of its own;
// indented lines go on in the connection of the line above. Each script is played in
// the simple and in the extended query protocol, unless "protocol" says otherwise. A
// group is one configuration, and one run of the server. See Load for all directives
// and Want for the words that stand for nodes.
//
// The load balance node is certain because of the weights: only node 1 has one. The
// tests of this package also measure what cannot be certain: shares of weights and of
// redirect ratios.
package routing
