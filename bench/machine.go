package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// machine is what the figures were taken on.
type machine struct {
	Cores      int
	CPU        string
	Kernel     string
	MemoryMB   int
	LoadBefore string // the kernel's average of one minute: was somebody else at work?
	LoadAfter  string
}

func thisMachine() machine {
	return machine{
		Cores:      runtime.NumCPU(),
		CPU:        fieldOf(readText("/proc/cpuinfo"), "model name"),
		Kernel:     strings.TrimSpace(readText("/proc/sys/kernel/osrelease")),
		MemoryMB:   megabytes(fieldOf(readText("/proc/meminfo"), "MemTotal")),
		LoadBefore: loadAverage(),
	}
}

// readText is a file's text, empty where it cannot be read: the description of the
// machine is then the poorer for it.
func readText(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(text)
}

// fieldOf is the first value of "name : value" in the manner of /proc.
func fieldOf(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// megabytes reads "24683492 kB".
func megabytes(text string) int {
	kB, err := strconv.Atoi(strings.TrimSuffix(text, " kB"))
	if err != nil {
		return 0
	}
	return kB >> 10
}

func loadAverage() string {
	first, _, _ := strings.Cut(readText("/proc/loadavg"), " ")
	return first
}

// version is a program and what it says of itself.
type version struct{ Program, Text string }

func versions(ctx context.Context, b *bench) []version {
	found := []version{
		{pgchorus, serverVersion(ctx, b.opts.server)},
		{"Go", runtime.Version()},
		{"PostgreSQL", programVersion(ctx, filepath.Join(b.cluster.BinDir, "postgres"))},
		{"pgbench", programVersion(ctx, filepath.Join(b.cluster.BinDir, "pgbench"))},
	}
	for _, name := range []string{pgbouncer, pgpool, memcachedProgram} {
		if program := b.peers[name]; program != "" {
			found = append(found, version{name, programVersion(ctx, program)})
		}
	}
	return found
}

// serverVersion is the commit that was built, or that we were given a program.
func serverVersion(ctx context.Context, given string) string {
	if given != "" {
		return "program file given with -server"
	}
	return commit(ctx)
}

// commit names the checked-out commit, and says when the files are not as in it.
func commit(ctx context.Context) string {
	id, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "commit unknown"
	}
	text := "commit " + strings.TrimSpace(string(id))
	if changed, err := exec.CommandContext(ctx, "git", "status", "--porcelain").Output(); err != nil || len(changed) > 0 {
		text += " with changes"
	}
	return text
}

// programVersion is the first line of --version; Pgpool-II writes it to stderr.
func programVersion(ctx context.Context, program string) string {
	said, err := exec.CommandContext(ctx, program, "--version").CombinedOutput()
	if err != nil {
		return fmt.Sprintf("unknown (%v)", err)
	}
	first, _, _ := strings.Cut(string(said), "\n")
	return strings.TrimSpace(first)
}
