package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

const (
	// patience bounds everything that a test waits for here. It is long because it
	// only ends what hangs.
	patience = 60 * time.Second
	// stopPatience bounds how long a server may take to end.
	stopPatience = 15 * time.Second
	// pollInterval is how often we look at what has no event to wait for.
	pollInterval = 5 * time.Millisecond
	// logBytes is how much of the server's log a failed test shows.
	logBytes = 8 << 10
)

// Proxy is a pgchorus that belongs to a test. Its exported fields do not change. Its
// methods fail the test where something goes wrong; FailNow has to be called on the
// test's own goroutine.
type Proxy struct {
	Host       string // for TCP
	Port       int    // for TCP, and in the names of the sockets
	SocketDir  string // of the Unix socket
	Dir        string // of the files
	ConfigFile string
	User       string // the superuser of the nodes
	Password   string // its password; may be empty

	t   testing.TB
	run *run
}

// run is shared by a Proxy and what In makes of it.
type run struct {
	executable *os.File
	process    *process
	door       int // port of Counters; 0 for none
}

// Start runs a server for the nodes until the test and its subtests have finished. It
// returns when the server answers, which does not need any node to be up.
func Start(t testing.TB, nodes []*pgtest.Node, opts ...Option) *Proxy {
	t.Helper()
	o := &options{files: map[string]string{}}
	for _, opt := range opts {
		opt(o)
	}
	dir := t.TempDir()
	p := &Proxy{
		Host: nodes[0].Host, Port: pgtest.FreePort(t),
		// Below the nodes' folder, since the path of a socket must be short (unix(7))
		// and t.TempDir is not.
		SocketDir: nodes[0].SocketDir,
		Dir:       dir, ConfigFile: filepath.Join(dir, "pgpool.conf"),
		User: nodes[0].Superuser, Password: nodes[0].Password,
		t: t, run: &run{executable: binary(t, o)},
	}
	if o.door {
		p.run.door = pgtest.FreePort(t)
	}
	if err := p.writeFiles(nodes, o); err != nil {
		t.Fatalf("configure pgchorus: %v", err)
	}
	t.Cleanup(p.finish)
	p.start()
	return p
}

// In is the same server for a subtest.
func (p *Proxy) In(t testing.TB) *Proxy {
	other := *p
	other.t = t
	return &other
}

