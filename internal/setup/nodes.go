package setup

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

const (
	// testDatabase is there beside the user's own, as pgpool_setup has it.
	testDatabase = "test"
	// publication has all tables of testDatabase.
	publication = "everything"
)

// makeNodes makes the servers of the mode and leaves them running.
func (w *work) makeNodes(ctx context.Context) error {
	w.say("Making %d PostgreSQL servers for %s ...", w.opts.Nodes, w.mode)
	first := w.opts.Nodes
	if w.opts.Mode == streaming {
		first = 1 // the primary, of which the others are copies
	}
	var err error
	w.cluster, err = localpg.Create(ctx, localpg.Options{
		Dir: w.opts.Dir, Nodes: first, Port: w.opts.NodePort,
		Superuser: superuser, Password: superuser, Settings: w.settings(), OwnSystems: true,
	})
	if err != nil {
		return err
	}
	if err := w.cluster.Start(ctx); err != nil {
		return err
	}
	if err := w.fill(ctx); err != nil {
		return err
	}
	switch w.opts.Mode {
	case streaming:
		return w.addStandbys(ctx)
	case logical:
		return w.subscribe(ctx)
	}
	return nil
}

// settings go into each postgresql.conf.
func (w *work) settings() map[string]string {
	settings := map[string]string{}
	if w.opts.noSync {
		settings["fsync"] = "off"
	}
	switch w.opts.Mode {
	case streaming, logical:
		maps.Copy(settings, localpg.StreamingSettings())
	case snapshot:
		settings["default_transaction_isolation"] = "repeatable read"
	}
	if w.opts.Mode == logical {
		settings["wal_level"] = "logical"
	}
	return settings
}

// fill makes the role and the databases on all nodes that there are.
func (w *work) fill(ctx context.Context) error {
	nodes := w.cluster.Nodes()
	for _, node := range nodes {
		for _, sql := range w.contents() {
			if _, err := ask(ctx, node, "postgres", sql); err != nil {
				return fmt.Errorf("node %d: %w", node.ID, err)
			}
		}
	}
	if err := w.makeObjects(ctx, nodes); err != nil {
		return err
	}
	return samePasswords(ctx, nodes)
}

// makeObjects is for all databases, those that are made later included: they are copies of
// template1.
func (w *work) makeObjects(ctx context.Context, nodes []*localpg.Node) error {
	if w.opts.Objects == "" || w.opts.Mode != native && w.opts.Mode != snapshot {
		return nil
	}
	for _, node := range nodes {
		names, err := ask(ctx, node, "postgres", "SELECT datname FROM pg_database WHERE datallowconn ORDER BY 1")
		if err != nil {
			return fmt.Errorf("node %d: %w", node.ID, err)
		}
		for _, name := range names {
			if _, err := ask(ctx, node, name, w.opts.Objects); err != nil {
				return fmt.Errorf("node %d, database %s: %w", node.ID, name, err)
			}
		}
	}
	return nil
}

func (w *work) contents() []string {
	var all []string
	name := pgx.Identifier{w.owner}.Sanitize()
	if w.owner != superuser {
		all = append(all,
			"CREATE ROLE "+name+" SUPERUSER LOGIN PASSWORD "+literal(w.owner),
			"CREATE DATABASE "+name+" OWNER "+name)
	}
	return append(all, "CREATE DATABASE "+testDatabase+" OWNER "+name)
}

// samePasswords gives all nodes the verifiers of the first: each had salted its own,
// and a comparison of nodes would find them different.
func samePasswords(ctx context.Context, nodes []*localpg.Node) error {
	verifiers, err := ask(ctx, nodes[0], "postgres",
		"SELECT format('ALTER ROLE %I PASSWORD %L', rolname, rolpassword) FROM pg_authid WHERE rolpassword IS NOT NULL")
	if err != nil {
		return fmt.Errorf("node %d: %w", nodes[0].ID, err)
	}
	for _, node := range nodes[1:] {
		if _, err := ask(ctx, node, "postgres", strings.Join(verifiers, ";")); err != nil {
			return fmt.Errorf("node %d: %w", node.ID, err)
		}
	}
	return nil
}

func (w *work) addStandbys(ctx context.Context) error {
	if _, err := w.cluster.AddStandbys(ctx, w.cluster.Nodes()[0], w.opts.Nodes-1); err != nil {
		return err
	}
	return w.cluster.Start(ctx)
}

// subscribe joins the nodes in testDatabase.
func (w *work) subscribe(ctx context.Context) error {
	nodes := w.cluster.Nodes()
	if _, err := ask(ctx, nodes[0], testDatabase, "CREATE PUBLICATION "+publication+" FOR ALL TABLES"); err != nil {
		return fmt.Errorf("node %d: %w", nodes[0].ID, err)
	}
	for _, node := range nodes[1:] {
		sql := fmt.Sprintf("CREATE SUBSCRIPTION %s CONNECTION %s PUBLICATION %s",
			node.ReplicationName(), literal(nodes[0].Conninfo(testDatabase, node.ReplicationName())), publication)
		if _, err := ask(ctx, node, testDatabase, sql); err != nil {
			return fmt.Errorf("node %d: %w", node.ID, err)
		}
	}
	return nil
}

// ask runs sql on a node and returns the first column of its last result.
func ask(ctx context.Context, node *localpg.Node, database, sql string) ([]string, error) {
	conn, err := pgconn.Connect(ctx, node.DSN(database))
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 {
		return nil, err
	}
	var column []string
	for _, row := range results[len(results)-1].Rows {
		column = append(column, string(row[0]))
	}
	return column, nil
}

// literal quotes a value for SQL, whatever standard_conforming_strings says.
func literal(value string) string {
	return "E'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(value) + "'"
}
