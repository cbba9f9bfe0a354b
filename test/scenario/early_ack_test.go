package scenario

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// owing has sql acknowledged while node 1 has it prepared only, and returns what lets node 1
// commit it.
func (b *boundaryStage) owing(write func() ([]string, error)) (commit func()) {
	b.t.Helper()
	b.awaitDone(b.nodes...)
	p := b.relays[1].holdAt(false, isMessage["commit prepared"])
	start(write).must(b.t) // it does not wait for node 1
	await(b.t, "node 1 is to commit it", func() bool { return isClosed(p.reached) })
	if b.prepared(b.nodes[1]) != 1 {
		b.t.Error("node 1 has nothing prepared")
	}
	return func() { b.let(false) }
}

// TestLastAgentAcknowledgesWhatMainHasCommitted, in each form that a COMMIT has: the client does
// not wait for the others, and whoever reads there then does.
func TestLastAgentAcknowledgesWhatMainHasCommitted(t *testing.T) {
	b := newBoundaryStage(t, "last_agent", append(certified(t), "backend_weight0 = 0", "backend_weight2 = 0", "deadlock_check_interval = 0")...)
	plain, reader := b.connect(), b.connect()
	encrypted := b.connectWith(func(c *pgx.ConnConfig) { c.TLSConfig = &tls.Config{InsecureSkipVerify: true} })
	b.want(reader, "SELECT text FROM item WHERE id = 1", "old")
	run := func(conn *pgx.Conn, sql string, mode pgx.QueryExecMode) func() ([]string, error) {
		return func() ([]string, error) {
			_, err := conn.Exec(bounded(t), sql, mode)
			return nil, err
		}
	}
	tests := []struct {
		name  string
		begin string
		sql   string
		mode  pgx.QueryExecMode
	}{
		{"over TLS", "", "UPDATE item SET text = 'over TLS' WHERE id = 1", pgx.QueryExecModeSimpleProtocol},
		{"simple", "", "UPDATE item SET text = 'simple' WHERE id = 1", pgx.QueryExecModeSimpleProtocol},
		{"extended", "", "UPDATE item SET text = 'extended' WHERE id = 1", pgx.QueryExecModeExec},
		{"prepared", "", "UPDATE item SET text = 'prepared' WHERE id = 1", pgx.QueryExecModeCacheStatement},
		{"block", "BEGIN; UPDATE item SET text = 'block' WHERE id = 1", "COMMIT", pgx.QueryExecModeSimpleProtocol},
		{"string", "", "UPDATE item SET text = 'a' WHERE id = 2; UPDATE item SET text = 'string' WHERE id = 1", pgx.QueryExecModeSimpleProtocol},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, conn := b.inside(t), plain
			if tt.name == "over TLS" {
				conn = encrypted
			}
			if tt.begin != "" {
				b.exec(conn, tt.begin)
			}
			commit := b.owing(run(conn, tt.sql, tt.mode))
			others := []*background{
				startQuery(reader, "SELECT text FROM item WHERE id = 1"),
				startQuery(conn, "SELECT text FROM item WHERE id = 1"),
			}
			for _, read := range others {
				read.passed(t, 50*time.Millisecond)
			}
			commit()
			for _, read := range others {
				if rows := read.must(t); len(rows) != 1 || rows[0] != tt.name {
					t.Errorf("read %q, want %q", rows, tt.name)
				}
			}
			b.wantNothingPrepared(b.nodes...)
			b.wantSameSlots(b.nodes...)
			b.wantAllUp()
			b.wantEqual()
		})
	}
}

// certified has the server speak TLS, with a certificate that nobody vouches for.
func certified(t testing.TB) []string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{"ssl = on"}
	for name, block := range map[string]*pem.Block{"ssl_cert": {Type: "CERTIFICATE", Bytes: cert}, "ssl_key": {Type: "PRIVATE KEY", Bytes: secret}} {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%s = '%s'", name, file))
	}
	return lines
}

// TestDDLIsNotAcknowledgedBeforeAllNodesHaveIt: other sessions have to forget what they know of
// the catalogue first.
func TestDDLIsNotAcknowledgedBeforeAllNodesHaveIt(t *testing.T) {
	b := newBoundaryStage(t, "last_agent")
	b.awaitDone(b.nodes...)
	p := b.relays[1].holdAt(false, isMessage["commit prepared"])
	ddl := startQuery(b.connect(), "ALTER TABLE item ADD COLUMN more int")
	await(t, "node 1 is to commit it", func() bool { return isClosed(p.reached) })
	ddl.passed(t, 50*time.Millisecond)
	b.let(false)
	ddl.must(t)
	b.wantAllUp()
	b.wantEqual()
}

// TestAcknowledgedIsNotLost: what a client was told of is on the nodes that are left, whoever dies
// before node 1 has committed it.
func TestAcknowledgedIsNotLost(t *testing.T) {
	for _, f := range []kill{{true, -1, false}, {false, 0, false}, {false, 1, false}, {true, 0, false}, {true, 2, false}} {
		t.Run(fmt.Sprint(f), func(t *testing.T) {
			b := newBoundaryStage(t, "last_agent")
			conn, writer := b.connect(), b.connect()
			b.exec(writer, "UPDATE item SET text = 'x' WHERE id = 3")
			b.owing(func() ([]string, error) { return rowsOf(conn, "UPDATE item SET text = 'second' WHERE id = 1") })
			b.strike(f)
			if f.server {
				b.proxy.Restart()
				writer = b.connect()
			}
			// A write that reads it runs on the next main at once.
			b.exec(writer, "INSERT INTO item SELECT 11, text FROM item WHERE id = 1")
			b.want(writer, "SELECT text FROM item WHERE id = 11", "second")
			b.want(b.connect(), "SELECT text FROM item WHERE id = 1", "second")
			left := b.serving()
			if f.node >= 0 {
				left = without(left, f.node)
			}
			b.wantNothingPrepared(left...)
			pgtest.WantEqual(t, left...)
		})
	}
}

// TestResolverWaitsForTheCommitOfMain: the server is killed while main's process is about to commit
// what the others have prepared. The next run must not decide before it has ended.
func TestResolverWaitsForTheCommitOfMain(t *testing.T) {
	s := newPreparingStage(t, "commit_mode = last_agent")
	conn := s.connect()
	s.exec(conn, itemTable)
	s.exec(conn, "UPDATE item SET text = 'first' WHERE id = 1")
	write, g := s.waitAtMain(conn, "UPDATE item SET text = 'second' WHERE id = 1")
	s.proxy.Kill()
	_, _ = write.wait(t)
	restarted := start(func() ([]string, error) { s.proxy.Restart(); return nil, nil })
	await(t, "the next run waits for main or decides without it", func() bool {
		return waiters(s.nodes[0]) > 1 || s.prepared(s.nodes[1]) == 0
	})
	g.open()
	restarted.must(t)
	s.want(s.connect(), "SELECT text FROM item WHERE id = 1", "second")
	s.wantNothingPrepared(s.nodes...)
	s.wantSameSlots(s.nodes...)
	s.wantAllUp()
	s.wantEqual()
}
