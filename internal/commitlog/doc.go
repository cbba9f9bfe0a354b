// Package commitlog knows which transactions each node has.
//
// Nodes commit the same transaction one by one, so when pgchorus or a node dies in
// between, some have it and some do not. So that this is never silent, every writing
// transaction notes itself on each node, in front of its COMMIT and in the same message
// (Slot.Mark): one small UPDATE of a row that belongs to the session alone, in the table
// pgchorus.commit_slot of the session's database. After any crash the tables of the nodes
// differ exactly in the transactions that the nodes differ in.
//
// A [Log] makes the table and its functions where they are missing ([Log.Ready]), lends
// slots to sessions, and compares the nodes: at start, before anybody is served, and when
// a node was lost ([Log.Run]), and when one joins ([Log.Admit]). A node that lacks a
// transaction which another one has is taken out of service. Transactions that were
// prepared (commit_mode last_agent) and left behind are ended: [Decide] says how.
//
// # Epoch
//
// Each run of pgchorus has an epoch, which stands in its slots. The next run raises it on
// every node before it looks: a COMMIT of the run before that is still on its way waits in
// front of that or fails behind it, so what was seen stays true.
//
// # Without rights
//
// The objects are made as the role that `pgchorus verify` uses (recovery_user, else
// health_check_user, else postgres). Where it may not, or cannot log in,
// commit_marker = auto goes on without markers and says so in the log; on refuses writes.
package commitlog
