package session

import (
	"context"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/logkey"
)

// What a session has on its connections behind a transaction: settings, which can be made
// again on others, and what ties it to these (a pin).

// setPrefix and pinPrefix are what the rows of loanQuery begin with.
const (
	setPrefix = "="
	pinPrefix = "!"
)

// loanQuery lists what the session has set, as calls of set_config, and what pins it.
const loanQuery = `
SELECT * FROM (SELECT pg_catalog.concat('=pg_catalog.set_config(', pg_catalog.quote_literal(name), ', ', pg_catalog.quote_literal(setting), ', false)')
  FROM pg_catalog.pg_settings
 WHERE source OPERATOR(pg_catalog.=) 'session' AND context OPERATOR(pg_catalog.=) ANY ('{user,superuser}'::pg_catalog.text[])
   AND name OPERATOR(pg_catalog.<>) ALL ('{transaction_isolation,transaction_read_only,transaction_deferrable}'::pg_catalog.text[]) ORDER BY name) AS s
UNION ALL
SELECT '!SET ROLE' WHERE pg_catalog.current_setting('role') OPERATOR(pg_catalog.<>) 'none'
UNION ALL
SELECT '!LISTEN' WHERE EXISTS (SELECT FROM pg_catalog.pg_listening_channels())
UNION ALL
SELECT '!temporary table' WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema() AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,S,v,p}'::"char"[]))
UNION ALL
SELECT '!temporary function or type' WHERE EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema())
	OR EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.typnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema() AND t.typrelid OPERATOR(pg_catalog.=) 0::pg_catalog.oid AND t.typelem OPERATOR(pg_catalog.=) 0::pg_catalog.oid)
UNION ALL
SELECT '!cursor WITH HOLD' WHERE EXISTS (SELECT FROM pg_catalog.pg_cursors WHERE is_holdable)
UNION ALL
SELECT '!advisory lock' WHERE EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory' AND l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())
UNION ALL
SELECT '!PREPARE' WHERE EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE from_sql)`

// customQuery is a part of the question for a setting that the session has made up.
func customQuery(name string) string {
	literal := quoteLiteral(name)
	return "\nUNION ALL SELECT pg_catalog.concat('=pg_catalog.set_config(', pg_catalog.quote_literal(" + literal + "), ', ', pg_catalog.quote_literal(v), ', false)')" +
		" FROM pg_catalog.current_setting(" + literal + ", true) AS v WHERE v OPERATOR(pg_catalog.<>) ''"
}

// learnHoldings asks main what the session has on its connections, if something may have
// changed that. known is false if nobody could be asked.
func (s *Session) learnHoldings(ctx context.Context) (known bool, err error) {
	query := loanQuery + "\nUNION ALL SELECT '!SET SESSION AUTHORIZATION' WHERE session_user::pg_catalog.text OPERATOR(pg_catalog.<>) " + quoteLiteral(s.login.User)
	for _, name := range s.customNames() {
		query += customQuery(name)
	}
	for l := s.knowing(); l != nil; l = s.knowing() {
		rows, err := l.ask(query)
		switch {
		case err == nil:
			s.noteHoldings(rows)
			return true, nil
		case l.answer.Failed():
			s.log.Warn("state of the session not read", zap.Int(logkey.Node, int(l.ID())), zap.Error(err))
			return false, nil
		}
		s.lost(ctx, l, err)
		if s.terminated != nil {
			return false, errTerminatedByNode
		}
	}
	return false, nil
}

func (s *Session) customNames() []string {
	names := make([]string, 0, len(s.settings.custom))
	for name := range s.settings.custom {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// noteHoldings takes the answer of loanQuery over.
func (s *Session) noteHoldings(rows []string) {
	var sets, pins []string
	for _, row := range rows {
		if set, ok := strings.CutPrefix(row, setPrefix); ok {
			sets = append(sets, set)
		} else {
			pins = append(pins, strings.TrimPrefix(row, pinPrefix))
		}
	}
	n := &s.loan
	n.unsure = false
	n.held = strings.Join(pins, ", ")
	settings := strings.Join(sets, ", ")
	if settings != n.settings && n.shifted {
		s.taintPrepared()
	}
	n.settings = settings
	if held := s.settings.locksOn; held != nil && *held == s.mainID() && !slices.Contains(pins, "advisory lock") {
		s.settings.locksOn = nil
	}
	if len(pins) == 0 {
		s.settings.bound = nil
	}
}

// pin is why the session cannot do without its connections; empty if it can.
func (s *Session) pin() string {
	var why []string
	note := func(holds bool, what string) {
		if holds {
			why = append(why, what)
		}
	}
	n := &s.loan
	note(n.held != "", n.held)
	note(len(s.settings.channels) > 0 && !strings.Contains(n.held, "LISTEN"), "LISTEN")
	note(n.own && !strings.Contains(n.held, "PREPARE"), "names of prepared statements in SQL")
	note(n.tainted && s.hasTainted(), "prepared statement that was parsed under other settings")
	note(s.settings.seeded, "setseed")
	note(n.hides, "code that may have set something")
	note(s.settings.locksOn != nil && n.held == "", "advisory lock")
	note(n.unsure, "state that could not be read")
	return strings.Join(why, ", ")
}
