package verify

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/pgchorus/pgchorus/internal/config"
)

// rowDifference is a Difference of a row with what is needed to repair it.
type rowDifference struct {
	Difference
	key row // empty for tables without a key
}

// tableResult is what comparing a table has found.
type tableResult struct {
	table table
	rows  int64 // of main
	found []rowDifference
	other []Difference
	more  bool // there are more differences than were collected
}

// compareTable compares a table by digest and looks closer where that differs.
func (r *run) compareTable(ctx context.Context, p *point, ps peers, t table) (tableResult, error) {
	out := tableResult{table: t}
	var err error
	if r.opts.Quick {
		out.rows, out.other, err = r.counts(ctx, p, ps, t)
		return out, err
	}
	digests, err := r.digests(ctx, p, ps, t)
	if err != nil {
		return out, err
	}
	out.rows = digests[0].rows
	which := unequal(digests)
	switch {
	case len(which) == 0:
		return out, nil
	case len(t.key) == 0:
		err = r.copies(ctx, p, ps, &out, which)
	default:
		err = r.keys(ctx, p, ps, &out, which)
	}
	return out, err
}

// keysQuery returns key text, hash, and the columns of the key.
func (s server) keysQuery(t table, which []int) string {
	var own []string
	for i, name := range t.key {
		own = append(own, fmt.Sprintf("t.%s AS k%d", name, i))
	}
	return fmt.Sprintf(`SELECT * FROM (SELECT %s COLLATE "C" AS pgchorus_key, %s AS h, %s FROM ONLY %s AS t) AS x%s ORDER BY 1`,
		rowText(t.key), s.hash(t.text()), strings.Join(own, ", "), t.sqlName, inBuckets(which))
}

// keys merges the keys and hashes of unequal buckets.
func (r *run) keys(ctx context.Context, p *point, ps peers, out *tableResult, which []int) error {
	limit := r.keyLimit(out.table)
	err := ps.merge(ctx, p.server.keysQuery(out.table, which), func(rows []row) bool {
		values := make([]string, len(rows))
		var known row
		for i, values1 := range rows {
			if values1 != nil {
				values[i], known = string(values1[1]), values1
			}
		}
		v := judge(values)
		for _, i := range v.deviants {
			d := rowDifference{Difference: r.difference(p, ps, out.table, v, i), key: known[2:]}
			d.What, d.Key = what(values[v.reference], values[i]), out.table.keyText(d.key)
			out.found = append(out.found, d)
		}
		out.more = len(out.found) >= limit
		return !out.more
	})
	if err != nil {
		return err
	}
	return r.describeRows(ctx, ps, out)
}

func (r *run) difference(p *point, ps peers, t table, v verdict, deviant int) Difference {
	return Difference{Kind: KindRow, Database: p.database, Object: t.name, Node: ps[deviant].id, Reference: ps[v.reference].id, Proven: v.proven}
}

// keyLimit bounds the differences of a table that are kept.
func (r *run) keyLimit(t table) int {
	if r.opts.Repair && t.writable {
		return max(r.opts.MaxKeys, maxRepair)
	}
	return r.opts.MaxKeys
}

// copiesQuery returns hash, number of equal rows, and their beginning. Rows that differ
// are taken for equal with a chance of 1 in 2^64.
func (s server) copiesQuery(t table, which []int) string {
	return fmt.Sprintf(`SELECT h::text COLLATE "C", count(*), min(left(txt, %d) COLLATE "C") FROM (SELECT %s AS h, %s AS txt FROM ONLY %s AS t) AS x%s GROUP BY h ORDER BY 1`,
		maxText, s.hash(t.text()), t.text(), t.sqlName, inBuckets(which))
}

