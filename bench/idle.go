package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

// idleName is what -scenario calls counting idle clients.
const idleName = "idle-10000"

const (
	idleClients = 10_000
	// idleChildren is for Pgpool-II, which has a process for each client.
	idleChildren = 200
	// idleDialers is how many clients log in at the same time.
	idleDialers = 16
	// idleFiles is how many files are open besides the clients' sockets.
	idleFiles = 500
	// idlePatience bounds one case.
	idlePatience = 3 * time.Minute
	// idleSettle lets a proxy give back what it needed for logging in.
	idleSettle = 2 * time.Second
)

// idle is what a client costs a proxy that does nothing but stay connected, in bytes
// (PSS, what the kernel keeps for its sockets not counted).
type idle struct {
	Target   string
	Nodes    int
	Clients  int
	LoggedIn float64 // each, after logging in
	Used     float64 // each, after a query of its own
	Error    string  `json:",omitempty"`
}

// idleCases are what is counted, with the clients that are wanted.
func idleCases(targets []string) []idle {
	var cases []idle
	for _, name := range targets {
		switch name {
		case pgbouncer:
			cases = append(cases, idle{Target: name, Nodes: 1, Clients: idleClients})
		case pgpool:
			cases = append(cases, idle{Target: name, Nodes: nodeCount, Clients: idleChildren})
		case pgchorus:
			cases = append(cases, idle{Target: name, Nodes: 1, Clients: idleClients}, idle{Target: name, Nodes: nodeCount, Clients: idleClients})
		}
	}
	return cases
}

// measureIdle counts all cases. The servers are stand-ins: with sessions pooled, each
// client has a connection to each node, and ten thousand real server processes need more
// memory than this machine has.
func (b *bench) measureIdle(ctx context.Context) error {
	for _, c := range idleCases(b.opts.targets) {
		if err := b.countIdle(ctx, &c); err != nil {
			c.Error = err.Error()
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		b.tell("%-28s %s, %d nodes, %d clients: %.1f KiB logged in, %.1f KiB after a query %s",
			idleName, c.Target, c.Nodes, c.Clients, c.LoggedIn/1024, c.Used/1024, c.Error)
		b.result.Idle = append(b.result.Idle, c)
	}
	return nil
}

func (b *bench) countIdle(ctx context.Context, c *idle) (err error) {
	ctx, stop := context.WithTimeout(ctx, idlePatience)
	defer stop()
	c.Clients = min(c.Clients, (raiseFileLimit(idleFiles+c.Clients*(c.Nodes+1))-idleFiles)/(c.Nodes+1))
	st := &stage{b: b, setup: setup{name: fmt.Sprintf("idle-%s-%d", c.Target, c.Nodes), mode: nativeReplication, targets: []string{c.Target}},
		scenarios: []scenario{{Clients: c.Clients}}}
	defer func() { err = errors.Join(err, st.ends.run()) }()
	if err := st.openStandIns(ctx, c.Nodes); err != nil {
		return err
	}
	proxy := st.targets[0].proxy
	before, err := memoryOf(proxy.pid())
	if err != nil {
		return err
	}
	if c.Target == pgpool {
		before = 0 // it has made a process for each client already
	}
	clients, err := logInAll(ctx, proxy, c.Clients)
	defer closeAll(clients)
	if err != nil {
		return err
	}
	each := func() (float64, error) {
		after, err := settled(ctx, proxy.pid())
		return float64(after-before) / float64(c.Clients), err
	}
	if c.LoggedIn, err = each(); err != nil {
		return err
	}
	if err := queryAll(clients); err != nil {
		return err
	}
	c.Used, err = each()
	return err
}

// openStandIns starts a proxy before servers that are none.
func (st *stage) openStandIns(ctx context.Context, count int) error {
	if err := st.b.makeDir(st.dir()); err != nil {
		return err
	}
	for id := range count {
		server, err := startStandIn()
		if err != nil {
			return err
		}
		st.ends.add(server.close)
		st.nodes = append(st.nodes, &localpg.Node{ID: id, Host: "127.0.0.1", Port: server.port.Number})
	}
	if err := st.makeTargets(ctx); err != nil {
		return err
	}
	if err := st.startProxies(ctx); err != nil {
		return err
	}
	return st.targets[0].broken
}

// raiseFileLimit raises the limit on open files of ourselves and the programs that we
// start, as far as it goes or to what is wanted, and returns it.
func raiseFileLimit(wanted int) int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return idleFiles
	}
	if int(limit.Max) < wanted {
		more := syscall.Rlimit{Cur: uint64(wanted), Max: uint64(wanted)}
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &more) == nil { // root may
			return wanted
		}
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return idleFiles
	}
	return int(limit.Cur)
}

// settled is the memory of a proxy after a moment without work.
func settled(ctx context.Context, pid int) (int64, error) {
	select {
	case <-time.After(idleSettle):
		return memoryOf(pid)
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// logInAll connects so many clients, some at a time. What it returns is to be closed, on
// an error too.
func logInAll(ctx context.Context, p *proxy, count int) ([]net.Conn, error) {
	clients := make([]net.Conn, count)
	errs := make([]error, idleDialers)
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port.Number))
	var dialling sync.WaitGroup
	for worker := range idleDialers {
		dialling.Go(func() {
			for i := worker; i < count && errs[worker] == nil; i += idleDialers {
				clients[i], errs[worker] = logIn(ctx, address, p.database)
			}
		})
	}
	dialling.Wait()
	return clients, errors.Join(errs...)
}

func closeAll(clients []net.Conn) {
	for _, c := range clients {
		if c != nil {
			c.Close()
		}
	}
}

func queryAll(clients []net.Conn) error {
	for i, c := range clients {
		if err := query(c, "SELECT 1"); err != nil {
			return fmt.Errorf("client %d: %w", i, err)
		}
	}
	return nil
}
