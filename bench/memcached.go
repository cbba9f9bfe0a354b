package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

// memcachedProgram is what its program and Debian's package are called.
const memcachedProgram = "memcached"

// memcached holds the answers of one proxy, so that none takes another's room.
type memcached struct {
	child
	port *localpg.Port
}

// makeMemcached does not start it.
func (st *stage) makeMemcached(t *target) (*memcached, error) {
	port, err := localpg.ReservePort()
	if err != nil {
		return nil, err
	}
	st.ends.add(port.Release)
	m := &memcached{port: port, child: child{
		name: memcachedProgram, program: st.b.peers[memcachedProgram], stopSignal: syscall.SIGTERM,
		args:    []string{"-l", "127.0.0.1", "-p", strconv.Itoa(port.Number), "-m", strconv.Itoa(cacheMegabytes)},
		logFile: filepath.Join(st.dir(), t.name+"-memcached.log"),
	}}
	m.answers = m.connects
	return m, nil
}

func (m *memcached) connects(ctx context.Context) error {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(m.port.Number)))
	if err != nil {
		return err
	}
	return nc.Close()
}

// config are the lines of pgpool.conf that lead there.
func (m *memcached) config() string {
	return fmt.Sprintf("memqcache_memcached_host = '127.0.0.1'\nmemqcache_memcached_port = %d\n", m.port.Number)
}
