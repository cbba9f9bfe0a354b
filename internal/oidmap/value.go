package oidmap

import "encoding/binary"

// PostgreSQL's own types whose binary values may hold numbers of users' types
// (pg_type.dat).
const (
	oidRecord      = 2249
	oidRecordArray = 2287
)

// maxDepth bounds how deep values are looked into; types cannot be nested without end, but
// what a peer sends can seem to be.
const maxDepth = 32

// Flags of a binary range (rangetypes.h).
const (
	rangeEmpty        = 0x01
	rangeLowerMissing = 0x08 | 0x20
	rangeUpperMissing = 0x10 | 0x40
)

// Holds reports whether the binary values of a type hold numbers of types, as far as is
// known: a type that has yet to be learnt may.
func (t *Translation) Holds(oid uint32) bool {
	kind, _ := t.kindOf(oid)
	return kind != Scalar
}

// kindOf says how values of a type of From are made.
func (t *Translation) kindOf(oid uint32) (kind Kind, sub uint32) {
	switch {
	case oid == oidRecord:
		return Composite, 0
	case oid == oidRecordArray:
		return Array, oidRecord
	case oid < First:
		return Scalar, 0
	}
	object := Object{Type, t.From, oid}
	kind, sub, known := t.Database.kind(object)
	if !known {
		t.Missing = append(t.Missing, object)
	}
	return kind, sub
}

// Value translates the numbers in a binary value in place. What is not as it should be is
// left for the server to complain of.
func (t *Translation) Value(oid uint32, value []byte) { t.value(oid, value, maxDepth) }

func (t *Translation) value(oid uint32, value []byte, depth int) {
	if depth == 0 {
		return
	}
	kind, sub := t.kindOf(oid)
	switch kind {
	case Array:
		t.array(value, depth-1)
	case Composite:
		t.composite(value, depth-1)
	case Domain:
		t.value(sub, value, depth-1)
	case Range:
		t.rangeOf(sub, value, depth-1)
	case MultiRange:
		t.items(sub, value, depth-1)
	}
}

// array: number of dimensions, flags, type of the elements; for each dimension its length
// and lower bound; the elements (array_send in arrayfuncs.c).
func (t *Translation) array(value []byte, depth int) {
	const header, dimension = 12, 8
	if len(value) < header {
		return
	}
	dimensions := binary.BigEndian.Uint32(value)
	element := binary.BigEndian.Uint32(value[8:])
	t.replace(Type, value[8:])
	if uint64(len(value)) < header+dimension*uint64(dimensions) {
		return
	}
	rest := value[header+dimension*dimensions:]
	for len(rest) > 0 {
		var item []byte
		if item, rest = next(rest); item != nil {
			t.value(element, item, depth)
		}
	}
}

// composite: number of fields; for each its type and value (record_send in rowtypes.c).
func (t *Translation) composite(value []byte, depth int) {
	if len(value) < 4 {
		return
	}
	rest := value[4:]
	for len(rest) >= 8 {
		oid := binary.BigEndian.Uint32(rest)
		t.replace(Type, rest)
		var item []byte
		if item, rest = next(rest[4:]); item != nil {
			t.value(oid, item, depth)
		}
	}
}

// rangeOf: flags, then the bounds that there are (range_send in rangetypes.c).
func (t *Translation) rangeOf(sub uint32, value []byte, depth int) {
	if len(value) == 0 || value[0]&rangeEmpty != 0 {
		return
	}
	rest := value[1:]
	for _, missing := range []byte{rangeLowerMissing, rangeUpperMissing} {
		if value[0]&missing != 0 {
			continue
		}
		var bound []byte
		if bound, rest = next(rest); bound != nil {
			t.value(sub, bound, depth)
		}
	}
}

// items: a number, and that many values (multirange_send in multirangetypes.c).
func (t *Translation) items(sub uint32, value []byte, depth int) {
	if len(value) < 4 {
		return
	}
	rest := value[4:]
	for len(rest) > 0 {
		var item []byte
		if item, rest = next(rest); item != nil {
			t.value(sub, item, depth)
		}
	}
}

// next cuts a length and that many bytes off; item is nil for null and for what is cut
// short, behind which there is nothing.
func next(b []byte) (item, rest []byte) {
	if len(b) < 4 {
		return nil, nil
	}
	length := int32(binary.BigEndian.Uint32(b))
	b = b[4:]
	switch {
	case length < 0:
		return nil, b
	case int(length) > len(b):
		return nil, nil
	}
	return b[:length:length], b[length:]
}

// Suspect reports whether a binary value of an unknown type may hold numbers of users'
// types: it begins like an array, a composite value, a range or a multirange that
// does.
func Suspect(value []byte) bool { return suspect(value, maxDepth) }

func suspect(value []byte, depth int) bool {
	if len(value) < 5 || depth == 0 {
		return false
	}
	return likeArray(value, depth-1) || likeComposite(value, depth-1) || likeRange(value, depth-1) || likeItems(value, depth-1)
}

func likeArray(value []byte, depth int) bool {
	const maxDimensions = 6 // MAXDIM in c.h
	if len(value) < 12 {
		return false
	}
	dimensions, flags, element := binary.BigEndian.Uint32(value), binary.BigEndian.Uint32(value[4:]), binary.BigEndian.Uint32(value[8:])
	if dimensions > maxDimensions || flags > 1 {
		return false
	}
	if element >= First {
		return true
	}
	return element == oidRecord && len(value) > int(12+8*dimensions) && anySuspect(value[12+8*dimensions:], depth)
}

func likeComposite(value []byte, depth int) bool {
	const maxFields = 1664 // MaxTupleAttributeNumber in htup_details.h
	fields := binary.BigEndian.Uint32(value)
	if fields == 0 || fields > maxFields || len(value) < 12 {
		return false
	}
	found := false
	rest := value[4:]
	for ; len(rest) >= 8 && fields > 0; fields-- {
		found = found || binary.BigEndian.Uint32(rest) >= First
		var item []byte
		if item, rest = next(rest[4:]); item != nil {
			found = found || suspect(item, depth)
		}
	}
	return found && fields == 0 && len(rest) == 0
}

func likeRange(value []byte, depth int) bool {
	if value[0] > 0x7f || value[0]&rangeEmpty != 0 {
		return false
	}
	return anySuspect(value[1:], depth)
}

func likeItems(value []byte, depth int) bool {
	count := binary.BigEndian.Uint32(value)
	return count > 0 && uint64(count)*4 <= uint64(len(value)) && anySuspect(value[4:], depth)
}

// anySuspect looks through values behind one another that end where the bytes do.
func anySuspect(rest []byte, depth int) bool {
	found := false
	for len(rest) >= 4 {
		length := int32(binary.BigEndian.Uint32(rest))
		if length > int32(len(rest)-4) {
			return false
		}
		var item []byte
		if item, rest = next(rest); item != nil {
			found = found || suspect(item, depth)
		}
	}
	return found && len(rest) == 0
}
