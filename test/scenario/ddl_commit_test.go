package scenario

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestDDLMeetsACommit: DDL that skips what it does not find, is about whatever there is, or means something else behind it, meets another
// session's DDL that main is the last to commit. (If it is the first, the others are not sent anything of the session
// that comes behind before they have committed, too.)
func TestDDLMeetsACommit(t *testing.T) {
	const stamp = "CREATE FUNCTION same() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
	cases := []struct {
		name, before, ddl, conditional string
		inBlock                        string // SQLSTATE in a block, where it cannot be run again
	}{
		{"table", "", "CREATE TABLE made (k int)", "DROP TABLE IF EXISTS made", "40001"},
		{"trigger", stamp, "CREATE TRIGGER made BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION same()", "DROP TRIGGER IF EXISTS made ON item", "40001"},
		{"function", "", "CREATE FUNCTION made() RETURNS int LANGUAGE sql AS 'SELECT 1'", "DROP FUNCTION IF EXISTS made()", "40001"},
		{"index", "", "CREATE INDEX found ON item (text)", "DROP INDEX IF EXISTS found", "40001"},
		{"other table", "CREATE TABLE made (k int)", "DROP TABLE made", "CREATE TABLE IF NOT EXISTS made (v text)", "40001"},
		{"other name", "CREATE TABLE born (k int)", "ALTER TABLE born RENAME TO made", "ALTER TABLE IF EXISTS made ADD v text", "40001"},
		{"rights", "", "CREATE TABLE made (k int)", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC", "40001"},
		{"rights by default", "", "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC", "CREATE TABLE made (k int)", "40001"},
		{"code", "", "CREATE TABLE made (k int)", "DO 'BEGIN DROP TABLE IF EXISTS made; END'", "40001"},
		{"nothing", "", "DROP TABLE IF EXISTS made", "DROP TABLE IF EXISTS made", ""},
	}
	for commitMode, protocol := range map[string]pgx.QueryExecMode{"parallel": pgx.QueryExecModeExec, "main_last": pgx.QueryExecModeSimpleProtocol} {
		t.Run(commitMode, func(t *testing.T) {
			t.Parallel()
			b := newBoundaryStage(t, commitMode)
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) { b.inside(t).meetsACommit(c.before, c.ddl, protocol, "", c.conditional) })
			}
		})
	}
	t.Run("in a block", func(t *testing.T) {
		t.Parallel()
		b := newBoundaryStage(t, "parallel")
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				b.inside(t).meetsACommit(c.before, c.ddl, pgx.QueryExecModeSimpleProtocol, c.inBlock, "BEGIN; "+c.conditional+"; COMMIT")
			})
		}
	})
}

// meetsACommit has DDL be run while main has not yet committed another session's, and looks at what becomes of both.
func (b *boundaryStage) meetsACommit(before, ddl string, protocol pgx.QueryExecMode, code, conditional string) {
	const late = 0
	conn, other := b.connect(), b.connectBy(protocol)
	b.exec(conn, "DROP TABLE IF EXISTS made, born; DROP FUNCTION IF EXISTS same() CASCADE; DROP FUNCTION IF EXISTS made(); DROP INDEX IF EXISTS found")
	if before != "" {
		b.exec(conn, before)
	}
	b.exec(other, "SET application_name = 'conditional'")
	defer b.mend()
	b.relays[late].holdAt(false, isMessage["commit"])
	held := startQuery(conn, ddl)
	reached := b.relays[late].point.reached
	await(b.t, "the late node is sent COMMIT", func() bool { return isClosed(reached) })
	meets := startQuery(other, conditional)
	const ran = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'conditional' AND state = 'idle in transaction'"
	await(b.t, "it has run the other", func() bool { return len(direct(b.nodes[late], ran)) > 0 })
	b.let(false)
	if _, err := held.wait(b.t); err != nil {
		b.t.Error(err)
	}
	if _, err := meets.wait(b.t); codeOf(err) != code {
		b.t.Errorf("%s: got %v, expected %q", conditional, err, code)
	}
	b.wantEqual()
}
