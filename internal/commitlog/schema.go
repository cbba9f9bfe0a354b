package commitlog

// schema is made in each database, on all nodes alike; it is left out of comparisons of
// the nodes. Whoever may connect may call mark, and nothing else of it: an epoch is hard
// to guess, so nobody can mark for another one by accident.
//
// mark is one HOT update by primary key (enable_seqscan: a sequential scan would lock the
// whole table under SERIALIZABLE). Its slow part, claim, is for the first commit of a slot
// in a run: a slot whose epoch is a later one has been taken away. It locks the server's row of
// proxy, so that whoever raises the epoch there waits for it. A read-only transaction
// has nothing to tell. Names are qualified, since the session chooses the search_path.
const schema = `
BEGIN;
SET LOCAL lock_timeout = '5s';
SET LOCAL client_min_messages = warning;
CREATE SCHEMA IF NOT EXISTS pgchorus;
CREATE TABLE IF NOT EXISTS pgchorus.proxy (
	proxy int PRIMARY KEY,
	epoch bigint NOT NULL
);
INSERT INTO pgchorus.proxy SELECT proxy, 0 FROM pg_catalog.generate_series(0, 15) AS proxy ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS pgchorus.commit_slot (
	proxy int, slot int, epoch bigint NOT NULL, seq bigint NOT NULL, at timestamptz NOT NULL,
	PRIMARY KEY (proxy, slot)
) WITH (fillfactor = 50);
CREATE OR REPLACE FUNCTION pgchorus.claim(p int, s int, e bigint, n bigint) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM FROM pgchorus.proxy WHERE proxy = p FOR SHARE;
	IF NOT EXISTS (SELECT FROM pgchorus.proxy WHERE proxy = p AND epoch > e) THEN
		INSERT INTO pgchorus.commit_slot AS c VALUES (p, s, e, n, clock_timestamp())
		ON CONFLICT (proxy, slot) DO UPDATE SET epoch = e, seq = n, at = excluded.at WHERE c.epoch < e;
		IF FOUND THEN
			RETURN;
		END IF;
	END IF;
	RAISE EXCEPTION 'commit slot %/% is fenced', p, s USING ERRCODE = '40001', DETAIL = 'Another pgchorus has taken over.';
END $$;
CREATE OR REPLACE FUNCTION pgchorus.mark(p int, s int, e bigint, n bigint) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET enable_seqscan = off AS $$
BEGIN
	IF pg_catalog.current_setting('transaction_read_only') OPERATOR(pg_catalog.=) 'on' THEN
		RETURN;
	END IF;
	UPDATE pgchorus.commit_slot SET seq = n, at = pg_catalog.clock_timestamp()
	WHERE proxy OPERATOR(pg_catalog.=) p AND slot OPERATOR(pg_catalog.=) s AND epoch OPERATOR(pg_catalog.=) e;
	IF NOT FOUND THEN
		PERFORM pgchorus.claim(p, s, e, n);
	END IF;
END $$;
REVOKE ALL ON FUNCTION pgchorus.claim(int, int, bigint, bigint) FROM PUBLIC;
GRANT USAGE ON SCHEMA pgchorus TO PUBLIC;
GRANT EXECUTE ON FUNCTION pgchorus.mark(int, int, bigint, bigint) TO PUBLIC;
COMMIT`

// present reports whether the database has the objects, and how many transactions the
// node can keep prepared.
const present = `SELECT pg_catalog.to_regprocedure('pgchorus.mark(int4,int4,int8,int8)') IS NOT NULL AND pg_catalog.to_regclass('pgchorus.proxy') IS NOT NULL,
	pg_catalog.current_setting('max_prepared_transactions')`

// Schema is the SQL that makes the objects in a database, for `pgchorus setup`.
func Schema() string { return schema }
