// Package driver holds tests with the clients that people use: psql, pgbench, pgx,
// psycopg 2 and 3, asyncpg, JDBC and node-postgres.
//
// No test here says what PostgreSQL answers. Each client runs its script against a bare
// PostgreSQL and, in every clustering mode that is to be like one server, through pgchorus
// with three nodes, and has to print the same transcript; the three nodes have to hold
// the same data afterwards. The scripts of a mode run at the same time, each in a
// database of its own, so they do not print what depends on others, such as an OID that
// the server has chosen. Where a mode is meant to differ, see atIsolation. What a script prints
// is therefore everything that its driver shows of an answer: rows, column names and
// types, command tags, notices, all fields of errors, the state of the transaction.
//
// A script is divided into sections, each of which opens its own connections and
// becomes a subtest. It begins a section with a line "## name". A line that begins with
// "!! " is an error that the script did not mean to provoke; in the transcript of the
// bare server it shows that the script itself is wrong.
//
// pgbench has no transcript worth comparing: its runs must have no failed transaction,
// and leave equal nodes and balanced books.
//
// A driver that is not installed fails its test. scripts/need-drivers.sh, which `make
// test` runs, installs them all.
package driver
