"""psycopg 2, which is libpq with simple queries, COPY and large objects."""

import io
import os
import select
import sys
import threading

sys.path.insert(0, os.path.dirname(__file__))

import psycopg2
import psycopg2.extensions
import psycopg2.extras
from psycopg2 import sql

from transcript import run, say, section, wait_until_a_backend_sleeps


def connect(**options):
    return psycopg2.connect("", **options)


def describe(error):
    """All fields of an error that a caller can look at."""
    d = error.diag
    fields = ("severity sqlstate message_primary message_detail message_hint statement_position context "
              "schema_name table_name column_name datatype_name constraint_name").split()
    return type(error).__name__ + " " + repr([getattr(d, f) for f in fields])


def attempt(conn, text, *args, cursor=None):
    """Runs one statement and says all that came of it."""
    cur = cursor or conn.cursor()
    try:
        cur.execute(text, *args)
        rows = cur.fetchall() if cur.description else None
        say(text, cur.statusmessage, cur.rowcount, rows, conn.info.transaction_status)
    except psycopg2.Error as error:
        say(text, describe(error), conn.info.transaction_status, conn.closed)


@section
def setup():
    conn = connect()
    conn.autocommit = True
    for text in (
        "CREATE TABLE t(id int PRIMARY KEY, name text, amount numeric, at timestamptz, raw bytea, list int[], doc jsonb)",
        "CREATE TABLE child(t int REFERENCES t DEFERRABLE INITIALLY DEFERRED, CONSTRAINT small CHECK (t < 100))",
    ):
        attempt(conn, text)
    say(conn.encoding, conn.server_version, conn.protocol_version, conn.status)
    for name in "server_version server_encoding client_encoding is_superuser session_authorization DateStyle IntervalStyle TimeZone integer_datetimes standard_conforming_strings application_name default_transaction_read_only in_hot_standby".split():
        say(name, conn.get_parameter_status(name))
    conn.close()


@section
def values_and_types():
    conn = connect()
    cur = conn.cursor()
    cur.execute("INSERT INTO t VALUES (%s, %s, %s, %s, %s, %s, %s)", (1, "ä'\\\"", 1.5, "2024-01-01 00:00+00", psycopg2.Binary(bytes(range(256))), [1, 2, None], psycopg2.extras.Json({"a": [1]})))
    cur.execute("SELECT * FROM t")
    say([(c.name, c.type_code, c.display_size, c.internal_size, c.precision, c.scale) for c in cur.description])
    say([bytes(v) if isinstance(v, memoryview) else v for v in cur.fetchone()])
    conn.commit()
    attempt(conn, "SELECT %s, %s, %s", ("x", None, True))
    attempt(conn, "SELECT 1 AS a, 2 AS a; SELECT 'last'")
    conn.close()


@section
def transactions():
    conn = connect()
    attempt(conn, "INSERT INTO t(id) VALUES (10)")
    attempt(conn, "INSERT INTO t(id) VALUES (10)")
    attempt(conn, "SELECT 1")
    conn.rollback()
    attempt(conn, "SELECT count(*) FROM t WHERE id = 10")
    attempt(conn, "INSERT INTO child VALUES (999)")
    attempt(conn, "INSERT INTO child VALUES (98)")
    try:
        conn.commit()
    except psycopg2.Error as error:
        say("commit", describe(error), conn.info.transaction_status)
    attempt(conn, "SELECT count(*) FROM child")
    conn.rollback()
    with conn:
        attempt(conn, "INSERT INTO t(id) VALUES (11)")
    try:
        with conn:
            attempt(conn, "INSERT INTO t(id) VALUES (12)")
            raise KeyError("leave")
    except KeyError:
        pass
    attempt(conn, "SELECT id FROM t WHERE id > 10 ORDER BY 1")
    conn.rollback()
    for level in ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"):
        conn.set_session(isolation_level=level)
        attempt(conn, "SHOW transaction_isolation")
        attempt(conn, f"INSERT INTO t(id) VALUES ({100 + len(level)})")
        conn.commit()
    conn.set_session(readonly=True)
    attempt(conn, "INSERT INTO t(id) VALUES (13)")
    conn.rollback()
    conn.close()


@section
def autocommit():
    conn = connect()
    conn.autocommit = True
    attempt(conn, "INSERT INTO t(id) VALUES (20)")
    attempt(conn, "INSERT INTO t(id) VALUES (20)")
    attempt(conn, "INSERT INTO t(id) VALUES (21); INSERT INTO t(id) VALUES (20)")
    attempt(conn, "SELECT id FROM t WHERE id IN (20, 21)")
    attempt(conn, "BEGIN")
    attempt(conn, "SAVEPOINT a")
    attempt(conn, "INSERT INTO t(id) VALUES (22)")
    attempt(conn, "ROLLBACK TO a")
    attempt(conn, "COMMIT")
    attempt(conn, "VACUUM t")
    conn.close()


