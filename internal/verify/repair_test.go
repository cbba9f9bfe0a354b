package verify_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/verify"
)

func TestRepairGivesAMinorityMainsRows(t *testing.T) {
	t.Parallel()
	nodes := startEqual(t, 3)
	for _, node := range nodes {
		node.Exec("CREATE TABLE child (item int REFERENCES shop.item ON DELETE CASCADE, PRIMARY KEY (item)); INSERT INTO child SELECT id FROM shop.item")
	}
	// Triggers and foreign keys must neither run nor stand in the way.
	nodes[1].Exec(`SET session_replication_role = replica;
		UPDATE shop.item SET note = 'wrong' WHERE id <= 250; DELETE FROM shop.item WHERE id > 490; INSERT INTO shop.item (id, name) VALUES (7777, 'extra');
		UPDATE types SET i2 = 9, f8 = 0, a = NULL, t = 'x', b = '', "Quoted ""col" = NULL WHERE i2 = 1;
		UPDATE "Odd ""Name" SET "Key'2" = 'changed' WHERE plain = 3;
		DELETE FROM dropped; UPDATE always SET v = 'z' WHERE id = 2`)
	nodes[2].Exec("UPDATE always SET v = 'y' WHERE id = 1; INSERT INTO part1 VALUES (1, 'keyless')")

	dry := run(t, optionsFor(nodes...))
	if dry.Result != verify.Different || dry.RepairedRows != 0 {
		t.Errorf("without repair: %s, %d rows repaired", dry.Result, dry.RepairedRows)
	}
	opts := optionsFor(nodes...)
	opts.Repair, opts.Hold = true, func(context.Context) (verify.Held, error) {
		return verify.Held{Live: []config.NodeID{0, 1, 2}, Release: func() error { return nil }}, nil
	}
	report := run(t, opts)
	if want := 250 + 10 + 1 + 1 + 2 + 2 + 1 + 1; report.RepairedRows != want {
		t.Errorf("repaired %d rows, want %d:\n%s", report.RepairedRows, want, text(t, report))
	}
	said := text(t, report)
	for _, want := range []string{
		"table public.part1 is not repaired: it has no primary key",
		"(id)=(7777): extra on node 1; node 0 has no such row; node 1 has id='7777'",
		"(repaired)",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("said\n%s\nwant %q in it", said, want)
		}
	}
	nodes[2].Exec("TRUNCATE part1; INSERT INTO part1 VALUES (1, 'one')")
	wantEqual(t, run(t, optionsFor(nodes...)))
	wantNothingLeft(t, nodes...)
}

func TestRepairLeavesAloneWhatIsNotProven(t *testing.T) {
	t.Parallel()
	nodes := startEqual(t, 3)
	nodes[0].Exec("UPDATE shop.item SET note = 'main' WHERE id = 1; DELETE FROM shop.item WHERE id = 2")
	opts := optionsFor(nodes...)
	opts.Repair = true
	report := run(t, opts)
	if report.Result != verify.Different || report.RepairedRows != 0 || !strings.Contains(text(t, report), "table shop.item is not repaired: it is not proven which node is right") {
		t.Errorf("main alone against two was repaired:\n%s", text(t, report))
	}
	nodes[0].WantRows("SELECT count(*), count(note) FROM shop.item", "499|1")
}

func TestRepairWaitsForWritersAndLooksAgain(t *testing.T) {
	t.Parallel()
	nodes := startEqual(t, 2)
	nodes[1].Exec("UPDATE shop.item SET note = 'wrong' WHERE id = 5")
	// A writer that has the row on main changes it on both before the repair gets it.
	writers := []*pgx.Conn{nodes[0].Connect(), nodes[1].Connect()}
	for _, writer := range writers {
		if _, err := writer.Exec(t.Context(), "BEGIN; UPDATE shop.item SET note = 'written meanwhile' WHERE id = 5"); err != nil {
			t.Fatal(err)
		}
	}
	opts := optionsFor(nodes...)
	opts.Repair = true
	opts.Hold = func(context.Context) (verify.Held, error) {
		return verify.Held{Live: []config.NodeID{0, 1}, Release: func() error { return nil }}, nil
	}
	done := make(chan *verify.Report, 1)
	go func() {
		report, err := verify.Run(t.Context(), opts)
		if err != nil {
			t.Error(err)
			report = &verify.Report{}
		}
		done <- report
	}()
	nodes[0].WaitRows("SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'verify' AND wait_event_type = 'Lock'", "t")
	for _, writer := range writers {
		if _, err := writer.Exec(t.Context(), "COMMIT"); err != nil {
			t.Fatal(err)
		}
	}
	wantEqual(t, <-done)
	for _, node := range nodes {
		node.WantRows("SELECT note FROM shop.item WHERE id = 5", "written meanwhile")
	}
}
