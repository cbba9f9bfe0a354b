package scenario

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// TestLogInThatTakesTooLong: the nodes live, but a session's start there takes longer than connect_timeout.
func TestLogInThatTakesTooLong(t *testing.T) {
	t.Parallel()
	p := proxy.Start(t, pgtest.Start(t, 2), proxy.WithConfig("connect_timeout = 500", "health_check_timeout = 20"))
	config, err := pgx.ParseConfig(p.DSN("postgres", p.User))
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["options"] = "-c post_auth_delay=5"
	_, err = pgx.ConnectConfig(bounded(t), config)
	if err == nil || codeOf(err) != "57P03" || !strings.Contains(err.Error(), "does not let the session in") {
		t.Errorf("%v, want SQLSTATE 57P03", err)
	}
	p.Query("SELECT 1")
	for id := range 2 {
		if status := p.NodeStatus(id); status != "up" {
			t.Errorf("node %d is %s", id, status)
		}
	}
}
