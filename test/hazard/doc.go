// Package hazard runs what can make nodes differ, and records what becomes of it today.
//
// Each case of testdata/hazards.txt is a hazard: a name, a letter and number that group
// hazards by their nature (A time, B randomness, C sequences, D defaults, triggers and rules, E functions, F
// row choice, H concurrency, I what a backend or node has of its own, J utility commands), and
// a script. Its lines begin with who acts: "setup" a session of its own, "a" and "b" sessions through pgchorus, "a&" without waiting for
// the answer ("a" and "b" wait for their own answer first), "node 1" a node directly, past pgchorus, to make its
// rows lie otherwise on disk. Below the line ---- stands the outcome:
//
//	equal          all nodes hold the same
//	CODE           the last statement was refused with this SQLSTATE, all nodes hold the same
//	differs        nodes hold something else, or answer otherwise, and nobody was told
//	..., warned    the log has said that nodes may differ
//
// The outcome "differs" without a warning breaks the promise that nodes never differ in
// silence. Such cases are listed with their reasons in silent.go, and nowhere else: a case that differs and is
// not listed fails the test, and so does one that is listed and differs no more.
//
// go test ./test/hazard -update writes the outcomes anew.
package hazard
