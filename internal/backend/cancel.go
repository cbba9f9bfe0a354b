package backend

import (
	"context"
	"fmt"

	"github.com/pgchorus/pgchorus/internal/wire"
)

// Key names a backend process to a CancelRequest.
type Key struct {
	Address Address
	PID     uint32
	Secret  []byte
}

// Cancel sends a CancelRequest on a connection of its own. It returns when the
// server has closed that connection: the signal has been sent by then, so a
// statement that is sent afterwards cannot be hit.
func Cancel(ctx context.Context, key Key) error {
	conn, err := dial(ctx, key.Address)
	if err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	defer conn.Close()
	defer bound(ctx, conn)()
	conn.Append(wire.AppendCancel(nil, key.PID, key.Secret))
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	conn.TakeByte() // the server answers nothing; its end of file is what we wait for
	return nil
}
