package driver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func runPgx(t *testing.T, s server) string {
	p := &pgxScript{server: s, ctx: t.Context()}
	p.run()
	return p.out.String()
}

// pgxScript is a transcript of pgx, made in this process.
type pgxScript struct {
	server server
	ctx    context.Context
	out    bytes.Buffer
}

func (p *pgxScript) run() {
	for _, s := range []struct {
		name string
		body func() error
	}{
		{"setup", p.setup},
		{"modes", p.modes},
		{"batches", p.batches},
		{"pipelines", p.pipelines},
		{"copy", p.copy},
		{"prepared statements", p.prepared},
		{"transactions", p.transactions},
		{"notifications", p.notifications},
		{"large objects", p.largeObjects},
		{"cancel", p.cancel},
		{"portals", p.portals},
		{"several results", p.severalResults},
	} {
		p.say(sectionMark + s.name)
		if err := p.bounded(s.body); err != nil {
			p.say(unexpectedMark + strings.ReplaceAll(err.Error(), "\n", " "))
		}
	}
}

// bounded ends a section that hangs by its context.
func (p *pgxScript) bounded(body func() error) error {
	ctx, cancel := context.WithTimeout(p.ctx, scriptPatience/4)
	defer cancel()
	outer := p.ctx
	p.ctx = ctx
	defer func() { p.ctx = outer }()
	return body()
}

func (p *pgxScript) say(values ...any) { fmt.Fprintln(&p.out, values...) }

func (p *pgxScript) connect(mode pgx.QueryExecMode) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(p.server.dsn())
	if err != nil {
		return nil, err
	}
	config.DefaultQueryExecMode = mode
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { p.say("notice", n.Severity, n.Code, n.Message, n.Where) }
	return pgx.ConnectConfig(p.ctx, config)
}

// with runs body with a connection of its own.
func (p *pgxScript) with(mode pgx.QueryExecMode, body func(*pgx.Conn) error) error {
	conn, err := p.connect(mode)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(p.ctx))
	return body(conn)
}

// describe has all fields of an error but the place in PostgreSQL's source.
func describe(err error) string {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return err.Error()
	}
	return fmt.Sprintf("%q", []any{e.Severity, e.SeverityUnlocalized, e.Code, e.Message, e.Detail, e.Hint, e.Position, e.InternalPosition,
		e.InternalQuery, e.Where, e.SchemaName, e.TableName, e.ColumnName, e.DataTypeName, e.ConstraintName})
}

// querier is a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func (p *pgxScript) attempt(q querier, sql string, args ...any) {
	rows, err := q.Query(p.ctx, sql, args...)
	if err != nil {
		p.say(sql, describe(err))
		return
	}
	p.rows(sql, rows)
}

func (p *pgxScript) rows(what string, rows pgx.Rows) {
	var text []string
	for rows.Next() {
		values, err := rows.Values()
		text = append(text, fmt.Sprintf("%v", values))
		if err != nil {
			text = append(text, err.Error())
		}
	}
	rows.Close()
	var columns []string
	for _, f := range rows.FieldDescriptions() {
		columns = append(columns, fmt.Sprintf("%s:%d:%d:%d:%d", f.Name, f.DataTypeOID, f.DataTypeSize, f.TypeModifier, f.Format))
	}
	if err := rows.Err(); err != nil {
		p.say(what, columns, text, describe(err))
		return
	}
	p.say(what, columns, text, rows.CommandTag())
}

func (p *pgxScript) setup() error {
	return p.with(pgx.QueryExecModeSimpleProtocol, func(c *pgx.Conn) error {
		p.attempt(c, "CREATE TABLE t(id int PRIMARY KEY, name text, amount numeric(10,2), raw bytea, list int[])")
		p.attempt(c, "CREATE TABLE s(id serial PRIMARY KEY, name text NOT NULL)")
		for _, name := range []string{"server_version", "server_encoding", "client_encoding", "is_superuser", "session_authorization", "DateStyle", "TimeZone", "integer_datetimes", "standard_conforming_strings", "IntervalStyle", "default_transaction_read_only", "in_hot_standby"} {
			p.say(name, c.PgConn().ParameterStatus(name))
		}
		return nil
	})
}

