package main

import (
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxClients bounds -clients: proxies keep their connections, each to each node, and the
// servers' memory is the machine's. The setup "clients" goes further, with one proxy at
// a time.
const maxClients = 64

// options says what is measured and how.
type options struct {
	scenario *regexp.Regexp
	targets  []string
	clients  []int // instead of the scenarios' own; nil for those
	rounds   int
	seconds  int // of one pgbench run
	fsync    bool
	server   string // program file of pgchorus; empty to build it
	name     string // of the result
	results  string // folder; empty for bench/results in the module
	profile  string // what pgchorus is profiled for; empty for nothing
	// roundsGiven tells that rounds are not the default, which some setups undercut.
	roundsGiven bool
	look        bool // count system calls and allocations
}

// parseOptions reads the command line. It returns flag.ErrHelp after help was asked
// for and given.
func parseOptions(args []string, out io.Writer) (options, error) {
	var opts options
	var pattern, targets, clients string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&pattern, "scenario", "", "only scenarios whose name `regexp` matches; -scenario list names them all")
	flags.StringVar(&targets, "targets", strings.Join(targetNames(), ","), "what is measured; ratios need pgchorus")
	flags.StringVar(&clients, "clients", "", "numbers of clients instead of the scenarios' own, such as 1,8")
	flags.IntVar(&opts.rounds, "rounds", 3, "how often every target has its turn in a scenario (unless given, less often in some setups)")
	flags.IntVar(&opts.seconds, "seconds", 2, "how long a turn takes")
	flags.BoolVar(&opts.fsync, "fsync", false, "let the servers write durably; the disk then hides much of the difference")
	flags.StringVar(&opts.server, "server", "", "program `file` of pgchorus (default: build it)")
	flags.StringVar(&opts.name, "name", "bench", "name of the result, after the date")
	flags.StringVar(&opts.results, "results", "", "`folder` of the results (default bench/results)")
	flags.StringVar(&opts.profile, "profile", "", "write profiles of pgchorus beside the results: "+strings.Join(profileNames(), ", "))
	flags.BoolVar(&opts.look, "look", true, "count system calls and allocations, in short rounds of their own")
	if err := flags.Parse(args); err != nil {
		return opts, err
	}
	flags.Visit(func(f *flag.Flag) { opts.roundsGiven = opts.roundsGiven || f.Name == "rounds" })
	if flags.NArg() > 0 {
		return opts, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return opts, opts.complete(pattern, targets, clients)
}

// complete reads the options that have a syntax of their own, and refuses what cannot work.
func (o *options) complete(pattern, targets, clients string) (err error) {
	if o.scenario, err = regexp.Compile(pattern); err != nil {
		return fmt.Errorf("-scenario: %w", err)
	}
	if o.targets, err = parseTargets(targets); err != nil {
		return fmt.Errorf("-targets: %w", err)
	}
	if o.clients, err = parseClients(clients); err != nil {
		return fmt.Errorf("-clients: %w", err)
	}
	switch {
	case o.profile != "" && !slices.Contains(profileNames(), o.profile):
		return fmt.Errorf("-profile %q: expected one of %s", o.profile, strings.Join(profileNames(), ", "))
	case o.profile != "" && o.server != "":
		return fmt.Errorf("-profile needs a pgchorus that is built for it; leave out -server")
	case o.rounds < 1:
		return fmt.Errorf("-rounds %d: expected at least 1", o.rounds)
	case o.seconds < 1:
		return fmt.Errorf("-seconds %d: expected at least 1", o.seconds)
	case !regexp.MustCompile(`^[A-Za-z0-9._-]+$`).MatchString(o.name):
		return fmt.Errorf("-name %q: expected letters, digits, '.', '_' and '-'", o.name)
	}
	return nil
}

// wantsList tells whether the scenarios' names are asked for instead of a run.
func (o options) wantsList() bool { return o.scenario.String() == "list" }

// wantsIdle tells whether idle clients are to be counted.
func (o options) wantsIdle() bool {
	return o.scenario.MatchString(idleName) && slices.ContainsFunc(o.targets, isProxy)
}

func (o options) duration() time.Duration { return time.Duration(o.seconds) * time.Second }

// parseTargets keeps the order of targetNames.
func parseTargets(text string) ([]string, error) {
	asked := strings.Split(text, ",")
	for _, name := range asked {
		if !slices.Contains(targetNames(), name) {
			return nil, fmt.Errorf("%q: expected some of %s", name, strings.Join(targetNames(), ","))
		}
	}
	return slices.DeleteFunc(targetNames(), func(name string) bool { return !slices.Contains(asked, name) }), nil
}

func parseClients(text string) ([]int, error) {
	if text == "" {
		return nil, nil
	}
	var numbers []int
	for field := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || n < 1 || n > maxClients {
			return nil, fmt.Errorf("%q: expected numbers from 1 to %d", field, maxClients)
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}
