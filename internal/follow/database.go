package follow

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/cache"
	"github.com/pgchorus/pgchorus/internal/config"
)

// database is one that has cached answers.
type database struct {
	f     *Follower
	name  string
	lease *cache.Lease

	mu    sync.Mutex // guards the fields below
	links map[config.NodeID]*link
	// leaving counts who needs it left alone. gone: it does not exist, as far as is known.
	leaving int
	gone    bool
}

// comes says that somebody is in the database. It is true if that is news.
func (d *database) comes() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	news := d.gone
	d.gone = false
	return news
}

// goes says that a link has found it gone.
func (d *database) goes(l *link) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gone = true
	if d.links[l.id] == l {
		delete(d.links, l.id)
	}
}

// adapt has the database followed on these nodes and no others.
func (d *database) adapt(ctx context.Context, nodes []config.NodeID) {
	d.drop(errStopped, func(id config.NodeID) bool { return !slices.Contains(nodes, id) })
	d.mu.Lock()
	for _, id := range nodes {
		if d.links[id] == nil && d.leaving == 0 && !d.gone {
			d.links[id] = d.follow(ctx, id)
		}
	}
	d.mu.Unlock()
	d.renew()
}

func (d *database) follow(ctx context.Context, id config.NodeID) *link {
	ctx, stop := context.WithCancelCause(ctx)
	l := &link{f: d.f, database: d, id: id, stop: stop, ended: make(chan struct{}), stand: stand{since: time.Now()}}
	d.f.links.Go(func() { l.run(ctx) })
	return l
}

// drop ends links and waits for them.
func (d *database) drop(cause error, which func(config.NodeID) bool) {
	var dropped []*link
	d.mu.Lock()
	for id, l := range d.links {
		if which(id) {
			dropped = append(dropped, l)
			delete(d.links, id)
		}
	}
	d.mu.Unlock()
	if len(dropped) == 0 {
		return
	}
	d.renew()
	for _, l := range dropped {
		l.stop(cause)
	}
	for _, l := range dropped {
		<-l.ended
	}
}

func (d *database) leave() {
	d.mu.Lock()
	d.leaving++
	d.mu.Unlock()
	d.drop(errLeaving, func(config.NodeID) bool { return true })
}

func (d *database) comeBack() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.leaving--
}

// renew sets the lease: it holds for as long after the oldest news as is allowed.
func (d *database) renew() {
	d.mu.Lock()
	defer d.mu.Unlock()
	var oldest time.Time
	for i, id := range d.f.Nodes() {
		l := d.links[id]
		if l == nil {
			d.lease.End()
			return
		}
		s := l.standing()
		if !s.ready {
			d.lease.End()
			return
		}
		if i == 0 || s.fresh.Before(oldest) {
			oldest = s.fresh
		}
	}
	if oldest.IsZero() {
		d.lease.End() // there is no node
		return
	}
	d.lease.Set(oldest.Add(d.f.Delay))
}

func (d *database) states() (all []State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, l := range d.links {
		s := l.standing()
		state := State{Database: d.name, Node: id, Following: s.ready, Since: s.since, Reason: s.reason}
		if s.ready {
			state.Delay = time.Since(s.fresh)
		}
		all = append(all, state)
	}
	return all
}

func compareStates(a, b State) int {
	return cmp.Or(strings.Compare(a.Database, b.Database), cmp.Compare(a.Node, b.Node))
}

// isGone reports whether the database does not exist any more.
func isGone(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == "3D000"
}

// hintFor says what an operator can do about an error.
func hintFor(err error) string {
	var made *schemaError
	var refused *pgconn.PgError
	switch {
	case errors.Is(err, errWALLevel):
		return "Set wal_level = logical in postgresql.conf of every node and restart it, or set cache_follow_wal = off."
	case errors.As(err, &made):
		return "Give recovery_user or health_check_user a superuser, who may make event triggers."
	case !errors.As(err, &refused):
		return ""
	}
	switch refused.Code {
	case "53400": // configuration_limit_exceeded
		return "Raise max_replication_slots on the node: each database with cached answers needs one."
	case "53300": // too_many_connections
		return "Raise max_wal_senders and max_connections on the node."
	case "42501", "28000": // insufficient_privilege, invalid_authorization_specification
		return "The role has to have REPLICATION, and pg_hba.conf has to let it in."
	case "58P01": // undefined_file
		return "Install test_decoding on the node, which is in PostgreSQL's contrib."
	}
	return ""
}
