// Package random plays transactions that are made up, over a schema that is made up, through
// pgchorus on real servers, and compares.
//
// A run goes in rounds. In a round "alone" one session after the other plays a transaction, on
// pgchorus and on a single server: each answer has to be the same. In a round "together" all
// sessions play at the same time: what they are told may only be what PostgreSQL would tell
// them or an error that says to try again. After each round all nodes hold the same.
//
// Statements are of all kinds that a write can be for pgchorus: by key, by a condition,
// computed from other rows, picking rows, several targets, COPY, functions, triggers, values
// that each node would compute for itself, DDL. Columns that fill themselves with such values
// ("opaque" here) are compared between the nodes and not with the single server.
//
// SEED and SECONDS choose what is made up and for how long (make random). Rounds together
// depend on the machine as well as on the seed, so a failure prints what was played.
package random
