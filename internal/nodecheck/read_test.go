package nodecheck

import (
	"context"
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
