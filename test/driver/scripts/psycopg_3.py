"""psycopg 3, which is libpq with the extended protocol, pipelines and binary values."""

import logging
import os
import sys
import threading

sys.path.insert(0, os.path.dirname(__file__))

import psycopg
from psycopg import sql
from psycopg.rows import dict_row, namedtuple_row
from psycopg.types.json import Jsonb

from transcript import run, say, section, wait_until_a_backend_sleeps

# At the end of a failed pipeline psycopg warns of the aborted rest if it had read the
# error before the block ended, and says nothing if it had not: the warning (with an
# address in it) tells of its own timing, of PostgreSQL as of pgchorus.
logging.getLogger("psycopg").setLevel(logging.ERROR)


def connect(**options):
    return psycopg.connect("", **options)


def describe(error):
    d = error.diag
    fields = ("severity severity_nonlocalized sqlstate message_primary message_detail message_hint statement_position context "
              "schema_name table_name column_name datatype_name constraint_name").split()
    return type(error).__name__ + " " + repr([getattr(d, f) for f in fields]) + ("" if d.sqlstate else " " + str(error))


def attempt(conn, text, args=None, **options):
    try:
        cur = conn.execute(text, args, **options)
        rows = cur.fetchall() if cur.description else None
        say(text, cur.statusmessage, cur.rowcount, rows, conn.info.transaction_status.name)
    except psycopg.Error as error:
        say(text, describe(error), conn.info.transaction_status.name, conn.closed)


@section
def setup():
    with connect(autocommit=True) as conn:
        attempt(conn, "CREATE TABLE t(id int PRIMARY KEY, name text, amount numeric, at timestamptz, raw bytea, list int[], doc jsonb)")
        attempt(conn, "CREATE TABLE s(id serial PRIMARY KEY, name text)")


@section
def values_text_and_binary():
    row = (1, "ä'\\", 12345.678, "2024-01-01 00:00+00", bytes(range(256)), [1, 2, None], Jsonb({"a": [1, None]}))
    with connect() as conn:
        attempt(conn, "INSERT INTO t VALUES (%s, %s, %s, %s, %s, %s, %s)", row)
        for binary in (False, True):
            cur = conn.cursor(binary=binary)
            cur.execute("SELECT * FROM t WHERE id = %b", (1,))
            say([(c.name, c.type_code, c.display_size, c.internal_size, c.precision, c.scale) for c in cur.description])
            say(cur.pgresult.fformat(0), cur.fetchall())
            cur.execute("SELECT %s::int8, %s, %s::float8, %s::date, %s::uuid, %s::interval, %s::numrange", (2**40, "x", 1.5, "2024-02-29", "a" * 32, "1 day", "[1,2)"))
            say(cur.fetchall())
        cur = conn.cursor(row_factory=dict_row)
        say(cur.execute("SELECT 1 AS a, %(b)s AS b", {"b": "named"}).fetchone())
        say(conn.cursor(row_factory=namedtuple_row).execute("SELECT 1 AS a").fetchone())
        say(psycopg.ClientCursor(conn).mogrify("SELECT %s", ["it's"]))
        say(psycopg.ClientCursor(conn).execute("SELECT %s; SELECT 2", ["it's"]).fetchall())


@section
def transactions():
    with connect() as conn:
        with conn.transaction():
            attempt(conn, "INSERT INTO t(id) VALUES (10)")
            try:
                with conn.transaction("named"):
                    attempt(conn, "INSERT INTO t(id) VALUES (11)")
                    raise KeyError
            except KeyError:
                pass
            try:
                with conn.transaction():
                    conn.execute("INSERT INTO t(id) VALUES (10)")
            except psycopg.Error as error:
                say(describe(error))
            with conn.transaction():
                attempt(conn, "INSERT INTO t(id) VALUES (12)")
                raise psycopg.Rollback()
            attempt(conn, "SELECT id FROM t ORDER BY id")
        attempt(conn, "SELECT id FROM t WHERE id >= 10")
        conn.rollback()
        attempt(conn, "SELECT 1/%s", (0,))
        attempt(conn, "SELECT 1")
        try:
            conn.commit()
        except psycopg.Error as error:
            say(describe(error))
        for level in psycopg.IsolationLevel:
            conn.isolation_level = level
            attempt(conn, "SHOW transaction_isolation")
            conn.rollback()
        conn.isolation_level = None
        conn.read_only = True
        attempt(conn, "INSERT INTO t(id) VALUES (13)")
        conn.rollback()
        conn.read_only = None
        conn.deferrable = True
        attempt(conn, "SHOW transaction_deferrable")


