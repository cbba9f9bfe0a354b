// Package hazard runs what can make nodes differ, and records what becomes of it today.
//
// testdata/catalogue.list has the hazards that are known: a letter and number that group them by
// their nature (A time, B randomness, C sequences, D defaults, triggers and rules, E functions, F
// row choice, G locale, platform and version, H concurrency, I what a backend or node has of its own, J utility commands, K the
// environment), a title, and the tests elsewhere that show what a script cannot, such as a node that dies. Each hazard has one of
// these or a case in testdata/*.txt, which is checked.
//
// A case is a name, which begins with the hazard's letter and number, and
// a script. Its lines begin with who acts:
//
//	setup     a session of its own through pgchorus; nothing may fail there
//	a, b      sessions through pgchorus, and what they run
//	a&, b&    the same without waiting for the answer, but until somebody waits for a lock; who has
//	          to answer yet does so first
//	a=, b=    the answer has to be the main node's
//	login     connects as a user of that name
//	node 1    a node directly, past pgchorus: to make its rows lie otherwise on disk, or to damage it
//	nodes     all nodes directly: they have to answer alike
//	check     `pgchorus check --nodes` has to say that
//	verify    `pgchorus verify` has to say that
//
// Behind << stand the parameters of an extended query, with | between them, or the data of a COPY.
// :schema is the name of the case's schema, :deep a comment that the parser does not take.
// Below the line ---- stands the outcome:
//
//	equal          all nodes hold the same: rows, schema, roles, databases, large objects
//	CODE           the last statement was refused with this SQLSTATE, all nodes hold the same
//	differs        nodes hold something else, or answer otherwise
//	..., warned    the log has said that nodes may differ
//	..., told      a report that an operator asked for, check or verify, has said so
//
// The outcome "differs" without either breaks the promise that nodes never differ in
// silence. Such cases are listed with their reasons in silent.go, and nowhere else: a case that differs and is
// not listed fails the test, and so does one that is listed and differs no more.
//
// go test ./test/hazard -update writes the outcomes anew.
package hazard
