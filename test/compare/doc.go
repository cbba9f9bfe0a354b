// Package compare plays the routing tables of test/routing against Pgpool-II and
// against pgchorus, with the same configuration, in front of servers of the same kind,
// and compares on which nodes each statement ran and how it ended.
//
// Every difference has to be in testdata/differences.txt, with its reason and the
// section of docs/compatibility.md that tells users of it; one that is not there fails,
// and so does one that is there and does not occur. What a table expects of pgchorus is
// not looked at here.
//
// It needs Pgpool-II (Debian's, 4.3), which tests do not: `make compare` installs it
// and runs this package with the build tag compare. Without the tag only the reading of
// the list is tested.
package compare
