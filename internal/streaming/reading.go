package streaming

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// reading is one answer of a node.
type reading struct {
	asked    time.Time // before the question was sent
	answered time.Time
	session  uint64 // numbers the connection: after another one nothing of before holds

	inRecovery bool
	written    lsn // for a node that takes writes
	timeline   uint32
	// asyncGrace is how long a commit may have been acknowledged before it is
	// below written; 0 unless synchronous_commit is off for everybody.
	asyncGrace time.Duration

	replayed    lsn  // for a standby of streaming replication
	hasReplayed bool // false for one that has replayed nothing since its start
	received    lsn  // by the same; it may be lower than replayed after a restart
	pageSize    lsn  // of the WAL

	subscriptions []subscription // for logical replication

	facts      *facts // only if asked for
	flushError error  // of the transaction that was asked for
}

// question is what a node is asked for beside its position.
type question struct {
	facts bool
	flush bool // see flush.go; done first
}

// facts are what does not have to be asked for in a hurry.
type facts struct {
	Senders  []sender  `json:"senders"`
	Receiver *receiver `json:"receiver"`
	// Slots are the names of the logical replication slots that are in use.
	Slots []string `json:"slots"`
	// XactAge is how long ago the last replayed transaction was committed, in
	// microseconds by the clocks of the two servers.
	XactAge *int64 `json:"xact_age"`
}

// sender is a row of pg_stat_replication. To a user without pg_read_all_stats
// everything but the name is null.
type sender struct {
	Name      string `json:"name"`
	State     string `json:"state"`
	SyncState string `json:"sync_state"`
	// ReplayLag is in microseconds.
	ReplayLag *int64 `json:"replay_lag"`
}

// receiver is the row of pg_stat_wal_receiver.
type receiver struct {
	Status string `json:"status"`
	Host   string `json:"host"`
	Port   int    `json:"port"`
}

// subscription is a row of pg_subscription with the state of its apply worker.
type subscription struct {
	Name    string `json:"name"`
	Slot    string `json:"slot"`
	Enabled bool   `json:"enabled"`
	// Reported is latest_end_lsn, Received received_lsn, and Progress is the replication
	// origin's.
	Reported string `json:"reported"`
	Received string `json:"received"`
	Progress string `json:"progress"`
	// Idle: the worker has no transaction open that has written.
	Idle bool `json:"idle"`
	// Copying: a table is still being copied, which positions do not speak of.
	Copying bool `json:"copying"`
}

// physicalQuery: a CASE evaluates only the branch it takes, so no function is called
// on a server of the wrong kind. The first eight digits of a WAL file's name are the
// timeline; a standby has no such function and tells that of its WAL receiver.
const physicalQuery = `
SELECT r,
       CASE WHEN r THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END::text,
       CASE WHEN r THEN (SELECT w.received_tli::bigint FROM pg_catalog.pg_stat_wal_receiver w)
            ELSE ('x' || pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8))::bit(32)::bigint END,
       pg_catalog.current_setting('synchronous_commit') = 'off',
       CASE WHEN r THEN pg_catalog.pg_last_wal_receive_lsn() END::text
FROM (SELECT pg_catalog.pg_is_in_recovery() AS r OFFSET 0) AS s`

// logicalQuery takes %s for the position of a subscription's replication origin,
// which not everybody may ask for. Rows of workers that copy a table have relid, and
// those of parallel apply workers (PostgreSQL 16) leader_pid. pg_locks, unlike what
// pg_stat_activity tells of a transaction, is shown to everybody.
const logicalQuery = `
SELECT CASE WHEN r THEN NULL ELSE pg_catalog.pg_current_wal_lsn() END::text,
       pg_catalog.current_setting('synchronous_commit') = 'off',
       (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
                 'name', s.subname, 'slot', coalesce(s.subslotname, ''), 'enabled', s.subenabled,
                 'reported', coalesce(w.latest_end_lsn::text, ''),
                 'received', coalesce(w.received_lsn::text, ''),
                 'progress', coalesce(%s::text, ''),
                 'idle', NOT EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.pid = w.pid AND l.locktype = 'transactionid'),
                 'copying', EXISTS (SELECT FROM pg_catalog.pg_stat_subscription c WHERE c.subid = s.oid AND c.relid IS NOT NULL))), '[]')
          FROM (SELECT * FROM (SELECT oid, subname, subslotname, subenabled FROM pg_catalog.pg_subscription) AS all_of_them LIMIT 256) AS s
          LEFT JOIN LATERAL (SELECT * FROM pg_catalog.pg_stat_subscription a
                             WHERE a.subid = s.oid AND a.relid IS NULL AND pg_catalog.to_jsonb(a) ->> 'leader_pid' IS NULL LIMIT 1) AS w ON true)::text
FROM (SELECT pg_catalog.pg_is_in_recovery() AS r OFFSET 0) AS q`

const (
	originProgress   = `pg_catalog.pg_replication_origin_progress('pg_' || s.oid, false)`
	noOriginProgress = `NULL`
)

