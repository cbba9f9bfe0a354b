package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// promoteSignal is the file by which the postmaster knows that SIGUSR1 means to
// promote (PROMOTE_SIGNAL_FILE in xlog.h); pg_ctl promote does the same.
const promoteSignal = "promote"

// Promote makes a standby a primary and waits until it is one. Replay that was
// paused goes on for it.
func (n *Node) Promote(ctx context.Context) error {
	p := n.current()
	if !p.alive() {
		return ErrNotRunning
	}
	if err := n.promote(ctx, p); err != nil {
		return fmt.Errorf("promote: %w", err)
	}
	return nil
}

func (n *Node) promote(ctx context.Context, p *process) error {
	conn, err := pgconn.Connect(ctx, n.DSN("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if recovering, err := inRecovery(ctx, conn); err != nil || !recovering {
		return errors.Join(err, errors.New("the server is no standby"))
	}
	signal := filepath.Join(n.DataDir, promoteSignal)
	if err := n.cluster.account.writeFile(signal, nil); err != nil {
		return err
	}
	if err := syscall.Kill(p.pid, syscall.SIGUSR1); err != nil {
		return err
	}
	if err := waitPromoted(ctx, conn); err != nil {
		_ = os.Remove(signal) // the server may have done so
		return err
	}
	return nil
}

// waitPromoted asks in a loop, since nothing tells of the end of recovery; pg_promote
// does the same with longer pauses.
func waitPromoted(ctx context.Context, conn *pgconn.PgConn) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		if recovering, err := inRecovery(ctx, conn); err != nil || !recovering {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func inRecovery(ctx context.Context, conn *pgconn.PgConn) (bool, error) {
	answer := conn.ExecParams(ctx, "SELECT pg_is_in_recovery()", nil, nil, nil, nil).Read()
	if answer.Err != nil {
		return false, answer.Err
	}
	return string(answer.Rows[0][0]) == "t", nil
}
