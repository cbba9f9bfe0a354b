package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	// A second signal ends us at once; the nodes' watcher still clears up.
	context.AfterFunc(ctx, stop)
	err := execute(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "bench: interrupted before the end; everything is cleaned up and nothing was written")
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// execute is the whole program: options, measuring, results.
func execute(ctx context.Context, args []string, out, progress io.Writer) error {
	opts, err := parseOptions(args, progress)
	if err != nil {
		return err
	}
	if opts.wantsList() {
		listScenarios(out, scenarios(regexp.MustCompile(""), opts.clients))
		fmt.Fprintf(out, "%-34s %s\n", idleName, "bytes for each client")
		return nil
	}
	b := newBench(opts, args, progress)
	if len(b.result.Scenarios) == 0 && !opts.wantsIdle() {
		return errors.New("-scenario: no scenario has such a name; -scenario list shows them all")
	}
	if opts.results == "" {
		if opts.results, err = resultsFolder(ctx); err != nil {
			return err
		}
	}
	b.tell("%d runs, about %v", b.runs(), b.estimate().Round(10*time.Second))
	b.profiles = profileFolder(opts, b.result.Date)
	if err := b.run(ctx); err != nil {
		return err
	}
	return b.report(out, opts)
}

// report prints the table and writes the files. pgchorus's own failure is an error,
// after that.
func (b *bench) report(out io.Writer, opts options) error {
	fmt.Fprint(out, b.result.table())
	base, err := b.result.write(opts.results, opts.name)
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	b.tell("\nwritten: %s.txt, .svg (.growth.svg) and .json", base)
	return b.result.ourFailure()
}

// resultsFolder is bench/results in the module that we are run in.
func resultsFolder(ctx context.Context) (string, error) {
	file, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("look for the module: %w", err)
	}
	return filepath.Join(filepath.Dir(strings.TrimSpace(string(file))), "bench", "results"), nil
}
