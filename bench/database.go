package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

const (
	// scale is pgbench's: more branches than clients in the TPC-B scenario, so that
	// it does not measure the queue at one row; 100,000 accounts each.
	scale = 10
	// copyRows is the size of the bulk load.
	copyRows = 1_000_000

	template = "bench_template"
	copyFile = "rows.tsv"
)

// warmSQL reads the table and its index into the server's cache, which holds them.
const warmSQL = `SET enable_seqscan = on; SELECT sum(abalance) FROM pgbench_accounts;
SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT count(*) FROM pgbench_accounts WHERE aid > 0`

// serverSettings take away what comes at odd times: autovacuum and checkpoints would
// hit some targets and spare others.
func (b *bench) serverSettings() map[string]string {
	settings := map[string]string{
		"shared_buffers":     "1GB",
		"max_connections":    strconv.Itoa(b.maxConnections()),
		"autovacuum":         "off",
		"checkpoint_timeout": "1h",
		"max_wal_size":       "20GB",
	}
	if !b.opts.fsync {
		settings["fsync"] = "off"
	}
	return settings
}

// minConnections is PostgreSQL's own default.
const minConnections = 100

// maxConnections is the most that any of the chosen setups needs.
func (b *bench) maxConnections() int {
	most := minConnections
	for _, u := range setups() {
		if own := b.scenariosOf(u); own != nil {
			most = max(most, u.connectionsWanted(own))
		}
	}
	return most
}

// fillTemplates has pgbench fill a database on every node, the nodes at the same time.
func (b *bench) fillTemplates(ctx context.Context) error {
	return onEach(b.cluster.Nodes(), func(n *localpg.Node) error { return b.fillTemplate(ctx, n) })
}

func (b *bench) fillTemplate(ctx context.Context, n *localpg.Node) error {
	if _, err := ask(ctx, n.DSN("postgres"), "CREATE DATABASE "+template); err != nil {
		return err
	}
	if _, err := b.client(ctx, "pgbench", n.Port, template, "-i", "-I", "dtGvp", "-s", strconv.Itoa(scale), "--quiet"); err != nil {
		return err
	}
	if _, err := ask(ctx, n.DSN(template), tables); err != nil {
		return err
	}
	_, err := ask(ctx, n.DSN("postgres"), "CHECKPOINT")
	return err
}

// fill makes the databases of all targets on all nodes of the setup.
func (st *stage) fill(ctx context.Context) error {
	nodes := st.nodes
	if st.mode == streaming {
		nodes = nodes[:1]
	}
	all := slices.Clone(st.targets) // also those that will be left out
	for _, n := range nodes {
		st.ends.add(func() error { return dropDatabases(n, all) })
	}
	return onEach(nodes, func(n *localpg.Node) error { return st.fillNode(ctx, n) })
}

// fillNode copies the template for each target. A node that gets none of a target's work
// has an empty database of that name: a replicating proxy may refuse nodes that do not
// have the same databases.
func (st *stage) fillNode(ctx context.Context, n *localpg.Node) error {
	for _, t := range st.targets {
		from := template + " STRATEGY file_copy"
		if !t.has(n) {
			from = "template0"
		}
		if _, err := ask(ctx, n.DSN("postgres"), "CREATE DATABASE "+t.database+" TEMPLATE "+from); err != nil {
			return err
		}
		if st.database != "" {
			if _, err := ask(ctx, n.DSN("postgres"), "ALTER DATABASE "+t.database+" SET "+st.database); err != nil {
				return err
			}
		}
	}
	if _, err := ask(ctx, n.DSN("postgres"), "CHECKPOINT"); err != nil {
		return err
	}
	return st.warm(ctx, n)
}

func (st *stage) warm(ctx context.Context, n *localpg.Node) error {
	for _, t := range st.targets {
		if !t.has(n) {
			continue
		}
		if _, err := ask(ctx, n.DSN(t.database), warmSQL); err != nil {
			return err
		}
	}
	return nil
}

// dropPatience bounds removing the databases of a setup from a node.
const dropPatience = time.Minute

// dropDatabases gives back what a setup needed on a node. It is for the end, when the
// caller's context may have ended too.
func dropDatabases(n *localpg.Node, targets []*target) error {
	ctx, stop := context.WithTimeout(context.Background(), dropPatience)
	defer stop()
	for _, t := range targets {
		if _, err := ask(ctx, n.DSN("postgres"), "DROP DATABASE IF EXISTS "+t.database+" WITH (FORCE)"); err != nil {
			return fmt.Errorf("drop the database of %s on node %d: %w", t.name, n.ID, err)
		}
	}
	return nil
}

// onEach calls do for all nodes at once.
func onEach(nodes []*localpg.Node, do func(*localpg.Node) error) error {
	errs := make([]error, len(nodes))
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() {
			if err := do(n); err != nil {
				errs[i] = fmt.Errorf("node %d: %w", n.ID, err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// tidy removes the dead rows of the small tables, as pgbench itself would before a
// run, but past the proxies.
func (st *stage) tidy(ctx context.Context, t *target) error {
	nodes := t.nodes
	if st.mode == streaming {
		nodes = nodes[:1]
	}
	for _, n := range nodes {
		if _, err := ask(ctx, n.DSN(t.database), "VACUUM pgbench_branches, pgbench_tellers"); err != nil {
			return fmt.Errorf("vacuum on node %d: %w", n.ID, err)
		}
	}
	return nil
}

// sumSQL is the same on two nodes when all work was done on both, in whatever order.
// pgbench_history's times are the nodes' own at some targets and are left out.
const sumSQL = `SELECT concat_ws(' ', (SELECT sum(hashtextextended(format('%s %s', aid, abalance), 0)) FROM pgbench_accounts),
(SELECT sum(tbalance) FROM pgbench_tellers), (SELECT sum(bbalance) FROM pgbench_branches),
(SELECT sum(hashtextextended(format('%s %s %s %s', tid, bid, aid, delta), 0)) FROM pgbench_history), (SELECT count(*) FROM bench_copy),
(SELECT sum(hashtextextended(format('%s %s', id, payload), 0)) FROM bench_insert), (SELECT sum(hashtextextended(format('%s %s', id, payload), 0)) FROM bench_serial),
(SELECT sum(hashtextextended(format('%s %s %s', id, old, new), 0)) FROM bench_note))`

// equal is an error when the nodes of a target differ: then it has not done the work
// that it was measured for.
func (t *target) equal(ctx context.Context) error {
	var first string
	for i, n := range t.nodes {
		found, err := ask(ctx, n.DSN(t.database), sumSQL)
		if err != nil {
			return fmt.Errorf("compare node %d: %w", n.ID, err)
		}
		sum := found.rows[0][0]
		if i == 0 {
			first = sum
		}
		if sum != first {
			return fmt.Errorf("nodes %d and %d of %s hold different rows", t.nodes[0].ID, n.ID, t.name)
		}
	}
	return nil
}

// writeRows writes the bulk load, in COPY's text format; a row is about 60 bytes.
func writeRows(path string, count int) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close() // a second time where all went well
	w := bufio.NewWriter(file)
	payload := strings.Repeat("abcdefghij", 5)
	for i := range count {
		fmt.Fprintf(w, "%d\t%s%d\n", i, payload, i%1000)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return file.Close()
}
