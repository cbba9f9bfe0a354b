package session

import (
	"testing"
	"unsafe"
)

func TestShapePlace(t *testing.T) {
	t.Parallel()
	var room [1024]byte // of some addresses
	address := func(n int) unsafe.Pointer { return unsafe.Pointer(&room[n]) }
	var places [memoShapes]unsafe.Pointer
	at := func(place int) unsafe.Pointer { return places[place] }
	put := func(shape unsafe.Pointer) int {
		place := shapePlace(shape, memoShapes, at)
		places[place] = shape
		return place
	}
	// All of these have one place that is their own.
	first := 64 - int(uintptr(address(0))%64)
	taken := map[int]bool{}
	for n := range memoWays {
		taken[put(address(first+n))] = true
	}
	if len(taken) != memoWays {
		t.Errorf("%d shapes are at the places %v", memoWays, taken)
	}
	for n := range memoWays {
		if place := shapePlace(address(first+n), memoShapes, at); places[place] != address(first+n) {
			t.Errorf("shape %d is not found", n)
		}
	}
	own := put(address(first + memoWays))
	if want := int(uintptr(address(first)) >> 6 % memoShapes); own != want || places[own] != address(first+memoWays) {
		t.Errorf("a shape more takes place %d, want its own, %d", own, want)
	}
}

func TestShapeMemoGrows(t *testing.T) {
	t.Parallel()
	var room [64 * memoShapes]byte
	m := newShapeMemo[int]()
	for n := range memoShapes / 2 {
		m.keep(unsafe.Pointer(&room[64*n]), n)
		for before := range n + 1 {
			if got := m.find(unsafe.Pointer(&room[64*before])); got == nil || *got != before {
				t.Fatalf("with %d shapes, number %d is %v", n+1, before, got)
			}
		}
	}
	if m.find(unsafe.Pointer(&room[1])) != nil || len(m.places) != memoShapes {
		t.Errorf("%d places", len(m.places))
	}
}
