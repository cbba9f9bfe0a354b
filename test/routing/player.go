package routing

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// patience bounds a statement unless the player says otherwise; it only ends what hangs.
const patience = 60 * time.Second

// copyData is what COPY FROM STDIN is given: rows of one integer.
const copyData = "101\n102\n"

// Player plays scripts through a proxy. It is for one goroutine, and nobody else may
// use the servers meanwhile with statements that look like a script's.
type Player struct {
	Journals Journals
	// DSN is how to connect, for a database and a user.
	DSN func(database, user string) string
	// Database and User are those of scripts that do not say.
	Database, User string
	// Patience bounds each statement.
	Patience time.Duration

	tokens int
}

// Seen is where a statement of a script ran and how it ended.
type Seen struct {
	Nodes Nodes
	Err   error
}

// Play plays a script in a connection of its own and returns what was seen of each
// statement. An error is one of the connection or of the logs; statements may fail.
func (p *Player) Play(script *Script, protocol Protocol) ([]Seen, error) {
	conn, err := p.connect(script.Login)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	defer hangUp(conn)
	run := &performance{player: p, conn: conn, protocol: protocol, token: p.token(), prepared: map[string]string{}}
	if _, err := p.Journals.Where(nothing); err != nil {
		return nil, err
	}
	var all []Seen
	for _, stmt := range script.Statements {
		seen, err := run.step(stmt.SQL)
		if err != nil {
			return all, err
		}
		all = append(all, seen)
	}
	return all, nil
}

func nothing(string) bool { return false }

func (p *Player) connect(login Login) (*pgconn.PgConn, error) {
	database, user := login.Database, login.User
	if database == "" {
		database = p.Database
	}
	if user == "" {
		user = p.User
	}
	config, err := pgconn.ParseConfig(p.DSN(database, user))
	if err != nil {
		return nil, err
	}
	if login.Application != "" {
		config.RuntimeParams["application_name"] = login.Application
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return pgconn.ConnectConfig(ctx, config)
}

func hangUp(conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = conn.Close(ctx) // the proxy may have ended it
}

// token is a word that no other statement has. None is the beginning of another.
func (p *Player) token() string {
	p.tokens++
	return fmt.Sprintf("tok%dx", p.tokens)
}

// performance is one script being played.
type performance struct {
	player   *Player
	conn     *pgconn.PgConn
	protocol Protocol
	token    string            // the script's
	prepared map[string]string // by name of \parse: the token of the statement
}

// step plays a statement and looks where it ran.
func (r *performance) step(sql string) (Seen, error) {
	sql = strings.ReplaceAll(sql, "{s}", r.token)
	is := exactly(sql)
	if strings.Contains(sql, "{}") {
		token := r.player.token()
		sql = strings.ReplaceAll(sql, "{}", token)
		is = func(text string) bool { return strings.Contains(text, token) }
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.player.Patience)
	defer cancel()
	err := r.perform(ctx, sql, &is)
	where, journalErr := r.player.Journals.Where(is)
	if r.conn.IsClosed() {
		return Seen{}, fmt.Errorf("%s: the connection has ended: %w", sql, err)
	}
	return Seen{Nodes: where, Err: err}, journalErr
}

// exactly finds a statement without a token by its whole text, also as a part of a
// string of several.
func exactly(sql string) func(string) bool {
	return func(text string) bool {
		for part := range strings.SplitSeq(text, ";") {
			if strings.TrimSpace(part) == sql {
				return true
			}
		}
		return text == sql
	}
}

var (
	parseCommand = regexp.MustCompile(`^\\parse (\w+) (.*)$`)
	bindCommand  = regexp.MustCompile(`^\\bind (\w+)$`)
	copyFrom     = regexp.MustCompile(`(?i)^COPY .* FROM STDIN`)
)

// perform runs a statement, or one of the two commands of the extended query protocol:
// "\parse NAME SQL" makes a prepared statement, "\bind NAME" executes it. What is
// executed is found by the text of the prepared statement.
func (r *performance) perform(ctx context.Context, sql string, is *func(string) bool) error {
	if m := parseCommand.FindStringSubmatch(sql); m != nil {
		r.prepared[m[1]] = m[2]
		_, err := r.conn.Prepare(ctx, m[1], m[2], nil)
		return err
	}
	if m := bindCommand.FindStringSubmatch(sql); m != nil {
		text := r.prepared[m[1]]
		*is = func(told string) bool { return told == text }
		return r.conn.ExecPrepared(ctx, m[1], nil, nil, nil).Read().Err
	}
	if copyFrom.MatchString(sql) {
		_, err := r.conn.CopyFrom(ctx, strings.NewReader(copyData), sql)
		return err
	}
	if r.protocol == Extended {
		return r.conn.ExecParams(ctx, sql, nil, nil, nil, nil).Read().Err
	}
	_, err := r.conn.Exec(ctx, sql).ReadAll()
	return err
}

// Judge compares what was seen of a script with what its table expects, and returns a
// line for each difference.
func (t *Table) Judge(script *Script, seen []Seen) []string {
	var faults []string
	var before Nodes
	for i, stmt := range script.Statements {
		if i >= len(seen) {
			break
		}
		for _, fault := range stmt.Want.faults(seen[i], before) {
			faults = append(faults, fmt.Sprintf("%s:%d: %s: %s", t.File, stmt.Line, stmt.SQL, fault))
		}
		before |= seen[i].Nodes
	}
	return faults
}

func (w Want) faults(seen Seen, before Nodes) []string {
	var faults []string
	if !w.Allows(seen.Nodes, before) {
		faults = append(faults, fmt.Sprintf("ran on %s, want %s", seen.Nodes, w.Word))
	}
	switch {
	case seen.Err == nil && w.Fails:
		faults = append(faults, "succeeded, want an error "+w.Code)
	case seen.Err != nil && !w.Fails:
		faults = append(faults, seen.Err.Error())
	case seen.Err != nil && w.Code != "" && codeOf(seen.Err) != w.Code:
		faults = append(faults, fmt.Sprintf("%v, want SQLSTATE %s", seen.Err, w.Code))
	}
	return faults
}

func codeOf(err error) string {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr.Code
	}
	return ""
}
