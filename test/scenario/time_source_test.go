package scenario

import (
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// TestTimeOfTheMainNode: what is stored is what main's now() tells in the same transaction,
// also where main has become another one, and where there is no block.
func TestTimeOfTheMainNode(t *testing.T) {
	s := newStage(t, proxy.WithConfig("time_source = main"))
	s.exec(s.connect(), "CREATE TABLE seen (at timestamptz, day date, by_default timestamptz DEFAULT now())")
	lives := s.nodes
	for name, mode := range protocols {
		conn := s.connectBy(mode)
		run := func(sql string) {
			t.Helper()
			if _, err := conn.Exec(bounded(t), sql); err != nil {
				t.Fatalf("%s: %s: %v", name, sql, err)
			}
		}
		run("BEGIN")
		run("INSERT INTO seen VALUES (now(), current_date)")
		run("INSERT INTO seen VALUES (transaction_timestamp(), now())")
		var same bool
		if err := conn.QueryRow(bounded(t), "SELECT bool_and(at = now() AND by_default = now() AND day = current_date) FROM seen WHERE at >= now()").Scan(&same); err != nil || !same {
			t.Errorf("%s: stored times are not main's now(): %v", name, err)
		}
		run("COMMIT")
		run("INSERT INTO seen VALUES (now(), current_date)")
		if len(lives) == 3 {
			lives[0].Kill()
			lives = lives[1:]
		}
	}
	s.want(s.connect(), "SELECT count(*) FROM seen WHERE by_default = at", "9")
	pgtest.WantEqual(t, lives...)
}
