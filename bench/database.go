package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

const (
	// nodeCount is the number of servers behind the proxies that replicate.
	nodeCount = 3
	// scale is pgbench's: more branches than clients in the TPC-B scenario, so that
	// it does not measure the queue at one row; 100,000 accounts each.
	scale = 10
	// copyRows is the size of the bulk load.
	copyRows = 1_000_000

	template     = "bench_template"
	updateScript = "update.sql"
	copyFile     = "rows.tsv"
)

// updateSQL changes one row by its primary key, in a transaction of its own.
const updateSQL = `\set aid random(1, 100000 * :scale)
\set delta random(-5000, 5000)
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
`

// warmSQL reads the table and its index into the server's cache, which holds them.
const warmSQL = `SET enable_seqscan = on; SELECT sum(abalance) FROM pgbench_accounts;
SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT count(*) FROM pgbench_accounts WHERE aid > 0`

// serverSettings take away what comes at odd times: autovacuum and checkpoints would
// hit some targets and spare others.
func serverSettings(fsync bool) map[string]string {
	settings := map[string]string{
		"shared_buffers":     "1GB",
		"max_connections":    strconv.Itoa(nodeCount*maxSessions + 20),
		"autovacuum":         "off",
		"checkpoint_timeout": "1h",
		"max_wal_size":       "20GB",
	}
	if !fsync {
		settings["fsync"] = "off"
	}
	return settings
}

// fill makes the databases of all targets on all nodes, the nodes at the same time.
func (b *bench) fill(ctx context.Context) error {
	nodes := b.cluster.Nodes()
	errs := make([]error, len(nodes))
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() {
			if err := b.fillNode(ctx, n); err != nil {
				errs[i] = fmt.Errorf("fill node %d: %w", n.ID, err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// fillNode lets pgbench fill one database and copies it for each target.
func (b *bench) fillNode(ctx context.Context, n *localpg.Node) error {
	if _, err := ask(ctx, n.DSN("postgres"), "CREATE DATABASE "+template); err != nil {
		return err
	}
	if _, err := b.client(ctx, "pgbench", n.Port, template, "-i", "-I", "dtGvp", "-s", strconv.Itoa(scale), "--quiet"); err != nil {
		return err
	}
	const tables = "CREATE TABLE bench_copy (id bigint, payload text)"
	if _, err := ask(ctx, n.DSN(template), tables); err != nil {
		return err
	}
	for _, t := range b.targets {
		if !t.has(n) {
			continue
		}
		if _, err := ask(ctx, n.DSN("postgres"), "CREATE DATABASE "+t.database+" TEMPLATE "+template+" STRATEGY file_copy"); err != nil {
			return err
		}
		if _, err := ask(ctx, n.DSN(t.database), warmSQL); err != nil {
			return err
		}
	}
	_, err := ask(ctx, n.DSN("postgres"), "CHECKPOINT")
	return err
}

// has tells whether work of t arrives at n.
func (t *target) has(n *localpg.Node) bool {
	for _, own := range t.nodes {
		if own == n {
			return true
		}
	}
	return false
}

// tidy removes the dead rows of the small tables, as pgbench itself would before a
// run, but past the proxies.
func (t *target) tidy(ctx context.Context) error {
	for _, n := range t.nodes {
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
(SELECT sum(hashtextextended(format('%s %s %s %s', tid, bid, aid, delta), 0)) FROM pgbench_history), (SELECT count(*) FROM bench_copy))`

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

// writeScripts writes the files that pgbench and psql read.
func (b *bench) writeScripts() error {
	if err := b.writeFile(filepath.Join(b.cluster.Dir, updateScript), updateSQL); err != nil {
		return err
	}
	return writeRows(filepath.Join(b.cluster.Dir, copyFile), copyRows)
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
