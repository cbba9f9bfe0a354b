package sequence

import (
	"fmt"
	"strconv"
)

// lockSQL takes the lock alone and tells where the sequence stands.
var lockSQL = qualified(`WITH ` + subject + ` SELECT l.name, l.may, l.sets, CASE WHEN l.never THEN NULL WHEN l.reads THEN pc.pg_sequence_last_value(l.oid) END,
	s.seqincrement, s.seqcache, s.seqstart, l.reads FROM l JOIN pc.pg_sequence s ON s.seqrelid @= l.oid`)

// Lock is the query that keeps others from drawing from a sequence until the transaction
// ends, and tells where it stands.
func Lock(name string) string { return fill(lockSQL, name, "$lock", "pg_advisory_xact_lock") }

// Position is where a sequence stands on one node.
type Position struct {
	Name      string
	May, Sets bool // the role may draw from it, and set it
	Known     bool // the role may read it
	Called    bool // something was drawn from it
	Last      int64
	Increment int64
	Cache     int64
	Start     int64
}

// DecodePosition reads the row that Lock brought.
func DecodePosition(row [][]byte) (Position, error) {
	if len(row) != 8 {
		return Position{}, errRow
	}
	p := Position{Name: string(row[0]), May: string(row[1]) == "t", Sets: string(row[2]) == "t", Called: row[3] != nil, Known: string(row[7]) == "t"}
	numbers := []*int64{&p.Last, &p.Increment, &p.Cache, &p.Start}
	for i, number := range numbers {
		if row[3+i] == nil {
			continue
		}
		var err error
		if *number, err = strconv.ParseInt(string(row[3+i]), 10, 64); err != nil {
			return Position{}, fmt.Errorf("position of a sequence: %w", err)
		}
	}
	return p, nil
}

// isBefore reports whether p has yet to come to where other is.
func (p Position) isBefore(other Position) bool {
	switch {
	case !p.Called || !other.Called:
		return !p.Called && other.Called
	case p.Increment < 0:
		return p.Last > other.Last
	}
	return p.Last < other.Last
}

// setSQL sets a position.
var setSQL = qualified(`SELECT pc.setval($oid::pc.regclass, '$last'::pc.int8, $called)`)

// Align returns a query for each node, "" for none, that has all of them stand where the
// main node does, the first of positions; ok is false if the role has no right to that. The
// sequence has to be locked on all of them.
//
// Who may set a position sets that of the main node, which is beyond all that was used. Who
// may draw only draws, on all nodes up to the furthest.
func Align(positions []Position) (queries []string, ok bool) {
	queries = make([]string, len(positions))
	main, furthest := positions[0], positions[0]
	same, known, sets, may := true, true, true, true
	for _, p := range positions {
		same = same && p.Called == main.Called && p.Last == main.Last
		known, sets, may = known && p.Known, sets && p.Sets, may && p.May
		if furthest.isBefore(p) {
			furthest = p
		}
	}
	cached := main.Cache > 1 // a session that has drawn before goes on with what it has left
	switch {
	case !known:
		return queries, false
	case same && !cached:
		return queries, true
	case sets:
		for i, p := range positions {
			if cached || p.Called != main.Called || p.Last != main.Last {
				queries[i] = setTo(main)
			}
		}
		return queries, true
	case !may || cached:
		return queries, false
	}
	for i, p := range positions {
		if p.isBefore(furthest) {
			queries[i] = AdvanceTo(main.Name, furthest.Last, main.Increment)
		}
	}
	return queries, true
}

// setTo is the query that sets a node's position to that of another.
func setTo(p Position) string {
	last := p.Last
	if !p.Called {
		last = p.Start
	}
	return fill(setSQL, p.Name, "$last", strconv.FormatInt(last, 10), "$called", strconv.FormatBool(p.Called))
}