@section
def autocommit():
    with connect(autocommit=True) as conn:
        attempt(conn, "INSERT INTO t(id) VALUES (%s) RETURNING id", (20,))
        attempt(conn, "INSERT INTO t(id) VALUES (%s) RETURNING id", (20,))
        attempt(conn, "INSERT INTO t(id) VALUES (21); INSERT INTO t(id) VALUES (20)")
        attempt(conn, "SELECT %s; SELECT 2", (1,))
        attempt(conn, "INSERT INTO s(name) VALUES (%s) RETURNING id", ("first",))
        attempt(conn, "INSERT INTO s(name) VALUES (%s), (%s) RETURNING id", ("second", "third"))
        attempt(conn, "VACUUM t")
        attempt(conn, "CALL nothing(%s)", (1,))
        attempt(conn, "SELECT id FROM t WHERE id = ANY(%s) ORDER BY 1", ([10, 20, 21],))
        attempt(conn, "")
        attempt(conn, "SET work_mem = %s", ("5MB",))
        attempt(conn, "SELECT set_config('work_mem', %s, false)", ("5MB",))
        attempt(conn, "SHOW work_mem")


@section
def errors():
    with connect(autocommit=True) as conn:
        attempt(conn, "SELEC %s", (1,))
        attempt(conn, "SELECT 'ä', nothing, %s", (1,))
        attempt(conn, "SELECT %s::int", ("x",))
        attempt(conn, "SELECT $1", None)
        attempt(conn, "SELECT %b::int", (b"abc",))
        attempt(conn, "SELECT %s + %s", ("a", "b"))
        attempt(conn, "INSERT INTO t(id) VALUES (%s)", (None,))
        attempt(conn, "INSERT INTO nowhere VALUES (%s)", (None,))
        attempt(conn, "DO $$ BEGIN RAISE 'x' USING HINT='h', DETAIL='d', ERRCODE='P1234'; END $$")
        attempt(conn, "SELECT %s", ("nul \0 byte",))


@section
def notices():
    with connect(autocommit=True) as conn:
        conn.add_notice_handler(lambda d: say(d.severity, d.sqlstate, d.message_primary, d.message_detail, d.message_hint, d.context))
        attempt(conn, "DO $$ BEGIN FOR i IN 1..3 LOOP RAISE NOTICE 'n%', i; END LOOP; RAISE WARNING 'w' USING HINT = 'h'; END $$")
        attempt(conn, "BEGIN")
        attempt(conn, "BEGIN")
        attempt(conn, "ROLLBACK")
        attempt(conn, "ROLLBACK")


@section
def prepared_statements():
    with connect(autocommit=True) as conn:
        conn.prepare_threshold = 2
        for i in range(6):
            attempt(conn, "SELECT %s::int + id FROM t WHERE id = 10", (i,))
        attempt(conn, "SELECT name, statement, parameter_types, from_sql FROM pg_prepared_statements ORDER BY prepare_time", prepare=False)
        for i in range(5):
            attempt(conn, "INSERT INTO s(name) VALUES (%s) RETURNING id", (f"prepared {i}",), prepare=True)
        attempt(conn, "ALTER TABLE t ADD extra int DEFAULT 5")
        for i in range(3):
            attempt(conn, "SELECT * FROM t WHERE id = %s", (10,), prepare=True)
        attempt(conn, "ALTER TABLE t DROP extra")
        attempt(conn, "SELECT * FROM t WHERE id = %s", (10,), prepare=True)
        attempt(conn, "SELECT * FROM t WHERE id = %s", (10,), prepare=True)
        conn.prepared_max = 3
        for i in range(8):
            attempt(conn, f"SELECT {i}, %s::text", ("x",), prepare=True)
        attempt(conn, "SELECT count(*) FROM pg_prepared_statements", prepare=False)
        attempt(conn, "DEALLOCATE ALL")
        attempt(conn, "SELECT 7, %s::text", ("x",), prepare=True)
        attempt(conn, "DISCARD ALL")
        attempt(conn, "SELECT count(*) FROM pg_prepared_statements", prepare=False)


