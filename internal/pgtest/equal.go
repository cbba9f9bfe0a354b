package pgtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// maxCompared bounds the rows that are fetched of a table that differs, to show
// the first differences; maxShown bounds how many are shown.
const (
	maxCompared = 100_000
	maxShown    = 5
)

// WantEqual fails the test unless all nodes hold the same: roles, databases, and
// in each database the schema, the rows of every table, and the large objects.
// It names the table and the first rows that differ from the first node.
//
// Not compared are the values of sequences (nodes may have leased different
// ranges), passwords (their salts differ), temporary tables, the order of rows,
// and everything in the schema pgchorus.
func WantEqual(t testing.TB, nodes ...*Node) {
	t.Helper()
	if len(nodes) < 2 {
		t.Fatalf("WantEqual of %d nodes: expected at least two", len(nodes))
	}
	ctx, cancel := patiently()
	defer cancel()
	for _, other := range nodes[1:] {
		differences, err := Differences(ctx, nodes[0], other)
		if err != nil {
			t.Fatalf("compare nodes %d and %d: %v", nodes[0].ID, other.ID, err)
		}
		for _, difference := range differences {
			t.Errorf("nodes %d and %d differ: %s", nodes[0].ID, other.ID, difference)
		}
	}
}

// Differences says how two nodes differ in the sense of WantEqual; nothing means
// that they are equal.
func Differences(ctx context.Context, a, b *Node) ([]string, error) {
	p, err := openPair(ctx, a, b, Database)
	if err != nil {
		return nil, err
	}
	defer p.close(ctx)
	global, err := p.compareListing(ctx, globalListing)
	if err != nil || len(global) > 0 {
		return global, err
	}
	databases, err := query(ctx, p.a, "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1")
	if err != nil {
		return nil, err
	}
	var all []string
	for _, database := range databases {
		differences, err := compareDatabase(ctx, a, b, database[0])
		if err != nil {
			return nil, fmt.Errorf("database %s: %w", database[0], err)
		}
		for _, difference := range differences {
			all = append(all, "database "+database[0]+": "+difference)
		}
	}
	return all, nil
}

// pair is the same database on two nodes.
type pair struct {
	a, b *pgx.Conn
}

func openPair(ctx context.Context, a, b *Node, database string) (pair, error) {
	var p pair
	var err error
	if p.a, err = connect(ctx, a.Node.DSN(database)); err != nil {
		return p, fmt.Errorf("node %d: %w", a.ID, err)
	}
	if p.b, err = connect(ctx, b.Node.DSN(database)); err != nil {
		p.a.Close(ctx)
		return p, fmt.Errorf("node %d: %w", b.ID, err)
	}
	return p, nil
}

func (p pair) close(ctx context.Context) {
	p.a.Close(ctx)
	p.b.Close(ctx)
}

// both runs sql on both sides and returns the rows as lines.
func (p pair) both(ctx context.Context, sql string) (a, b []string, err error) {
	rowsA, err := query(ctx, p.a, sql)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", sql, err)
	}
	rowsB, err := query(ctx, p.b, sql)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", sql, err)
	}
	return lines(rowsA), lines(rowsB), nil
}

// compareDatabase compares rows only where the schemas agree, since it would
// otherwise name the same difference again for each table.
func compareDatabase(ctx context.Context, a, b *Node, database string) ([]string, error) {
	p, err := openPair(ctx, a, b, database)
	if err != nil {
		return nil, err
	}
	defer p.close(ctx)
	return p.compare(ctx)
}

// DifferencesOver is Differences for the one database that two connections to two nodes
// are to. Their search_path is reset.
func DifferencesOver(ctx context.Context, a, b *pgx.Conn) ([]string, error) {
	p := pair{a, b}
	if _, _, err := p.both(ctx, "RESET search_path"); err != nil {
		return nil, err
	}
	global, err := p.compareListing(ctx, globalListing)
	if err != nil || len(global) > 0 {
		return global, err
	}
	return p.compare(ctx)
}

// compare compares the schema, then rows and large objects.
func (p pair) compare(ctx context.Context) ([]string, error) {
	differences, err := p.compareListing(ctx, schemaListing)
	if err != nil || len(differences) > 0 {
		return differences, err
	}
	tables, err := query(ctx, p.a, tableListing)
	if err != nil {
		return nil, err
	}
	for _, table := range tables {
		found, err := p.compareTable(ctx, table[0])
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", table[0], err)
		}
		differences = append(differences, found...)
	}
	objects, err := p.compareListing(ctx, largeObjectListing)
	return append(differences, objects...), err
}

// compareListing compares what a query returns, row by row.
func (p pair) compareListing(ctx context.Context, sql string) ([]string, error) {
	a, b, err := p.both(ctx, sql)
	if err != nil {
		return nil, err
	}
	return diff(a, b), nil
}

// compareTable lets the servers add up a hash of every row, which needs no order,
// and looks closer where the sums differ.
func (p pair) compareTable(ctx context.Context, table string) ([]string, error) {
	sums := `SELECT count(*), coalesce(sum(('x' || left(md5(pgtest_row::text), 16))::bit(64)::bigint), 0) FROM ` + table + ` AS pgtest_row`
	a, b, err := p.both(ctx, sums)
	if err != nil || slices.Equal(a, b) {
		return nil, err
	}
	rows := fmt.Sprintf(`SELECT pgtest_row::text COLLATE "C" FROM %s AS pgtest_row ORDER BY 1 LIMIT %d`, table, maxCompared)
	rowsA, rowsB, err := p.both(ctx, rows)
	if err != nil {
		return nil, err
	}
	summary := fmt.Sprintf("table %s: %s and %s rows", table, count(a), count(b))
	return append([]string{summary}, prefixed("table "+table+": ", diff(rowsA, rowsB))...), nil
}

// count is the first column of the one row of sums.
func count(sums []string) string {
	number, _, _ := strings.Cut(sums[0], "|")
	return number
}

func prefixed(prefix string, lines []string) []string {
	for i := range lines {
		lines[i] = prefix + lines[i]
	}
	return lines
}

// diff names the first lines that only one of two sorted listings has.
func diff(a, b []string) []string {
	var differences []string
	for len(a) > 0 || len(b) > 0 {
		if len(differences) == maxShown {
			return append(differences, "and more")
		}
		switch {
		case len(b) == 0 || len(a) > 0 && a[0] < b[0]:
			differences = append(differences, fmt.Sprintf("only the first has %q", a[0]))
			a = a[1:]
		case len(a) == 0 || b[0] < a[0]:
			differences = append(differences, fmt.Sprintf("only the second has %q", b[0]))
			b = b[1:]
		default:
			a, b = a[1:], b[1:]
		}
	}
	return differences
}
