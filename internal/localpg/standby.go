package localpg

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// standbyFile holds the settings of a standby, in its data directory; a primary's is
// empty. They are in a file of their own because they change when it follows another
// primary.
const standbyFile = "standby.conf"

// standbySignal is the file that makes a server a standby (PostgreSQL 12 and later).
const standbySignal = "standby.signal"

// StreamingSettings are what the servers of a streaming cluster need beyond
// PostgreSQL's defaults: slots and senders for all others, and pages that pg_rewind
// can work with. Options.Settings has to have them before Create.
func StreamingSettings() map[string]string {
	room := strconv.Itoa(2 * MaxNodes)
	return map[string]string{
		"wal_level":             "replica",
		"max_wal_senders":       room,
		"max_replication_slots": room,
		"wal_log_hints":         "on",
		// A promoted standby has no slots yet for those that are to follow it.
		"wal_keep_size": "128MB",
	}
}

// ReplicationName is what a standby or subscriber is called on its primary or
// publisher: its application_name, its slot, and its subscription.
func (n *Node) ReplicationName() string { return "node" + strconv.Itoa(n.ID) }

// AddStandbys makes more nodes as physical copies of primary, which has to run, and
// does not start them. Each streams through a slot of its own on the primary, which
// keeps for it what it has not yet received.
func (c *Cluster) AddStandbys(ctx context.Context, primary *Node, count int) ([]*Node, error) {
	var added []*Node
	first := len(c.Nodes())
	for id := first; id < first+count; id++ {
		node, err := c.newNode(id)
		if err != nil {
			return nil, fmt.Errorf("node %d: %w", id, err)
		}
		added = append(added, node)
	}
	if err := atOnce(added, func(n *Node) error { return n.clone(ctx, primary) }); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes = append(c.nodes, added...)
	return added, nil
}

// clone makes the data directory by pg_basebackup.
func (n *Node) clone(ctx context.Context, primary *Node) error {
	if err := n.makeSlot(ctx, primary); err != nil {
		return err
	}
	args := []string{
		"--pgdata=" + n.DataDir, "--dbname=" + primary.conninfo(n.ReplicationName()),
		"--slot=" + n.ReplicationName(), "--wal-method=stream", "--checkpoint=fast", "--no-password",
	}
	if err := n.run(ctx, primary, "pg_basebackup", args...); err != nil {
		return err
	}
	return n.becomeStandby(primary)
}

// Follow makes the node a standby of primary, whatever it was before, and starts it.
// What it has and primary has not is lost. Slots that it kept for others go, since
// nobody would move them on.
func (n *Node) Follow(ctx context.Context, primary *Node) error {
	if err := n.stopCleanly(ctx); err != nil {
		return err
	}
	if err := n.makeSlot(ctx, primary); err != nil {
		return err
	}
	if err := n.rewind(ctx, primary); err != nil {
		return err
	}
	if err := n.dropSlots(); err != nil {
		return err
	}
	if err := n.becomeStandby(primary); err != nil {
		return err
	}
	return n.Start(ctx)
}

// stopCleanly also starts a killed standby for that: pg_rewind recovers a killed
// primary by itself, but PostgreSQL has no single-user mode for standbys.
func (n *Node) stopCleanly(ctx context.Context) error {
	_, err := os.Stat(filepath.Join(n.DataDir, standbySignal))
	if err == nil && !n.Running() {
		if err := n.Start(ctx); err != nil {
			return err
		}
	}
	return n.Stop(ctx, StopFast)
}

// rewind undoes what the stopped node has and primary has not.
func (n *Node) rewind(ctx context.Context, primary *Node) error {
	// pg_rewind reads the primary's timeline from its control file, where a
	// promotion is seen only after a checkpoint.
	if err := primary.exec(ctx, "CHECKPOINT"); err != nil {
		return fmt.Errorf("node %d: %w", primary.ID, err)
	}
	return n.run(ctx, primary, "pg_rewind", "--target-pgdata="+n.DataDir,
		"--source-server="+primary.conninfo(n.ReplicationName())+" dbname=postgres")
}

// run runs a program of PostgreSQL that writes the node's data directory from primary.
func (n *Node) run(ctx context.Context, primary *Node, program string, args ...string) error {
	if n.cluster.opts.Settings["fsync"] == "off" {
		args = append(args, "--no-sync")
	}
	cmd := n.cluster.Command(ctx, program, args...)
	if primary.Password != "" {
		cmd.Env = append(cmd.Env, "PGPASSWORD="+primary.Password)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// becomeStandby writes what makes the stopped node a standby of primary. The node's
// own configuration is written too, since what was copied is the primary's.
func (n *Node) becomeStandby(primary *Node) error {
	conninfo := primary.Conninfo("replication", n.ReplicationName())
	text := fmt.Sprintf("# node %d streams from node %d\nprimary_conninfo = %s\nprimary_slot_name = %s\n",
		n.ID, primary.ID, quoteSetting(conninfo), quoteSetting(n.ReplicationName()))
	if err := n.cluster.account.writeFile(filepath.Join(n.DataDir, standbyFile), []byte(text)); err != nil {
		return err
	}
	if err := n.cluster.configure(n); err != nil {
		return err
	}
	return n.cluster.account.writeFile(filepath.Join(n.DataDir, standbySignal), nil)
}

// dropSlots removes the slots of a stopped node.
func (n *Node) dropSlots() error {
	slots, err := filepath.Glob(filepath.Join(n.DataDir, "pg_replslot", "*"))
	if err != nil {
		return err
	}
	for _, slot := range slots {
		if err := os.RemoveAll(slot); err != nil {
			return err
		}
	}
	return nil
}

// makeSlot makes the slot that primary keeps for the node, if there is none.
func (n *Node) makeSlot(ctx context.Context, primary *Node) error {
	err := primary.exec(ctx, fmt.Sprintf(
		`SELECT pg_create_physical_replication_slot('%[1]s', true) WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '%[1]s')`,
		n.ReplicationName()))
	if err != nil {
		return fmt.Errorf("make a slot on node %d: %w", primary.ID, err)
	}
	return nil
}

// exec runs sql as the superuser on a connection of its own.
func (n *Node) exec(ctx context.Context, sql string) error {
	conn, err := pgconn.Connect(ctx, n.DSN("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return conn.Exec(ctx, sql).Close()
}

// conninfo is how a program or server with that application_name connects to the
// node, without the password.
func (n *Node) conninfo(application string) string {
	return fmt.Sprintf("host=%s port=%d user=%s application_name=%s sslmode=disable",
		n.Host, n.Port, quoteConninfo(n.Superuser), quoteConninfo(application))
}

// Conninfo is how a server with that application_name connects to a database of the
// node as the superuser, with the password where there is one; libpq's keyword form.
func (n *Node) Conninfo(database, application string) string {
	text := n.conninfo(application) + " dbname=" + quoteConninfo(database)
	if n.Password != "" {
		text += " password=" + quoteConninfo(n.Password)
	}
	return text
}

// quoteConninfo writes a value as libpq's conninfo wants it.
func quoteConninfo(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(value) + "'"
}
