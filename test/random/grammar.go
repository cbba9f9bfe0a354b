package random

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// maker makes statements up. It belongs to one session.
type maker struct {
	rng    *rand.Rand
	schema *schema
	// exact: the answer hangs on the rows and nothing else, so that another server gives
	// the same.
	exact bool
	count int
}

// values of k, and of grp: few, so that sessions meet.
const (
	keys   = 20
	groups = 4
)

func (m *maker) n(n int) int           { return m.rng.IntN(n) }
func (m *maker) key() int              { return m.n(keys) }
func (m *maker) table() *table         { return m.schema.tables[m.n(len(m.schema.tables))] }
func (m *maker) of(s ...string) string { return s[m.n(len(s))] }

// literal is a value of a type.
func (m *maker) literal(c column) string {
	if c.name != "k" && c.name != "grp" && m.n(12) == 0 {
		return "NULL"
	}
	n := m.n(50)
	switch c.name {
	case "k":
		return fmt.Sprint(m.key())
	case "grp":
		return fmt.Sprint(m.n(groups))
	case "ref":
		return m.of("NULL", fmt.Sprint(m.key()))
	}
	switch c.kind {
	case "text", "varchar(20)":
		return m.of(fmt.Sprintf("'v%d'", n), "'it''s'", `E'a\\b'`, "''", "'ünï'")
	case "timestamptz":
		return fmt.Sprintf("'2026-01-%02d 10:00:00+00'", 1+n%28)
	case "date":
		return fmt.Sprintf("'2026-02-%02d'", 1+n%28)
	case "bool":
		return m.of("true", "false")
	case "jsonb":
		return fmt.Sprintf(`'{"a": %d, "b": [1, "x"]}'`, n)
	case "int[]":
		return fmt.Sprintf("'{%d,%d,NULL}'", n, n+1)
	case "interval":
		return fmt.Sprintf("'%d hours'", n)
	case "bytea":
		return fmt.Sprintf(`'\x%02x00ff'`, n)
	case "numeric", "numeric(12,3)":
		return fmt.Sprintf("%d.%d", n, m.n(100))
	}
	return fmt.Sprint(n)
}

// row is the values of a row of the table.
func (m *maker) row(t *table) string {
	var values []string
	for _, c := range t.columns {
		values = append(values, m.literal(c))
	}
	return "(" + strings.Join(values, ", ") + ")"
}

func columns(t *table) string { return strings.Join(t.names(), ", ") }

// returning is what a write shows.
func (m *maker) returning() string { return m.of("", "", "", " RETURNING k, grp, n") }

// condition picks rows of the table called alias.
func (m *maker) condition(alias string) string {
	c := alias + "."
	switch m.n(6) {
	case 0:
		return fmt.Sprintf("%sgrp = %d", c, m.n(groups))
	case 1:
		return fmt.Sprintf("%sk BETWEEN %d AND %d", c, m.key(), m.key())
	case 2:
		return fmt.Sprintf("%sn > (SELECT avg(n) FROM %s)", c, m.table().name)
	case 3:
		return fmt.Sprintf("EXISTS (SELECT FROM %s x WHERE x.k = %sk AND x.grp = %d)", m.table().name, c, m.n(groups))
	case 4:
		return fmt.Sprintf("%sk IN (%d, %d)", c, m.key(), m.key())
	}
	return fmt.Sprintf("%sk = %d", c, m.key())
}

// set is what an UPDATE does to a row.
func (m *maker) set(t *table) string {
	switch m.n(7) {
	case 0:
		return "n = n + 1"
	case 1:
		return fmt.Sprintf("grp = %d", m.n(groups))
	case 2:
		return fmt.Sprintf("n = (SELECT max(n) FROM %s), grp = grp", m.table().name)
	case 3:
		if !m.exact {
			return "n = (random() * 100)::int"
		}
	case 4:
		if !m.exact {
			return fmt.Sprintf("k = %d", m.key())
		}
	}
	c := t.columns[2+m.n(len(t.columns)-2)]
	return c.name + " = " + m.literal(c)
}