@section
def pipelines():
    with connect(autocommit=True) as conn:
        with conn.pipeline() as p:
            cursors = [conn.execute("SELECT %s::int", (i,)) for i in range(5)]
            written = conn.execute("INSERT INTO s(name) VALUES (%s) RETURNING id", ("piped",))
            again = conn.execute("SELECT name FROM s WHERE name = %s", ("piped",))
            p.sync()
            say([c.fetchall() for c in cursors], written.fetchall(), again.fetchall())
        try:
            with conn.pipeline() as p:
                first = conn.execute("INSERT INTO t(id) VALUES (%s)", (30,))
                broken = conn.execute("INSERT INTO t(id) VALUES (%s)", (10,))
                skipped = conn.execute("INSERT INTO t(id) VALUES (%s)", (31,))
                p.sync()
                conn.execute("INSERT INTO t(id) VALUES (%s)", (32,))
        except psycopg.Error as error:
            say(describe(error))
        attempt(conn, "SELECT id FROM t WHERE id >= 30 ORDER BY id")
        try:
            with conn.pipeline(), conn.transaction():
                conn.execute("INSERT INTO t(id) VALUES (33)")
                with conn.transaction():
                    conn.execute("INSERT INTO t(id) VALUES (34)")
                conn.execute("INSERT INTO t(id) VALUES (33)")
        except psycopg.Error as error:
            say(describe(error))
        attempt(conn, "SELECT id FROM t WHERE id >= 30 ORDER BY id")
        with conn.pipeline() as p:
            cur = conn.cursor()
            cur.executemany("INSERT INTO s(name) VALUES (%s) RETURNING name", [(f"many {i}",) for i in range(50)], returning=True)
            found = []
            while True:
                found += cur.fetchall()
                if not cur.nextset():
                    break
            say(len(found), found[-1])
        with conn.pipeline() as p:
            conn.execute("BEGIN")
            conn.execute("SAVEPOINT x")
            conn.execute("SELECT 1 FROM s WHERE id = 1 FOR UPDATE")
            conn.execute("COMMIT")
            last = conn.execute("SELECT count(*) FROM s")
        say(last.fetchall(), conn.info.transaction_status.name)


@section
def many():
    with connect() as conn:
        conn.execute("CREATE TABLE many(a int, b text)")
        cur = conn.cursor()
        cur.executemany("INSERT INTO many VALUES (%s, %s)", [(i, f"m{i}") for i in range(300)])
        say(cur.rowcount)
        cur.executemany("UPDATE many SET b = %s WHERE a = %s RETURNING a, b", [("u", 1), ("v", 2), ("w", -1)], returning=True)
        while True:
            say(cur.statusmessage, cur.fetchall())
            if not cur.nextset():
                break
        try:
            cur.executemany("INSERT INTO t(id) VALUES (%s)", [(40,), (41,), (10,), (42,)])
        except psycopg.Error as error:
            say(describe(error), conn.info.transaction_status.name)


@section
def server_side_cursors():
    with connect() as conn:
        with conn.cursor("named") as cur:
            cur.itersize = 7
            cur.execute("SELECT g, 'row ' || g FROM generate_series(1, %s) g", (20,))
            say([c.name for c in cur.description], cur.fetchone(), cur.fetchmany(3), list(cur))
        with conn.cursor("scrolling", scrollable=True) as cur:
            cur.execute("SELECT g FROM generate_series(1, 20) g")
            cur.scroll(10)
            say(cur.fetchone())
            cur.scroll(3, mode="absolute")
            say(cur.fetchmany(2))
        with conn.cursor("held", withhold=True, binary=True) as cur:
            cur.execute("SELECT id FROM t ORDER BY id")
            conn.commit()
            say(cur.fetchmany(2))
        with conn.cursor("locking") as cur:
            cur.execute("SELECT id FROM t WHERE id = 10 FOR UPDATE")
            say(cur.fetchone())
            attempt(conn, "UPDATE t SET name = %s WHERE CURRENT OF locking", ("current",))


