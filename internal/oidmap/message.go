package oidmap

import (
	"bytes"
	"encoding/binary"
)

// fixed is what follows a column's name: table, place, type, size, modifier, format.
const fixed = 4 + 2 + 4 + 2 + 4 + 2

// EachColumn shows the fixed part of every column of a RowDescription's body.
func EachColumn(body []byte, use func(fixed []byte)) {
	if len(body) < 2 {
		return
	}
	count := binary.BigEndian.Uint16(body)
	rest := body[2:]
	for range count {
		end := bytes.IndexByte(rest, 0)
		if end < 0 || len(rest) < end+1+fixed {
			return
		}
		use(rest[end+1 : end+1+fixed])
		rest = rest[end+1+fixed:]
	}
}

// ColumnTypes are the types in a RowDescription: known itself, if it has the same, as it
// nearly always has where a result is described again and again.
func ColumnTypes(body []byte, known []uint32) []uint32 {
	same, count := true, 0
	EachColumn(body, func(fixed []byte) {
		same = same && count < len(known) && known[count] == columnType(fixed)
		count++
	})
	if same && count == len(known) {
		return known
	}
	types := make([]uint32, 0, count)
	EachColumn(body, func(fixed []byte) { types = append(types, columnType(fixed)) })
	return types
}

func columnType(fixed []byte) uint32 { return binary.BigEndian.Uint32(fixed[6:]) }

// RowDescription translates a RowDescription in place: its types by t, its tables by
// tables.
func (t *Translation) RowDescription(body []byte, tables *Translation) {
	EachColumn(body, func(fixed []byte) {
		tables.replace(Relation, fixed)
		t.replace(Type, fixed[6:])
	})
}

// ParameterTypes are the types in a ParameterDescription.
func ParameterTypes(body []byte) []uint32 {
	if len(body) < 2 {
		return nil
	}
	var types []uint32
	for rest := body[2:]; len(rest) >= 4; rest = rest[4:] {
		types = append(types, binary.BigEndian.Uint32(rest))
	}
	return types
}

// ParameterDescription translates a ParameterDescription in place.
func (t *Translation) ParameterDescription(body []byte) {
	if len(body) < 2 {
		return
	}
	for rest := body[2:]; len(rest) >= 4; rest = rest[4:] {
		t.replace(Type, rest)
	}
}

// FunctionCall translates the number of the function in place.
func (t *Translation) FunctionCall(body []byte) {
	if len(body) >= 4 {
		t.replace(Function, body)
	}
}

// Row translates a DataRow in place. Types are those of its columns, 0 for what is to be
// left alone.
func (t *Translation) Row(types []uint32, body []byte) {
	if len(body) < 2 {
		return
	}
	rest := body[2:]
	for _, oid := range types {
		var value []byte
		if value, rest = next(rest); value != nil && oid != 0 {
			t.Value(oid, value)
		}
	}
}

// EachBinary shows the binary parameters of a Bind's body that are not null.
func EachBinary(body []byte, use func(i int, value []byte)) {
	formats, rest := bindFormats(body)
	if bytes.IndexByte(formats, 1) < 0 || len(rest) < 2 {
		return
	}
	count := int(binary.BigEndian.Uint16(rest))
	rest = rest[2:]
	for i := range count {
		var value []byte
		if len(rest) < 4 {
			return
		}
		if value, rest = next(rest); value != nil && isBinary(formats, i) {
			use(i, value)
		}
	}
}

// BinaryResults are the format codes that a Bind's body asks its result in; nil if all of
// it is text.
func BinaryResults(body []byte) []byte {
	_, rest := bindFormats(body)
	if len(rest) < 2 {
		return nil
	}
	count := int(binary.BigEndian.Uint16(rest))
	rest = rest[2:]
	for range count {
		if len(rest) < 4 {
			return nil
		}
		_, rest = next(rest)
	}
	if len(rest) < 2 || bytes.IndexByte(rest[2:], 1) < 0 {
		return nil
	}
	return bytes.Clone(rest[2:])
}

// bindFormats cuts a Bind's body at its parameter formats.
func bindFormats(body []byte) (formats, rest []byte) {
	for range 2 { // portal and statement
		end := bytes.IndexByte(body, 0)
		if end < 0 {
			return nil, nil
		}
		body = body[end+1:]
	}
	if len(body) < 2 {
		return nil, nil
	}
	size := 2 * int(binary.BigEndian.Uint16(body))
	if len(body) < 2+size {
		return nil, nil
	}
	return body[2 : 2+size : 2+size], body[2+size:]
}

// isBinary: none given means text for all, one given means that one for all.
func isBinary(formats []byte, i int) bool {
	switch {
	case len(formats) == 2:
		i = 0
	case len(formats) < 2*(i+1):
		return false
	}
	return formats[2*i+1] == 1
}
