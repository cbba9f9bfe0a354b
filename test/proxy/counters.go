package proxy

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
)

// Counters are what a server has used since its start.
type Counters struct {
	Objects int64 // allocated on the heap
	Reads   int64 // calls of read(2) and its like, also those that found nothing to read
	Writes  int64 // calls of write(2) and its like
}

// Sub is what was used since an earlier look.
func (c Counters) Sub(earlier Counters) Counters {
	return Counters{c.Objects - earlier.Objects, c.Reads - earlier.Reads, c.Writes - earlier.Writes}
}

// maxProfile bounds what is read of the server's answer, in bytes.
const maxProfile = 1 << 20

// doorEnvironment tells a server that is built for it where to answer (cmd/pgchorus, inspect).
// Nothing is sampled, so that the answer is short and costs little.
func (p *Proxy) doorEnvironment() []string {
	if p.run.door == 0 {
		return nil
	}
	return []string{"PGCHORUS_PPROF=" + p.doorAddress(), "GODEBUG=memprofilerate=0"}
}

func (p *Proxy) doorAddress() string { return fmt.Sprintf("%s:%d", p.Host, p.run.door) }

// Counters asks a server that was started WithCounters. The question itself costs it some
// hundred objects and a few calls.
func (p *Proxy) Counters() Counters {
	p.t.Helper()
	objects, err := p.objects()
	if err != nil {
		p.t.Fatalf("count the objects of pgchorus: %v", err)
	}
	// Sockets are read and written with read(2) and write(2), which the kernel counts here
	// (proc(5), /proc/pid/io); recvfrom(2) it would not.
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", p.PID()))
	if err != nil {
		p.t.Fatalf("count the system calls of pgchorus: %v", err)
	}
	c := Counters{Objects: objects}
	for name, count := range map[string]*int64{"syscr": &c.Reads, "syscw": &c.Writes} {
		if *count, err = numberIn(string(text), `(?m)^`+name+`: ([0-9]+)`); err != nil {
			p.t.Fatal(err)
		}
	}
	return c
}

// objects reads runtime.MemStats, which follow a heap profile in text (runtime/pprof).
func (p *Proxy) objects() (int64, error) {
	ctx, cancel := patiently()
	defer cancel()
	question, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.doorAddress()+"/debug/pprof/heap?debug=1", nil)
	if err != nil {
		return 0, err
	}
	reply, err := http.DefaultClient.Do(question)
	if err != nil {
		return 0, err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(io.LimitReader(reply.Body, maxProfile))
	if err != nil {
		return 0, err
	}
	return numberIn(string(text), `(?m)^# Mallocs = ([0-9]+)`)
}

func numberIn(text, pattern string) (int64, error) {
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("no %s in %q", pattern, text)
	}
	return strconv.ParseInt(found[1], 10, 64)
}