// modes are all ways in which pgx can send a query with parameters.
func (p *pgxScript) modes() error {
	for i, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		p.say(mode)
		err := p.with(mode, func(c *pgx.Conn) error {
			for round := range 3 {
				id := 10 + 10*i + round
				p.attempt(c, "INSERT INTO t(id, name, raw, list) VALUES ($1, $2, $3, $4)", id, "näme", []byte{0, 1, 255}, []int32{1, 2})
				p.attempt(c, "INSERT INTO t(id) VALUES ($1)", id)
				p.attempt(c, "SELECT * FROM t WHERE id = $1", id)
				p.attempt(c, "UPDATE t SET amount = $1::text::numeric WHERE id = $2 RETURNING id, amount::text", "1.5", id)
				p.attempt(c, "INSERT INTO s(name) VALUES ($1) RETURNING id", "x")
			}
			p.attempt(c, "SELECT $1::int / $2::int", 1, 0)
			p.attempt(c, "SELEC")
			p.attempt(c, "SELECT nothing, $1::int", 1)
			p.attempt(c, "INSERT INTO s(name) VALUES (NULL)")
			p.attempt(c, "DO $$ BEGIN RAISE NOTICE 'noticed'; END $$")
			p.attempt(c, "SET work_mem = '5MB'")
			p.attempt(c, "SHOW work_mem")
			p.attempt(c, "VACUUM s")
			p.attempt(c, "")
			p.attempt(c, "-- only a comment")
			p.say(string(c.PgConn().TxStatus()))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *pgxScript) batches() error {
	return p.with(pgx.QueryExecModeCacheStatement, func(c *pgx.Conn) error {
		good := &pgx.Batch{}
		for i := range 20 {
			good.Queue("INSERT INTO s(name) VALUES ($1) RETURNING id", fmt.Sprint("batch ", i))
			good.Queue("SELECT count(*) FROM s WHERE name = $1", fmt.Sprint("batch ", i))
		}
		bad := &pgx.Batch{}
		bad.Queue("INSERT INTO t(id) VALUES ($1)", 500)
		bad.Queue("INSERT INTO t(id) VALUES ($1)", 500)
		bad.Queue("INSERT INTO t(id) VALUES ($1)", 501)
		mixed := &pgx.Batch{}
		for _, sql := range []string{"BEGIN", "INSERT INTO t(id) VALUES (510)", "SAVEPOINT a", "SELECT count(*) FROM t WHERE id >= 500", "COMMIT", "SELECT 1"} {
			mixed.Queue(sql)
		}
		for _, b := range []*pgx.Batch{good, bad, mixed} {
			results := c.SendBatch(p.ctx, b)
			for range b.Len() {
				rows, err := results.Query()
				if err != nil {
					p.say(describe(err))
					continue
				}
				p.rows("batch", rows)
			}
			if err := results.Close(); err != nil {
				p.say("close", describe(err))
			}
			p.attempt(c, "SELECT id FROM t WHERE id >= $1 ORDER BY id", 500)
		}
		return nil
	})
}

// pipelines are several Syncs under way at once.
func (p *pgxScript) pipelines() error {
	return p.with(pgx.QueryExecModeExec, func(c *pgx.Conn) error {
		pipe := c.PgConn().StartPipeline(p.ctx)
		pipe.SendPrepare("piped", "SELECT $1::int + 1", nil)
		pipe.SendQueryPrepared("piped", [][]byte{[]byte("41")}, nil, nil)
		pipe.SendQueryParams("INSERT INTO t(id) VALUES ($1)", [][]byte{[]byte("600")}, nil, nil, nil)
		if err := pipe.Sync(); err != nil {
			return err
		}
		pipe.SendQueryParams("INSERT INTO t(id) VALUES ($1)", [][]byte{[]byte("601")}, nil, nil, nil)
		pipe.SendQueryParams("INSERT INTO t(id) VALUES ($1)", [][]byte{[]byte("600")}, nil, nil, nil)
		pipe.SendQueryParams("SELECT 'skipped'", nil, nil, nil, nil)
		if err := pipe.Sync(); err != nil {
			return err
		}
		pipe.SendQueryParams("SELECT count(*) FROM t WHERE id >= 600", nil, nil, nil, nil)
		pipe.SendDeallocate("piped")
		pipe.SendQueryPrepared("piped", [][]byte{[]byte("41")}, nil, nil)
		if err := pipe.Sync(); err != nil {
			return err
		}
		for syncs := 0; syncs < 3; {
			result, err := pipe.GetResults()
			switch r := result.(type) {
			case nil:
				p.say("result", describe(err))
			case *pgconn.ResultReader:
				read := r.Read()
				p.say(read.Rows, read.CommandTag, read.Err != nil)
			case *pgconn.StatementDescription:
				p.say("prepared", r.ParamOIDs, len(r.Fields))
			case *pgconn.CloseComplete:
				p.say("closed")
			case *pgconn.PipelineSync:
				syncs++
				p.say("sync")
			}
		}
		if err := pipe.Close(); err != nil {
			p.say(describe(err))
		}
		p.attempt(c, "SELECT id FROM t WHERE id >= 600")
		return nil
	})
}

func (p *pgxScript) copy() error {
	return p.with(pgx.QueryExecModeCacheStatement, func(c *pgx.Conn) error {
		p.attempt(c, "CREATE TABLE copied(a int, b text)")
		n, err := c.CopyFrom(p.ctx, pgx.Identifier{"copied"}, []string{"a", "b"}, pgx.CopyFromSlice(10_000, func(i int) ([]any, error) {
			return []any{i, strings.Repeat("x", i%100)}, nil
		}))
		p.say(n, err)
		n, err = c.CopyFrom(p.ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromRows([][]any{{700}, {10}}))
		p.say(n, describe(err))
		n, err = c.CopyFrom(p.ctx, pgx.Identifier{"copied"}, []string{"a"}, pgx.CopyFromFunc(func() ([]any, error) { return nil, errors.New("source has failed") }))
		p.say(n, describe(err))
		p.attempt(c, "SELECT count(*), sum(length(b)) FROM copied")
		for _, sql := range []string{"COPY (SELECT a, b FROM copied ORDER BY a LIMIT 5) TO STDOUT", "COPY (SELECT a FROM copied WHERE a < 3) TO STDOUT WITH (FORMAT binary)", "COPY (SELECT 10/(3-a) FROM copied ORDER BY a) TO STDOUT", "COPY nowhere TO STDOUT"} {
			var out bytes.Buffer
			tag, err := c.PgConn().CopyTo(p.ctx, &out, sql)
			if err != nil {
				err = errors.New(describe(err))
			}
			p.say(sql, tag, err, fmt.Sprintf("%q", out.String()))
		}
		_, err = c.PgConn().CopyFrom(p.ctx, strings.NewReader("1\tone\n2\n"), "COPY copied FROM STDIN")
		p.say(describe(err))
		p.attempt(c, "SELECT count(*) FROM copied")
		return nil
	})
}

func (p *pgxScript) prepared() error {
	return p.with(pgx.QueryExecModeCacheStatement, func(c *pgx.Conn) error {
		for _, s := range []struct{ name, sql string }{{"read", "SELECT id, name FROM t WHERE id = $1"}, {"write", "INSERT INTO s(name) VALUES ($1) RETURNING id"}, {"bad", "SELECT nothing"}} {
			d, err := c.Prepare(p.ctx, s.name, s.sql)
			if err != nil {
				p.say(describe(err))
				continue
			}
			p.say(d.Name, d.ParamOIDs, len(d.Fields))
		}
		for range 3 {
			p.attempt(c, "read", 10)
			p.attempt(c, "write", "prepared")
		}
		p.attempt(c, "ALTER TABLE t ADD extra int")
		p.attempt(c, "read", 10)
		p.attempt(c, "SELECT * FROM t WHERE id = $1", 10)
		p.attempt(c, "ALTER TABLE t DROP extra")
		p.attempt(c, "SELECT * FROM t WHERE id = $1", 10)
		p.attempt(c, "SELECT * FROM t WHERE id = $1", 10)
		p.say(c.Deallocate(p.ctx, "read"))
		p.attempt(c, "SELECT name, substr(statement, 1, 13) FROM pg_prepared_statements WHERE NOT name LIKE 'stmtcache%' ORDER BY name", pgx.QueryExecModeSimpleProtocol)
		p.say(c.DeallocateAll(p.ctx))
		p.attempt(c, "SELECT count(*) FROM pg_prepared_statements", pgx.QueryExecModeSimpleProtocol)
		return nil
	})
}

func (p *pgxScript) transactions() error {
	return p.with(pgx.QueryExecModeCacheStatement, func(c *pgx.Conn) error {
		for _, options := range []pgx.TxOptions{{}, {IsoLevel: pgx.RepeatableRead}, {IsoLevel: pgx.Serializable}, {AccessMode: pgx.ReadOnly}} {
			tx, err := c.BeginTx(p.ctx, options)
			if err != nil {
				return err
			}
			p.attempt(tx, "SHOW transaction_isolation")
			p.attempt(tx, "INSERT INTO t(id, name) SELECT max(id) + 1, 'transaction' FROM t RETURNING id")
			nested, err := tx.Begin(p.ctx)
			if err == nil {
				p.attempt(nested, "INSERT INTO t(id) VALUES (10)")
				p.attempt(nested, "SELECT 1")
				p.say(nested.Rollback(p.ctx))
			} else {
				p.say(describe(err))
			}
			p.attempt(tx, "SELECT count(*) FROM t WHERE name = 'transaction'")
			if err := tx.Commit(p.ctx); err != nil {
				p.say(describe(err))
			}
		}
		return nil
	})
}

func (p *pgxScript) notifications() error {
	return p.with(pgx.QueryExecModeExec, func(listener *pgx.Conn) error {
		return p.with(pgx.QueryExecModeExec, func(speaker *pgx.Conn) error {
			p.attempt(listener, "LISTEN channel")
			p.attempt(speaker, "NOTIFY channel, 'one'")
			p.attempt(speaker, "SELECT pg_notify($1, $2)", "channel", "two")
			p.attempt(listener, "NOTIFY channel, 'three'")
			for range 3 {
				n, err := listener.WaitForNotification(p.ctx)
				if err != nil {
					return err
				}
				p.say(n.Channel, n.Payload)
			}
			p.attempt(listener, "UNLISTEN channel")
			return nil
		})
	})
}

func (p *pgxScript) largeObjects() error {
	return p.with(pgx.QueryExecModeCacheStatement, func(c *pgx.Conn) error {
		tx, err := c.Begin(p.ctx)
		if err != nil {
			return err
		}
		objects := tx.LargeObjects()
		oid, err := objects.Create(p.ctx, 800001)
		p.say(oid, err)
		object, err := objects.Open(p.ctx, oid, pgx.LargeObjectModeRead|pgx.LargeObjectModeWrite)
		if err != nil {
			return err
		}
		n, err := object.Write(bytes.Repeat([]byte("large "), 1000))
		p.say(n, err)
		position, err := object.Seek(6, 0)
		p.say(position, err)
		content := make([]byte, 5)
		n, err = object.Read(content)
		p.say(n, err, string(content), object.Truncate(10))
		if err := tx.Commit(p.ctx); err != nil {
			return err
		}
		p.attempt(c, "SELECT convert_from(lo_get(800001), 'UTF8')")
		return nil
	})
}

// cancel ends a read and a write by their contexts.
func (p *pgxScript) cancel() error {
	for _, sql := range []string{"SELECT pg_sleep(20)", "WITH w AS (INSERT INTO t(id) VALUES (900)) SELECT pg_sleep(20)"} {
		err := p.with(pgx.QueryExecModeExec, func(c *pgx.Conn) error {
			var canceller sync.WaitGroup
			defer canceller.Wait()
			canceller.Go(func() {
				p.waitUntilABackendSleeps()
				_ = c.PgConn().CancelRequest(p.ctx) // the statement's answer tells
			})
			p.attempt(c, sql)
			p.attempt(c, "SELECT 'goes on', count(*) FROM t WHERE id = 900")
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// waitUntilABackendSleeps waits for the sleep itself: a query that is only being parsed
// is active too, and a cancel would end that.
func (p *pgxScript) waitUntilABackendSleeps() {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for p.ctx.Err() == nil {
		for _, node := range p.server.servers {
			rows, err := node.Try("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = '" + p.server.database + "'")
			if err == nil && len(rows) > 0 {
				return
			}
		}
		<-tick.C
	}
}

// portals uses cursors of SQL and of functions.
func (p *pgxScript) portals() error {
	return p.with(pgx.QueryExecModeCacheStatement, func(c *pgx.Conn) error {
		tx, err := c.Begin(p.ctx)
		if err != nil {
			return err
		}
		p.attempt(tx, "DECLARE c CURSOR FOR SELECT g FROM generate_series(1, 10) g")
		for range 2 {
			p.attempt(tx, "FETCH 3 FROM c")
		}
		p.attempt(tx, "MOVE 2 IN c")
		p.attempt(tx, "FETCH ALL FROM c")
		p.attempt(tx, "UPDATE t SET name = 'while a cursor is open' WHERE id = 10")
		p.attempt(tx, "CLOSE c")
		p.attempt(tx, "CLOSE c")
		return tx.Rollback(p.ctx)
	})
}

func (p *pgxScript) severalResults() error {
	return p.with(pgx.QueryExecModeSimpleProtocol, func(c *pgx.Conn) error {
		for _, sql := range []string{
			"SELECT 1; SELECT 2; SELECT 3",
			"INSERT INTO t(id) VALUES (1000); SELECT count(*) FROM t WHERE id = 1000; INSERT INTO t(id) VALUES (1000)",
			"BEGIN; INSERT INTO t(id) VALUES (1001); COMMIT; SELECT 1/0",
			"INSERT INTO t(id) VALUES (1002); ROLLBACK; SELECT count(*) FROM t WHERE id >= 1000",
			"SELECT 1; COMMIT; SELECT 2",
			"SELECT 1;; SELECT 2;",
		} {
			results, err := c.PgConn().Exec(p.ctx, sql).ReadAll()
			for _, r := range results {
				p.say(r.Rows, r.CommandTag)
			}
			if err != nil {
				p.say(describe(err))
			}
			p.say(string(c.PgConn().TxStatus()))
		}
		return nil
	})
}
