// node-postgres: parameters, named statements, portals with a row limit, pools.
'use strict'
const { Client, Pool, Query } = require('pg')

const say = (...values) => console.log(values.map(v => typeof v === 'string' ? v : JSON.stringify(v)).join(' '))

const describe = e => ['name', 'severity', 'code', 'message', 'detail', 'hint', 'position', 'internalQuery', 'where', 'schema', 'table', 'column', 'dataType', 'constraint']
  .map(f => e[f]).map(v => v === undefined ? null : v)

async function connect (options = {}) {
  const client = new Client({ ssl: false, ...options })
  client.on('notice', n => say('notice', n.severity, n.code, n.message, n.where || ''))
  await client.connect()
  return client
}

const shape = r => [r.command, r.rowCount, r.fields.map(f => [f.name, f.dataTypeID, f.dataTypeModifier, f.format]), r.rows]

async function attempt (client, ...args) {
  const text = typeof args[0] === 'string' ? args[0] : args[0].text
  try {
    const result = await client.query(...args)
    if (Array.isArray(result)) say(text, result.map(shape))
    else say(text, shape(result))
  } catch (e) {
    say(text, describe(e))
  }
}

const sections = {
  async setup () {
    const c = await connect()
    await attempt(c, 'CREATE TABLE t(id int PRIMARY KEY, name text, amount numeric, at timestamptz, raw bytea, list int[], doc jsonb)')
    await attempt(c, 'CREATE TABLE s(id serial PRIMARY KEY, name text)')
    await c.end()
  },
  async values () {
    const c = await connect()
    await attempt(c, 'INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6, $7)', [1, "ä'\\", 1.5, new Date(0), Buffer.from([0, 1, 255]), [1, null], { a: [1] }])
    await attempt(c, 'SELECT * FROM t WHERE id = $1', [1])
    await attempt(c, { text: 'SELECT id, name FROM t WHERE id = $1', values: [1], rowMode: 'array' })
    await attempt(c, { text: 'SELECT $1::int8, $2::bool, $3::float8', values: [1, true, null], binary: true })
    await attempt(c, 'SELECT 1 AS a; INSERT INTO t(id) VALUES (2); SELECT 2 AS b')
    await attempt(c, 'SELECT 1; SELECT 2', [])
    await attempt(c, '')
    await attempt(c, '', [])
    await attempt(c, 'DELETE FROM t WHERE id = $1 RETURNING id', [2])
    await c.end()
  },
  async errors () {
    const c = await connect()
    for (const [text, values] of [['SELEC'], ['SELECT $1::int', ['x']], ["SELECT 'ä', nothing", []], ['SELECT 1/$1::int', [0]], ['INSERT INTO t(id) VALUES ($1)', [1]],
      ['INSERT INTO t(id) VALUES ($1)', [null]], ['SELECT $1 + $2', [1]], ['SELECT 1; SELECT 1/0; SELECT 3'], ["DO $$ BEGIN RAISE WARNING 'w'; RAISE 'x' USING HINT='h', DETAIL='d'; END $$"]]) {
      await attempt(c, text, values)
    }
    await c.end()
  },
  async 'named statements' () {
    const c = await connect()
    for (const id of [1, 2, 1, 7]) await attempt(c, { name: 'select', text: 'SELECT id, name FROM t WHERE id = $1', values: [id] })
    for (const name of ['a', 'b', null]) await attempt(c, { name: 'insert', text: 'INSERT INTO s(name) VALUES ($1) RETURNING id', values: [name] })
    await attempt(c, { name: 'select', text: 'SELECT something else', values: [] })
    await attempt(c, { name: 'broken', text: 'SELECT nothing', values: [] })
    await attempt(c, { name: 'broken', text: 'SELECT nothing', values: [] })
    await attempt(c, 'SELECT name, substr(statement, 1, 13), from_sql FROM pg_prepared_statements ORDER BY name')
    await attempt(c, 'EXECUTE "select"(1)')
    await attempt(c, 'EXECUTE "insert"(\'executed\')')
    await attempt(c, 'DEALLOCATE "select"')
    await attempt(c, { name: 'select', text: 'SELECT id, name FROM t WHERE id = $1', values: [1] })
    await attempt(c, 'DEALLOCATE ALL')
    await attempt(c, { name: 'insert', text: 'INSERT INTO s(name) VALUES ($1) RETURNING id', values: ['x'] })
    await c.end()
  },
  async transactions () {
    const c = await connect()
    await attempt(c, 'BEGIN')
    await attempt(c, 'INSERT INTO t(id) VALUES ($1)', [10])
    await attempt(c, 'SAVEPOINT a')
    await attempt(c, 'INSERT INTO t(id) VALUES ($1)', [10])
    await attempt(c, 'SELECT 1')
    await attempt(c, { name: 'q', text: 'SELECT count(*) FROM t', values: [] })
    await attempt(c, 'ROLLBACK TO SAVEPOINT a')
    await attempt(c, { name: 'q', text: 'SELECT count(*) FROM t', values: [] })
    await attempt(c, 'INSERT INTO t(id) VALUES ($1)', [11])
    await attempt(c, 'COMMIT')
    await attempt(c, 'COMMIT')
    await attempt(c, 'BEGIN', [])
    await attempt(c, 'SELECT 1/0', [])
    await attempt(c, 'COMMIT', [])
    await attempt(c, 'SELECT id FROM t ORDER BY id')
    await c.end()
  },
  async 'many at once on one connection' () {
    const c = await connect()
    const answers = await Promise.allSettled([...Array(50).keys()].map(i => c.query(i % 10 === 9 ? 'SELECT 1/$1::int - $1' : i % 3 === 0 ? 'INSERT INTO s(name) VALUES ($1) RETURNING name' : 'SELECT $1::text AS name', [i % 10 === 9 ? 0 : 'n' + i])))
    say(answers.map(a => a.status === 'fulfilled' ? a.value.rows[0].name : a.reason.code))
    await c.end()
  },
  async 'portals with a row limit' () {
    const c = await connect()
    for (const text of ['SELECT g FROM generate_series(1, 25) g', 'UPDATE s SET name = name RETURNING name IS NULL AS n']) {
      const rows = await new Promise((resolve, reject) => c.query(new Query({ text, values: [], rows: 4 }, undefined, (err, r) => err ? reject(err) : resolve(r))))
      say(rows.rowCount, rows.command, rows.rows.length)
    }
    await c.end()
  },
  async pools () {
    const pool = new Pool({ ssl: false, max: 6 })
    await Promise.all([...Array(40).keys()].map(i => pool.query('INSERT INTO t(id, name) VALUES ($1, $2)', [1000 + i, 'pooled'])))
    const found = await Promise.all([...Array(12).keys()].map(async i => {
      const client = await pool.connect()
      try {
        for (;;) {
          try {
            await client.query('BEGIN')
            await client.query('UPDATE t SET amount = coalesce(amount, 0) + $1 WHERE id = 1', [i])
            const { rows } = await client.query('SELECT count(*)::int AS n FROM t WHERE name = $1', ['pooled'])
            await client.query('COMMIT')
            return rows[0].n
          } catch (e) { // snapshot_isolation asks clients to repeat
            if (e.code !== '40001') throw e
            await client.query('ROLLBACK')
          }
        }
      } finally {
        client.release()
      }
    }))
    say(found)
    say((await pool.query('SELECT amount FROM t WHERE id = 1')).rows)
    await pool.end()
  },
  async notifications () {
    const listener = await connect()
    const speaker = await connect()
    const heard = []
    const both = new Promise(resolve => listener.on('notification', n => { heard.push([n.channel, n.payload]); if (heard.length === 2) resolve() }))
    await attempt(listener, 'LISTEN channel')
    await attempt(speaker, "NOTIFY channel, 'hello'")
    await attempt(speaker, 'SELECT pg_notify($1, $2)', ['channel', 'again'])
    await both
    say(heard)
    await listener.end()
    await speaker.end()
  },
  async session () {
    const c = await connect({ application_name: 'named', statement_timeout: 5000, options: '-c work_mem=9MB' })
    await attempt(c, "SELECT current_setting('application_name') a, current_setting('statement_timeout') b, current_setting('work_mem') c")
    await c.end()
    for (const bad of [{ database: 'nowhere' }, { user: 'nobody_there' }, { options: '-c work_mem=much' }]) {
      try {
        await (await connect(bad)).end()
        say('connected')
      } catch (e) {
        say(describe(e))
      }
    }
    const unix = await connect({ host: process.env.PGSOCKETDIR })
    await attempt(unix, 'SELECT 1 AS over_the_socket')
    await unix.end()
    const timed = await connect({ statement_timeout: 50 })
    await attempt(timed, 'SELECT pg_sleep(20)')
    await attempt(timed, 'SELECT 1')
    await timed.end()
  }
}

async function run () {
  for (const [name, body] of Object.entries(sections)) {
    say('## ' + name)
    try {
      await body()
    } catch (e) {
      say('!! ' + e.name + ': ' + e.message.replace(/\s+/g, ' '))
    }
  }
  process.exit(0)
}

run()
