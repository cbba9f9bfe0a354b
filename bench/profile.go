package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// profileKind is a profile that a pgchorus can be asked for.
type profileKind struct {
	name string
	path string // below /debug/pprof/; %d for seconds
	env  []string
}

// profileKinds are those of -profile. heap and allocs look at each 4 KiB, since a turn is
// short.
func profileKinds() []profileKind {
	often, locks := []string{"GODEBUG=memprofilerate=4096"}, []string{locksVariable + "=1"}
	return []profileKind{
		{"cpu", "profile?seconds=%d", nil},
		{"heap", "heap", often},
		{"allocs", "allocs?seconds=%d", often},
		{"goroutine", "goroutine", nil},
		{"mutex", "mutex?seconds=%d", locks},
		{"block", "block?seconds=%d", locks},
		{"trace", "trace?seconds=%d", nil},
	}
}

func profileNames() []string {
	var names []string
	for _, k := range profileKinds() {
		names = append(names, k.name)
	}
	return names
}

// query is what to ask for over so many seconds.
func (k profileKind) query(seconds int) string {
	if strings.Contains(k.path, "%d") {
		return fmt.Sprintf(k.path, seconds)
	}
	return k.path
}

// profileFolder is how the names of the profiles begin.
func profileFolder(opts options, day time.Time) string {
	return filepath.Join(opts.results, day.Format(time.DateOnly)+"-"+opts.name)
}

// profileFile is where the profile of a scenario goes. Git ignores the ending: a profile
// belongs to the machine and the build.
func (b *bench) profileFile(s scenario, kind string) string {
	return b.profiles + "-" + strings.ReplaceAll(s.Name, "/", "-") + "." + kind + ".prof"
}

// profile writes the profile that was asked for of each scenario.
func (st *stage) profile(ctx context.Context) error {
	for _, k := range profileKinds() {
		if k.name == st.b.opts.profile {
			return st.profileAll(ctx, k)
		}
	}
	return nil
}

func (st *stage) profileAll(ctx context.Context, k profileKind) error {
	for _, t := range st.targets {
		if t.name != pgchorus || t.broken != nil {
			continue
		}
		for _, s := range st.scenarios {
			err := st.inspected(ctx, t, k.env, func(d door) error { return st.profileOne(ctx, s, t, k, d) })
			if err != nil {
				st.fault(t.name, k.name+" profile under "+s.Name+" of", err)
			}
		}
	}
	return ctx.Err()
}

// profileOne takes the profile in the middle of a turn, when all clients are connected.
func (st *stage) profileOne(ctx context.Context, s scenario, t *target, k profileKind, d door) error {
	const margin = 1 // seconds before and after
	seconds := st.b.opts.seconds
	ctx, stop := context.WithTimeout(ctx, time.Duration(seconds+2*margin)*time.Second+runPatience)
	defer stop()
	ended := make(chan error, 1) // the work says how it ended, also when nobody listens any more
	go func() {
		_, err := st.work(ctx, s, t, timed(seconds+2*margin))
		ended <- err
	}()
	text, err := st.takeProfile(ctx, k.query(seconds), s, d)
	if err := errors.Join(err, <-ended); err != nil {
		return err
	}
	file := st.b.profileFile(s, k.name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, text, 0o644)); err != nil {
		return err
	}
	st.b.tell("%-28s %s profile: %s", s.Name, k.name, file)
	return nil
}

// takeProfile waits until the work is under way; a COPY is over too soon for that.
func (st *stage) takeProfile(ctx context.Context, query string, s scenario, d door) ([]byte, error) {
	if s.byTransactions() {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return d.get(ctx, query, st.b.opts.duration())
}
