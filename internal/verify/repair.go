package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/config"
)

const (
	// maxRepair is how many rows of a table are repaired; with more the node is better
	// made anew.
	maxRepair = 10_000
	// repairBatch is how many rows are repaired in one transaction. It is so small that
	// the transaction stays within holdBudget.
	repairBatch = 100
	// repairAttempts is how often a batch is tried that finds rows locked.
	repairAttempts = 5
	// repairPause is how long writers are given to finish between two attempts.
	repairPause = 200 * time.Millisecond
)

// repair gives nodes that are proven wrong main's rows, and says in found what came of
// it. What other databases and listings have is not touched.
func (r *run) repair(ctx context.Context, database string, found *findings) error {
	for i := range found.tables {
		t := &found.tables[i]
		if why := cannotRepair(t); why != "" {
			if len(t.found) > 0 {
				r.report.Notes = append(r.report.Notes, fmt.Sprintf("table %s is not repaired: %s", t.table.name, why))
			}
			continue
		}
		for _, node := range r.opts.Nodes[1:] {
			err := r.repairNode(ctx, database, t, node)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err != nil {
				r.report.Notes = append(r.report.Notes, fmt.Sprintf("table %s is not wholly repaired on node %d: %s", t.table.name, node.ID, reason(err)))
			}
		}
	}
	return r.proveRepair(ctx, database, found)
}

func cannotRepair(t *tableResult) string {
	switch {
	case !t.table.writable:
		return "it is a materialized view, which REFRESH fills, or holds the large objects"
	case len(t.table.key) == 0:
		return "it has no primary key and no unique index that covers all rows"
	case t.more:
		return fmt.Sprintf("more than %d rows differ; make the node anew", len(t.found))
	case !slices.ContainsFunc(t.found, func(d rowDifference) bool { return d.Proven }):
		return "it is not proven which node is right"
	}
	return ""
}

