package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"time"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

const (
	// inspectTag builds pgchorus with a door, and doorVariable tells it where
	// (cmd/pgchorus/inspect.go). The program that is measured has none.
	inspectTag    = "pprof"
	doorVariable  = "PGCHORUS_PPROF"
	locksVariable = "PGCHORUS_PPROF_LOCKS"
	// doorPatience bounds a question beyond the seconds that it is about.
	doorPatience = 30 * time.Second
	// maxProfile bounds what is read of a profile, in bytes.
	maxProfile = 256 << 20
)

// door is where a pgchorus that was built for it answers questions about itself.
type door struct{ address string }

// inspected runs do while a pgchorus with a door stands in the place of the one that is
// measured.
func (st *stage) inspected(ctx context.Context, t *target, env []string, do func(door) error) (err error) {
	port, err := localpg.ReservePort()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, port.Release()) }()
	d := door{fmt.Sprintf("127.0.0.1:%d", port.Number)}
	was := *t.proxy
	if err := t.proxy.stop(); err != nil {
		return err
	}
	t.proxy.program, t.proxy.env = st.b.inspectProgram, append([]string{doorVariable + "=" + d.address}, env...)
	if err = st.start(ctx, t); err == nil {
		err = do(d)
	}
	err = errors.Join(err, t.proxy.stop())
	t.proxy.program, t.proxy.env = was.program, was.env
	if err == nil && was.running() {
		err = st.start(ctx, t)
	}
	return err
}

// get reads an answer of net/http/pprof, which may take so long.
func (d door) get(ctx context.Context, path string, takes time.Duration) ([]byte, error) {
	ctx, stop := context.WithTimeout(ctx, takes+doorPatience)
	defer stop()
	question, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.address+"/debug/pprof/"+path, nil)
	if err != nil {
		return nil, err
	}
	reply, err := http.DefaultClient.Do(question)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(io.LimitReader(reply.Body, maxProfile))
	if err == nil && reply.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, reply.Status, firstLine(string(text)))
	}
	return text, err
}

// allocations is how many heap objects a program has made since its start, and their bytes.
type allocations struct{ objects, bytes float64 }

// Lines of runtime.MemStats that follow a heap profile in text (writeHeap in
// runtime/pprof).
var (
	mallocsLine = regexp.MustCompile(`(?m)^# Mallocs = ([0-9]+)`)
	bytesLine   = regexp.MustCompile(`(?m)^# TotalAlloc = ([0-9]+)`)
)

func (d door) allocations(ctx context.Context) (allocations, error) {
	text, err := d.get(ctx, "heap?debug=1", 0)
	if err != nil {
		return allocations{}, err
	}
	return parseAllocations(string(text))
}

func parseAllocations(text string) (allocations, error) {
	a := allocations{number(mallocsLine, text), number(bytesLine, text)}
	if a.objects == 0 || a.bytes == 0 {
		return a, errors.New("the heap profile does not tell of allocations")
	}
	return a, nil
}
