"""asyncpg, which prepares nearly everything and uses binary values only."""

import asyncio
import datetime
import io
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))

import asyncpg
import psycopg

from transcript import run, say, section, wait_until_a_backend_sleeps


async def connect(**options):
    return await asyncpg.connect(ssl=False, **options)


def describe(error):
    return type(error).__name__ + " " + repr([
        error.sqlstate, error.message, error.detail, error.hint, error.position, error.context,
        error.schema_name, error.table_name, error.column_name, error.constraint_name,
    ])


async def attempt(conn, what, *args, **options):
    method = getattr(conn, what)
    try:
        result = await method(*args, **options)
        say(what, args[0], [tuple(r) for r in result] if isinstance(result, list) else result, conn.is_in_transaction())
    except asyncpg.PostgresError as error:
        say(what, args[0], describe(error), conn.is_in_transaction())
    except asyncpg.InterfaceError as error:
        say(what, args[0], type(error).__name__, str(error))


@section
async def setup():
    conn = await connect()
    await attempt(conn, "execute", "CREATE TABLE t(id int PRIMARY KEY, name text, amount numeric, at timestamptz, raw bytea, list int[], doc jsonb)")
    await attempt(conn, "execute", "CREATE TABLE s(id serial PRIMARY KEY, name text); CREATE TYPE mood AS ENUM ('sad', 'happy')")
    say(conn.get_server_version()[:2], conn.get_settings().client_encoding)
    await conn.close()


@section
async def values():
    conn = await connect()
    at = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
    await attempt(conn, "execute", "INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6, $7)", 1, "ä", 1.5, at, bytes(range(256)), [1, None], '{"a": 1}')
    await attempt(conn, "fetch", "SELECT * FROM t WHERE id = $1", 1)
    await attempt(conn, "fetchrow", "SELECT $1::mood, $2::interval, $3::uuid::text", "sad", datetime.timedelta(days=1), "a" * 32)
    await attempt(conn, "fetchval", "SELECT count(*) FROM t")
    await attempt(conn, "fetchrow", "SELECT 1 WHERE false")
    await attempt(conn, "fetch", "SELECT $1::int", "text")
    await attempt(conn, "fetch", "SELECT 1; SELECT 2")
    await attempt(conn, "execute", "SELECT 1; SELECT 2")
    await attempt(conn, "execute", "SELECT 1; SELECT 1/0; SELECT 3")
    await conn.close()


@section
async def transactions_in_transactions():
    conn = await connect()
    async with conn.transaction():
        await attempt(conn, "execute", "INSERT INTO t(id) VALUES (10)")
        try:
            async with conn.transaction():
                await attempt(conn, "execute", "INSERT INTO t(id) VALUES ($1)", 11)
                await conn.execute("INSERT INTO t(id) VALUES ($1)", 10)
        except asyncpg.UniqueViolationError as error:
            say(describe(error))
        async with conn.transaction():
            await attempt(conn, "execute", "INSERT INTO t(id) VALUES (12)")
    await attempt(conn, "fetch", "SELECT id FROM t WHERE id >= 10 ORDER BY id")
    for isolation in ("read_committed", "repeatable_read", "serializable"):
        async with conn.transaction(isolation=isolation, readonly=True):
            await attempt(conn, "fetchval", "SHOW transaction_isolation")
    tr = conn.transaction()
    await tr.start()
    await attempt(conn, "execute", "INSERT INTO t(id) VALUES (13)")
    await attempt(conn, "fetch", "SELECT nothing")
    await attempt(conn, "fetch", "SELECT 1")
    await tr.rollback()
    await attempt(conn, "fetch", "SELECT id FROM t WHERE id >= 10 ORDER BY id")
    await conn.close()