// start appends to the log, so that it tells of all runs.
func (p *Proxy) start() {
	p.t.Helper()
	log, err := os.OpenFile(p.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	if p.run.process, err = spawn(p.run.executable, log, p.doorEnvironment(), "-f", p.ConfigFile); err != nil {
		p.t.Fatal(err)
	}
	if err := p.waitReady(); err != nil {
		p.t.Fatalf("pgchorus does not answer: %v\n%s", err, p.logTail())
	}
}

// waitReady waits until the server answers the one request that needs no log-in.
func (p *Proxy) waitReady() error {
	for end := time.Now().Add(patience); ; time.Sleep(pollInterval) {
		err := p.knock()
		switch {
		case err == nil:
			return nil
		case !p.Alive():
			return fmt.Errorf("it has ended: %v", p.run.process.err)
		case time.Now().After(end):
			return err
		}
	}
}

// sslRequest asks whether the server would encrypt (protocol 55.7, SSLRequest); the
// answer is one byte.
var sslRequest = []byte{0, 0, 0, 8, 4, 210, 22, 47}

func (p *Proxy) knock() error {
	nc, err := net.DialTimeout("tcp", p.address(), patience)
	if err != nil {
		return err
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := nc.Write(sslRequest); err != nil {
		return err
	}
	_, err = io.ReadFull(nc, make([]byte, 1))
	return err
}

func (p *Proxy) address() string { return net.JoinHostPort(p.Host, strconv.Itoa(p.Port)) }

// finish stops the server and looks at what it left behind.
func (p *Proxy) finish() {
	if p.run.process != nil {
		p.stop(syscall.SIGINT)
	}
	for _, sign := range []string{"panic: ", "DATA RACE", "fatal error: ", "ended by a fault in pgchorus"} {
		if at := strings.Index(p.Log(), sign); at >= 0 {
			log := p.Log()[at:]
			p.t.Errorf("pgchorus: %s", log[:min(len(log), logBytes)])
			return
		}
	}
	if p.t.Failed() {
		p.t.Logf("end of the log of pgchorus:\n%s", p.logTail())
	}
}

// stop ends the server, and fails the test if that had to be forced, if it says that
// something went wrong, or if it had ended by itself.
func (p *Proxy) stop(s syscall.Signal) {
	p.t.Helper()
	process := p.run.process
	if !process.alive() {
		if !process.told {
			p.t.Errorf("pgchorus ended by itself: %v", process.err)
		}
		return
	}
	err := process.end(s)
	if err == nil && s != syscall.SIGKILL {
		err = process.err
	}
	if err != nil {
		p.t.Errorf("stop pgchorus: %v", err)
	}
}

// DSN is a connection URI; the password is the superuser's, if it has one.
func (p *Proxy) DSN(database, user string) string {
	dsn := url.URL{Scheme: "postgres", User: url.User(user), Host: p.address(), Path: "/" + database, RawQuery: "sslmode=disable"}
	if p.Password != "" {
		dsn.User = url.UserPassword(user, p.Password)
	}
	return dsn.String()
}

// patiently is not the test's own context, because that has ended when cleanup
// functions run.
func patiently() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

// Connect opens a connection as the superuser that is closed with the test.
// Connections to database postgres are not kept by the server afterwards.
func (p *Proxy) Connect(database string) *pgx.Conn {
	p.t.Helper()
	ctx, cancel := patiently()
	defer cancel()
	conn, err := pgx.Connect(ctx, p.DSN(database, p.User))
	if err != nil {
		p.t.Fatalf("connect through pgchorus: %v", err)
	}
	p.t.Cleanup(func() {
		ctx, cancel := patiently()
		defer cancel()
		_ = conn.Close(ctx) // the test may have ended the server
	})
	return conn
}

// Try runs one or more statements in a simple query on a new connection to database
// postgres and returns the rows of the last one as text, with pgtest.Null for null
// values.
func (p *Proxy) Try(sql string) ([][]string, error) {
	ctx, cancel := patiently()
	defer cancel()
	conn, err := pgx.Connect(ctx, p.DSN(pgtest.Database, p.User))
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 {
		return nil, err
	}
	return texts(results[len(results)-1].Rows), nil
}

func texts(rows [][][]byte) [][]string {
	var out [][]string
	for _, values := range rows {
		row := make([]string, len(values))
		for i, value := range values {
			row[i] = pgtest.Null
			if value != nil {
				row[i] = string(value)
			}
		}
		out = append(out, row)
	}
	return out
}

// Query is Try for a test that expects no error.
func (p *Proxy) Query(sql string) [][]string {
	p.t.Helper()
	rows, err := p.Try(sql)
	if err != nil {
		p.t.Fatalf("pgchorus: %s: %v", sql, err)
	}
	return rows
}

// Exec is Query for statements whose rows do not matter.
func (p *Proxy) Exec(sql string) {
	p.t.Helper()
	p.Query(sql)
}

// PID is the server's process number.
func (p *Proxy) PID() int { return p.run.process.pid }

// Alive reports whether the server runs.
func (p *Proxy) Alive() bool { return p.run.process != nil && p.run.process.alive() }

// Signal sends a signal; use Stop or Kill for those that end the server.
func (p *Proxy) Signal(s os.Signal) {
	p.t.Helper()
	number, ok := s.(syscall.Signal)
	if !ok {
		p.t.Fatalf("signal pgchorus: %v is not a signal of this system", s)
	}
	if err := p.run.process.signal(number); err != nil {
		p.t.Fatalf("signal pgchorus: %v", err)
	}
}

// Kill ends the server with SIGKILL; its port is dead when Kill returns.
func (p *Proxy) Kill() {
	p.t.Helper()
	p.stop(syscall.SIGKILL)
}

// stopSignals are the modes of `pgchorus stop -m`.
var stopSignals = map[string]syscall.Signal{"smart": syscall.SIGTERM, "fast": syscall.SIGINT, "immediate": syscall.SIGQUIT}

// Stop ends the server and waits: mode is smart, fast or immediate. A smart stop
// waits for the frontends to leave, and fails the test if they do not.
func (p *Proxy) Stop(mode string) {
	p.t.Helper()
	s, known := stopSignals[mode]
	if !known {
		p.t.Fatalf("stop pgchorus: %q is not a mode", mode)
	}
	p.stop(s)
}

// Restart stops the server fast if it runs and starts it on the same port and files.
func (p *Proxy) Restart() {
	p.t.Helper()
	p.stop(syscall.SIGINT)
	p.start()
}

// Command runs a subcommand, such as "reload", for the server's configuration and
// returns what it printed.
func (p *Proxy) Command(args ...string) (string, error) {
	output, err := command(p.run.executable, append([]string{"-f", p.ConfigFile}, args...)...).CombinedOutput()
	if err != nil {
		return string(output), fmt.Errorf("pgchorus %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(output)))
	}
	return string(output), nil
}

// Node runs `pgchorus node attach|detach ID`.
func (p *Proxy) Node(action string, id int) error {
	_, err := p.Command("node", action, strconv.Itoa(id))
	return err
}

// Log is everything that the server has written, in all its runs.
func (p *Proxy) Log() string {
	text, err := os.ReadFile(p.logFile())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		p.t.Errorf("log of pgchorus: %v", err)
	}
	return string(text)
}

func (p *Proxy) logFile() string { return filepath.Join(p.Dir, "pgchorus.log") }

func (p *Proxy) logTail() string {
	log := p.Log()
	return log[max(0, len(log)-logBytes):]
}

// WaitLog waits until the log has text in it.
func (p *Proxy) WaitLog(text string) {
	p.t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(p.Log(), text); time.Sleep(pollInterval) {
		if time.Now().After(end) {
			p.t.Fatalf("the log of pgchorus does not say %q:\n%s", text, p.logTail())
		}
	}
}

// RSS is how much memory the server has resident, in bytes (VmRSS in proc(5)).
func (p *Proxy) RSS() int64 {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		p.t.Fatalf("memory of pgchorus: %v", err)
	}
	for line := range strings.Lines(string(status)) {
		var kilobytes int64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kilobytes); err == nil {
			return kilobytes << 10
		}
	}
	p.t.Fatal("memory of pgchorus: no VmRSS in its status")
	return 0
}
