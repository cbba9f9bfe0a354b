package verify

import "sync"

// Progress is how far a comparison has come in one database.
type Progress struct {
	Database    string
	Tables      int // compared
	TablesTotal int
	Bytes       int64 // read of main's tables
	BytesTotal  int64
}

// meter adds up what several workers have done. Safe for concurrent use.
type meter struct {
	tell func(Progress) // nil: nobody is interested

	mu  sync.Mutex // guards now, and keeps calls of tell apart
	now Progress
}

func newMeter(tell func(Progress)) *meter { return &meter{tell: tell} }

// start begins a database.
func (m *meter) start(database string, tables []table) {
	next := Progress{Database: database, TablesTotal: len(tables)}
	for _, t := range tables {
		next.BytesTotal += t.bytes
	}
	m.change(func(now *Progress) { *now = next })
}

func (m *meter) add(bytes int64) { m.change(func(now *Progress) { now.Bytes += bytes }) }

func (m *meter) finished() { m.change(func(now *Progress) { now.Tables++ }) }

func (m *meter) change(do func(*Progress)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	do(&m.now)
	if m.tell != nil {
		m.tell(m.now)
	}
}
