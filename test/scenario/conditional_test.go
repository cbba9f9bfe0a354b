package scenario

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestConditionalDDLMeetsACommit: DDL that skips what it does not find, or is about whatever there is, meets another
// session's DDL that main is the last to commit. (If it is the first, the others are not sent anything of the session
// that comes behind before they have committed, too.)
func TestConditionalDDLMeetsACommit(t *testing.T) {
	const stamp = "CREATE FUNCTION same() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
	cases := []struct{ name, before, ddl, conditional string }{
		{"table", "", "CREATE TABLE made (k int)", "DROP TABLE IF EXISTS made"},
		{"trigger", stamp, "CREATE TRIGGER made BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION same()", "DROP TRIGGER IF EXISTS made ON item"},
		{"function", "", "CREATE FUNCTION made() RETURNS int LANGUAGE sql AS 'SELECT 1'", "DROP FUNCTION IF EXISTS made()"},
		{"index", "", "CREATE INDEX made ON item (text)", "DROP INDEX IF EXISTS made"},
		{"other table", "CREATE TABLE made (k int)", "DROP TABLE made", "CREATE TABLE IF NOT EXISTS made (v text)"},
		{"other name", "CREATE TABLE born (k int)", "ALTER TABLE born RENAME TO made", "ALTER TABLE IF EXISTS made ADD v text"},
		{"rights", "", "CREATE TABLE made (k int)", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC"},
	}
	const late = 0
	for commitMode, protocol := range map[string]pgx.QueryExecMode{"parallel": pgx.QueryExecModeExec, "main_last": pgx.QueryExecModeSimpleProtocol} {
		t.Run(commitMode, func(t *testing.T) {
			t.Parallel()
			b := newBoundaryStage(t, commitMode)
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) {
					b := b.inside(t)
					conn, other := b.connect(), b.connectBy(protocol)
					b.exec(conn, "DROP TABLE IF EXISTS made, born; DROP FUNCTION IF EXISTS same() CASCADE; DROP FUNCTION IF EXISTS made(); DROP INDEX IF EXISTS made")
					if c.before != "" {
						b.exec(conn, c.before)
					}
					b.exec(other, "SET application_name = 'conditional'")
					defer b.mend()
					b.relays[late].holdAt(false, isMessage["commit"])
					ddl := startQuery(conn, c.ddl)
					reached := b.relays[late].point.reached
					await(t, "the late node is sent COMMIT", func() bool { return isClosed(reached) })
					conditional := startQuery(other, c.conditional)
					const ran = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'conditional' AND state = 'idle in transaction'"
					await(t, "it has run the other", func() bool { return len(direct(b.nodes[late], ran)) > 0 })
					b.let(false)
					for _, statement := range []*background{ddl, conditional} {
						if _, err := statement.wait(t); err != nil {
							t.Error(err)
						}
					}
					b.wantEqual()
				})
			}
		})
	}
}
