//go:build sqlsmith

package regress

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// madeFor is the database that statements are made up for: tables of every kind, and a role
// that may change them and nothing else of the servers.
const madeFor = `
CREATE ROLE smith LOGIN;
CREATE TABLE item (id serial PRIMARY KEY, name text NOT NULL DEFAULT 'n', price numeric(9,2), at timestamptz DEFAULT now(), tags text[], doc jsonb);
CREATE TABLE part (id int PRIMARY KEY, item int REFERENCES item, weight float8, made date DEFAULT current_date) PARTITION BY RANGE (id);
CREATE TABLE part_low PARTITION OF part FOR VALUES FROM (0) TO (500);
CREATE TABLE part_high PARTITION OF part DEFAULT;
CREATE TABLE parent (a int, b text); CREATE TABLE child (c uuid DEFAULT gen_random_uuid()) INHERITS (parent);
CREATE VIEW cheap AS SELECT id, name FROM item WHERE price < 10;
CREATE MATERIALIZED VIEW counted AS SELECT name, count(*) AS n FROM item GROUP BY name;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.name := NEW.name || ''+''; RETURN NEW; END';
CREATE TRIGGER touched BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION touch();
INSERT INTO item (name, price, at, tags, doc) SELECT 'i' || i, i / 7.0, timestamptz '2026-01-01 00:00:00Z', ARRAY['a', 'b' || i], jsonb_build_object('i', i) FROM generate_series(1, 200) AS i;
INSERT INTO part SELECT i, 1 + i % 200, i * 1.5, date '2026-01-01' FROM generate_series(1, 900) AS i;
INSERT INTO parent SELECT i, 'p' FROM generate_series(1, 50) AS i;
GRANT ALL ON ALL TABLES IN SCHEMA public TO smith; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO smith`

// The servers and pgchorus outlast what sqlsmith makes up for SECONDS, no node is lost, and
// the nodes stay equal. They are compared after each QUERIES statements; the same SEED makes
// up the same ones, and is followed by the next.
func TestMadeUpStatementsLeaveTheNodesEqual(t *testing.T) {
	seconds, queries, seed := number(t, "SECONDS"), number(t, "QUERIES"), number(t, "SEED")
	nodes := pgtest.Start(t, 3)
	// What is made up takes whole processors; a node that is slow is not to look dead.
	p := proxy.Start(t, nodes, proxy.WithConfig("health_check_timeout = 20"))
	p.Exec(madeFor)
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	for made := queries; !t.Failed(); seed, made = seed+1, made+queries {
		smith(t, p, seed, queries)
		for _, node := range nodes {
			if status := p.NodeStatus(node.ID); status != "up" {
				t.Errorf("node %d is %s", node.ID, status)
			}
		}
		pgtest.WantEqual(t, nodes...)
		t.Logf("%d statements; nodes answered differently: %d", made, strings.Count(p.Log(), "nodes disagree"))
		if time.Now().After(end) {
			break
		}
	}
	if strings.Contains(p.Log(), "internal error") {
		t.Error("the log has an internal error")
	}
	if said, err := p.Command("verify"); err != nil {
		t.Errorf("pgchorus verify: %v\n%s", err, said)
	}
}

// smith has sqlsmith make up statements and run them through pgchorus.
func smith(t *testing.T, p *proxy.Proxy, seed, queries int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sqlsmith", "--verbose", "--exclude-catalog", "--target="+p.DSN(pgtest.Database, "smith"),
		"--seed="+strconv.Itoa(seed), "--max-queries="+strconv.Itoa(queries))
	output, err := cmd.CombinedOutput()
	t.Logf("sqlsmith, seed %d:\n%s", seed, last(string(output), 25))
	if err != nil {
		t.Errorf("sqlsmith: %v", err)
	}
}

// number is a setting of the environment.
func number(t *testing.T, name string) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// last are the last lines of a text.
func last(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
