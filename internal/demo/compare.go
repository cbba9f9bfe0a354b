package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

const (
	// quietPatience bounds the wait for the last statements on a node to end, which
	// may be a little after the client has had its answer.
	quietPatience = 10 * time.Second
	quietInterval = 20 * time.Millisecond
)

// tableListing names, ready for use in SQL, everything with rows of its own.
const tableListing = `
SELECT format('%I.%I', nspname, relname) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'm') AND nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'pgchorus')
ORDER BY 1`

// sumOfRows needs no order: the hashes of all rows, added up.
const sumOfRows = `SELECT count(*), coalesce(sum(('x' || left(md5(demo_row::text), 16))::bit(64)::bigint), 0) FROM %s AS demo_row`

// compare reads all tables from each node that is left, past pgchorus.
func (s *story) compare(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, comparePatience)
	defer stop()
	var left []*localpg.Node
	for _, n := range s.cluster.Nodes() {
		if n.ID != s.opts.Kill {
			left = append(left, n)
		}
	}
	if err := s.wantInService(ctx); err != nil {
		return err
	}
	s.out.blank()
	s.out.line("Asking %s, each directly, what they hold:", names(left))
	listings := make([]listing, len(left))
	for i, n := range left {
		var err error
		if listings[i], err = read(ctx, n); err != nil {
			return fmt.Errorf("node %d: %w", n.ID, err)
		}
	}
	s.compareListings(left, listings)
	return nil
}

// wantInService: only the killed node may be out of service.
func (s *story) wantInService(ctx context.Context) error {
	status, err := s.server.ask(ctx, database, "SHOW POOL_NODES")
	if err != nil {
		return fmt.Errorf("SHOW POOL_NODES: %w", err)
	}
	for _, id := range without(status, "up") {
		if id != s.opts.Kill {
			s.fault("node %d is out of service, and nobody killed it", id)
		}
	}
	return nil
}

// names is "nodes 0, 2 and 3".
func names(nodes []*localpg.Node) string {
	var ids []string
	for _, n := range nodes {
		ids = append(ids, fmt.Sprint(n.ID))
	}
	if len(ids) == 1 {
		return "node " + ids[0]
	}
	return "nodes " + strings.Join(ids[:len(ids)-1], ", ") + " and " + ids[len(ids)-1]
}

// sums are a table's number of rows and the sum over them.
type sums struct{ rows, hash string }

// listing is what one node holds.
type listing struct {
	tables []string
	sums   map[string]sums
}

// read waits until nothing runs on the node, then adds up its tables.
func read(ctx context.Context, n *localpg.Node) (listing, error) {
	conn, err := pgconn.Connect(ctx, dsn(n.Port, database))
	if err != nil {
		return listing{}, err
	}
	defer conn.Close(ctx)
	if err := waitQuiet(ctx, conn); err != nil {
		return listing{}, err
	}
	found := listing{sums: map[string]sums{}}
	tables, err := query(ctx, conn, tableListing)
	if err != nil {
		return listing{}, err
	}
	for _, row := range tables[1:] {
		table := row[0]
		answer, err := query(ctx, conn, fmt.Sprintf(sumOfRows, table))
		if err != nil {
			return listing{}, fmt.Errorf("table %s: %w", table, err)
		}
		found.tables = append(found.tables, table)
		found.sums[table] = sums{answer[1][0], answer[1][1]}
	}
	return found, nil
}

// runningListing names the sessions that are in a transaction.
const runningListing = `
SELECT format('process %s, %s for %s, last statement: %s', pid, state, now() - xact_start, query) FROM pg_stat_activity
WHERE datname = current_database() AND xact_start IS NOT NULL AND backend_type = 'client backend' AND pid <> pg_backend_pid()`

// waitQuiet waits until no other session is in a transaction.
func waitQuiet(ctx context.Context, conn *pgconn.PgConn) error {
	tick := time.NewTicker(quietInterval)
	defer tick.Stop()
	for end := time.Now().Add(quietPatience); ; {
		running, err := query(ctx, conn, runningListing)
		if err != nil || len(running) == 1 {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("a transaction is open %v after the load: %s", quietPatience, running[1][0])
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// compareListings shows each table with its verdict. The first node's answer is the
// one that the others are held against.
func (s *story) compareListings(nodes []*localpg.Node, listings []listing) {
	first := listings[0]
	if len(first.tables) == 0 {
		s.fault("node %d has no tables", nodes[0].ID)
	}
	var rows [][]string
	var faults []string
	for _, table := range first.tables {
		verdict := "equal"
		for i, other := range listings[1:] {
			if other.sums[table] != first.sums[table] {
				verdict = "DIFFERENT"
				faults = append(faults, fmt.Sprintf("table %s differs between nodes %d and %d", table, nodes[0].ID, nodes[i+1].ID))
			}
		}
		rows = append(rows, []string{table, first.sums[table].rows + " rows", "sum of hashes " + first.sums[table].hash, verdict})
	}
	s.out.table(rows)
	for i, other := range listings[1:] {
		if !slices.Equal(first.tables, other.tables) {
			faults = append(faults, fmt.Sprintf("nodes %d and %d have different tables", nodes[0].ID, nodes[i+1].ID))
		}
	}
	for _, fault := range faults {
		s.fault("%s", fault)
	}
}
