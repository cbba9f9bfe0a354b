package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/backend"
	"github.com/pgchorus/pgchorus/internal/logkey"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
)

// A node that joins while a session is under way is given the session's state: what
// SET has changed, prepared statements, LISTEN. What cannot be copied
// (temporary tables, cursors WITH HOLD, advisory locks) ends the session rather than
// be missing in silence on one node.

// stateQuery lists what a node that joins has to be told, as statements, and in its
// last row what cannot be told.
const stateQuery = `
SELECT format('SET SESSION %s = %s', quote_ident(name),
              CASE WHEN name = 'search_path' OR vartype = 'string' AND setting LIKE '%,%' AND name IN ('search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries')
                   THEN setting ELSE quote_literal(setting) END)
  FROM pg_catalog.pg_settings
 WHERE source = 'session' AND context IN ('user', 'superuser') AND name NOT IN ('transaction_isolation', 'transaction_read_only', 'transaction_deferrable')
UNION ALL
SELECT 'SET SESSION AUTHORIZATION ' || quote_ident(pg_catalog.current_setting('session_authorization'))
 WHERE session_user <> (SELECT usename FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid())
UNION ALL
SELECT 'SET ROLE ' || quote_ident(pg_catalog.current_setting('role'))
 WHERE pg_catalog.current_setting('role') <> 'none'
UNION ALL
SELECT 'LISTEN ' || quote_ident(channel) FROM pg_catalog.pg_listening_channels() AS channel`

// obstacleQuery names what cannot be copied.
const obstacleQuery = `
SELECT 'a temporary table' WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_class WHERE relnamespace = pg_catalog.pg_my_temp_schema() AND relkind IN ('r', 'S', 'v', 'p'))
UNION ALL
SELECT 'a cursor WITH HOLD' WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_cursors WHERE is_holdable)
UNION ALL
SELECT 'an advisory lock' WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid())`

// setSerializable is a row of stateQuery.
const setSerializable = "SET SESSION default_transaction_isolation = 'serializable'"

// copyState gives a node that joins the state that the session has on another.
func (s *Session) copyState(from, to *link) error {
	obstacles, err := from.ask(obstacleQuery)
	if err != nil {
		return fmt.Errorf("read the session's state on node %d: %w", from.ID(), err)
	}
	if len(obstacles) > 0 {
		return pgerr.Fatal(pgerr.AdminShutdown, "terminating connection because a node joins the cluster").
			WithDetail("The session has %s, which cannot be copied to node %d.", strings.Join(obstacles, ", "), to.ID()).
			WithHint("Connect again.")
	}
	settings, err := from.ask(stateQuery)
	if err != nil {
		return fmt.Errorf("read the session's state on node %d: %w", from.ID(), err)
	}
	for _, statement := range settings {
		if statement == setSerializable && s.hasPrimary() && to.ID() != s.mainID() {
			continue // a standby has none, and its transactions say so
		}
		if _, err := to.ask(statement); err != nil {
			return fmt.Errorf("copy the session's state to node %d: %w", to.ID(), err)
		}
	}
	if err := s.copyCustom(from, to); err != nil {
		return err
	}
	return s.copyPrepared(to)
}

// copyCustom gives a node the settings that the session has made up.
func (s *Session) copyCustom(from, to *link) error {
	for name := range s.settings.custom {
		values, err := from.ask("SELECT pg_catalog.current_setting(" + quoteLiteral(name) + ", true)")
		if err != nil || len(values) != 1 {
			continue // it is not set any more
		}
		if _, err := to.ask("SELECT pg_catalog.set_config(" + quoteLiteral(name) + ", " + quoteLiteral(values[0]) + ", false)"); err != nil {
			return fmt.Errorf("copy setting %q to node %d: %w", name, to.ID(), err)
		}
	}
	return nil
}

// quoteLiteral writes a string constant that means the same whatever
// standard_conforming_strings says.
func quoteLiteral(text string) string {
	text = strings.ReplaceAll(text, "'", "''")
	if strings.Contains(text, `\`) {
		return ` E'` + strings.ReplaceAll(text, `\`, `\\`) + "'"
	}
	return "'" + text + "'"
}

// copyPrepared gives a node the statements of SQL's PREPARE. Those of Parse messages
// it is given when they are needed there.
func (s *Session) copyPrepared(to *link) error {
	for name, p := range s.st.prepared {
		if !p.bySQL {
			continue
		}
		if _, err := to.ask(p.sent); err != nil {
			return fmt.Errorf("copy prepared statement %q to node %d: %w", name, to.ID(), err)
		}
		to.prepared[name] = p
	}
	return nil
}

// ask runs a query of ours and returns the first column of its rows. The transaction
// status of the node does not change.
func (l *link) ask(query string) ([]string, error) {
	l.begin()
	l.appendSync()
	l.appendQuery(wire.Expect{What: wire.ExpectQuery}, query)
	if err := l.conn.Flush(); err != nil {
		return nil, err
	}
	var rows firstColumn
	if err := l.conn.Receive(&l.exchange, &rows, &l.answer); err != nil {
		return nil, err
	}
	if l.answer.Failed() {
		return nil, errors.New(wire.ErrorField(l.answer.Err, wire.FieldMessage))
	}
	return rows, nil
}

// firstColumn collects the first column of an answer, in text.
type firstColumn []string

var _ backend.Sink = (*firstColumn)(nil)

// Take keeps a row's first column.
func (f *firstColumn) Take(c *backend.Conn, kind wire.Kind, total int, _ *wire.Expect) error {
	if kind != wire.KindDataRow {
		return c.Discard(total)
	}
	frame, err := c.Next(total)
	if err != nil {
		return err
	}
	if value, ok := wire.FirstColumn(frame.Body()); ok {
		*f = append(*f, string(value))
	}
	return nil
}

// Fail leaves the error to the answer.
func (f *firstColumn) Fail(wire.Frame, *wire.Expect) error { return nil }

// reconnect is for a session that has lost its last node: it waits for one to come
// back, for as long as search_primary_node_timeout allows.
func (s *Session) reconnect(ctx context.Context) error {
	if s.tx.kind != txNone && (s.tx.wrote || s.tx.kind == txExplicit) {
		return errNoNodes()
	}
	limit := s.Config().Failover.SearchPrimaryNodeTimeout
	if limit > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, limit)
		defer stop()
	}
	tick := time.NewTicker(reconnectInterval)
	defer tick.Stop()
	for {
		s.refreshView()
		if err := s.complete(ctx); err == nil && s.first() != nil {
			s.log.Info("session has a node again", zap.Int(logkey.Node, int(s.first().ID())))
			return nil
		}
		select {
		case <-ctx.Done():
			return errNoNodes()
		case <-tick.C:
		}
	}
}

// reconnectInterval is the pause between two looks for a node.
const reconnectInterval = 200 * time.Millisecond
