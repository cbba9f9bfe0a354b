package session

import (
	"slices"
	"strconv"
	"time"

	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// DDL that main has done has main's table to itself until COMMIT. If another node cannot give
// it the lock, because of a read that goes on there, all sessions wait for that read. So the
// wait is bounded there (replica_ddl_lock_timeout): beyond it the transaction is rolled
// back on all nodes. On main itself DDL waits as on one server.

// lockLimit is what lock_timeout was set to on a node that repeats what main has done.
type lockLimit struct {
	value time.Duration // 0: none
	// used: it was set in this transaction. unknown: since then something has happened that
	// may have set it back.
	used, unknown bool
}

// appendLockLimit sets it for what comes next, if it is not so already.
func (l *link) appendLockLimit() {
	s := l.s
	if s.tx.kind == txNone || !s.replicates() || l == s.main() {
		return
	}
	want := time.Duration(0)
	if isDDL(s.work) {
		want = s.config().Replication.ReplicaDDLLockTimeout
	}
	if want == l.limit.value && !l.limit.unknown {
		return
	}
	l.appendInside("SET LOCAL lock_timeout = " + strconv.FormatInt(want.Milliseconds(), 10))
	l.limit = lockLimit{value: want, used: true}
}

// isDDL reports whether work takes locks on definitions of tables.
func isDDL(w work) bool {
	switch w := w.(type) {
	case *queryWork:
		return w.kind == parser.DDL
	case *segment:
		return slices.ContainsFunc(w.steps, func(st step) bool {
			return st.kind == wire.KindExecute && st.prepared != nil && st.prepared.kind() == parser.DDL
		})
	}
	return false
}