// kind is one kind of statement.
type kind struct {
	name   string
	weight int
	make   func(m *maker) string
	when   when
}

// when says in which rounds statements of a kind are played.
type when uint8

const (
	ever when = iota
	// together: the answer hangs on more than the rows, so that another server gives another.
	together
	// alone: what a function finds is not compared, and may be another thing on each node while
	// others play (docs/failure-model.md).
	alone
)

var statements = []kind{
	{"insert", 12, (*maker).insert, ever},
	{"update by key", 8, func(m *maker) string {
		t := m.table()
		return fmt.Sprintf("UPDATE %s SET %s WHERE k = %d%s", t.name, m.set(t), m.key(), m.returning())
	}, ever},
	{"update", 8, func(m *maker) string {
		t := m.table()
		return fmt.Sprintf("UPDATE %s SET %s WHERE %s%s", t.name, m.set(t), m.condition(t.name), m.returning())
	}, ever},
	{"update from", 3, func(m *maker) string {
		t, o := m.table(), m.table()
		return fmt.Sprintf("UPDATE %s SET n = o.total FROM (SELECT grp, sum(n) AS total FROM %s GROUP BY grp) o WHERE o.grp = %[1]s.grp AND %[3]s", t.name, o.name, m.condition(t.name))
	}, ever},
	{"update join", 2, func(m *maker) string {
		t, o := m.table(), m.table()
		return fmt.Sprintf("UPDATE %s SET n = o.n FROM %s o WHERE o.grp = %[1]s.grp", t.name, o.name)
	}, together},
	{"delete", 5, func(m *maker) string {
		t := m.table()
		return fmt.Sprintf("DELETE FROM %s WHERE %s%s", t.name, m.condition(t.name), m.returning())
	}, ever},
	{"delete using", 1, func(m *maker) string {
		t := m.table()
		return fmt.Sprintf("DELETE FROM %s USING %s o WHERE o.k = %[1]s.k AND o.grp = %[3]d", t.name, m.table().name, m.n(groups))
	}, ever},
	{"insert select", 5, func(m *maker) string {
		return fmt.Sprintf("INSERT INTO %s (k, grp, n) SELECT %d, %d, sum(n) FROM %s", m.table().name, m.key(), m.n(groups), m.table().name)
	}, ever},
	{"insert rows", 3, func(m *maker) string {
		t := m.table()
		end := ""
		if t.unique != nil {
			end = " ON CONFLICT DO NOTHING"
		}
		return fmt.Sprintf("INSERT INTO %s (k, grp, n) SELECT DISTINCT k, grp, 3 FROM %s WHERE %s%s", t.name, "t0", m.condition("t0"), end)
	}, ever},
	{"insert picked", 3, func(m *maker) string {
		return fmt.Sprintf("INSERT INTO audit SELECT 'picked', k, n FROM %s %s LIMIT 2", m.table().name, m.of("", "ORDER BY random()", "TABLESAMPLE BERNOULLI (50)"))
	}, together},
	{"insert chance", 3, func(m *maker) string {
		return fmt.Sprintf("INSERT INTO audit VALUES ('chance', (random() * 10)::int, extract(epoch FROM %s)::numeric)", m.of("now()", "clock_timestamp()", "statement_timestamp()"))
	}, together},
	{"pop", 4, func(m *maker) string {
		return fmt.Sprintf("DELETE FROM t0 WHERE k = (SELECT k FROM t0 WHERE %s %s LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING k, n", m.condition("t0"), m.of("", "ORDER BY k", "ORDER BY n"))
	}, together},
	{"upsert many", 2, func(m *maker) string {
		return "INSERT INTO t0 (k, grp, n) SELECT 100 + grp, grp, sum(n) FROM " + m.table().name + " WHERE grp IS NOT NULL GROUP BY grp ON CONFLICT (k) DO UPDATE SET n = excluded.n"
	}, ever},
	{"merge", 2, func(m *maker) string {
		return fmt.Sprintf("MERGE INTO t0 USING (SELECT grp, max(n) AS n FROM %s GROUP BY grp) s ON t0.k = s.grp WHEN MATCHED THEN UPDATE SET n = s.n WHEN NOT MATCHED AND s.grp IS NOT NULL THEN INSERT (k, grp, n) VALUES (s.grp, s.grp, s.n)", m.table().name)
	}, ever},
	{"move rows", 2, func(m *maker) string {
		t := m.table()
		return fmt.Sprintf("WITH gone AS (DELETE FROM %s WHERE %s RETURNING k, n) INSERT INTO audit SELECT 'moved', k, n FROM gone", t.name, m.condition(t.name))
	}, ever},
	{"read", 6, func(m *maker) string {
		t := m.table()
		return fmt.Sprintf("SELECT %s FROM %s WHERE %s ORDER BY 1, 2, 3", columns(t), t.name, m.condition(t.name))
	}, ever},
	{"sums", 3, func(m *maker) string {
		return fmt.Sprintf("SELECT a.grp, count(*), sum(b.n) FROM %s a JOIN %s b USING (k) GROUP BY 1 ORDER BY 1", m.table().name, m.table().name)
	}, ever},
	{"lock rows", 3, func(m *maker) string {
		return fmt.Sprintf("SELECT k, n FROM t0 WHERE %s %s %s", m.condition("t0"), m.of("FOR UPDATE", "FOR SHARE", "FOR NO KEY UPDATE"), m.of("", "", "SKIP LOCKED", "NOWAIT"))
	}, ever},
	{"function", 3, func(m *maker) string { return fmt.Sprintf("SELECT move(%d, %d)", m.key(), m.n(9)) }, alone},
	{"function of rows", 1, func(m *maker) string { return fmt.Sprintf("SELECT count(move(k, 1)) FROM t0 WHERE k < %d", m.n(5)) }, alone},
	{"function in SQL", 1, func(m *maker) string { return fmt.Sprintf("SELECT add_all(%d)", m.n(9)) }, alone},
	{"call", 1, func(m *maker) string { return fmt.Sprintf("CALL tidy(%d)", m.key()) }, alone},
	{"do", 1, func(m *maker) string {
		return fmt.Sprintf("DO 'BEGIN FOR i IN 1..3 LOOP UPDATE t0 SET n = n + i WHERE k = i + %d; END LOOP; END'", m.key())
	}, alone},
	{"through a view", 2, func(m *maker) string {
		return m.of(fmt.Sprintf("UPDATE shown SET n = 7 WHERE k = %d", m.key()), fmt.Sprintf("INSERT INTO shown VALUES (%d, 1, 2) ON CONFLICT (k) DO NOTHING", m.key()),
			fmt.Sprintf("DELETE FROM shown WHERE k = %d", m.key()))
	}, ever},
	{"operator that writes", 2, func(m *maker) string {
		return m.of(fmt.Sprintf("SELECT k ### %d FROM t0 WHERE k = %d", m.n(5), m.key()), fmt.Sprintf("UPDATE t0 SET n = k ### 2 WHERE k = %d", m.key()))
	}, ever},
	{"operator of chance", 2, func(m *maker) string {
		return m.of(fmt.Sprintf("INSERT INTO audit VALUES ('chance', %d %%%%%% 3, 1)", m.key()), fmt.Sprintf("UPDATE t0 SET n = 2 %%%%%% k WHERE k = %d", m.key()))
	}, together},
	{"view that writes", 1, func(*maker) string { return "SELECT k, was FROM noting ORDER BY 1" }, ever},
	{"draw", 3, func(m *maker) string {
		return m.of("SELECT nextval('counter')", "INSERT INTO drawn VALUES (nextval('counter'), 'one')", "INSERT INTO drawn SELECT nextval('counter'), 'of ' || k FROM t0",
			"INSERT INTO drawn VALUES (nextval('counter'), 'a'), (nextval('counter'), 'b') RETURNING v")
	}, together},
	{"set sequence", 1, func(m *maker) string { return fmt.Sprintf("SELECT setval('counter', %d)", 1+m.n(1000)) }, together},
	{"copy", 3, (*maker).copyIn, ever},
	{"error", 2, func(m *maker) string {
		return m.of("SELECT 1 / 0", "INSERT INTO t0 (k, n) VALUES (NULL, 1)", "UPDATE t0 SET n = 1 / (k - k)", "SELECT * FROM nowhere", "INSERT INTO t0 (k) VALUES ('x')")
	}, ever},
	{"truncate", 1, func(m *maker) string { return m.of("TRUNCATE audit", "TRUNCATE drawn RESTART IDENTITY") }, ever},
	{"lock table", 1, func(m *maker) string {
		return "LOCK TABLE " + m.table().name + m.of(" IN SHARE MODE", " IN ROW EXCLUSIVE MODE", " IN EXCLUSIVE MODE")
	}, ever},
	{"ddl", 2, func(m *maker) string {
		m.count++
		c := fmt.Sprintf("x%d", m.n(3))
		t := m.table().name
		return m.of("ALTER TABLE "+t+" ADD COLUMN IF NOT EXISTS "+c+" timestamptz DEFAULT now(); ALTER TABLE "+t+" ALTER COLUMN "+c+" DROP DEFAULT", "ALTER TABLE "+t+" ADD COLUMN IF NOT EXISTS "+c+" int DEFAULT 5",
			"ALTER TABLE "+t+" DROP COLUMN IF EXISTS "+c, "CREATE INDEX IF NOT EXISTS i"+t+" ON "+t+" (grp)", "DROP INDEX IF EXISTS i"+t,
			"DROP TABLE IF EXISTS made; CREATE TABLE made AS SELECT grp, count(*) AS c FROM "+t+" GROUP BY grp", "COMMENT ON TABLE "+t+" IS 'one of six'")
	}, ever},
	{"use of code that changes", 6, (*maker).useCode, ever},
	{"code that changes", 3, (*maker).changeCode, ever},
	{"vacuum", 1, func(m *maker) string { return m.of("VACUUM ", "ANALYZE ") + m.table().name }, ever},
}

