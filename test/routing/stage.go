package routing

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// Stage is three servers of one clustering mode with the schema that scripts use.
type Stage struct {
	Mode  string // of backend_clustering_mode
	Nodes []*pgtest.Node
	// Player plays on the servers once its DSN says where the proxy is.
	Player *Player

	settings []string // of pgpool.conf, that the mode needs
}

// NewIndependent starts nodes that know nothing of each other, for the modes in which
// the proxy writes to all of them, and for raw.
func NewIndependent(t testing.TB, mode string) *Stage {
	t.Helper()
	nodes := pgtest.Start(t, nodeCount, pgtest.WithSettings(ServerSettings()))
	for _, node := range nodes {
		makeSchema(t, node)
	}
	return newStage(t, mode, nodes)
}

// NewStreaming starts a primary and its standbys.
func NewStreaming(t testing.TB) *Stage {
	t.Helper()
	nodes := pgtest.StartStreaming(t, nodeCount, pgtest.WithSettings(ServerSettings()))
	makeSchema(t, nodes[mainNode])
	for _, standby := range nodes[1:] {
		standby.WaitCaughtUp(nodes[mainNode])
	}
	return newStage(t, "streaming_replication", nodes, primarySettings...)
}

// NewLogical starts a publisher and its subscribers. The scripts work in databases that
// are not replicated, and so are made on each node: where a statement runs does not
// depend on it.
func NewLogical(t testing.TB) *Stage {
	t.Helper()
	nodes := pgtest.StartLogical(t, nodeCount, pgtest.WithSettings(ServerSettings()))
	for _, node := range nodes {
		makeSchema(t, node)
	}
	return newStage(t, "logical_replication", nodes, primarySettings...)
}

// primarySettings are for the search of the primary. Groups in which a read follows a
// write set read_consistency = eventual besides, or it would depend on how soon a standby
// has replayed the write where they run.
var primarySettings = []string{
	"sr_check_period = 1",
	"sr_check_user = 'postgres'",
	"sr_check_database = 'postgres'",
	"backend_application_name0 = 'node0'",
	"backend_application_name1 = 'node1'",
	"backend_application_name2 = 'node2'",
}

func newStage(t testing.TB, mode string, nodes []*pgtest.Node, settings ...string) *Stage {
	t.Helper()
	journals, err := NewJournals(nodes)
	if err != nil {
		t.Fatal(err)
	}
	player := &Player{Journals: journals, Database: Database, User: nodes[0].Superuser, Patience: patience}
	return &Stage{Mode: mode, Nodes: nodes, Player: player, settings: settings}
}

// Raw is the same servers in raw mode, in which they become different.
func (s *Stage) Raw() *Stage {
	raw := *s
	raw.Mode = "raw"
	return &raw
}

// makeSchema makes what scripts use on a node.
func makeSchema(t testing.TB, node *pgtest.Node) {
	t.Helper()
	for _, sql := range Globals {
		node.Exec(sql)
	}
	for _, database := range Databases {
		execIn(t, node, database, Schema)
	}
}

// execIn runs one or more statements in a database of a node.
func execIn(t testing.TB, node *pgtest.Node, database, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgconn.Connect(ctx, node.Node.DSN(database))
	if err != nil {
		t.Fatalf("node %d: %v", node.ID, err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql).ReadAll(); err != nil {
		t.Fatalf("node %d: %.60s: %v", node.ID, sql, err)
	}
}

// Reset gives the scripts' database back the state that it had at the beginning, on all
// nodes, and drops what transactions were prepared in it: what one proxy left behind
// must not be held against it again, or against the next. No proxy may be there.
func (s *Stage) Reset(t testing.TB) {
	t.Helper()
	for _, node := range s.writable() {
		for _, row := range node.Query("SELECT gid FROM pg_prepared_xacts WHERE database = '" + Database + "'") {
			execIn(t, node, Database, "ROLLBACK PREPARED '"+row[0]+"'")
		}
		if len(node.Query("SELECT 1 FROM pg_database WHERE datname = '"+kept+"'")) == 0 {
			node.Exec("CREATE DATABASE " + kept + " TEMPLATE " + Database)
			continue
		}
		node.Exec("DROP DATABASE " + Database + " WITH (FORCE)")
		node.Exec("CREATE DATABASE " + Database + " TEMPLATE " + kept)
	}
	for _, node := range s.Nodes {
		if s.Mode == "streaming_replication" && node.ID != mainNode {
			node.WaitCaughtUp(s.Nodes[mainNode])
		}
	}
}

// writable is the nodes that the others have their data from, or all of them.
func (s *Stage) writable() []*pgtest.Node {
	if s.Mode == "streaming_replication" {
		return s.Nodes[:1]
	}
	return s.Nodes
}

// weights make node 1 the load balance node.
var weights = []string{"backend_weight0 = 0", "backend_weight1 = 1", "backend_weight2 = 0"}

// patient lets a machine that is busy with other tests stand still for a while: nodes
// must not be detached here, except those that a test stops.
var patient = []string{"connect_timeout = 30000", "health_check_timeout = 30"}

// AllAnswered is the line of pgpool.conf with which an answer means that every node that runs
// a statement has run it.
const AllAnswered = "early_reply = off"

// Config is the lines of pgpool.conf for a group.
func (s *Stage) Config(group []string) []string {
	lines := append([]string{"backend_clustering_mode = " + s.Mode}, patient...)
	lines = append(lines, s.settings...)
	for _, line := range weights {
		if !sets(group, line) {
			lines = append(lines, line)
		}
	}
	return append(lines, group...)
}

// AwaitPrimary has a proxy that has just started know the primary: a write waits until
// one is found, reads do not. In the other modes it changes nothing either.
func (s *Stage) AwaitPrimary(t testing.TB) {
	t.Helper()
	script := Script{Statements: []Statement{{SQL: "DO $$ BEGIN END $$"}}}
	seen, err := s.Player.Play(&script, Simple)
	if err == nil {
		err = seen[0].Err
	}
	if err != nil {
		t.Fatalf("the proxy does not run a first statement that writes: %v", err)
	}
}

// sets reports whether one of the settings is for the parameter of line.
func sets(settings []string, line string) bool {
	name, _, _ := strings.Cut(line, " ")
	return slices.ContainsFunc(settings, func(set string) bool { return strings.HasPrefix(set, name+" ") })
}

// Tables are the files of dir that hold for the stage's mode.
func (s *Stage) Tables(t testing.TB, dir string) []*Table {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.routes"))
	if err != nil {
		t.Fatal(err)
	}
	var all []*Table
	for _, file := range files {
		table, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(table.Modes, s.Mode) {
			all = append(all, table)
		}
	}
	return all
}