@section
def streaming():
    with connect() as conn:
        cur = conn.cursor()
        say(sum(r[0] for r in cur.stream("SELECT g FROM generate_series(1, %s) g", (1000,))))
        rows = []
        for row in cur.stream("SELECT g FROM generate_series(1, 10) g"):
            rows.append(row)
        say(len(rows), conn.info.transaction_status.name)


@section
def copy():
    with connect() as conn:
        conn.execute("CREATE TABLE copied(a int, b text, c timestamptz)")
        cur = conn.cursor()
        with cur.copy("COPY copied FROM STDIN") as c:
            for i in range(3000):
                c.write_row((i, f"line\t{i}", None))
        say(cur.rowcount, cur.statusmessage)
        with cur.copy("COPY copied(a, b) FROM STDIN WITH (FORMAT binary)") as c:
            c.set_types(["int4", "text"])
            for i in range(100):
                c.write_row((10000 + i, "binary"))
        say(cur.rowcount)
        with cur.copy("COPY (SELECT a, b FROM copied WHERE a < %s ORDER BY a) TO STDOUT", (3,)) as c:
            say(list(c.rows()))
        with cur.copy("COPY (SELECT a, b FROM copied WHERE a < 3 ORDER BY a) TO STDOUT WITH (FORMAT binary)") as c:
            say(b"".join(bytes(b) for b in c))
        conn.commit()
        for bad in ("1\tx\t\\N\nnot a number\ty\t\\N\n", "1\n"):
            try:
                with cur.copy("COPY copied FROM STDIN") as c:
                    c.write(bad)
            except psycopg.Error as error:
                say(describe(error), conn.info.transaction_status.name)
            conn.rollback()
        try:
            with cur.copy("COPY copied FROM STDIN") as c:
                c.write("1\tx\t\\N\n")
                raise KeyError("the program's own")
        except (KeyError, psycopg.Error) as error:
            say(type(error).__name__, str(error), conn.info.transaction_status.name)
        conn.rollback()
        try:
            # More than all buffers on the way hold: psycopg's cancel always finds it running.
            with cur.copy("COPY (SELECT generate_series(1, 1000000000)) TO STDOUT") as c:
                c.read()
                raise KeyError("enough")
        except (KeyError, psycopg.Error) as error:
            say(type(error).__name__, str(error), conn.info.transaction_status.name)
        conn.rollback()
        attempt(conn, "SELECT count(*), sum(a), count(b) FROM copied")


@section
def notifications():
    with connect(autocommit=True) as listener, connect(autocommit=True) as speaker:
        attempt(listener, "LISTEN channel")
        attempt(speaker, "NOTIFY channel, 'hello'")
        attempt(speaker, "SELECT pg_notify(%s, %s)", ("channel", "again"))
        heard = []
        for n in listener.notifies():
            heard.append((n.channel, n.payload))
            if len(heard) == 2:
                break
        say(heard)


@section
def cancel():
    with connect() as conn:
        thread = threading.Thread(target=lambda: (wait_until_a_backend_sleeps(psycopg.connect), conn.cancel()))
        thread.start()
        attempt(conn, "SELECT pg_sleep(%s)", (20,))
        thread.join()
        conn.rollback()
        attempt(conn, "SELECT 'goes on'")


@section
def session():
    with connect(options="-c work_mem=9MB", client_encoding="latin1") as conn:
        attempt(conn, "SELECT current_setting('work_mem'), %s::text", ("ä",))
        say(conn.info.encoding, conn.info.parameter_status("TimeZone"), conn.info.parameter_status("application_name"))
        attempt(conn, "SET TIME ZONE 'Asia/Tokyo'")
        say(conn.info.parameter_status("TimeZone"))
        conn.rollback()
        say(conn.info.parameter_status("TimeZone"))
    with connect() as conn:
        attempt(conn, sql.SQL("CREATE TABLE {} (a int)").format(sql.Identifier('odd "name"')).as_string(conn))
        attempt(conn, 'INSERT INTO "odd ""name""" VALUES (%s)', (1,))


run()
