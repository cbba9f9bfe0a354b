// Package lb says where a statement goes: to all nodes, to one, or to none because
// pgchorus answers it itself.
//
// Route is the whole policy, in the order in which it is decided. It is pure: it
// reads its Input and nothing else, so a table of inputs is its whole test, and a
// Decision carries its Reason, because the first question of every operator is "why
// did it go there?". Pick chooses the load balance node of a session by weight.
//
// The package does not parse (the parser has said whether the statement is safe on
// one node alone), does not know connections, and does not execute. It covers the
// clustering modes native_replication and raw.
//
// # The rule that outranks the others
//
// In native_replication a statement that is not known to be safe on one node goes to
// all nodes, whatever else is set. Everything else here is about cost.
package lb