// copies compares how often each row is there, for tables without a key.
func (r *run) copies(ctx context.Context, p *point, ps peers, out *tableResult, which []int) error {
	return ps.merge(ctx, p.server.copiesQuery(out.table, which), func(rows []row) bool {
		values := make([]string, len(rows))
		var known row
		for i, values1 := range rows {
			values[i] = "0"
			if values1 != nil {
				values[i], known = string(values1[1]), values1
			}
		}
		v := judge(values)
		for _, i := range v.deviants {
			d := rowDifference{Difference: r.difference(p, ps, out.table, v, i)}
			d.Key = "row " + string(known[2])
			d.What, d.Expected, d.Found = whatCopies(values[v.reference], values[i]), values[v.reference]+" of it", values[i]+" of it"
			out.found = append(out.found, d)
		}
		out.more = len(out.found) >= r.opts.MaxKeys
		return !out.more
	})
}

func whatCopies(reference, value string) string {
	expected, _ := strconv.ParseInt(reference, 10, 64)
	found, _ := strconv.ParseInt(value, 10, 64)
	if found < expected {
		return Missing
	}
	return Extra
}

// maxDescribed is how many rows of a table are fetched to say what differs in them.
const maxDescribed = 100

// describeRows says which columns differ and what the nodes have, of the first rows.
func (r *run) describeRows(ctx context.Context, ps peers, out *tableResult) error {
	for i := range out.found[:min(len(out.found), maxDescribed)] {
		d := &out.found[i]
		if d.What != Changed {
			continue
		}
		reference, err := sampleRow(ctx, ps.of(d.Reference), out.table, d.key)
		if err != nil {
			return err
		}
		own, err := sampleRow(ctx, ps.of(d.Node), out.table, d.key)
		if err != nil {
			return err
		}
		d.Columns, d.Expected, d.Found = columnsThatDiffer(out.table, reference, own)
	}
	return nil
}

// sampleRow reads the beginning and a digest of each column of a row, in turns; columns
// may be large.
func sampleRow(ctx context.Context, p *peer, t table, key row) (row, error) {
	parts := make([]string, len(t.columns))
	for i, c := range t.columns {
		parts[i] = fmt.Sprintf("left(t.%[1]s::text, %[2]d), md5(t.%[1]s::text)", c.name, maxText+1)
	}
	return readRow(ctx, p, t, key, strings.Join(parts, ", "))
}

// columnsThatDiffer compares two samples.
func columnsThatDiffer(t table, reference, own row) (names []string, expected, found string) {
	if reference == nil || own == nil {
		return nil, "", "" // the key is there twice, or an index misses it
	}
	var expectedParts, foundParts []string
	for i, c := range t.columns {
		if shown(reference[2*i+1]) != shown(own[2*i+1]) {
			names = append(names, c.name)
			expectedParts = append(expectedParts, shorten(shown(reference[2*i])))
			foundParts = append(foundParts, shorten(shown(own[2*i])))
		}
	}
	return names, strings.Join(expectedParts, ", "), strings.Join(foundParts, ", ")
}

// shown is a value for a person.
func shown(value []byte) string {
	if value == nil {
		return "NULL"
	}
	return "'" + string(value) + "'"
}

// readRow reads something of a row by its key, without a lock; nil if there is none.
func readRow(ctx context.Context, p *peer, t table, key row, what string) (row, error) {
	rows, err := queryParams(ctx, p.conn, "SELECT "+what+" FROM ONLY "+t.sqlName+" AS t"+t.whereKey(), key)
	if err != nil {
		return nil, fmt.Errorf("node %d: %w", p.id, err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return rows[0], nil
}

// whereKey selects by the key's columns as parameters.
func (t table) whereKey() string {
	parts := make([]string, len(t.key))
	for i, name := range t.key {
		parts[i] = fmt.Sprintf("t.%s %s $%d", name, t.equals[i], i+1)
	}
	return " WHERE " + strings.Join(parts, " AND ")
}

// of is the peer of a node.
func (ps peers) of(id config.NodeID) *peer {
	for _, p := range ps {
		if p.id == id {
			return p
		}
	}
	return nil
}