// repairNode repairs the rows of one node, batch by batch.
func (r *run) repairNode(ctx context.Context, database string, t *tableResult, node Node) error {
	var wrong []*rowDifference
	for i := range t.found {
		if d := &t.found[i]; d.Node == node.ID && d.Proven {
			wrong = append(wrong, d)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	ps, err := connectAll(ctx, []Node{r.nodeOf(wrong[0].Reference), node}, database)
	if err != nil {
		return err
	}
	defer ps.close()
	if _, err := ps.ask(ctx, "SET lock_timeout = '500ms'"); err != nil { // below deadlock_timeout, so that it is not the writers who lose
		return err
	}
	// Triggers, foreign keys and rules have done their work on main.
	if _, err := query(ctx, ps[1].conn, "SET session_replication_role = replica"); err != nil {
		return fmt.Errorf("repair needs a superuser: node %d: %w", node.ID, err)
	}
	for batch := range slices.Chunk(wrong, repairBatch) {
		if err := r.repairPatiently(ctx, ps, t.table, batch); err != nil {
			return fmt.Errorf("repair table %s: %w", t.table.name, err)
		}
	}
	return nil
}

func (r *run) nodeOf(id config.NodeID) Node {
	at := slices.IndexFunc(r.opts.Nodes, func(n Node) bool { return n.ID == id })
	return r.opts.Nodes[at]
}

// repairPatiently tries a batch again when writers are in the way.
func (r *run) repairPatiently(ctx context.Context, ps peers, t table, batch []*rowDifference) error {
	for attempt := 1; ; attempt++ {
		err := r.repairOnce(ctx, ps, t, batch)
		if err == nil || attempt == repairAttempts || !inTheWay(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(repairPause):
		}
	}
}

// inTheWay are errors that another attempt may not meet: lock_not_available,
// deadlock_detected, serialization_failure, unique_violation by a row that was under way,
// and a hold that could not be had.
func inTheWay(err error) bool {
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		return slices.Contains([]string{"55P03", "40P01", "40001", "23505"}, answer.Code)
	}
	return errors.Is(err, context.DeadlineExceeded)
}

// repairOnce repairs a batch: it locks the rows on main and then on the node, so that
// nobody has changed them half, has COMMITs held, so that both nodes show the same
// transactions, and looks at the rows again before it changes any.
func (r *run) repairOnce(ctx context.Context, ps peers, t table, batch []*rowDifference) (err error) {
	defer func() {
		if err != nil {
			_, _ = ps.ask(ctx, "ROLLBACK") // the sessions are closed after an error that stays
		}
	}()
	if err := lockRows(ctx, ps, t, batch); err != nil {
		return err
	}
	release, err := r.holdFor(ctx)
	if err != nil {
		return err
	}
	defer release()
	within, stop := context.WithTimeout(ctx, holdBudget)
	defer stop()
	for _, d := range batch {
		if err := repairRow(within, ps, t, d); err != nil {
			return err
		}
	}
	if _, err := query(within, ps[1].conn, "COMMIT"); err != nil {
		return err
	}
	_, err = query(within, ps[0].conn, "ROLLBACK") // nothing was changed there
	return err
}

// lockRows begins a transaction on both nodes and locks the rows, on main first as
// everybody does.
func lockRows(ctx context.Context, ps peers, t table, batch []*rowDifference) error {
	if _, err := ps.ask(ctx, "BEGIN"); err != nil {
		return err
	}
	for _, p := range ps {
		for _, d := range batch {
			if _, err := queryParams(ctx, p.conn, "SELECT 1 FROM ONLY "+t.sqlName+" AS t"+t.whereKey()+" FOR UPDATE", d.key); err != nil {
				return fmt.Errorf("node %d: %w", p.id, err)
			}
		}
	}
	return nil
}

// holdFor holds COMMITs, if there is anybody to hold.
func (r *run) holdFor(ctx context.Context) (release func(), err error) {
	if r.opts.Hold == nil {
		return func() {}, nil
	}
	held, err := r.hold(ctx)
	if err != nil {
		return nil, err
	}
	return func() { _ = held.Release() }, nil // what is done under it ends before HoldAtLeast
}

// repairRow makes a row of ps[1] that of ps[0].
func repairRow(ctx context.Context, ps peers, t table, d *rowDifference) error {
	columns := qualified(t.columnNames())
	right, err := readRow(ctx, ps[0], t, d.key, columns)
	if err != nil {
		return err
	}
	wrong, err := readRow(ctx, ps[1], t, d.key, columns)
	if err != nil {
		return err
	}
	if slices.EqualFunc(right, wrong, func(a, b []byte) bool { return shown(a) == shown(b) }) && (right == nil) == (wrong == nil) {
		return nil // the world has moved on
	}
	d.Expected, d.Found = t.rowText(right), t.rowText(wrong)
	if wrong != nil {
		if _, err := queryParams(ctx, ps[1].conn, "DELETE FROM ONLY "+t.sqlName+" AS t"+t.whereKey(), d.key); err != nil {
			return err
		}
	}
	if right == nil {
		return nil
	}
	sql, values := t.insert(right)
	_, err = queryParams(ctx, ps[1].conn, sql, values)
	return err
}

// rowText shows a whole row to a person.
func (t table) rowText(values row) string {
	if values == nil {
		return "no such row"
	}
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = t.columns[i].name + "=" + shorten(shown(value))
	}
	return strings.Join(texts, ", ")
}

// insert is the statement that puts a row in, identity columns included. Generated columns
// are computed by the server.
func (t table) insert(values row) (sql string, params row) {
	var names, places []string
	for i, c := range t.columns {
		if c.generated {
			continue
		}
		params = append(params, values[i])
		names = append(names, c.name)
		places = append(places, fmt.Sprintf("$%d", len(params)))
	}
	return fmt.Sprintf("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE VALUES (%s)", t.sqlName, strings.Join(names, ", "), strings.Join(places, ", ")), params
}

// proveRepair compares the tables once more and marks what differs no longer.
func (r *run) proveRepair(ctx context.Context, database string, found *findings) error {
	only := map[string]bool{}
	for _, t := range found.tables {
		if cannotRepair(&t) == "" {
			only[tablePart(t.table.name)] = true
		}
	}
	if len(only) == 0 {
		return nil
	}
	after, err := r.pass(ctx, scope{database: database, only: only, last: true})
	if err != nil {
		return err
	}
	left := map[string]bool{}
	for _, t := range after.tables {
		for _, d := range t.found {
			left[differenceKey(d)] = true
		}
	}
	for i := range found.tables {
		for j := range found.tables[i].found {
			d := &found.tables[i].found[j]
			if d.Proven && only[tablePart(d.Object)] && !left[differenceKey(*d)] {
				d.Repaired = true
				r.report.RepairedRows++
			}
		}
	}
	return nil
}

func differenceKey(d rowDifference) string { return fmt.Sprint(d.Node, " ", d.Object, " ", d.Key) }