@section
async def errors():
    conn = await connect()
    for text, args in (("SELEC", ()), ("SELECT 'ä', nothing", ()), ("SELECT 1/$1::int", (0,)), ("INSERT INTO t(id) VALUES ($1)", (1,)),
                       ("INSERT INTO t(id) VALUES ($1)", (None,)), ("SELECT $1::text::int", ("x",)), ("SELECT $2::int", (1,)), ("", ()), ("SELECT $1::nothing", (1,)),
                       ("DO $$ BEGIN RAISE 'x' USING HINT='h', DETAIL='d', ERRCODE='P1234'; END $$", ())):
        await attempt(conn, "fetch", text, *args)
    await conn.close()


@section
async def prepared():
    conn = await connect()
    select = await conn.prepare("SELECT id, name FROM t WHERE id = $1")
    insert = await conn.prepare("INSERT INTO s(name) VALUES ($1) RETURNING id")
    say([(p.oid, p.name) for p in select.get_parameters()], [(a.name, a.type.name) for a in select.get_attributes()])
    for i in (1, 10, 12, 99):
        say([tuple(r) for r in await select.fetch(i)], select.get_statusmsg())
    for name in ("a", "b", None):
        say(await insert.fetchval(name), insert.get_statusmsg())
    await attempt(conn, "execute", "ALTER TABLE t ADD extra int")
    try:
        say([tuple(r) for r in await select.fetch(1)])
    except asyncpg.PostgresError as error:
        say(describe(error))
    star = await conn.prepare("SELECT * FROM s")
    await attempt(conn, "execute", "ALTER TABLE s ADD extra int")
    try:
        say([tuple(r) for r in await star.fetch()])
    except asyncpg.PostgresError as error:
        say(describe(error))
    await attempt(conn, "fetch", "SELECT * FROM s WHERE id < $1", 3)
    await attempt(conn, "execute", "ALTER TABLE s DROP extra; ALTER TABLE t DROP extra")
    await attempt(conn, "fetch", "SELECT * FROM s WHERE id < $1", 3)
    for i in range(150):
        await conn.fetchval(f"SELECT {i} + $1::int", 1)
    await attempt(conn, "fetch", "SELECT count(*) > 90 FROM pg_prepared_statements")
    await attempt(conn, "execute", "DEALLOCATE ALL")
    await attempt(conn, "fetch", "SELECT id FROM t WHERE id = $1", 1)
    await conn.close()
    conn = await connect(statement_cache_size=0)
    for i in range(3):
        await attempt(conn, "fetch", "SELECT id FROM t WHERE id = $1", 1)
    await conn.close()


@section
async def cursors():
    conn = await connect()
    async with conn.transaction():
        rows = [r[0] async for r in conn.cursor("SELECT g FROM generate_series(1, $1) g", 25, prefetch=10)]
        say(rows)
        cur = await conn.cursor("SELECT g FROM generate_series(1, 25) g")
        say([r[0] for r in await cur.fetch(3)], await cur.forward(5), (await cur.fetchrow())[0], [r[0] for r in await cur.fetch(100)], await cur.fetch(1))
        one, two = await conn.cursor("SELECT g FROM generate_series(1, 5) g"), await conn.cursor("SELECT -g FROM generate_series(1, 5) g")
        say([(await one.fetchrow())[0] for _ in range(2)], [(await two.fetchrow())[0] for _ in range(2)], (await one.fetchrow())[0])
        cur = await conn.cursor("UPDATE s SET name = name || '!' RETURNING id")
        say([r[0] for r in await cur.fetch(1)])
    await attempt(conn, "fetch", "SELECT * FROM s ORDER BY id")
    await conn.close()


