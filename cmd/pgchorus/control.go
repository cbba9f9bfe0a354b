package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/cluster"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/verify"
)

// The control socket takes `pgchorus node attach|detach` and `pgchorus cache clear`: one line asks, one line
// answers, "ok" or the reason why not. Only the user who runs pgchorus can open it.

const (
	// controlTimeout bounds a request; attaching waits for transactions that write.
	controlTimeout = 15 * time.Second
	// maxControlLine is far above the longest request.
	maxControlLine = 256
)

// controlServer serves the control socket.
type controlServer struct {
	listener net.Listener
	cluster  *cluster.Manager
	log      *zap.Logger
	hold     verify.Hold
	forget   func() error // empties the query cache
}

// controlPath is the socket file of the server with that configuration.
func controlPath(cfg *config.Config) string {
	dir := os.TempDir()
	if len(cfg.PCP.SocketDir) > 0 {
		dir = cfg.PCP.SocketDir[0]
	}
	return filepath.Join(dir, ".s.pgchorus."+strconv.Itoa(cfg.Listen.Port))
}

func listenControl(cfg *config.Config, manager *cluster.Manager, log *zap.Logger) (*controlServer, error) {
	path := controlPath(cfg)
	if nc, err := net.DialTimeout("unix", path, time.Second); err == nil {
		nc.Close()
		return nil, fmt.Errorf("control socket %s is in use by another server", path)
	}
	os.Remove(path)
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return &controlServer{listener: listener, cluster: manager, log: log}, nil
}

// run serves until ctx ends.
func (c *controlServer) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { c.listener.Close() })
	defer stop()
	var requests sync.WaitGroup
	defer requests.Wait()
	for {
		nc, err := c.listener.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("control socket: %w", err)
		}
		requests.Go(func() { c.answer(ctx, nc) })
	}
}

func (c *controlServer) answer(ctx context.Context, nc net.Conn) {
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(controlTimeout + time.Second))
	line, err := bufio.NewReader(io.LimitReader(nc, maxControlLine)).ReadString('\n')
	if err != nil {
		return
	}
	if strings.TrimSpace(line) == holdRequest {
		serveHold(ctx, nc, c.hold)
		return
	}
	ctx, stop := context.WithTimeout(ctx, controlTimeout)
	defer stop()
	reply := "ok"
	if err := c.perform(ctx, strings.Fields(line)); err != nil {
		reply = err.Error()
	}
	fmt.Fprintln(nc, strings.ReplaceAll(reply, "\n", " "))
}

func (c *controlServer) perform(ctx context.Context, words []string) error {
	if len(words) != 2 {
		return errors.New("expected: attach ID | detach ID | cache clear")
	}
	if words[0] == "cache" && words[1] == "clear" {
		return c.forget()
	}
	number, err := strconv.Atoi(words[1])
	if err != nil {
		return fmt.Errorf("node %q: expected a number", words[1])
	}
	switch words[0] {
	case "attach":
		return c.cluster.Attach(ctx, config.NodeID(number))
	case "detach":
		return c.cluster.Detach(ctx, config.NodeID(number))
	}
	return fmt.Errorf("%q: expected attach or detach", words[0])
}

// controlNode asks the running server to attach or detach a node.
func controlNode(ctx context.Context, configFile, action string, id config.NodeID) error {
	return askRunning(ctx, configFile, action+" "+id.String())
}

// askRunning sends the running server one line.
func askRunning(ctx context.Context, configFile, line string) error {
	cfg, _, err := config.Load(configFile)
	if err != nil {
		return err
	}
	nc, err := (&net.Dialer{}).DialContext(ctx, "unix", controlPath(cfg))
	if err != nil {
		return fmt.Errorf("no pgchorus answers at its control socket: %w", err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(controlTimeout + 2*time.Second))
	fmt.Fprintln(nc, line)
	reply, err := bufio.NewReader(nc).ReadString('\n')
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	if reply = strings.TrimSpace(reply); reply != "ok" {
		return errors.New(reply)
	}
	return nil
}