@section
def errors():
    conn = connect()
    conn.autocommit = True
    for text in ("SELEC", "SELECT 'ä', nothing", "SELECT 1/0", "INSERT INTO child VALUES (100)", "SELECT '1x'::int",
                 "INSERT INTO t VALUES (1)", "INSERT INTO t(id) VALUES (NULL)", "DO $$ BEGIN RAISE 'x' USING HINT='h', DETAIL='d', ERRCODE='P1234'; END $$",
                 "", ";", "-- nothing"):
        attempt(conn, text)
    conn.close()


@section
def notices():
    conn = connect()
    attempt(conn, "DO $$ BEGIN FOR i IN 1..3 LOOP RAISE NOTICE 'n%', i; END LOOP; RAISE WARNING 'w'; END $$")
    attempt(conn, "DROP TABLE IF EXISTS nowhere")
    say(conn.notices)
    conn.close()


@section
def server_side_cursors():
    conn = connect()
    cur = conn.cursor("named")
    cur.itersize = 7
    cur.execute("SELECT g, 'row ' || g FROM generate_series(1, 20) g")
    say(cur.fetchone(), cur.fetchmany(3), list(cur))
    cur.close()
    scroll = conn.cursor("scrolling", scrollable=True)
    scroll.execute("SELECT g FROM generate_series(1, 20) g")
    scroll.scroll(10)
    say(scroll.fetchone())
    scroll.scroll(3, mode="absolute")
    say(scroll.fetchmany(2))
    conn.commit()
    held = conn.cursor("held", withhold=True)
    held.execute("SELECT id FROM t ORDER BY id")
    conn.commit()
    say(held.fetchmany(2))
    held.close()
    update = conn.cursor("locking")
    update.execute("SELECT id FROM t WHERE id < 12 ORDER BY id FOR UPDATE")
    say(update.fetchone())
    attempt(conn, "UPDATE t SET name = 'current' WHERE CURRENT OF locking")
    conn.commit()
    attempt(conn, "SELECT id, name FROM t WHERE name = 'current'")
    conn.close()


@section
def many():
    conn = connect()
    cur = conn.cursor()
    cur.execute("CREATE TABLE many(a int, b text)")
    cur.executemany("INSERT INTO many VALUES (%s, %s)", [(i, f"m{i}") for i in range(50)])
    psycopg2.extras.execute_values(cur, "INSERT INTO many VALUES %s", [(i, f"v{i}") for i in range(250)], page_size=100)
    say(psycopg2.extras.execute_values(cur, "INSERT INTO many VALUES %s RETURNING a", [(1000,), (1001,)], template="(%s, 'r')", fetch=True))
    psycopg2.extras.execute_batch(cur, "UPDATE many SET b = %s WHERE a = %s", [(f"b{i}", i) for i in range(30)], page_size=10)
    attempt(conn, "SELECT count(*), sum(a), md5(string_agg(b, ',' ORDER BY a, b)) FROM many")
    conn.commit()
    conn.close()


@section
def copy():
    conn = connect()
    cur = conn.cursor()
    cur.execute("CREATE TABLE copied(a int, b text)")
    cur.copy_from(io.StringIO("".join(f"{i}\tline {i}\n" for i in range(5000))), "copied")
    say(cur.rowcount, cur.statusmessage)
    out = io.StringIO()
    cur.copy_to(out, "copied", columns=("b",))
    say(len(out.getvalue()), out.getvalue()[:20])
    out = io.BytesIO()
    cur.copy_expert("COPY (SELECT * FROM copied WHERE a < 5 ORDER BY a) TO STDOUT WITH (FORMAT binary)", out)
    say(out.getvalue())
    cur.copy_expert("COPY copied FROM STDIN WITH (FORMAT binary)", io.BytesIO(out.getvalue()))
    say(cur.rowcount)
    conn.commit()
    for bad in ("1\tx\nnot a number\ty\n", "1\n", "1\tx\textra\n"):
        try:
            cur.copy_from(io.StringIO(bad), "copied")
        except psycopg2.Error as error:
            say(describe(error), conn.info.transaction_status)
        conn.rollback()

    class Broken:
        def read(self, size):
            raise KeyError("the program's own")

    try:
        cur.copy_expert("COPY copied FROM STDIN", Broken())
    except psycopg2.Error as error:
        say(describe(error), conn.info.transaction_status)
    conn.rollback()
    attempt(conn, "SELECT count(*), sum(a) FROM copied")
    conn.close()


@section
def prepared():
    conn = connect()
    conn.autocommit = True
    attempt(conn, "PREPARE p(int, text) AS INSERT INTO copied VALUES ($1, $2) RETURNING *")
    attempt(conn, "EXECUTE p(%s, %s)", (7000, "seven"))
    attempt(conn, "PREPARE q AS SELECT count(*) FROM copied WHERE a >= $1")
    attempt(conn, "EXECUTE q(7000)")
    attempt(conn, "DEALLOCATE p")
    attempt(conn, "EXECUTE p(1, 'x')")
    conn.close()


