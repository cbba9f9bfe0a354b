package catalog

import (
	"encoding/json"
	"fmt"
	"sync"
)

// Impact is what the relations of one name have to do with others, as far as the query
// cache asks: all relations of that name, in whatever schema, are meant.
type Impact struct {
	Exists bool
	// Reads are the names of all relations that are read with it, itself among them:
	// through views at any depth, partitions and tables that inherit from it.
	Reads []string
	// Writes are the names of those that may change when it is written: Reads, and the
	// tables whose foreign keys hand a change on, at any depth.
	Writes []string
	// Unknown: when it is written, more may happen than can be named: a trigger or a rule
	// fires, a function of the user's is called for a default, a check or a policy, or a
	// foreign table is written; or there is more to look at than the bounds allow.
	Unknown bool
}

// ImpactQuestion is a set of names whose Impact is to be known.
type ImpactQuestion struct{ Relations []Name }

// SQL is as Question.SQL.
func (q ImpactQuestion) SQL() string { return withNames(impactSQL, q.Relations) }

// maxImpactRow bounds a row of impactSQL: twice maxImpact names of up to 63 bytes in
// hexadecimal digits, with some room.
const maxImpactRow = 64 << 10

// impactRow is what impactSQL makes. Names are in hexadecimal digits.
type impactRow struct {
	Impact  int      `json:"impact"`
	Reads   []string `json:"reads"`
	Writes  []string `json:"writes"`
	Unknown bool     `json:"unknown"`
	More    bool     `json:"more"`
}

// Decode reads the rows that q.SQL brought. A name without a row does not exist.
func (q ImpactQuestion) Decode(rows []string) (map[Name]*Impact, error) {
	out := make(map[Name]*Impact, len(q.Relations))
	for _, n := range q.Relations {
		out[n] = &Impact{}
	}
	for _, text := range rows {
		name, impact, err := q.decodeRow(text)
		if err != nil {
			return nil, fmt.Errorf("catalogue impact: %w", err)
		}
		out[name] = impact
	}
	return out, nil
}

func (q ImpactQuestion) decodeRow(text string) (Name, *Impact, error) {
	var r impactRow
	if len(text) > maxImpactRow {
		return Name{}, nil, fmt.Errorf("a row of %d bytes, more than %d", len(text), maxImpactRow)
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return Name{}, nil, err
	}
	if r.Impact < 0 || r.Impact >= len(q.Relations) {
		return Name{}, nil, fmt.Errorf("a row is of name %d of %d", r.Impact, len(q.Relations))
	}
	reads, err := unhexAll(r.Reads)
	if err != nil {
		return Name{}, nil, err
	}
	writes, err := unhexAll(r.Writes)
	if err != nil {
		return Name{}, nil, err
	}
	return q.Relations[r.Impact], &Impact{Exists: true, Reads: reads, Writes: writes, Unknown: r.Unknown || r.More}, nil
}

// Impacts remembers the Impact of names in each database. Safe for concurrent use.
type Impacts struct {
	mu    sync.RWMutex // guards known
	known map[impactKey]*Impact
}

type impactKey struct {
	database   string
	name       Name
	generation uint64
}

// maxImpacts bounds how many are kept; when there are more, all are asked for again.
const maxImpacts = 10000

// NewImpacts returns an empty memory.
func NewImpacts() *Impacts { return &Impacts{known: map[impactKey]*Impact{}} }

// Get returns what is known of a name, as of a state of the catalogue that the caller
// numbers; nil for nothing.
func (m *Impacts) Get(database string, n Name, generation uint64) *Impact {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.known[impactKey{database, n, generation}]
}

// Keep remembers an answer.
func (m *Impacts) Keep(database string, generation uint64, impacts map[Name]*Impact) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.known)+len(impacts) > maxImpacts {
		clear(m.known)
	}
	for n, impact := range impacts {
		if n.storable() {
			m.known[impactKey{database, n, generation}] = impact
		}
	}
}