// factsQuery reads columns that not every version has through to_jsonb.
const factsQuery = `
SELECT pg_catalog.json_build_object(
  'senders', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('name', coalesce(application_name, ''), 'state', coalesce(state, ''),
                'sync_state', coalesce(sync_state, ''), 'replay_lag', (extract(epoch FROM replay_lag) * 1000000)::bigint)), '[]')
              FROM (SELECT * FROM pg_catalog.pg_stat_replication LIMIT 256) AS s),
  'receiver', (SELECT pg_catalog.json_build_object('status', coalesce(status, ''), 'host', coalesce(pg_catalog.to_jsonb(w) ->> 'sender_host', ''),
                'port', coalesce((pg_catalog.to_jsonb(w) ->> 'sender_port')::int, 0)) FROM pg_catalog.pg_stat_wal_receiver AS w),
  'slots', (SELECT coalesce(pg_catalog.json_agg(slot_name), '[]')
            FROM (SELECT slot_name FROM pg_catalog.pg_replication_slots WHERE slot_type = 'logical' AND active LIMIT 256) AS l),
  'xact_age', CASE WHEN pg_catalog.pg_is_in_recovery()
                   THEN (extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp()) * 1000000)::bigint END)::text`

// beginQuery is asked once on each connection. The control file's timeline is that
// of the last checkpoint or restartpoint, so what is replayed is on it or on one that
// has branched off.
const beginQuery = `
SELECT (SELECT timeline_id::bigint FROM pg_catalog.pg_control_checkpoint()),
       (SELECT setting::bigint FROM pg_catalog.pg_settings WHERE name = 'wal_writer_delay'),
       pg_catalog.current_setting('wal_block_size')::bigint,
       pg_catalog.has_function_privilege('pg_catalog.pg_replication_origin_progress(text, boolean)', 'EXECUTE')`

// conn is a connection with what was found out at its beginning.
type conn struct {
	*pgx.Conn
	session        uint64
	timeline       uint32
	asyncGrace     time.Duration // if synchronous_commit is off
	originProgress bool
	pageSize       lsn
}

// begin makes queries end on the server, too, if they take longer than anybody waits.
func begin(ctx context.Context, c *pgx.Conn, session uint64) (*conn, error) {
	limit := fmt.Sprintf("SET statement_timeout = %d", askTime.Milliseconds())
	if _, err := c.Exec(ctx, limit); err != nil {
		return nil, err
	}
	begun := &conn{Conn: c, session: session}
	var timeline, delay, pageSize int64
	if err := c.QueryRow(ctx, beginQuery).Scan(&timeline, &delay, &pageSize, &begun.originProgress); err != nil {
		return nil, err
	}
	begun.timeline, begun.pageSize = uint32(timeline), lsn(pageSize)
	// The WAL writer has written an asynchronous commit after three rounds at the
	// latest (wal_writer_delay, "Asynchronous Commit" in the manual).
	begun.asyncGrace = 3 * time.Duration(delay) * time.Millisecond
	return begun, nil
}

// read asks the node.
func (c *conn) read(ctx context.Context, logical bool, q question) (reading, error) {
	r := reading{session: c.session, pageSize: c.pageSize}
	if q.flush {
		r.flushError = c.flush(ctx)
	}
	r.asked = time.Now()
	ask := c.readPhysical
	if logical {
		ask = c.readLogical
	}
	if err := ask(ctx, &r); err != nil {
		return reading{}, err
	}
	r.answered = time.Now()
	if !q.facts {
		return r, nil
	}
	facts, err := c.readFacts(ctx)
	r.facts = facts
	return r, err
}

func (c *conn) readPhysical(ctx context.Context, r *reading) error {
	var position, received *string
	var timeline *int64
	var async bool
	err := c.QueryRow(ctx, physicalQuery).Scan(&r.inRecovery, &position, &timeline, &async, &received)
	if err != nil {
		return err
	}
	// A standby's WAL receiver may be gone, or its row hidden from us; then it is
	// still on the timeline on which it was last seen.
	if timeline != nil && *timeline > 0 {
		c.timeline = uint32(*timeline)
	}
	r.timeline = c.timeline
	if async {
		r.asyncGrace = c.asyncGrace
	}
	if position == nil {
		return nil
	}
	if received != nil {
		if r.received, err = parseLSN(*received); err != nil {
			return err
		}
	}
	at, err := parseLSN(*position)
	if r.inRecovery {
		r.replayed, r.hasReplayed = at, err == nil
	} else {
		r.written = at
	}
	return err
}

func (c *conn) readLogical(ctx context.Context, r *reading) error {
	progress := noOriginProgress
	if c.originProgress {
		progress = originProgress
	}
	var position *string
	var async bool
	var subscriptions string
	if err := c.QueryRow(ctx, fmt.Sprintf(logicalQuery, progress)).Scan(&position, &async, &subscriptions); err != nil {
		return err
	}
	if async {
		r.asyncGrace = c.asyncGrace
	}
	if err := json.Unmarshal([]byte(subscriptions), &r.subscriptions); err != nil {
		return fmt.Errorf("subscriptions: %w", err)
	}
	if position == nil {
		r.inRecovery = true
		return nil
	}
	at, err := parseLSN(*position)
	r.written = at
	return err
}

func (c *conn) readFacts(ctx context.Context) (*facts, error) {
	var text string
	if err := c.QueryRow(ctx, factsQuery).Scan(&text); err != nil {
		return nil, err
	}
	found := &facts{}
	if err := json.Unmarshal([]byte(text), found); err != nil {
		return nil, fmt.Errorf("replication facts: %w", err)
	}
	return found, nil
}
