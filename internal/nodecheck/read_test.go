package nodecheck

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgtest"
)

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }

func nodesOf(servers []*pgtest.Node, user string) []Node {
	var nodes []Node
	for i, server := range servers {
		nodes = append(nodes, Node{ID: config.NodeID(i), Connect: func(ctx context.Context, database string) (*pgconn.PgConn, error) {
			settings, err := pgconn.ParseConfig(server.DSN())
			if err != nil {
				return nil, err
			}
			if database != "" {
				settings.Database = database
			}
			if user != "" {
				settings.User = user
			}
			return pgconn.ConnectConfig(ctx, settings)
		}})
	}
	return nodes
}

func TestServersSayWhatTheyAre(t *testing.T) {
	servers := pgtest.Start(t, 2)
	for _, server := range servers {
		server.Exec("CREATE ROLE plain LOGIN")
	}
	facts, err := Read(t.Context(), nodesOf(servers, "")[0])
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, f := range facts {
		kinds[f.Kind]++
	}
	for _, kind := range []string{KindServer, KindPlatform, KindSetting, KindPlanner, KindLimit, KindDurability, KindRole, KindDatabase, KindExtension, KindPassword} {
		if kinds[kind] == 0 {
			t.Errorf("no facts of kind %q", kind)
		}
	}
	for _, user := range []string{"", "plain"} {
		if got := Look(t.Context(), nodesOf(servers, user)); len(got.Differences) > 0 || len(got.Failed) > 0 {
			t.Errorf("as %q: %v, %v", user, got.Differences, got.Failed)
		}
	}
}

func TestServerThatCannotBeAskedIsNamed(t *testing.T) {
	servers := pgtest.Start(t, 2)
	servers[0].Stop()
	servers[1].Exec("CREATE ROLE stranger")
	got := Look(t.Context(), nodesOf(servers, ""))
	if got.Failed[0] == nil || len(got.Compared) != 1 || len(got.Differences) != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestCodeThatReadsSetOffIsToldOf(t *testing.T) {
	servers := pgtest.Start(t, 1)
	servers[0].Exec(`
		CREATE TABLE log (n int);
		CREATE FUNCTION note(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (n); RETURN n; END $$;
		CREATE FUNCTION note_both(a int, b int) RETURNS bool LANGUAGE sql AS 'SELECT note(a) = note(b)';
		CREATE FUNCTION noted(n int) RETURNS int STABLE LANGUAGE sql RETURN (SELECT note($1));
		CREATE FUNCTION is_mine(n int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN UPDATE log SET n = n + 1; RETURN true; END $$;
		CREATE TYPE pair AS (a int, b int);
		CREATE FUNCTION pair_of(n int) RETURNS pair LANGUAGE sql AS 'SELECT note(n), n';
		CREATE FUNCTION pure(a int, b int) RETURNS bool LANGUAGE sql AS 'SELECT a = b';
		CREATE FUNCTION only_reads(n int) RETURNS int STABLE LANGUAGE sql AS 'SELECT count(*)::int FROM log WHERE log.n = $1';
		CREATE OPERATOR ==== (LEFTARG = int, RIGHTARG = int, FUNCTION = note_both);
		CREATE OPERATOR =~~= (LEFTARG = int, RIGHTARG = int, FUNCTION = pure);
		CREATE CAST (int AS pair) WITH FUNCTION pair_of(int);
		ALTER TABLE log ENABLE ROW LEVEL SECURITY;
		CREATE POLICY own ON log USING (is_mine(n));
		CREATE VIEW shown AS SELECT noted(1);
		CREATE VIEW plain AS SELECT only_reads(1);
		CREATE VIEW writing AS SELECT note(1)`)
	got := Look(t.Context(), nodesOf(servers, ""))
	want := []SideEffect{
		{"postgres", "cast from integer to pair", "pair_of(integer)"},
		{"postgres", "operator ====(integer,integer)", "note_both(integer,integer)"},
		{"postgres", "policy own on table log", "is_mine(integer)"},
		{"postgres", "rule _RETURN on view shown", "noted(integer)"},
	}
	for i, e := range got.SideEffects {
		e.Behind, e.Functions = strings.ReplaceAll(e.Behind, "public.", ""), strings.ReplaceAll(e.Functions, "public.", "")
		got.SideEffects[i] = e
	}
	if !slices.Equal(got.SideEffects, want) {
		t.Errorf("%v\nwant %v", got.SideEffects, want)
	}
}
