package session

import (
	"fmt"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/cache"
)

// The query cache on the road: cache.go has the session's part and its scope,
// cache_read.go answers and records reads, cache_write.go follows what is written,
// cache_judge.go asks package cachepolicy. ADR 0031 says why no answer is stale.

// caching is what a session has to do with the query cache.
type caching struct {
	// scope is shared with the sessions whose answers look the same; nil if it is not
	// known.
	scope *cache.Scope
	// lease is that of the database, where others' writes are followed.
	lease *cache.Lease
	// unsure: something has run since that may have changed it. barred: the session has
	// temporary tables, which hide others from it.
	unsure, barred bool
	// scopes counts how often it may have changed.
	scopes uint64
	// local: up to the end of the transaction the session is in another scope.
	local bool

	record recording
	batch  *readBatch // nil until there is one

	// touched are the names that the transaction has written, of the catalogue as it was
	// at touchedAt; moved: it has changed in between.
	touched   []cache.Slot
	touchedAt uint64
	moved     bool
	// commit is the COMMIT under way, atOnce are writes that need none.
	commit *cache.Write
	atOnce []cache.Write
	// doubt: it may have taken effect on a node although it failed. unknown: it may take
	// effect even later.
	doubt, unknown bool
}

// scopeQuery tells the session's scope: whether it has temporary tables, who it is, where
// it looks names up, and all settings that change what a statement means or how its answer
// looks. What is compared is a digest of those. The settings of an extension are listed once
// it is loaded, as PL/pgSQL is by a write, so they count only if they were set.
const scopeQuery = `SELECT pg_catalog.json_build_array(pg_catalog.pg_my_temp_schema()::pg_catalog.text,
	session_user, current_user, pg_catalog.current_schemas(true),
	pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to((SELECT pg_catalog.json_object_agg(s.name, s.setting ORDER BY s.name)::pg_catalog.text
		FROM pg_catalog.pg_settings s
		WHERE (pg_catalog.starts_with(s.category, 'Client Connection Defaults') OR pg_catalog.starts_with(s.category, 'Version and Platform')
			OR s.category OPERATOR(pg_catalog.=) 'Customized Options' AND s.source OPERATOR(pg_catalog.<>) 'default')
		AND s.name OPERATOR(pg_catalog.<>) ALL ('{application_name,statement_timeout,lock_timeout,idle_in_transaction_session_timeout,` +
	`idle_session_timeout,client_min_messages,default_transaction_isolation,default_transaction_read_only,default_transaction_deferrable,` +
	`transaction_isolation,transaction_read_only,transaction_deferrable}'::pg_catalog.text[])), 'UTF8')), 'hex'))::pg_catalog.text`

// noTemporary is how a row of scopeQuery begins for a session without temporary tables.
const noTemporary = `["0",`

// learnScope sees to it that the scope is known, if it can be: a session that is in a
// transaction has to end it first.
func (s *Session) learnScope() bool {
	c := &s.caching
	if c.lease == nil {
		c.lease = s.Follower.Lease(s.login.Database)
	}
	if !c.lease.Holds() {
		return false
	}
	if c.scope != nil && !c.unsure || c.barred && !c.unsure {
		return c.scope != nil
	}
	if s.tx.kind != txNone {
		return false
	}
	row := s.set.Scope
	if row == "" || c.unsure {
		l := s.askable()
		if l == nil {
			return false
		}
		rows, err := l.ask(scopeQuery)
		if err != nil || len(rows) != 1 {
			s.log.Warn("scope of the session not read", zap.Error(err))
			return false
		}
		row = rows[0]
		if !c.unsure {
			s.set.Scope = row // of a session that has set nothing yet
			s.rememberScope(row)
		}
	}
	s.takeScope(row)
	return c.scope != nil
}

// takeScope makes a row of scopeQuery the session's scope.
func (s *Session) takeScope(row string) {
	c := &s.caching
	c.scope, c.unsure, c.barred = nil, false, row[:min(len(row), len(noTemporary))] != noTemporary
	if !c.barred {
		c.scope = s.Cache.NewScope(fmt.Sprintf("%q %v %s", s.login.Database, s.numbers.spoken, row))
	}
}

// scoped reports whether the session's scope is known now.
func (c *caching) scoped() bool { return c.scope != nil && !c.unsure && !c.local && c.lease.Holds() }

// mayShare reports whether an answer from memory, or for it, is the right one at this
// point of the session: outside of a transaction, or in one that sees what has been
// committed by then and has written nothing itself.
func (s *Session) mayShare() bool {
	switch {
	case s.batch.executed, s.batch.pinned, s.caching.local:
		return false
	case s.tx.kind == txNone:
		return true
	}
	return s.tx.kind == txExplicit && !s.tx.failed && !s.tx.wrote && !s.tx.changed && !s.tx.pinned && !s.tx.settings &&
		s.tx.writer == noNode && len(s.tx.ddl) == 0 && len(s.caching.touched) == 0 && !keepsSnapshot(s.isolation())
}

// leaveCache ends what the session has begun to write: it has broken off.
func (s *Session) leaveCache() {
	s.caching.unknown = s.caching.unknown || s.caching.commit != nil || len(s.caching.atOnce) > 0
	s.endWrites(true)
	s.endAtOnce(true)
}
