package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/pgchorus/pgchorus/internal/cluster"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/verify"
	"github.com/pgchorus/pgchorus/replicator"
)

// `pgchorus verify` has the running server hold COMMITs while it takes snapshots, over
// the control socket: it sends "hold", is answered "held" and the live nodes, main first,
// and sends "release", or just leaves. Whoever holds for too long is not waited for.

const (
	// holdLimit is how long one may hold. Frontends wait that long at most.
	holdLimit = verify.HoldAtLeast
	// maxHoldPatience bounds the wait for COMMITs that are under way.
	maxHoldPatience = 10 * time.Second
	holdRequest     = "hold"
	releaseRequest  = "release"
)

// errHoldExpired is what comes of holding for too long.
var errHoldExpired = fmt.Errorf("commits were held for %v and went on", holdLimit)

// holdCommits waits until no COMMIT is under way and keeps new ones waiting until
// release is called, for holdLimit at most. The error of release says that they went on
// before. It is the verify.Hold of the server.
func holdCommits(window *replicator.Window, view func() *cluster.View) verify.Hold {
	return func(ctx context.Context) (verify.Held, error) {
		held, released := make(chan struct{}), make(chan struct{})
		ended := make(chan error, 1) // why nothing is held any more
		go func() {
			var expired error
			err := window.Snapshot(ctx, func() {
				close(held)
				expired = waitReleased(released)
			})
			ended <- errors.Join(err, expired)
		}()
		select {
		case err := <-ended:
			return verify.Held{}, err
		case <-held:
		}
		release := func() error {
			close(released)
			return <-ended
		}
		return verify.Held{Live: mainFirst(view()), Release: release}, nil
	}
}

func waitReleased(released <-chan struct{}) error {
	limit := time.NewTimer(holdLimit)
	defer limit.Stop()
	select {
	case <-released:
		return nil
	case <-limit.C:
		return errHoldExpired
	}
}

// mainFirst are the live nodes.
func mainFirst(view *cluster.View) []config.NodeID {
	main, known := view.Main()
	if !known {
		return nil
	}
	ids := []config.NodeID{main}
	for _, id := range view.Live() {
		if id != main {
			ids = append(ids, id)
		}
	}
	return ids
}

// serveHold answers a request to hold. The connection has a deadline (answer).
func serveHold(ctx context.Context, nc net.Conn, hold verify.Hold) {
	waiting, stop := context.WithTimeout(ctx, maxHoldPatience)
	defer stop()
	held, err := hold(waiting)
	if err != nil {
		fmt.Fprintln(nc, "error: "+strings.ReplaceAll(err.Error(), "\n", " "))
		return
	}
	words := []string{"held"}
	for _, id := range held.Live {
		words = append(words, strconv.Itoa(int(id)))
	}
	fmt.Fprintln(nc, strings.Join(words, " "))
	_ = nc.SetReadDeadline(time.Now().Add(holdLimit))
	_, _ = bufio.NewReader(io.LimitReader(nc, maxControlLine)).ReadString('\n') // whatever comes, or nothing, is the end
	reply := "ok"
	if err := held.Release(); err != nil {
		reply = "error: " + err.Error()
	}
	fmt.Fprintln(nc, reply)
}

// holdOver asks the server at a control socket. It is the verify.Hold of a command.
func holdOver(path string) verify.Hold {
	return func(ctx context.Context) (verify.Held, error) {
		nc, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
		if err != nil {
			return verify.Held{}, fmt.Errorf("control socket: %w", err)
		}
		_ = nc.SetDeadline(time.Now().Add(controlTimeout + time.Second))
		lines := bufio.NewReader(io.LimitReader(nc, 2*maxControlLine))
		words, err := exchange(nc, lines, holdRequest)
		if err != nil {
			nc.Close()
			return verify.Held{}, err
		}
		live, err := nodeIDs(words)
		if err != nil {
			nc.Close()
			return verify.Held{}, err
		}
		release := func() error {
			defer nc.Close()
			_, err := exchange(nc, lines, releaseRequest)
			return err
		}
		return verify.Held{Live: live, Release: release}, nil
	}
}

// exchange sends a line and returns the words of the answer.
func exchange(nc net.Conn, lines *bufio.Reader, request string) ([]string, error) {
	if _, err := fmt.Fprintln(nc, request); err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	line, err := lines.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	words := strings.Fields(line)
	if len(words) == 0 || words[0] != "held" && words[0] != "ok" {
		return nil, errors.New("the server says: " + strings.TrimPrefix(strings.TrimSpace(line), "error: "))
	}
	return words[1:], nil
}

func nodeIDs(words []string) ([]config.NodeID, error) {
	ids := make([]config.NodeID, len(words))
	for i, word := range words {
		id, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("control socket: node %q", word)
		}
		ids[i] = config.NodeID(id)
	}
	return ids, nil
}
