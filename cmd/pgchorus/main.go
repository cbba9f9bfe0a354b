// Command pgchorus serves one PostgreSQL to its frontends and keeps several in
// step behind it. Without a subcommand it serves, with Pgpool-II's letters.
package main

import (
	"fmt"
	"os"
)

func main() {
	err := inspect()
	if err == nil {
		err = newRootCommand().Execute()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgchorus: "+err.Error())
		os.Exit(exitCode(err))
	}
}