@section
def notifications():
    listener, speaker = connect(), connect()
    listener.autocommit = speaker.autocommit = True
    attempt(listener, "LISTEN channel")
    attempt(speaker, "NOTIFY channel, 'hello'")
    attempt(speaker, "SELECT pg_notify('channel', 'again')")
    attempt(speaker, "BEGIN")
    attempt(speaker, "NOTIFY channel, 'withdrawn'")
    attempt(speaker, "ROLLBACK")
    attempt(speaker, "NOTIFY channel, 'last'")
    heard = []
    while len(heard) < 3:
        if not select.select([listener], [], [], 10)[0]:
            break
        listener.poll()
        heard += [(n.channel, n.payload) for n in listener.notifies]
        listener.notifies.clear()
    say(heard)
    attempt(listener, "NOTIFY channel, 'to myself'")
    listener.poll()
    say([(n.channel, n.payload, n.pid == listener.info.backend_pid) for n in listener.notifies])
    attempt(listener, "UNLISTEN *")
    listener.close()
    speaker.close()


@section
def large_objects():
    conn = connect()
    big = conn.lobject(0, "wb", 600001)
    say(big.write(b"x" * 100000 + b"end"), big.oid)
    big.close()
    conn.commit()
    big = conn.lobject(600001, "rb")
    say(big.seek(99998), big.read(), big.tell())
    big.close()
    big = conn.lobject(600001, "rw")
    big.truncate(10)
    big.seek(0, 2)
    say(big.tell())
    big.close()
    conn.commit()
    attempt(conn, "SELECT loid, length(data) FROM pg_largeobject")
    conn.rollback()
    try:
        conn.lobject(600002, "rb")
    except psycopg2.Error as error:
        say(describe(error))
    conn.rollback()
    conn.close()


@section
def large_object_whose_number_the_server_chooses():
    conn = connect()
    big = conn.lobject(0, "wb")
    say(big.write(b"content"), big.oid > 0)
    big.close()
    conn.commit()
    say(conn.lobject(big.oid, "rb").read())
    conn.commit()
    big.unlink()
    conn.commit()
    attempt(conn, "SELECT count(*) FROM pg_largeobject_metadata WHERE oid = %s", (big.oid,))
    conn.close()


@section
def cancel():
    conn = connect()
    thread = threading.Thread(target=lambda: (wait_until_a_backend_sleeps(psycopg2.connect), conn.cancel()))
    thread.start()
    attempt(conn, "SELECT pg_sleep(20)")
    thread.join()
    conn.rollback()
    attempt(conn, "SELECT 'goes on'")
    attempt(conn, "SET statement_timeout = 50")
    attempt(conn, "SELECT pg_sleep(20)")
    conn.close()


@section
def cancel_of_a_write():
    conn = connect()
    conn.autocommit = True
    thread = threading.Thread(target=lambda: (wait_until_a_backend_sleeps(psycopg2.connect), conn.cancel()))
    thread.start()
    attempt(conn, "WITH w AS (INSERT INTO t(id) VALUES (700)) SELECT pg_sleep(20)")
    thread.join()
    attempt(conn, "SELECT count(*) FROM t WHERE id = 700")
    conn.close()


@section
def asynchronous():
    conn = psycopg2.connect("", async_=True)

    def wait():
        while True:
            state = conn.poll()
            if state == psycopg2.extensions.POLL_OK:
                return
            if state == psycopg2.extensions.POLL_READ:
                select.select([conn], [], [], 10)
            else:
                select.select([], [conn], [], 10)

    wait()
    cur = conn.cursor()
    cur.execute("SELECT count(*) FROM t; SELECT 42")
    wait()
    say(cur.fetchall())
    conn.close()


@section
def two_phase_commit():
    conn = connect()
    try:
        conn.tpc_begin(conn.xid(1, "global", "branch"))
        conn.cursor().execute("INSERT INTO t(id) VALUES (500)")
        conn.tpc_prepare()
        conn.tpc_commit()
    except psycopg2.Error as error:
        say(describe(error))
    conn.close()


@section
def composed_statements_and_rows_as_dictionaries():
    conn = connect(cursor_factory=psycopg2.extras.RealDictCursor)
    cur = conn.cursor()
    cur.execute(sql.SQL("SELECT {}, {} FROM {} ORDER BY id LIMIT 2").format(sql.Identifier("id"), sql.Literal("it's"), sql.Identifier("t")))
    say([dict(r) for r in cur.fetchall()])
    cur.callproc("upper", ["x"])
    say(cur.fetchall())
    conn.reset()
    conn.close()


@section
def session_state():
    conn = connect()
    conn.set_client_encoding("LATIN1")
    attempt(conn, "SELECT 'ä', length('ä')")
    conn.rollback()
    attempt(conn, "SHOW client_encoding")
    conn.reset()
    attempt(conn, "SET search_path = pg_catalog")
    conn.rollback()
    attempt(conn, "SHOW search_path")
    attempt(conn, "SET SESSION search_path = other")
    conn.commit()
    attempt(conn, "SHOW search_path")
    conn.close()
    conn = connect(options="-c work_mem=9MB -c search_path=pg_temp")
    attempt(conn, "SELECT current_setting('work_mem'), current_setting('search_path'), current_setting('application_name')")
    conn.close()


run()
