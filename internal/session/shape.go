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

// memoShapes is how many shapes a session's memories have places for, memoWays how many of these are for one; powers of 2.
const (
	memoShapes = 64
	memoWays   = 4
)

// shapePlace is a shape's place in such a memory: where it is, or else a free place, or else that which its address decides, in
// all sessions alike. at is who has a place.
func shapePlace(shape unsafe.Pointer, at func(place int) unsafe.Pointer) int {
	own := int(uintptr(shape) >> 6 % memoShapes)
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
