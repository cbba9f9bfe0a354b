package session

import (
	"unsafe"

	"github.com/pgchorus/pgchorus/parser"
)

// shapeOf is an address that all texts of one shape share. A statement that asks for the
// time is copied for each text, since the places differ; its targets are not.
func shapeOf(stmt *parser.Statement) unsafe.Pointer {
	if len(stmt.Targets) > 0 {
		return unsafe.Pointer(unsafe.SliceData(stmt.Targets))
	}
	return unsafe.Pointer(stmt)
}

// memoShapes is how many shapes a session's memories have places for, fewShapes for how many there is room until one would
// lose its place, and memoWays how many of these are for one; powers of 2.
const (
	memoShapes = 64
	fewShapes  = 8
	memoWays   = 4
)

// shapePlace is a shape's place in such a memory: where it is, or else a free place, or else that which its address decides, in
// all sessions alike. at is who has a place.
func shapePlace(shape unsafe.Pointer, places int, at func(place int) unsafe.Pointer) int {
	own := int(uintptr(shape)>>6) & (places - 1)
	if at(own) == shape || at(own) == nil {
		return own
	}
	first, free := own&^(memoWays-1), own
	for place := first; place < first+memoWays; place++ {
		switch at(place) {
		case shape:
			return place
		case nil:
			free = place
		}
	}
	return free
}

// shapeMemo remembers something of each of the last shapes; holding a shape keeps its address from being another one's.
// Most sessions have few, so it begins small.
type shapeMemo[T any] struct {
	places []remembered[T]
}

type remembered[T any] struct {
	shape unsafe.Pointer
	what  T
}

// find is what is remembered of a shape; nil for nothing.
func (m *shapeMemo[T]) find(shape unsafe.Pointer) *T {
	if m == nil {
		return nil
	}
	if p := &m.places[m.place(shape)]; p.shape == shape {
		return &p.what
	}
	return nil
}

// keep remembers it.
func (m *shapeMemo[T]) keep(shape unsafe.Pointer, what T) *T {
	place := m.place(shape)
	if other := m.places[place].shape; other != nil && other != shape && len(m.places) < memoShapes {
		m.grow()
		place = m.place(shape)
	}
	m.places[place] = remembered[T]{shape, what}
	return &m.places[place].what
}

func newShapeMemo[T any]() *shapeMemo[T] {
	return &shapeMemo[T]{places: make([]remembered[T], fewShapes)}
}

func (m *shapeMemo[T]) place(shape unsafe.Pointer) int {
	return shapePlace(shape, len(m.places), func(place int) unsafe.Pointer { return m.places[place].shape })
}

// grow makes room for all shapes. Those that were neighbours are at most as many as before, so that none is lost.
func (m *shapeMemo[T]) grow() {
	few := m.places
	m.places = make([]remembered[T], memoShapes)
	for _, p := range few {
		if p.shape != nil {
			m.places[m.place(p.shape)] = p
		}
	}
}
