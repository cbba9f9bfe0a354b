import java.io.ByteArrayOutputStream;
import java.io.StringReader;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.*;
import java.util.*;
import java.util.concurrent.*;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.PGStatement;
import org.postgresql.copy.CopyManager;
import org.postgresql.largeobject.*;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

/** The JDBC driver: extended queries, portals that are suspended, batches, COPY. */
public class JDBC {
    interface Body { void run() throws Exception; }

    static void say(Object... values) {
        StringJoiner line = new StringJoiner(" ");
        for (Object v : values) line.add(v instanceof byte[] b ? Arrays.toString(b) : String.valueOf(v));
        System.out.println(line);
    }

    static void section(String name, Body body) {
        System.out.println("## " + name);
        try {
            body.run();
        } catch (Throwable t) {
            say("!! " + t.getClass().getSimpleName() + ": " + String.valueOf(t.getMessage()).replaceAll("\\s+", " "));
        }
    }

    static Connection connect(String... options) throws SQLException {
        Properties p = new Properties();
        p.setProperty("user", System.getenv("PGUSER"));
        p.setProperty("sslmode", "disable");
        p.setProperty("connectTimeout", "10");
        p.setProperty("socketTimeout", "20");
        for (String option : options) p.setProperty(option.split("=")[0], option.split("=", 2)[1]);
        return DriverManager.getConnection("jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE"), p);
    }

    static String describe(SQLException e) {
        StringBuilder out = new StringBuilder(e.getClass().getSimpleName()).append(' ').append(e.getSQLState());
        ServerErrorMessage m = e instanceof PSQLException p ? p.getServerErrorMessage() : null;
        if (m == null) return out.append(' ').append(e.getMessage()).toString();
        return out.append(' ').append(Arrays.asList(m.getSeverity(), m.getMessage(), m.getDetail(), m.getHint(), m.getPosition(), m.getWhere(),
            m.getSchema(), m.getTable(), m.getColumn(), m.getDatatype(), m.getConstraint())).toString();
    }

    /** Runs a statement with parameters, or as it is, and says all results. */
    static void attempt(Connection c, String sql, Object... args) throws SQLException {
        try (PreparedStatement s = c.prepareStatement(sql)) {
            for (int i = 0; i < args.length; i++) s.setObject(i + 1, args[i]);
            results(s, sql, s.execute());
        } catch (SQLException e) {
            say(sql, describe(e));
        }
    }

    static void results(Statement s, String sql, boolean rows) throws SQLException {
        while (true) {
            if (rows) say(sql, all(s.getResultSet()));
            else if (s.getUpdateCount() < 0) break;
            else say(sql, s.getUpdateCount());
            rows = s.getMoreResults();
        }
        for (SQLWarning w = s.getWarnings(); w != null; w = w.getNextWarning()) say("warning", w.getSQLState(), w.getMessage());
    }

    static String all(ResultSet r) throws SQLException {
        ResultSetMetaData m = r.getMetaData();
        StringBuilder out = new StringBuilder();
        for (int i = 1; i <= m.getColumnCount(); i++) out.append(m.getColumnLabel(i)).append(':').append(m.getColumnTypeName(i)).append(' ');
        while (r.next()) {
            out.append('(');
            for (int i = 1; i <= m.getColumnCount(); i++) out.append(i > 1 ? "," : "").append(r.getString(i));
            out.append(')');
        }
        return out.toString();
    }

    public static void main(String[] arguments) throws Exception {
        section("setup", JDBC::setup);
        section("values", JDBC::values);
        section("simple protocol", () -> protocol("preferQueryMode=simple"));
        section("extended protocol", () -> protocol("preferQueryMode=extended"));
        section("extended protocol for prepared statements only", () -> protocol("preferQueryMode=extendedForPrepared"));
        section("extended protocol, everything cached", () -> protocol("preferQueryMode=extendedCacheEverything"));
        section("transactions", JDBC::transactions);
        section("autosave", JDBC::autosave);
        section("batches", JDBC::batches);
        section("generated keys", JDBC::generatedKeys);
        section("prepared on the server", JDBC::serverPrepare);
        section("portals that are suspended", JDBC::fetchSize);
        section("result sets that can be changed", JDBC::updatable);
        section("copy", JDBC::copy);
        section("meta data", JDBC::metaData);
        section("functions and cursors", JDBC::functions);
        section("large objects", JDBC::largeObjects);
        section("notifications", JDBC::notifications);
        section("cancel", JDBC::cancel);
        section("session", JDBC::session);
        section("threads", JDBC::threads);
    }

    static void setup() throws Exception {
        try (Connection c = connect()) {
            attempt(c, "CREATE TABLE t(id int PRIMARY KEY, name text, amount numeric(10,2), at timestamptz, raw bytea, list int[])");
            attempt(c, "CREATE TABLE s(id serial PRIMARY KEY, name varchar(20) NOT NULL, t int REFERENCES t)");
            attempt(c, "CREATE UNIQUE INDEX s_name ON s(name)");
        }
    }

    static void values() throws Exception {
        try (Connection c = connect("binaryTransfer=true", "prepareThreshold=-1")) {
            try (PreparedStatement s = c.prepareStatement("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)")) {
                s.setInt(1, 1);
                s.setString(2, "ä'\\");
                s.setBigDecimal(3, new BigDecimal("1.50"));
                s.setTimestamp(4, Timestamp.valueOf("2024-01-01 00:00:00"));
                s.setBytes(5, new byte[] {0, 1, (byte) 255});
                s.setArray(6, c.createArrayOf("int4", new Integer[] {1, null}));
                say(s.executeUpdate());
            }
            for (int i = 0; i < 3; i++) attempt(c, "SELECT * FROM t WHERE id = ?", 1);
            attempt(c, "SELECT ?::int8, ?::float8, ?::uuid, ?::text", 1L << 40, 1.5, UUID.fromString("00000000-0000-0000-0000-000000000001"), "x");
            attempt(c, "SELECT ? + ?", 1, 2);
        }
    }

    static void protocol(String mode) throws Exception {
        try (Connection c = connect(mode, "prepareThreshold=2")) {
            attempt(c, "DELETE FROM t WHERE id >= ?", 10);
            for (int i = 0; i < 5; i++) {
                attempt(c, "INSERT INTO t(id, name) VALUES (?, ?)", 10 + i, "n" + i);
                attempt(c, "SELECT id, name FROM t WHERE id >= ? ORDER BY id", 10 + i);
            }
            attempt(c, "INSERT INTO t(id) VALUES (?) RETURNING id, name", 20);
            attempt(c, "INSERT INTO t(id) VALUES (?)", 20);
            attempt(c, "UPDATE t SET name = ? WHERE id > ?", "new", 12);
            attempt(c, "SELECT 1; SELECT 2; UPDATE t SET name = 'all' WHERE id = 10; SELECT name FROM t WHERE id = 10");
            attempt(c, "INSERT INTO t(id) VALUES (?); SELECT count(*) FROM t WHERE id = ?; INSERT INTO t(id) VALUES (?)", 30, 30, 20);
            attempt(c, "SELECT count(*) FROM t WHERE id = 30");
            attempt(c, "SELECT 1/0");
            attempt(c, "SELEC 1");
            attempt(c, "SELECT 'ä', nothing");
            attempt(c, "SELECT ?::int", "x");
            attempt(c, "");
            attempt(c, ";");
            attempt(c, "DO $$ BEGIN RAISE NOTICE 'n'; RAISE WARNING 'w' USING ERRCODE = '01ABC'; END $$");
            attempt(c, "VACUUM t");
            attempt(c, "SHOW work_mem");
            attempt(c, "SET work_mem = '5MB'");
            attempt(c, "SHOW work_mem");
            try (Statement s = c.createStatement()) {
                s.setMaxRows(2);
                results(s, "max rows", s.execute("SELECT g FROM generate_series(1, 10) g"));
                s.setMaxRows(0);
                results(s, "several", s.execute("SELECT 1 AS a; INSERT INTO t(id) VALUES (31), (32); SELECT 2 AS b"));
            }
        }
    }

    static void transactions() throws Exception {
        try (Connection c = connect()) {
            c.setAutoCommit(false);
            attempt(c, "INSERT INTO t(id) VALUES (?)", 100);
            Savepoint named = c.setSavepoint("named"), unnamed = c.setSavepoint();
            attempt(c, "INSERT INTO t(id) VALUES (?)", 101);
            attempt(c, "INSERT INTO t(id) VALUES (?)", 100);
            attempt(c, "SELECT 1");
            c.rollback(unnamed);
            attempt(c, "INSERT INTO t(id) VALUES (?)", 102);
            c.releaseSavepoint(named);
            c.commit();
            attempt(c, "SELECT id FROM t WHERE id >= ? ORDER BY id", 100);
            c.rollback();
            attempt(c, "INSERT INTO t(id) VALUES (?)", 103);
            c.rollback();
            attempt(c, "SELECT count(*) FROM t WHERE id = 103");
            c.rollback();
            for (int level : new int[] {Connection.TRANSACTION_READ_UNCOMMITTED, Connection.TRANSACTION_READ_COMMITTED, Connection.TRANSACTION_REPEATABLE_READ, Connection.TRANSACTION_SERIALIZABLE}) {
                c.setTransactionIsolation(level);
                attempt(c, "SHOW transaction_isolation");
                attempt(c, "UPDATE t SET name = 'level' WHERE id = 100");
                c.commit();
            }
            c.setReadOnly(true);
            attempt(c, "INSERT INTO t(id) VALUES (?)", 104);
            c.rollback();
            c.setReadOnly(false);
            attempt(c, "SELECT 1/0");
            try {
                c.commit();
                say("committed");
            } catch (SQLException e) {
                say(describe(e));
            }
            c.setAutoCommit(true);
            attempt(c, "SELECT id FROM t WHERE id >= ? ORDER BY id", 100);
        }
    }

    static void autosave() throws Exception {
        for (String mode : List.of("always", "conservative")) {
            try (Connection c = connect("autosave=" + mode, "prepareThreshold=2")) {
                c.setAutoCommit(false);
                for (int i = 0; i < 4; i++) {
                    attempt(c, "UPDATE t SET name = ? WHERE id = 100", "autosave " + i);
                    attempt(c, "INSERT INTO t(id) VALUES (?)", 100);
                    attempt(c, "SELECT name FROM t WHERE id = ?", 100);
                    if (mode.equals("conservative")) c.rollback();
                }
                c.commit();
            }
        }
    }

    static void batches() throws Exception {
        for (String rewrite : List.of("false", "true")) {
            try (Connection c = connect("reWriteBatchedInserts=" + rewrite)) {
                attempt(c, "DELETE FROM t WHERE id >= 199");
                for (boolean auto : new boolean[] {true, false}) {
                    c.setAutoCommit(auto);
                    int base = auto ? 200 : 1000;
                    try (PreparedStatement s = c.prepareStatement("INSERT INTO t(id, name) VALUES (?, ?)")) {
                        for (int i = 0; i < 300; i++) {
                            s.setInt(1, base + i);
                            s.setString(2, "b" + i);
                            s.addBatch();
                        }
                        int[] counts = s.executeBatch();
                        say(counts.length, counts[0]);
                        s.setInt(1, base + 400); s.setString(2, "good"); s.addBatch();
                        s.setInt(1, base); s.setString(2, "bad"); s.addBatch();
                        s.setInt(1, base + 401); s.setString(2, "good"); s.addBatch();
                        say(Arrays.toString(s.executeBatch()));
                    } catch (BatchUpdateException e) {
                        say(Arrays.toString(e.getUpdateCounts()), describe(e.getNextException()));
                    }
                    if (!auto) c.rollback();
                    attempt(c, "SELECT count(*), sum(id) FROM t WHERE id >= ?", 200);
                    if (!auto) c.commit();
                }
                c.setAutoCommit(true);
                try (Statement s = c.createStatement()) {
                    s.addBatch("UPDATE t SET name = 'x' WHERE id = 200");
                    s.addBatch("DELETE FROM t WHERE id = 201");
                    s.addBatch("INSERT INTO t(id) VALUES (201), (199)");
                    say(Arrays.toString(s.executeBatch()));
                }
                try (PreparedStatement s = c.prepareStatement("UPDATE t SET name = ? WHERE id = ?")) {
                    for (int i = 0; i < 20; i++) {
                        s.setString(1, "u" + i);
                        s.setInt(2, 200 + i % 5);
                        s.addBatch();
                    }
                    say(Arrays.toString(s.executeBatch()));
                }
            }
        }
    }

    static void generatedKeys() throws Exception {
        try (Connection c = connect()) {
            try (PreparedStatement s = c.prepareStatement("INSERT INTO s(name) VALUES (?)", Statement.RETURN_GENERATED_KEYS)) {
                for (int i = 0; i < 8; i++) {
                    s.setString(1, "key " + i);
                    s.executeUpdate();
                    say(all(s.getGeneratedKeys()));
                }
                for (int i = 0; i < 5; i++) {
                    s.setString(1, "batch " + i);
                    s.addBatch();
                }
                say(Arrays.toString(s.executeBatch()), all(s.getGeneratedKeys()));
            }
            try (PreparedStatement s = c.prepareStatement("INSERT INTO s(name) VALUES (?)", new String[] {"id", "name"})) {
                s.setString(1, "columns");
                s.executeUpdate();
                say(all(s.getGeneratedKeys()));
            }
            attempt(c, "INSERT INTO s(name) VALUES (NULL)");
            attempt(c, "INSERT INTO s(name) VALUES ('twelve') ON CONFLICT DO NOTHING RETURNING id");
            attempt(c, "SELECT lastval(), currval('s_id_seq')");
        }
    }

    static void serverPrepare() throws Exception {
        try (Connection c = connect("prepareThreshold=2", "preparedStatementCacheQueries=3")) {
            try (PreparedStatement s = c.prepareStatement("SELECT name FROM t WHERE id = ?"); PreparedStatement w = c.prepareStatement("UPDATE t SET name = ? WHERE id = ?")) {
                for (int i = 0; i < 6; i++) {
                    w.setString(1, "prepared " + i);
                    w.setInt(2, 1);
                    say(w.executeUpdate(), ((PGStatement) w.unwrap(PGStatement.class)).isUseServerPrepare());
                    s.setInt(1, 1);
                    say(all(s.executeQuery()), s.unwrap(PGStatement.class).isUseServerPrepare());
                }
                s.setObject(1, "1", Types.INTEGER);
                say(all(s.executeQuery()));
            }
            for (int i = 0; i < 20; i++) for (int j = 0; j < 4; j++) attempt(c, "SELECT " + i + ", ?::int", j);
            try (PreparedStatement s = c.prepareStatement("SELECT * FROM s WHERE id = ?")) {
                for (int i = 0; i < 3; i++) { s.setInt(1, 1); say(all(s.executeQuery())); }
                attempt(c, "ALTER TABLE s ADD extra int");
                s.setInt(1, 1);
                try { say(all(s.executeQuery())); } catch (SQLException e) { say(describe(e)); }
                attempt(c, "ALTER TABLE s DROP extra");
                try { say(all(s.executeQuery())); } catch (SQLException e) { say(describe(e)); }
                attempt(c, "DEALLOCATE ALL");
                try { say(all(s.executeQuery())); } catch (SQLException e) { say(describe(e)); }
                attempt(c, "DISCARD ALL");
                try { say(all(s.executeQuery())); } catch (SQLException e) { say(describe(e)); }
            }
        }
    }

    static void fetchSize() throws Exception {
        try (Connection c = connect()) {
            c.setAutoCommit(false);
            try (PreparedStatement s = c.prepareStatement("SELECT g, 'row ' || g FROM generate_series(1, ?) g")) {
                s.setFetchSize(10);
                for (int round = 0; round < 7; round++) {
                    s.setInt(1, 95);
                    try (ResultSet r = s.executeQuery()) {
                        int rows = 0, sum = 0;
                        while (r.next()) { rows++; sum += r.getInt(1); }
                        say(rows, sum);
                    }
                }
                s.setInt(1, 50);
                ResultSet r = s.executeQuery();
                for (int i = 0; i < 15; i++) r.next();
                attempt(c, "SELECT 'between'");
                attempt(c, "UPDATE t SET name = 'between' WHERE id = 1");
                r.next();
                say(r.getInt(1));
                PreparedStatement other = c.prepareStatement("SELECT -g FROM generate_series(1, 30) g");
                other.setFetchSize(4);
                ResultSet o = other.executeQuery();
                int last = 0;
                while (r.next() && o.next()) last = r.getInt(1) + o.getInt(1);
                say(last);
                r.close();
                o.close();
            }
            try (PreparedStatement s = c.prepareStatement("SELECT 10/(25-g) FROM generate_series(1, 30) g")) {
                s.setFetchSize(10);
                ResultSet r = s.executeQuery();
                int rows = 0;
                try {
                    while (r.next()) rows++;
                } catch (SQLException e) {
                    say(rows, describe(e));
                }
            }
            c.rollback();
            try (PreparedStatement s = c.prepareStatement("UPDATE t SET name = 'returned' WHERE id BETWEEN 200 AND 230 RETURNING id")) {
                s.setFetchSize(5);
                ResultSet r = s.executeQuery();
                int rows = 0;
                while (r.next() && rows < 7) rows++;
                say(rows);
            }
            attempt(c, "SELECT count(*) FROM t WHERE name = 'returned'");
            try (PreparedStatement s = c.prepareStatement("SELECT id FROM t WHERE id < 220 ORDER BY id FOR UPDATE")) {
                s.setFetchSize(5);
                ResultSet r = s.executeQuery();
                r.next();
                say(r.getInt(1));
                c.commit();
                try { while (r.next()); say("all"); } catch (SQLException e) { say(describe(e)); }
            }
            c.rollback();
        }
    }

    static void updatable() throws Exception {
        try (Connection c = connect(); Statement s = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE)) {
            ResultSet r = s.executeQuery("SELECT id, name FROM t WHERE id < 100 ORDER BY id");
            r.last();
            say(r.getRow());
            r.first();
            r.updateString("name", "updated");
            r.updateRow();
            r.moveToInsertRow();
            r.updateInt("id", 99);
            r.insertRow();
            r.absolute(2);
            r.deleteRow();
            attempt(c, "SELECT id, name FROM t WHERE id < 100 ORDER BY id");
        }
    }

    static void copy() throws Exception {
        try (Connection c = connect()) {
            attempt(c, "CREATE TABLE copied(a int, b text)");
            CopyManager copy = c.unwrap(PGConnection.class).getCopyAPI();
            StringBuilder rows = new StringBuilder();
            for (int i = 0; i < 5000; i++) rows.append(i).append("\tline ").append(i).append('\n');
            say(copy.copyIn("COPY copied FROM STDIN", new StringReader(rows.toString())));
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            say(copy.copyOut("COPY (SELECT * FROM copied ORDER BY a LIMIT 3) TO STDOUT WITH CSV", out), out.toString(StandardCharsets.UTF_8).replace('\n', '|'));
            try {
                copy.copyIn("COPY copied FROM STDIN", new StringReader("1\tx\nnot a number\tx\n"));
            } catch (SQLException e) {
                say(describe(e));
            }
            var in = copy.copyIn("COPY copied FROM STDIN");
            in.writeToCopy("1\tx\n".getBytes(), 0, 4);
            in.cancelCopy();
            attempt(c, "SELECT count(*), sum(a) FROM copied");
            c.setAutoCommit(false);
            say(copy.copyIn("COPY copied FROM STDIN", new StringReader("77\tx\n")));
            c.rollback();
            attempt(c, "SELECT count(*), sum(a) FROM copied");
        }
    }

    static void metaData() throws Exception {
        try (Connection c = connect()) {
            DatabaseMetaData m = c.getMetaData();
            say(m.getDatabaseProductName(), m.getDatabaseProductVersion(), m.getDatabaseMajorVersion(), m.getMaxConnections(), m.getUserName());
            say(all(m.getTables(null, "public", "%", new String[] {"TABLE"})));
            say(all(m.getColumns(null, "public", "t", "%")));
            say(all(m.getPrimaryKeys(null, "public", "s")));
            say(all(m.getImportedKeys(null, "public", "s")));
            say(all(m.getIndexInfo(null, "public", "s", false, true)));
            say(all(m.getTablePrivileges(null, "public", "s")));
            say(all(m.getSchemas()), all(m.getCatalogs()).contains("app"));
            say(all(m.getTypeInfo()).length() > 1000);
            try (PreparedStatement s = c.prepareStatement("SELECT id, name AS n, amount, count(*) OVER () FROM t WHERE id = ? AND name = ?")) {
                ResultSetMetaData r = s.getMetaData();
                for (int i = 1; i <= r.getColumnCount(); i++)
                    say(r.getColumnName(i), r.getColumnTypeName(i), r.getPrecision(i), r.getScale(i), r.isNullable(i), r.isAutoIncrement(i), r.getTableName(i), r.getColumnDisplaySize(i));
                ParameterMetaData p = s.getParameterMetaData();
                for (int i = 1; i <= p.getParameterCount(); i++) say(p.getParameterTypeName(i));
            }
            try (PreparedStatement s = c.prepareStatement("INSERT INTO s(name, t) VALUES (?, ?)")) {
                ParameterMetaData p = s.getParameterMetaData();
                for (int i = 1; i <= p.getParameterCount(); i++) say(p.getParameterTypeName(i));
            }
        }
    }

    static void functions() throws Exception {
        try (Connection c = connect()) {
            attempt(c, "CREATE FUNCTION twice(a int) RETURNS int LANGUAGE sql AS 'SELECT a * 2'");
            attempt(c, "CREATE PROCEDURE put(a int, INOUT b text) LANGUAGE plpgsql AS $$ BEGIN INSERT INTO copied VALUES (a, b); b := b || '!'; END $$");
            attempt(c, "CREATE FUNCTION open_it() RETURNS refcursor LANGUAGE plpgsql AS $$ DECLARE r refcursor := 'opened'; BEGIN OPEN r FOR SELECT id FROM t ORDER BY id LIMIT 5; RETURN r; END $$");
            try (CallableStatement s = c.prepareCall("{? = call twice(?)}")) {
                s.registerOutParameter(1, Types.INTEGER);
                s.setInt(2, 21);
                s.execute();
                say(s.getInt(1));
            }
            attempt(c, "CALL put(?, ?)", 8000, "called");
            attempt(c, "SELECT * FROM copied WHERE a = 8000");
            c.setAutoCommit(false);
            try (CallableStatement s = c.prepareCall("{? = call open_it()}")) {
                s.registerOutParameter(1, Types.REF_CURSOR);
                s.execute();
                say(all((ResultSet) s.getObject(1)));
            }
            c.commit();
        }
    }

    static void largeObjects() throws Exception {
        try (Connection c = connect()) {
            c.setAutoCommit(false);
            LargeObjectManager lobs = c.unwrap(PGConnection.class).getLargeObjectAPI();
            attempt(c, "SELECT lo_create(700001)");
            LargeObject lob = lobs.open(700001L, LargeObjectManager.READWRITE);
            lob.write("large object".getBytes());
            lob.seek(6);
            say(new String(lob.read(6)), lob.tell(), lob.size());
            lob.truncate(5);
            lob.close();
            c.commit();
            attempt(c, "SELECT convert_from(lo_get(700001), 'UTF8')");
            c.commit();
            try { lobs.open(700002L, LargeObjectManager.READ); } catch (SQLException e) { say(describe(e)); }
            c.rollback();
        }
    }

    static void notifications() throws Exception {
        try (Connection l = connect(); Connection s = connect()) {
            attempt(l, "LISTEN channel");
            attempt(s, "NOTIFY channel, 'hello'");
            attempt(s, "SELECT pg_notify(?, ?)", "channel", "again");
            List<String> heard = new ArrayList<>();
            while (heard.size() < 2) {
                PGNotification[] some = l.unwrap(PGConnection.class).getNotifications(10000);
                if (some == null || some.length == 0) break;
                for (PGNotification n : some) heard.add(n.getName() + ":" + n.getParameter());
            }
            say(heard);
        }
    }

    static void cancel() throws Exception {
        try (Connection c = connect()) {
            try (Statement s = c.createStatement()) {
                s.setQueryTimeout(1);
                s.execute("SELECT pg_sleep(15)");
            } catch (SQLException e) {
                say(describe(e));
            }
            attempt(c, "SELECT 'goes on'");
            try (PreparedStatement s = c.prepareStatement("WITH w AS (INSERT INTO t(id) VALUES (?)) SELECT pg_sleep(15)")) {
                s.setQueryTimeout(1);
                s.setInt(1, 5000);
                s.execute();
            } catch (SQLException e) {
                say(describe(e));
            }
            attempt(c, "SELECT count(*) FROM t WHERE id = 5000");
        }
    }

    static void session() throws Exception {
        try (Connection c = connect("currentSchema=pg_catalog", "ApplicationName=named", "options=-c work_mem=9MB")) {
            attempt(c, "SELECT current_setting('search_path'), current_setting('application_name'), current_setting('work_mem')");
            c.setSchema("public");
            say(c.getSchema(), c.getCatalog(), c.isValid(5), c.getClientInfo("ApplicationName"));
            c.setClientInfo("ApplicationName", "renamed");
            attempt(c, "SHOW application_name");
            say(((PGConnection) c).getParameterStatus("application_name"), ((PGConnection) c).getParameterStatus("server_version"));
        }
        for (String bad : List.of("user=nobody_there", "options=-c work_mem=much")) {
            try (Connection c = connect(bad)) {
                say("connected");
            } catch (SQLException e) {
                say(describe(e));
            }
        }
    }

    /** Repeats what the server could not serialize, as snapshot_isolation asks of clients. */
    static int update(PreparedStatement s) throws SQLException {
        while (true) {
            try {
                return s.executeUpdate();
            } catch (SQLException e) {
                if (!"40001".equals(e.getSQLState())) throw e;
            }
        }
    }

    static void threads() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(8);
        List<Future<Integer>> work = new ArrayList<>();
        for (int n = 0; n < 8; n++) {
            int thread = n;
            work.add(pool.submit(() -> {
                int failures = 0;
                try (Connection c = connect(); PreparedStatement s = c.prepareStatement("UPDATE t SET amount = coalesce(amount, 0) + ? WHERE id = ?")) {
                    for (int i = 0; i < 25; i++) {
                        s.setInt(1, thread);
                        s.setInt(2, i % 2 == 0 ? 1 : 100);
                        if (update(s) != 1) failures++;
                    }
                }
                return failures;
            }));
        }
        pool.shutdown();
        int failures = 0;
        for (Future<Integer> f : work) failures += f.get();
        try (Connection c = connect()) {
            say(failures);
            attempt(c, "SELECT id, amount FROM t WHERE id IN (1, 100) ORDER BY id");
        }
    }
}
