//go:build compare

package compare

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/test/proxy"
	"github.com/pgchorus/pgchorus/test/routing"
)

// tables is where the scripts are.
const tables = "../routing/testdata"

// hangs is after how long a statement at Pgpool-II is taken for one that hangs. The
// servers have next to nothing to do.
const hangs = 5 * time.Second

// stages are the clustering modes that are compared, with servers for one of the two.
// In raw mode the servers of native_replication serve, when that mode is through.
var stages = []struct {
	name string
	make func(testing.TB) *routing.Stage
	then func(*routing.Stage) *routing.Stage
}{
	{"native_replication", func(t testing.TB) *routing.Stage { return routing.NewIndependent(t, "native_replication") }, (*routing.Stage).Raw},
	{"snapshot_isolation", func(t testing.TB) *routing.Stage { return routing.NewIndependent(t, "snapshot_isolation") }, nil},
	{"streaming_replication", routing.NewStreaming, nil},
	{"logical_replication", routing.NewLogical, nil},
}

func TestAgainstPgpool(t *testing.T) {
	list, err := LoadList("testdata/differences.txt")
	if err != nil {
		t.Fatal(err)
	}
	found := map[Case]Pair{}
	for _, stage := range stages {
		t.Run(stage.name, func(t *testing.T) {
			theirs, ours := stage.make(t), stage.make(t)
			theirs.Player.Patience = hangs
			compareMode(t, theirs, ours, found)
			if stage.then != nil {
				compareMode(t, stage.then(theirs), stage.then(ours), found)
			}
		})
	}
	judge(t, list, found)
}

// compareMode plays all tables of a mode against both and enters what differs.
func compareMode(t *testing.T, theirs, ours *routing.Stage, found map[Case]Pair) {
	for _, table := range theirs.Tables(t, tables) {
		for _, group := range table.Groups {
			t.Run(group.Name, func(t *testing.T) {
				theirs.Reset(t)
				ours.Reset(t)
				pool := startPgpool(t, theirs.Nodes, theirs.Config(pgpoolSettings(group.Settings)))
				theirs.Player.DSN = pool.DSN
				server := proxy.Start(t, ours.Nodes, proxy.WithConfig(append(ours.Config(group.Settings), routing.AllAnswered)...))
				ours.Player.DSN = server.DSN
				ours.AwaitPrimary(t)
				for _, script := range group.Scripts {
					for _, protocol := range script.Protocols {
						compareScript(theirs, ours, &group, &script, protocol, found)
					}
				}
			})
		}
	}
}

// ownParameters are those that Pgpool-II does not know. It would skip them.
var ownParameters = []string{"read_consistency"}

func pgpoolSettings(group []string) []string {
	return slices.DeleteFunc(slices.Clone(group), func(line string) bool {
		name, _, _ := strings.Cut(line, " ")
		return slices.Contains(ownParameters, name)
	})
}

// compareScript enters the statements that ran elsewhere or ended differently. After a
// lost connection nothing is left to compare.
func compareScript(theirs, ours *routing.Stage, group *routing.Group, script *routing.Script, protocol routing.Protocol, found map[Case]Pair) {
	seenTheirs, lostTheirs := theirs.Player.Play(script, protocol)
	seenOurs, lostOurs := ours.Player.Play(script, protocol)
	var before []string
	for i, stmt := range script.Statements {
		before = append(before, stmt.SQL)
		pair := Pair{Pgpool: outcome(seenTheirs, i, lostTheirs), Ours: outcome(seenOurs, i, lostOurs)}
		if pair.Pgpool != pair.Ours && (stmt.Want.Fixed() || pair.failsDifferently()) {
			found[Case{theirs.Mode, group.Name, string(protocol), strings.Join(before, "; ")}] = pair
		}
		if i >= len(seenTheirs) || i >= len(seenOurs) {
			return
		}
	}
}

// failsDifferently is all that counts of a statement that may run where it likes.
func (p Pair) failsDifferently() bool {
	_, theirs, _ := strings.Cut(string(p.Pgpool), "!")
	_, ours, _ := strings.Cut(string(p.Ours), "!")
	return theirs != ours
}

func outcome(seen []routing.Seen, i int, lost error) Outcome {
	if i >= len(seen) {
		return Outcome(fmt.Sprintf("lost!%s", code(lost)))
	}
	if err := seen[i].Err; err != nil {
		return Outcome(fmt.Sprintf("%s!%s", seen[i].Nodes, code(err)))
	}
	return Outcome(seen[i].Nodes.String())
}

// code is the SQLSTATE of err, or a word for an error that has none.
func code(err error) string {
	var pgErr *pgconn.PgError
	switch {
	case errors.As(err, &pgErr):
		return pgErr.Code
	case pgconn.Timeout(err):
		return "hangs"
	}
	return "broken"
}

// judge fails the test for differences that are not in the list, or differ in another
// way there, and for those that are in the list and were not found. It prints the
// former as lines for the list.
func judge(t *testing.T, list *List, found map[Case]Pair) {
	unlisted := map[Case]Pair{}
	for c, pair := range found {
		if known, listed := list.Cases[c]; !listed || known.Pair != pair {
			unlisted[c] = pair
		}
	}
	if len(unlisted) > 0 {
		t.Errorf("%d differences are not in the list:\n%s", len(unlisted), strings.Join(Lines(unlisted), "\n"))
	}
	for c, known := range list.Cases {
		if _, occurs := found[c]; !occurs {
			t.Errorf("line %d of the list: no difference any more: %s, %s: %s", known.Line, c.Mode, c.Protocol, c.Script)
		}
	}
}
