package scenario

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// The commit phase is a few messages to each node. Each of its boundaries is a set of messages
// that have not reached their node yet, and of answers that have not come back. At each of them the server,
// a node, or both are killed.

// delivery is a message of the commit phase to one node.
type delivery struct {
	node int
	what string // commit, prepare or commit prepared
	done bool   // the node has done it, the answer is held; else the node has not had it
}

func (m delivery) String() string {
	state := "has not had"
	if m.done {
		state = "has done"
	}
	return fmt.Sprintf("node %d %s %s", m.node, state, m.what)
}

// isMessage are the texts of ADR 0019.
var isMessage = map[string]func(query string) bool{
	"commit":          func(q string) bool { return strings.Contains(q, "pgchorus.mark(") && strings.HasSuffix(q, ";COMMIT") },
	"prepare":         func(q string) bool { return strings.Contains(q, ";PREPARE TRANSACTION '") },
	"commit prepared": func(q string) bool { return strings.HasPrefix(q, "COMMIT PREPARED '") },
}

// boundary is where the commit phase stands still.
type boundary []delivery

func (b boundary) String() string {
	texts := make([]string, len(b))
	for i, m := range b {
		texts[i] = m.String()
	}
	return strings.Join(texts, ", ")
}

// each are the boundaries of a message that goes to some nodes at once.
func each(what string, nodes ...int) []boundary {
	all := []boundary{nil}
	for _, node := range nodes {
		var longer []boundary
		for _, b := range all {
			for _, done := range []bool{false, true} {
				longer = append(longer, append(slices.Clone(b), delivery{node, what, done}))
			}
		}
		all = longer
	}
	return all
}

// inOneMessage is commit_mode parallel with autocommit_fast: what is held is the mark behind the statement.
const inOneMessage = "parallel in one message"

// boundaries are those of each commit_mode.
var boundaries = map[string][]boundary{
	"parallel":   each("commit", 0, 1, 2),
	inOneMessage: each("commit", 0, 1, 2),
	"main_last":  slices.Concat(each("commit", 1, 2), each("commit", 0)),
	"main_first": slices.Concat(each("commit", 0), each("commit", 1, 2)),
	"last_agent": slices.Concat(each("prepare", 1, 2), each("commit", 0), each("commit prepared", 1, 2)),
}

// kill is who is killed at a boundary.
type kill struct {
	server bool
	node   int // -1 for none
	// late: what the nodes have not had of the killed server reaches them, but only when the next one
	// has looked at them. Otherwise it is lost with the server.
	late bool
}

func (f kill) String() string {
	var who []string
	if f.server {
		who = append(who, "server")
	}
	if f.node >= 0 {
		who = append(who, fmt.Sprintf("node %d", f.node))
	}
	if f.late {
		who = append(who, "messages are late")
	}
	return strings.Join(who, " and ")
}

var kills = []kill{{true, -1, false}, {true, -1, true}, {false, 0, false}, {false, 1, false}, {true, 0, false}, {true, 1, false}}

// TestKilledAtEveryBoundaryOfCommit: whoever is killed in the commit phase, and wherever that
// stands then, the nodes in service have the same in the end; what was acknowledged they have, what
// was refused they have not. Each boundary sees two of the kills, with KILLS=all (make kills) all.
func TestKilledAtEveryBoundaryOfCommit(t *testing.T) {
	for mode, all := range boundaries {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newBoundaryStage(t, mode)
			for i, b := range all {
				for j, f := range kills {
					if os.Getenv("KILLS") != "all" && j > 0 && j != 1+i%(len(kills)-1) {
						continue
					}
					if f.late && !slices.ContainsFunc(b, func(m delivery) bool { return !m.done }) {
						continue
					}
					t.Run(fmt.Sprintf("%s, %s is killed", b, f), func(t *testing.T) { s.inside(t).play(b, f) })
				}
			}
		})
	}
}

// boundaryStage is a stage with a relay in front of each node. Its nodes are used again.
type boundaryStage struct {
	*stage
	commitMode string
	relays     []*relay
}

func newBoundaryStage(t testing.TB, mode string, more ...string) *boundaryStage {
	t.Helper()
	nodes := pgtest.Start(t, 3, pgtest.WithSettings(map[string]string{"max_prepared_transactions": "20", "fsync": "on"}))
	b := &boundaryStage{commitMode: mode}
	if mode == inOneMessage {
		mode, more = "parallel", append(more, "autocommit_fast = on")
	}
	// Who is dead is known by its sockets; a machine that is slow must not look like it.
	lines := append([]string{"commit_mode = " + mode, "health_check_timeout = 20", "connect_timeout = 20000"}, more...)
	for _, node := range nodes {
		b.relays = append(b.relays, newRelay(t, node))
		lines = append(lines, b.relays[node.ID].config()...)
	}
	b.stage = &stage{t: t, mode: "native_replication", nodes: nodes, proxy: proxy.Start(t, nodes, proxy.WithConfig(lines...))}
	b.proxy.Exec("CREATE DATABASE " + database)
	conn := b.connect()
	b.exec(conn, itemTable)
	return b
}

func (b *boundaryStage) inside(t testing.TB) *boundaryStage {
	return &boundaryStage{stage: b.stage.in(t), commitMode: b.commitMode, relays: b.relays}
}

