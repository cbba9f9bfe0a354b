package history

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// A register is a row with a number. Everybody reads it with its lock, writes it, or
// changes it if it has a certain value, each in a statement of its own; it has to look as
// if all had been done one after the other, each at a moment between its question and its
// answer.

type action struct {
	key      int
	kind     rune // 'r'ead, 'w'rite, 'c'hange if it is old
	old, new int
}

type result struct {
	value   int  // of a read
	changed bool // by a change
	unknown bool // whether it was done
}

var registers = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := make([][]porcupine.Operation, lists)
		for _, op := range history {
			key := op.Input.(action).key
			parts[key] = append(parts[key], op)
		}
		return parts
	},
	Init: func() any { return 0 },
	Step: func(state, input, output any) (bool, any) {
		now, a, r := state.(int), input.(action), output.(result)
		switch {
		case a.kind == 'r':
			return r.unknown || r.value == now, now
		case a.kind == 'w':
			return true, a.new
		case a.old == now:
			return r.unknown || r.changed, a.new
		default:
			return r.unknown || !r.changed, now
		}
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
}

func (a action) do(ctx context.Context, conn *pgx.Conn) (r result, err error) {
	var tag pgconn.CommandTag
	switch a.kind {
	case 'r':
		err = conn.QueryRow(ctx, "SELECT v FROM register WHERE k = $1 FOR UPDATE", a.key).Scan(&r.value)
	case 'w':
		tag, err = conn.Exec(ctx, "UPDATE register SET v = $2 WHERE k = $1", a.key, a.new)
	case 'c':
		tag, err = conn.Exec(ctx, "UPDATE register SET v = $3 WHERE k = $1 AND v = $2", a.key, a.old, a.new)
	}
	r.changed = tag.RowsAffected() == 1
	return r, err
}

// registerClient does its actions and returns those that may have been done.
func (r *run) registerClient(number int, began time.Time) (history []porcupine.Operation) {
	conn := r.proxy.Connect(pgtest.Database)
	random := rand.New(rand.NewPCG(uint64(number), 2))
	for range each {
		a := action{key: random.IntN(lists), kind: []rune("rwc")[random.IntN(3)], old: random.IntN(4), new: random.IntN(4)}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		call := time.Since(began)
		out, err := a.do(ctx, conn)
		cancel()
		r.done.Add(1)
		op := porcupine.Operation{ClientId: number, Input: a, Call: call.Nanoseconds(), Output: out, Return: time.Since(began).Nanoseconds()}
		switch {
		case err == nil:
			history = append(history, op)
		case r.outcome(err) == Unknown:
			op.Output, op.Return = result{unknown: true}, time.Hour.Nanoseconds() // at any time, or never
			history = append(history, op)
		}
		if conn.IsClosed() {
			r.t.Errorf("client %d has lost its session", number)
			break
		}
	}
	return history
}

func TestRegistersAreLinearizable(t *testing.T) {
	for id := -1; id < 2; id++ {
		name := fmt.Sprintf("node %d is killed", id)
		if id < 0 {
			name = "no node is lost"
		}
		t.Run(name, func(t *testing.T) {
			r := newRun(t, "native_replication", "")
			r.proxy.Exec(fmt.Sprintf("CREATE TABLE register (k int PRIMARY KEY, v int NOT NULL); INSERT INTO register SELECT i, 0 FROM generate_series(0, %d) AS i", lists-1))
			fault, left := func() {}, r.nodes
			if id >= 0 {
				fault, left = r.nodes[id].Kill, slices.Delete(slices.Clone(r.nodes), id, id+1)
			}
			history := r.registers(fault)
			pgtest.WantEqual(t, left...)
			t.Logf("%d actions", len(history))
			if result, _ := porcupine.CheckOperationsVerbose(registers, history, patience); result != porcupine.Ok {
				t.Errorf("no order explains what clients were told: %v", result)
			}
		})
	}
}

func (r *run) registers(fault func()) []porcupine.Operation {
	var mu sync.Mutex
	var history []porcupine.Operation
	began := time.Now()
	r.play(fault, func(number int) {
		part := r.registerClient(number, began)
		mu.Lock()
		defer mu.Unlock()
		history = append(history, part...)
	})
	return history
}

// TestRegistersTellALostWrite proves that the model can fail.
func TestRegistersTellALostWrite(t *testing.T) {
	history := []porcupine.Operation{
		{ClientId: 0, Input: action{kind: 'w', new: 1}, Call: 0, Output: result{}, Return: 1},
		{ClientId: 1, Input: action{kind: 'r'}, Call: 2, Output: result{value: 0}, Return: 3},
	}
	if porcupine.CheckOperations(registers, history) {
		t.Error("a read that misses an acknowledged write is taken for right")
	}
}
