package verify

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// A sequence has no snapshot: its value is always the newest. So main is read first, and
// a node is behind when it has not reached that value soon after. Nodes may be ahead of
// main by values that were leased to them (replication-correctness 6.5).

const (
	// sequencePoll is how often the last pass looks for draws that are on their way from
	// main to the others.
	sequencePoll = 20 * time.Millisecond
	// sequenceBatch is how many sequences one query reads.
	sequenceBatch = 200
)

// sequence is the name and the direction of one.
type sequence struct {
	name string
	up   bool
	step *big.Int
}

const sequencesQuery = `SELECT format('%I.%I', n.nspname, c.relname), seqincrement
FROM pg_sequence JOIN pg_class c ON c.oid = seqrelid JOIN pg_namespace n ON n.oid = relnamespace
WHERE ` + userSchema + ` AND relpersistence = 'p' ORDER BY format('%I.%I', n.nspname, c.relname) COLLATE "C"`

// compareSequences finds sequences that are behind main's.
func (r *run) compareSequences(ctx context.Context, p *point, s scope, f *findings) error {
	if !s.has(sequencesPart) {
		return nil
	}
	patience := time.Duration(0)
	if s.last {
		patience = r.opts.Patience
	}
	err := guarded(ctx, p.peers, func() error {
		all, err := listSequences(ctx, p.peers)
		if err != nil {
			return err
		}
		f.stats.Sequences = len(all)
		for batch := range slices.Chunk(all, sequenceBatch) {
			found, err := compareBatch(ctx, p, batch, patience)
			if err != nil {
				return err
			}
			f.add(sequencesPart, found)
		}
		return nil
	})
	if err != nil {
		return f.failed(ctx, sequencesPart, s.database, sequencesPart, err)
	}
	return nil
}

// listSequences are those that all nodes have; others are in the schema's listing.
func listSequences(ctx context.Context, ps peers) ([]sequence, error) {
	answers, err := ps.ask(ctx, sequencesQuery)
	if err != nil {
		return nil, err
	}
	seen := map[string]int{}
	for _, rows := range answers {
		for _, values := range rows {
			seen[string(values[0])]++
		}
	}
	var all []sequence
	for _, values := range answers[0] {
		step, ok := new(big.Int).SetString(string(values[1]), 10)
		if !ok {
			return nil, fmt.Errorf("sequence %s: increment %q", values[0], values[1])
		}
		if name := string(values[0]); seen[name] == len(ps) {
			all = append(all, sequence{name: name, up: step.Sign() > 0, step: step})
		}
	}
	return all, nil
}

// positions reads the last value that each sequence has given out.
func positions(ctx context.Context, p *peer, batch []sequence) ([]*big.Int, error) {
	parts := make([]string, len(batch))
	for i, s := range batch {
		parts[i] = fmt.Sprintf("SELECT %d, last_value, is_called FROM %s", i, s.name)
	}
	rows, err := query(ctx, p.conn, strings.Join(parts, " UNION ALL ")+" ORDER BY 1")
	if err != nil {
		return nil, fmt.Errorf("node %d: %w", p.id, err)
	}
	if len(rows) != len(batch) {
		return nil, fmt.Errorf("node %d: %d sequences answer instead of %d", p.id, len(rows), len(batch))
	}
	at := make([]*big.Int, len(batch))
	for i, values := range rows {
		value, ok := new(big.Int).SetString(string(values[1]), 10)
		if !ok {
			return nil, fmt.Errorf("node %d: sequence %s: value %q", p.id, batch[i].name, values[1])
		}
		if at[i] = value; string(values[2]) == "f" {
			at[i].Sub(value, batch[i].step)
		}
	}
	return at, nil
}

// compareBatch compares until nobody is behind or patience has ended.
func compareBatch(ctx context.Context, p *point, batch []sequence, patience time.Duration) ([]Difference, error) {
	goal, err := positions(ctx, p.peers[0], batch)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(patience); ; {
		found, err := compareWith(ctx, p, batch, goal)
		behind := slices.ContainsFunc(found, func(d Difference) bool { return d.What == Behind })
		if err != nil || !behind || !time.Now().Before(end) {
			return found, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(sequencePoll):
		}
	}
}

// compareWith reads the other nodes and then main, which by then is where the others
// are, or further.
func compareWith(ctx context.Context, p *point, batch []sequence, goal []*big.Int) ([]Difference, error) {
	others := p.peers[1:]
	at := make([][]*big.Int, len(others))
	for i, other := range others {
		var err error
		if at[i], err = positions(ctx, other, batch); err != nil {
			return nil, err
		}
	}
	now, err := positions(ctx, p.peers[0], batch)
	if err != nil {
		return nil, err
	}
	var found []Difference
	for i, other := range others {
		for n, s := range batch {
			d := Difference{Kind: KindSequence, Database: p.database, Object: s.name, Node: other.id, Reference: p.peers[0].id, Proven: true}
			switch {
			case s.isBehind(at[i][n], goal[n]):
				d.What, d.Expected, d.Found = Behind, goal[n].String(), at[i][n].String()
			case s.isBehind(now[n], at[i][n]):
				d.What, d.Expected, d.Found = Ahead, now[n].String(), at[i][n].String()
			default:
				continue
			}
			found = append(found, d)
		}
	}
	return found, nil
}

func (s sequence) isBehind(value, goal *big.Int) bool {
	if s.up {
		return value.Cmp(goal) < 0
	}
	return value.Cmp(goal) > 0
}