// play has a transaction stand still at the boundary, has the kill happen, and looks.
func (b *boundaryStage) play(at boundary, f kill) {
	defer b.mend()
	conn := b.connect()
	for range 3 { // until the nodes are given it as a prepared statement
		b.exec(conn, "UPDATE item SET text = 'first' WHERE id = 1")
	}
	b.awaitDone(b.nodes...)
	for _, m := range at {
		b.relays[m.node].holdAt(m.done, isMessage[m.what])
	}
	points := b.points(at)
	write := startQuery(conn, "UPDATE item SET text = 'second' WHERE id = 1")
	for i, p := range points {
		await(b.t, at[i].String(), func() bool { return isClosed(p.reached) })
	}
	b.strike(f)
	told := b.outcome(write)
	if f.server {
		b.proxy.Restart()
	}
	b.let(false)
	b.look(f, told)
}

// awaitDone waits until the nodes have done what clients have been told of: under last_agent that is when main
// has committed it (decision 0030).
func (b *boundaryStage) awaitDone(nodes ...*pgtest.Node) {
	b.t.Helper()
	for _, node := range nodes {
		await(b.t, "nothing is prepared", func() bool { return b.prepared(node) == 0 })
	}
}

func (b *boundaryStage) points(at boundary) (points []*point) {
	for _, m := range at {
		points = append(points, b.relays[m.node].point)
	}
	return points
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (b *boundaryStage) strike(f kill) {
	if f.server {
		b.proxy.Kill()
	}
	if f.node >= 0 {
		b.nodes[f.node].Kill()
		b.relays[f.node].let(true)
		b.relays[f.node].cut()
	}
	if !f.late {
		b.let(f.server)
	}
}

func (b *boundaryStage) let(dropped bool) {
	for _, r := range b.relays {
		r.let(dropped)
	}
}

// told is what the client knows of its transaction.
type told int

const (
	unknown told = iota
	acknowledged
	refused
)

func (b *boundaryStage) outcome(write *background) told {
	b.t.Helper()
	_, err := write.wait(b.t)
	switch code := codeOf(err); {
	case err == nil:
		return acknowledged
	case code == "40001":
		return refused
	case code != "" && code != "08006" && code != "08007" && code != "57P01":
		b.t.Errorf("the client was told %v", err)
	}
	return unknown
}

// look compares what the nodes in service have with each other and with what the client was told.
func (b *boundaryStage) look(f kill, told told) {
	b.t.Helper()
	conn := b.connect()
	rows, err := rowsOf(conn, "SELECT text FROM item WHERE id = 1")
	if err != nil {
		b.t.Fatal(err)
	}
	switch {
	case told == acknowledged && rows[0] != "second":
		b.t.Errorf("it was acknowledged, and the row is %q", rows[0])
	case told == refused && rows[0] != "first":
		b.t.Errorf("it was refused, and the row is %q", rows[0])
	}
	serving := b.serving()
	if b.commitMode == "last_agent" && f.node < 0 && len(serving) != len(b.nodes) {
		b.t.Errorf("%d nodes are in service: only the server was killed", len(serving))
	}
	b.wantNothingPrepared(serving...)
	b.wantSameSlots(serving...)
	b.wantEqualOf(serving)
	b.exec(conn, "UPDATE item SET text = 'third' WHERE id = 1")
	b.awaitDone(serving...)
	b.wantEqualOf(serving)
	if f.node >= 0 {
		b.comesBack(f.node, conn)
	}
}

func (b *boundaryStage) wantEqualOf(nodes []*pgtest.Node) {
	b.t.Helper()
	if len(nodes) > 1 {
		pgtest.WantEqual(b.t, nodes...)
	}
}

// serving are the nodes in service.
func (b *boundaryStage) serving() (up []*pgtest.Node) {
	b.t.Helper()
	for _, node := range b.nodes {
		if b.proxy.NodeStatus(node.ID) == "up" {
			up = append(up, node)
		}
	}
	if len(up) == 0 {
		b.t.Fatal("no node is in service")
	}
	return up
}

// comesBack has a node that was killed attached again, which is refused, since others have gone on
// without it. What it had prepared is ended.
func (b *boundaryStage) comesBack(id int, conn *pgx.Conn) {
	b.t.Helper()
	b.nodes[id].Start()
	if err := b.proxy.Node("attach", id); err == nil {
		b.t.Errorf("node %d was attached without what was written since", id)
	}
	b.exec(conn, "UPDATE item SET text = 'fourth' WHERE id = 1")
}

// mend makes all nodes equal, past the server, for the next kill.
func (b *boundaryStage) mend() {
	b.let(true)
	if b.proxy.Alive() {
		b.proxy.Kill()
	}
	for i, node := range b.nodes {
		b.relays[i].cut()
		if !node.Running() {
			node.Start()
		}
		for _, gid := range direct(node, "SELECT gid FROM pg_prepared_xacts") {
			direct(node, "ROLLBACK PREPARED '"+gid+"'")
		}
		direct(node, "TRUNCATE pgchorus.commit_slot, pgchorus.proxy; UPDATE item SET text = 'old'")
	}
	if err := os.Remove(filepath.Join(b.proxy.Dir, "pgpool_status")); err != nil && !os.IsNotExist(err) {
		b.t.Error(err)
	}
	b.proxy.Restart()
	pgtest.WantEqual(b.t, b.nodes...)
	b.wantAllUp()
}
