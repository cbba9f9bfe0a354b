package streaming

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// The WAL writer writes whole pages, so for as long as a transaction has written much
// and nobody commits, the primary's position may be in the middle of a record. No
// standby gets beyond the record's beginning, and one that has every commit would
// look as if it were behind, until somebody commits. So a little transaction of ours
// does: it writes a message that nobody reads, and everything before it is written
// up to the end of a record.

const (
	// patientLooks is how often a standby is asked before anything is written.
	patientLooks = 3
	// flushPause is the least time between two such transactions.
	flushPause = 100 * time.Millisecond
	// flushRetry is that after one that was refused.
	flushRetry = time.Minute
)

// flushStatement commits without waiting for synchronous standbys.
const flushStatement = `BEGIN; SET LOCAL synchronous_commit = local;
SELECT pg_catalog.pg_logical_emit_message(true, 'pgchorus', ''); COMMIT`

func (c *conn) flush(ctx context.Context) error {
	_, err := c.PgConn().Exec(ctx, flushStatement).ReadAll()
	if err != nil {
		c.PgConn().Exec(ctx, "ROLLBACK").Close() //nolint:errcheck // the first error says it all
	}
	return err
}

// flushes are the transactions of ours.
type flushes struct {
	position lsn // of the primary, for which the last one was
	next     time.Time
}

// stuck reports whether a standby at a position can get no further because the
// primary's is not the end of a record, which it may not be only at the beginning of a
// page. Of a subscriber it is not known what it has received: then it is near enough.
func (h *history) stuck(r reading, position lsn) bool {
	if h.pageSize == 0 {
		return false
	}
	at := h.latest().position
	near := r.received >= at
	if len(r.subscriptions) > 0 {
		near = position.behind(at) < int64(nearPages*h.pageSize)
	}
	return at%h.pageSize == 0 && position < at && near
}

// nearPages is how many pages a record is thought to have at most.
const nearPages = 8

// flush has the primary write to the end of a record, once for each position.
func (m *Monitor) flush(ctx context.Context) {
	now := time.Now()
	m.mu.Lock()
	at := lsn(0)
	if len(m.history.samples) > 0 {
		at = m.history.latest().position
	}
	due := at != m.flushes.position && now.After(m.flushes.next)
	primary := m.node(m.history.primary)
	if due {
		m.flushes = flushes{position: at, next: now.Add(flushPause)}
	}
	m.mu.Unlock()
	if !due || primary == nil || !m.cluster.View().Up(primary.id) {
		return
	}
	r, err := primary.link.ask(ctx, question{flush: true})
	if err == nil {
		err = r.flushError
	}
	if err != nil {
		m.mu.Lock()
		m.flushes.next = now.Add(flushRetry)
		m.mu.Unlock()
		m.log.Warn("primary cannot be made to complete a page of WAL, so a standby may seem to be behind until the next commit",
			nodeField(primary.id), zap.Error(err))
	}
}
