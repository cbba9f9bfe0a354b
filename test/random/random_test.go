package random

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

const (
	sessions = 8
	// aloneEach and togetherEach are the transactions of a session in a round.
	aloneEach    = 6
	togetherEach = 12
	// shown is how much of a round's journal a failure shows.
	shown = 400
	// mostFailures is after how many schemas that fail the test gives up.
	mostFailures = 3
)

// stage is pgchorus with its nodes, and a server to compare with.
type stage struct {
	t        testing.TB
	nodes    []*pgtest.Node
	proxy    *proxy.Proxy
	single   *pgtest.Node
	schema   *schema
	sessions []*player
	counts   map[string]int
}

// player is a session on pgchorus and its like on the single server.
type player struct {
	maker        *maker
	conn, single *pgx.Conn
	journal      journal
}

var serverSettings = map[string]string{"deadlock_timeout": "100ms", "max_prepared_transactions": "20"}

// setting is what pgchorus is to do, in so many ways.
func setting(rng *rand.Rand, clocks bool) []string {
	of := func(name string, values ...string) string { return name + " = " + values[rng.IntN(len(values))] }
	strategy := of("set_write_strategy", "auto", "auto", "auto", "lock")
	if clocks {
		strategy = "set_write_strategy = auto"
	}
	return []string{
		of("commit_mode", "auto", "parallel", "main_last", "main_first", "last_agent"),
		strategy,
		of("backend_clustering_mode", "native_replication", "native_replication", "native_replication", "snapshot_isolation"),
		of("sequence_strategy", "auto", "auto", "lock"),
		of("parallel_dispatch", "on", "on", "off"),
		of("autocommit_fast", "on", "off"),
		"deadlock_check_interval = 200ms",
		"health_check_timeout = 20", // a machine that is slow is not to look like a dead node
	}
}

func newStage(t testing.TB, seed uint64) *stage {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 0))
	nodes := pgtest.Start(t, 3, pgtest.WithSettings(serverSettings))
	s := &stage{t: t, nodes: nodes, single: pgtest.Start(t, 1, pgtest.WithSettings(serverSettings))[0], counts: map[string]int{}}
	s.schema = newSchema(rng, pgtest.Given(t, "CLOCKS", int(seed%2)) != 0)
	lines := setting(rng, s.schema.clocks)
	t.Logf("%s", strings.Join(lines, ", "))
	s.proxy = proxy.Start(t, nodes, proxy.WithConfig(lines...))
	s.proxy.Exec(s.schema.ddl())
	s.single.Exec(s.schema.ddl())
	for i := range sessions {
		s.sessions = append(s.sessions, &player{
			maker: &maker{rng: rand.New(rand.NewPCG(seed, uint64(i)+1)), schema: s.schema},
			conn:  s.proxy.Connect(pgtest.Database), single: s.single.Connect(),
		})
	}
	return s
}

// alone has the sessions play one after the other; each answer is the single server's.
func (s *stage) alone() {
	s.makeLikeSingle()
	var lines []string
	for range aloneEach {
		for i, p := range s.sessions {
			p.maker.exact = true
			over := false
			p.maker.play(func(sql string, how protocol) bool {
				if over {
					return false
				}
				got := run(p.conn, sql, how)
				lines = append(lines, fmt.Sprintf("%d %s -> %s", i, sql, got))
				s.count("alone", got)
				if refusesValues(got) {
					over = true
					run(p.conn, "ROLLBACK", simple)
					run(p.single, "ROLLBACK", simple)
					return false
				}
				if want := run(p.single, sql, how); !got.same(want) {
					s.t.Fatalf("%s\n got %s\nwant %s\nplayed:\n%s", sql, got, want, tail(lines))
				}
				return got.code == ""
			})
		}
	}
	s.wantEqual("alone", lines)
}

// refusesValues: the statement has each node compute a value for itself, which was seen
// before COMMIT. It is refused with a hint instead of committed (docs/failure-model.md).
func refusesValues(a answer) bool {
	return a.code == "40001" && strings.Contains(a.message, "with other values")
}

// makeLikeSingle empties all tables and takes back what DDL has done, on both sides.
func (s *stage) makeLikeSingle() {
	reset := "DROP TABLE IF EXISTS made; TRUNCATE audit, drawn"
	for _, t := range s.schema.tables {
		reset += ", " + t.name
	}
	for _, t := range s.schema.tables {
		reset += fmt.Sprintf("; ALTER TABLE %[1]s DROP COLUMN IF EXISTS x0, DROP COLUMN IF EXISTS x1, DROP COLUMN IF EXISTS x2; DROP INDEX IF EXISTS i%[1]s", t.name)
	}
	reset += "; " + s.schema.changing()
	s.proxy.Exec(reset)
	s.single.Exec(reset)
}

