package scenario

import (
	"context"
	"fmt"
	"sync"
	"testing"
)

// unseenSchema has what draws from sequences where no text of a statement tells.
const unseenSchema = `
CREATE SEQUENCE ids; CREATE TABLE audit (id serial, what text);
CREATE TABLE byhand (id bigint, what text);
CREATE FUNCTION number() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.id := nextval('ids'); RETURN NEW; END$$;
CREATE TRIGGER number BEFORE INSERT ON byhand FOR EACH ROW EXECUTE FUNCTION number();
CREATE TABLE watched (id serial, what text);
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO audit (what) VALUES (NEW.what); RETURN NULL; END$$;
CREATE TRIGGER watch AFTER INSERT ON watched FOR EACH ROW EXECUTE FUNCTION watch();
CREATE FUNCTION place(text) RETURNS bigint LANGUAGE plpgsql AS $$BEGIN INSERT INTO watched (what) VALUES ($1); RETURN nextval('ids'); END$$`

// TestFunctionsAndTriggersDrawTheSame has clients race where each node draws by itself.
func TestFunctionsAndTriggersDrawTheSame(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.exec(s.connect(), unseenSchema)
	statements := []string{
		"INSERT INTO byhand (what) VALUES ($1)", "INSERT INTO watched (what) VALUES ($1)", "SELECT place($1)", "INSERT INTO audit (what) VALUES ($1)",
	}
	var clients sync.WaitGroup
	for name, mode := range protocols {
		for range 2 {
			conn := s.connectBy(mode)
			clients.Go(func() {
				for i := range 20 {
					for _, sql := range statements {
						if _, err := conn.Exec(context.Background(), sql, fmt.Sprint(name, i)); err != nil && codeOf(err) != "40P01" {
							t.Errorf("%s: %s: %v", name, sql, err)
						}
					}
				}
			})
		}
	}
	clients.Wait()
	s.want(s.connect(), "SELECT count(*) > 200, count(*) - count(DISTINCT id) FROM audit", "t|0")
	s.wantEqual()
}

// TestFunctionsThatAskForCurrval find what was drawn for the statement before them.
func TestFunctionsThatAskForCurrval(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, `CREATE TABLE orders (id serial PRIMARY KEY, what text); CREATE TABLE lines (order_id int, what text);
		CREATE FUNCTION line() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO lines VALUES (currval('orders_id_seq'), NEW.what); RETURN NULL; END$$;
		CREATE TRIGGER line AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION line()`)
	for i := range 5 {
		s.want(conn, "INSERT INTO orders (what) VALUES ('x') RETURNING id", fmt.Sprint(i+1))
	}
	s.want(conn, "SELECT count(*) FROM orders JOIN lines ON id = order_id", "5")
	s.wantEqual()
}

// TestFunctionThatSetsASequence is not outlived by leases.
func TestFunctionThatSetsASequence(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn, other := s.connect(), s.connect()
	s.exec(conn, insertedTable+`; CREATE FUNCTION empty() RETURNS void LANGUAGE plpgsql AS $$BEGIN DELETE FROM inserted; PERFORM setval('inserted_id_seq', 1, false); END$$`)
	for range 20 {
		s.exec(other, "INSERT INTO inserted (who) VALUES ('x')")
	}
	s.exec(conn, "SELECT empty()")
	for i := range 40 {
		s.want(other, "INSERT INTO inserted (who) VALUES ('x') RETURNING id", fmt.Sprint(i+1))
	}
	s.wantEqual()
}
