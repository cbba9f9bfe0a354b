package demo

import (
	"context"
	"fmt"
	"slices"
	"strconv"
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

// digestOfRows needs no order: the hashes of all rows, added up, in short.
const digestOfRows = `
SELECT count(*), left(md5(coalesce(sum(('x' || left(md5(demo_row::text), 16))::bit(64)::bigint), 0)::text), 12) FROM %s AS demo_row`

// compare reads all tables from each node that is left, past pgchorus.
func (s *story) compare(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, comparePatience)
	defer stop()
	if err := s.wantInService(ctx); err != nil {
		return err
	}
	left := s.left()
	s.out.blank()
	if len(left) == 1 {
		s.out.line("Node %d alone is left, so that it cannot be compared; it holds:", left[0].ID)
	} else {
		s.out.line("Asking %s, each directly, what they hold:", names(left))
	}
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

// left are the nodes that nobody killed.
func (s *story) left() []*localpg.Node {
	return slices.DeleteFunc(s.cluster.Nodes(), func(n *localpg.Node) bool { return n.ID == s.opts.Kill })
}

// wantInService: only the killed node may be out of service.
func (s *story) wantInService(ctx context.Context) error {
	status, err := s.status(ctx)
	if err != nil {
		return err
	}
	for _, id := range without(status, "up") {
		if id != s.opts.Kill {
			s.fault("node %d is out of service, and nobody killed it", id)
		}
	}
	return nil
}

// names is "nodes 0, 2 and 3", for two nodes or more.
func names(nodes []*localpg.Node) string {
	var ids []string
	for _, n := range nodes {
		ids = append(ids, strconv.Itoa(n.ID))
	}
	return "nodes " + strings.Join(ids[:len(ids)-1], ", ") + " and " + ids[len(ids)-1]
}

// content is a table's number of rows and a digest of them.
type content struct{ rows, digest string }

// listing is what one node holds.
type listing struct {
	tables   []string
	contents map[string]content
}

// read waits until nothing runs on the node, then reads its tables.
func read(ctx context.Context, n *localpg.Node) (listing, error) {
	conn, err := pgconn.Connect(ctx, dsn(n.Port, database))
	if err != nil {
		return listing{}, err
	}
	defer conn.Close(ctx)
	if err := waitQuiet(ctx, conn); err != nil {
		return listing{}, err
	}
	found := listing{contents: map[string]content{}}
	tables, err := query(ctx, conn, tableListing)
	if err != nil {
		return listing{}, err
	}
	for _, row := range tables[1:] {
		found.tables = append(found.tables, row[0])
		if found.contents[row[0]], err = readTable(ctx, conn, row[0]); err != nil {
			return listing{}, fmt.Errorf("table %s: %w", row[0], err)
		}
	}
	return found, nil
}

func readTable(ctx context.Context, conn *pgconn.PgConn, table string) (content, error) {
	rows, err := query(ctx, conn, fmt.Sprintf(digestOfRows, table))
	if err != nil {
		return content{}, err
	}
	row, err := theRow(rows)
	if err != nil {
		return content{}, err
	}
	return content{rows: row[0], digest: row[1]}, nil
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
	var rows [][]string
	for _, table := range first.tables {
		c := first.contents[table]
		rows = append(rows, []string{table, c.rows + " rows", "digest " + c.digest, verdictOn(table, listings)})
	}
	s.out.table(rows)
	if len(first.tables) == 0 {
		s.fault("node %d has no tables", nodes[0].ID)
	}
	for i, other := range listings[1:] {
		for _, difference := range differences(first, other) {
			s.fault("nodes %d and %d: %s", nodes[0].ID, nodes[i+1].ID, difference)
		}
	}
}

// verdictOn is a word about one table; none where there is but one node.
func verdictOn(table string, listings []listing) string {
	if len(listings) == 1 {
		return ""
	}
	for _, other := range listings[1:] {
		if other.contents[table] != listings[0].contents[table] {
			return "DIFFERENT"
		}
	}
	return "equal"
}

// differences says what another node has otherwise.
func differences(first, other listing) []string {
	var all []string
	if !slices.Equal(first.tables, other.tables) {
		all = append(all, fmt.Sprintf("one has the tables %v, the other %v", first.tables, other.tables))
	}
	for _, table := range first.tables {
		a, b := first.contents[table], other.contents[table]
		if a != b && slices.Contains(other.tables, table) {
			all = append(all, fmt.Sprintf("table %s has %s rows with digest %s, and %s rows with digest %s", table, a.rows, a.digest, b.rows, b.digest))
		}
	}
	return all
}