@section
async def many_and_copy():
    conn = await connect()
    await conn.execute("CREATE TABLE copied(a int, b text, c timestamptz)")
    await conn.executemany("INSERT INTO copied VALUES ($1, $2)", [(i, f"m{i}") for i in range(500)])
    try:
        await conn.executemany("INSERT INTO t(id) VALUES ($1)", [(30,), (31,), (1,), (32,)])
    except asyncpg.PostgresError as error:
        say(describe(error))
    await attempt(conn, "fetch", "SELECT id FROM t WHERE id >= 30")
    at = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
    say(await conn.copy_records_to_table("copied", records=[(1000 + i, "copied", at) for i in range(2000)]))
    say(await conn.copy_to_table("copied", source=io.BytesIO(b"1,x\n2,y\n"), columns=["a", "b"], format="csv"))
    out = io.BytesIO()
    say(await conn.copy_from_query("SELECT a, b FROM copied WHERE a < $1 ORDER BY a, b", 3, output=out, format="csv"), out.getvalue())
    out = io.BytesIO()
    say(await conn.copy_from_table("copied", output=out, format="binary"), len(out.getvalue()))
    try:
        await conn.copy_to_table("copied", source=io.BytesIO(b"x\n"), columns=["a"])
    except asyncpg.PostgresError as error:
        say(describe(error))
    try:
        await conn.copy_records_to_table("t", records=[(50,), (1,)], columns=["id"])
    except asyncpg.PostgresError as error:
        say(describe(error))
    await attempt(conn, "fetch", "SELECT count(*), sum(a), count(c) FROM copied")
    await conn.close()


@section
async def listening():
    listener, speaker = await connect(), await connect()
    heard = asyncio.Queue()
    await listener.add_listener("channel", lambda conn, pid, channel, payload: heard.put_nowait((channel, payload)))
    await speaker.execute("NOTIFY channel, 'hello'")
    await speaker.execute("SELECT pg_notify($1, $2)", "channel", "again")
    async with speaker.transaction():
        await speaker.execute("NOTIFY channel, 'committed'")
    say([await asyncio.wait_for(heard.get(), 10) for _ in range(3)])
    await listener.close()
    await speaker.close()


@section
async def notices():
    conn = await connect()
    conn.add_log_listener(lambda conn, message: say("notice", type(message).__name__, message.sqlstate, message.message, message.severity))
    await attempt(conn, "execute", "DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END $$")
    await asyncio.sleep(0)  # listeners are called by the loop
    await conn.close()


@section
async def cancel():
    conn = await connect()
    sleeping = asyncio.ensure_future(conn.fetch("SELECT pg_sleep($1)", 60))
    await asyncio.to_thread(wait_until_a_backend_sleeps, psycopg.connect)
    sleeping.cancel()
    try:
        await sleeping
    except asyncio.CancelledError:
        say("cancelled")
    await attempt(conn, "fetch", "SELECT 'goes on'")
    try:
        await conn.fetch("SELECT pg_sleep(60)", timeout=0.1)
    except asyncio.TimeoutError:
        say("timeout")
    await attempt(conn, "fetch", "SELECT 'goes on'")
    await conn.close()


@section
async def pools():
    async with asyncpg.create_pool(min_size=2, max_size=5, ssl=False) as pool:
        async def work(i):
            async with pool.acquire() as conn, conn.transaction():
                # With a number of its own: what racing sessions draw from a sequence is
                # not the same on every node yet (README, limits).
                await conn.execute("INSERT INTO s(id, name) VALUES ($1, $2)", 1000 + i, f"pooled {i}")
        await asyncio.gather(*(work(i) for i in range(30)))
        async with pool.acquire() as conn:
            await conn.execute("SET work_mem = '9MB'; CREATE TEMP TABLE left_behind(a int); LISTEN x; SELECT pg_advisory_lock(1)")
        async with pool.acquire() as conn:
            await attempt(conn, "fetchval", "SHOW work_mem")
        say(await pool.fetchval("SELECT count(*) FROM s WHERE name LIKE 'pooled %'"))


@section
async def session():
    conn = await connect(server_settings={"work_mem": "9MB", "application_name": "named", "search_path": "pg_catalog"})
    await attempt(conn, "fetchrow", "SELECT current_setting('work_mem'), current_setting('application_name'), current_setting('search_path')")
    await attempt(conn, "execute", "RESET ALL")
    await attempt(conn, "fetchrow", "SELECT current_setting('work_mem'), current_setting('search_path')")
    await conn.reset()
    await conn.close()
    for options in ({"database": "nowhere"}, {"user": "nobody_there"}, {"server_settings": {"work_mem": "much"}}):
        try:
            await connect(**options)
        except asyncpg.PostgresError as error:
            say(options, describe(error))


run()
