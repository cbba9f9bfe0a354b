package verify

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// buckets is how many sums a table is reduced to on each node.
const buckets = 1024

// digest is the contents of a table in sums that do not depend on the order of rows.
type digest struct {
	rows  int64
	count [buckets]int64
	sum   [buckets]big.Int // of 64-bit hashes, so it may need more
}

// add takes the answer of one piece: bucket, count, sum.
func (d *digest) add(rows []row) error {
	for _, values := range rows {
		bucket, err := strconv.Atoi(string(values[0]))
		if err != nil || bucket < 0 || bucket >= buckets {
			return fmt.Errorf("digest: unexpected bucket %q", values[0])
		}
		count, err := strconv.ParseInt(string(values[1]), 10, 64)
		if err != nil {
			return fmt.Errorf("digest: %w", err)
		}
		sum, ok := new(big.Int).SetString(string(values[2]), 10)
		if !ok {
			return fmt.Errorf("digest: unexpected sum %q", shorten(string(values[2])))
		}
		d.rows += count
		d.count[bucket] += count
		d.sum[bucket].Add(&d.sum[bucket], sum)
	}
	return nil
}

// unequal are the buckets in which any digest differs from the first.
func unequal(digests []*digest) []int {
	var found []int
	for b := range buckets {
		for _, d := range digests[1:] {
			if d.count[b] != digests[0].count[b] || d.sum[b].Cmp(&digests[0].sum[b]) != 0 {
				found = append(found, b)
				break
			}
		}
	}
	return found
}

// digestQuery adds up the hashes of the rows that where selects.
func (s server) digestQuery(t table, where string) string {
	return `SELECT h & ` + strconv.Itoa(buckets-1) + `, count(*), sum(h::numeric) FROM (SELECT ` + s.hash(t.text()) +
		` AS h FROM ONLY ` + t.sqlName + ` AS t` + where + `) AS x GROUP BY 1`
}

// digests reads the table on all nodes at the same time.
func (r *run) digests(ctx context.Context, p *point, ps peers, t table) ([]*digest, error) {
	out := make([]*digest, len(ps))
	err := ps.each(func(i int, own *peer) error {
		out[i] = &digest{}
		ranges, err := p.pieces(ctx, own, t, r.opts.ChunkBytes)
		if err != nil {
			return err
		}
		for n, where := range ranges {
			rows, err := query(ctx, own.conn, p.server.digestQuery(t, where))
			if err != nil {
				return err
			}
			if err := out[i].add(rows); err != nil {
				return err
			}
			if i == 0 {
				r.progress.add(t.bytes*int64(n+1)/int64(len(ranges)) - t.bytes*int64(n)/int64(len(ranges)))
			}
		}
		return notRewritten(ctx, own, t)
	})
	return out, err
}

// errRewritten: a table that was rewritten looks empty to older snapshots (PostgreSQL's
// manual, "Caveats" of MVCC), so it has to be compared at another point.
var errRewritten = errors.New("it was rewritten after the snapshot was taken, by TRUNCATE, ALTER TABLE or the like")

// notRewritten compares the file that the snapshot shows with that of now. The table has
// been read, so it is locked against being rewritten any more.
func notRewritten(ctx context.Context, own *peer, t table) error {
	rows, err := query(ctx, own.conn, "SELECT relfilenode = pg_relation_filenode(oid) FROM pg_class WHERE oid = "+quoteLiteral(t.sqlName)+"::regclass")
	if err != nil {
		return err
	}
	if len(rows) != 1 || string(rows[0][0]) != "t" {
		return errRewritten
	}
	return nil
}

// pieces are conditions that together select the whole table, in ranges of blocks. The
// table is locked against being rewritten, and the last range has no end, since only rows
// that the snapshot does not show come behind it.
func (p *point) pieces(ctx context.Context, own *peer, t table, chunkBytes int64) ([]string, error) {
	if !t.heap || !p.server.ranges || t.bytes <= chunkBytes {
		return []string{""}, nil
	}
	rows, err := query(ctx, own.conn, fmt.Sprintf("SELECT 1 FROM ONLY %[1]s LIMIT 0; SELECT pg_relation_size(%[2]s)", t.sqlName, quoteLiteral(t.sqlName)))
	if err != nil {
		return nil, err
	}
	size, err := strconv.ParseInt(string(rows[0][0]), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("size of %s: %w", t.name, err)
	}
	step := max(chunkBytes/p.server.blockSize, 1)
	var ranges []string
	for from := int64(0); ; from += step {
		if (from+step)*p.server.blockSize >= size {
			return append(ranges, fmt.Sprintf(" WHERE t.ctid >= '(%d,0)'", from)), nil
		}
		ranges = append(ranges, fmt.Sprintf(" WHERE t.ctid >= '(%d,0)' AND t.ctid < '(%d,0)'", from, from+step))
	}
}

// counts compares numbers of rows only.
func (r *run) counts(ctx context.Context, p *point, ps peers, t table) (int64, []Difference, error) {
	answers, err := ps.ask(ctx, "SELECT count(*) FROM ONLY "+t.sqlName)
	if err != nil {
		return 0, nil, err
	}
	r.progress.add(t.bytes)
	values := make([]string, len(answers))
	for i, rows := range answers {
		values[i] = string(rows[0][0])
	}
	v := judge(values)
	var found []Difference
	for _, i := range v.deviants {
		found = append(found, Difference{Kind: KindCount, Database: p.database, Object: t.name, Node: ps[i].id, Reference: ps[v.reference].id,
			What: Changed, Expected: values[v.reference] + " rows", Found: values[i] + " rows", Proven: v.proven})
	}
	count, err := strconv.ParseInt(values[0], 10, 64)
	return count, found, err
}

// inBuckets selects rows by their hash h.
func inBuckets(which []int) string {
	if len(which) == buckets {
		return ""
	}
	texts := make([]string, len(which))
	for i, b := range which {
		texts[i] = strconv.Itoa(b)
	}
	return fmt.Sprintf(" WHERE (h & %d) = ANY('{%s}'::bigint[])", buckets-1, strings.Join(texts, ","))
}
