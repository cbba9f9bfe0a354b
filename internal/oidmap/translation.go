package oidmap

import "encoding/binary"

// Translation leads from the numbers of one node to those of another. Not safe for
// concurrent use.
type Translation struct {
	Database *Database
	From, To Node
	// Missing is what no number was found for, of both directions that were tried. It
	// stays as it was.
	Missing []Object

	// was and is are the last object that was translated: columns come from one table.
	was Object
	is  uint32
}

// Same reports whether there is nothing to translate.
func (t *Translation) Same() bool { return t.From == t.To }

// Number is what To calls an object.
func (t *Translation) Number(class Class, oid uint32) uint32 {
	if oid < First || t.From == t.To {
		return oid
	}
	object := Object{class, t.From, oid}
	if object == t.was {
		return t.is
	}
	if number, ok := t.Database.Number(object, t.To); ok {
		t.was, t.is = object, number
		return number
	}
	t.Missing = append(t.Missing, object)
	return oid
}

// Types translates numbers of types in a copy, if there is anything to translate.
func (t *Translation) Types(types []uint32) []uint32 {
	if t.Same() || !Custom(types) {
		return types
	}
	out := make([]uint32, len(types))
	for i, oid := range types {
		out[i] = t.Number(Type, oid)
	}
	return out
}

// Custom reports whether there is a type among them that is not PostgreSQL's own.
func Custom(types []uint32) bool {
	for _, oid := range types {
		if oid >= First {
			return true
		}
	}
	return false
}

// replace translates the number at the beginning of b in place.
func (t *Translation) replace(class Class, b []byte) {
	oid := binary.BigEndian.Uint32(b)
	if number := t.Number(class, oid); number != oid {
		binary.BigEndian.PutUint32(b, number)
	}
}
