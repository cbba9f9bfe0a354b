// Package safety says what may go wrong when a statement is repeated on every node, and
// what is done about it: a [Verdict] with a [Level], an [Action] and its reasons.
//
// [Judge] is pure. It looks at what the parser found in the statement, at what the
// catalogue knows of the functions it calls and of the tables it changes (triggers with
// their bodies, rules, checks, policies, generated columns, defaults), and at the
// configuration ([Policy]: replication_safety, function_deny_list, function_policy,
// unparsed_statement, admin_broadcast). What the catalogue has to be asked comes back as a
// question; the caller asks and judges again. It is to be done once for each statement
// text and generation of the catalogue, not for each execution.
//
// The package does not execute, route, lock, capture rows or lease sequence values; it
// names the action and the caller has it done. It does not judge a read on one node,
// which changes nothing, beyond the deny list.
//
// # Levels
//
//	D0 exact         the text decides, every node does the same
//	D1 time          asks for the time, which is replaced by one value
//	D2 sequence      draws from a sequence
//	D3 single value  a volatile value that the text asks for a known number of times
//	D4 rows          which rows, or what is in them, is decided while it runs
//	D5 side effects  sets off code that nodes may run differently
//	D6 node local    about one node, its files, its configuration, the world outside
//
// A statement has the highest level that any of its parts has.
//
// # Bodies
//
// Bodies and definitions are read word by word ([parser.ReadBody]); [Bodies] remembers
// what was read. What they call and change is followed, up to a bound; what lies beyond
// it is taken for code that may do anything.
package safety