// mayBeTold are the errors that a session may be told when others play too: those that say
// to try again, and those of the data, of rows and columns that DDL has taken away, of locks
// that are not waited for, and of a block that has failed; 3B001 because a deadlock over nodes
// takes savepoints along (ADR 0020).
var mayBeTold = []string{"40001", "40P01", "55P03", "42P01", "42703", inFailedTransaction, "42P07", "42701", "0A000", "25001", "25P01", "55006", "3B001", "42804"}

// inFailedTransaction is expected behind another error only.
const inFailedTransaction = "25P02"

// catalogTaken is what PostgreSQL says with XX000 when two sessions change one function, trigger or domain.
const catalogTaken = "tuple concurrently updated"

func isExpected(a answer) bool {
	code := a.code
	return code == "" || code == "XX000" && strings.HasPrefix(a.message, catalogTaken) || slices.Contains(mayBeTold, code) || slices.Contains([]string{"21", "22", "23"}, code[:min(2, len(code))])
}

// together has all sessions play at the same time.
func (s *stage) together() {
	var all sync.WaitGroup
	for i, p := range s.sessions {
		p.journal = journal{}
		p.maker.exact = false
		all.Go(func() {
			for range togetherEach {
				failed := false // an error has ended the transaction
				p.maker.play(func(sql string, how protocol) bool {
					got := run(p.conn, sql, how)
					p.journal.add(strconv.Itoa(i), sql, got)
					if !isExpected(got) || got.code == inFailedTransaction && !failed {
						s.t.Errorf("session %d was told of %s: %s", i, sql, got)
					}
					failed = got.code != ""
					return got.code == ""
				})
			}
		})
	}
	all.Wait()
	var lines []string
	for _, p := range s.sessions {
		lines = append(lines, p.journal.lines...)
	}
	slices.Sort(lines)
	for _, line := range lines {
		if _, told, found := strings.Cut(line, " -> "); found {
			s.counts["together "+firstWord(told)]++
		}
	}
	s.wantEqual("together", lines)
}

func (s *stage) count(round string, a answer) {
	word := a.code
	if word == "" {
		word = firstWord(a.tag)
	}
	s.counts[round+" "+word]++
}

func firstWord(text string) string { word, _, _ := strings.Cut(text, " "); return word }

// wantEqual compares the nodes at a barrier.
func (s *stage) wantEqual(round string, lines []string) {
	for _, p := range s.sessions {
		// A COMMIT may have been answered when main alone had it (commit_mode last_agent); what
		// comes next waits for the others.
		run(p.conn, "SELECT 1", simple)
	}
	for _, node := range s.nodes[1:] {
		ctx, cancel := patiently()
		differences, err := pgtest.Differences(ctx, s.nodes[0], node)
		cancel()
		if err != nil {
			s.t.Fatal(err)
		}
		if len(differences) > 0 {
			s.t.Errorf("round %s: nodes 0 and %d differ:\n%s", round, node.ID, strings.Join(differences, "\n"))
		}
	}
	for _, node := range s.nodes {
		if status := s.proxy.NodeStatus(node.ID); status != "up" {
			s.t.Errorf("node %d is %s", node.ID, status)
		}
	}
	if s.t.Failed() {
		s.t.Fatalf("played:\n%s\nwarned of:\n%s", tail(lines), strings.Join(s.warnings(), "\n"))
	}
}

// warnings are those that the log has.
func (s *stage) warnings() (all []string) {
	for line := range strings.Lines(s.proxy.Log()) {
		if strings.Contains(line, "\twarn\t") {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}

func tail(lines []string) string { return strings.Join(lines[max(0, len(lines)-shown):], "\n") }

// TestRandomTransactions plays rounds for SECONDS from SEED.
func TestRandomTransactions(t *testing.T) {
	seed, seconds := pgtest.Given(t, "SEED", 1), pgtest.Given(t, "SECONDS", 12)
	t.Logf("seed %d, %d s", seed, seconds)
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	for failed := 0; failed < mostFailures && !time.Now().After(end); seed++ {
		ok := t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			s := newStage(t, uint64(seed))
			for rounds := 0; rounds < roundsOfASchema && (rounds == 0 || time.Now().Before(end)); rounds++ {
				s.alone()
				s.together()
			}
			for _, what := range sortedKeys(s.counts) {
				t.Logf("%6d %s", s.counts[what], what)
			}
		})
		if !ok {
			failed++
		}
	}
}