// copyMark begins what is no SQL: a COPY with its data behind a line end.
const copyMark = "COPY "

// copyIn is a COPY and the lines that are sent behind it.
func (m *maker) copyIn() string {
	t := m.table()
	for t.fills { // of COPY each node computes its own (docs/failure-model.md)
		t = m.table()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "COPY %s (k, grp, n) FROM STDIN", t.name)
	for range 1 + m.n(3) {
		fmt.Fprintf(&b, "\n%d\t%d\t%d", m.key(), m.n(groups), m.n(50))
	}
	return b.String()
}

func (m *maker) insert() string {
	t := m.table()
	rows := []string{m.row(t)}
	for m.n(3) == 0 {
		rows = append(rows, m.row(t))
	}
	sql := fmt.Sprintf("INSERT INTO %s (%s) VALUES %s", t.name, columns(t), strings.Join(rows, ", "))
	if t.unique != nil {
		sql += m.of("", " ON CONFLICT DO NOTHING", fmt.Sprintf(" ON CONFLICT (%s) DO UPDATE SET n = %s.n + 1", strings.Join(t.unique, ", "), t.name))
	}
	return sql + m.returning()
}

// statement is any of them.
func (m *maker) statement() string {
	sum := 0
	for _, k := range statements {
		sum += k.weight
	}
	for {
		at := m.n(sum)
		for _, k := range statements {
			if at -= k.weight; at < 0 {
				if k.when == alone && !m.exact || k.when == together && m.exact {
					break
				}
				return k.make(m)
			}
		}
	}
}
