package localpg

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// Ports are chosen below 32768, where Linux begins to take the ports of outgoing
// connections (ip_local_port_range), so that no connection can sit on the port
// of a node that is down for a moment; and above the well-known servers'.
const (
	firstPort = 17000
	lastPort  = 31999
)

// Port is a TCP port that was free and that no other process of ours will be
// given until it is released or this process ends.
type Port struct {
	Number int
	lock   *os.File
}

// ReservePort finds a free port on loopback. Processes agree through locks on
// files in a shared temporary folder, which the kernel drops when one dies.
func ReservePort() (*Port, error) {
	dir := filepath.Join(os.TempDir(), "pgchorus-ports")
	if err := makeSharedDir(dir); err != nil {
		return nil, err
	}
	// Processes begin at different places, so that they seldom meet.
	start := os.Getpid() * 64
	for i := range lastPort - firstPort + 1 {
		number := firstPort + (start+i)%(lastPort-firstPort+1)
		if port := tryPort(dir, number); port != nil {
			return port, nil
		}
	}
	return nil, errors.New("no TCP port is free")
}

// makeSharedDir makes a folder in which every user may lock ports.
func makeSharedDir(dir string) error {
	if err := os.Mkdir(dir, 0o777); err != nil {
		if os.IsExist(err) {
			return nil
		}
		return fmt.Errorf("reserve a port: %w", err)
	}
	return os.Chmod(dir, 0o777|os.ModeSticky)
}

// tryPort returns nil where the port is locked, or somebody listens there.
func tryPort(dir string, number int) *Port {
	lock, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(number)), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil // another user's, so in use by him
	}
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil || !canListen(number) {
		lock.Close()
		return nil
	}
	return &Port{Number: number, lock: lock}
}

// canListen forks nothing meanwhile: between fork and exec a child has this
// process's sockets, and would go on listening behind our Close.
func canListen(number int) bool {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(number)))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// Release lets others have the port.
func (p *Port) Release() error { return p.lock.Close() }
