package wire

import "context"

// Login is a Conn while somebody logs in: one message at a time, each bounded.
// Deadlines are set by the owner of the Conn, who knows how long a log-in may take.
type Login struct {
	*Conn
}

// Receive waits for a message with a body of at most max bytes. The body is valid
// until the next Receive.
func (l Login) Receive(ctx context.Context, max int) (Kind, []byte, error) {
	if err := ctx.Err(); err != nil {
		return 0, nil, err
	}
	frame, err := l.Next(max)
	if err != nil {
		return 0, nil, err
	}
	return frame.Kind(), frame.Body(), nil
}

// Send writes one message at once.
func (l Login) Send(ctx context.Context, kind Kind, body []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.SetOutbox(AppendMessage(l.Outbox(), kind, body))
	return l.Flush()
}
