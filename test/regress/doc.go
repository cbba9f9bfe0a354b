// Package regress runs PostgreSQL's own regression and isolation suites, those of the
// server's version: directly on one server, and through pgchorus on three.
//
// What passes directly has to pass through pgchorus, unless docs/regression.md lists it
// with a reason ([Accepted]); what is listed and passes fails too. After each suite all
// nodes are compared, by pgtest.Differences and by `pgchorus verify`.
//
// The suites come with PostgreSQL's source, which tests do not need otherwise:
// `make regress` fetches it and runs this package with the build tag regress. Without
// the tag only the reading of pg_regress' report and of the list is tested.
//
// Each test has a time limit of its own, after which its psql is ended and the suite
// goes on. The outputs are left in the folder results beside the source.
package regress
