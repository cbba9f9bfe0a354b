package wire

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// RenameStatement gives the Bind, or the Describe of a statement, that stands in b from an
// offset to its end another statement name. A message that does not decode stays as it is: the
// server says what is wrong with it.
func RenameStatement(b []byte, from int, name string) []byte {
	const header = 5
	at := from + header
	if len(b) <= at {
		return b
	}
	if b[from] == KindBind {
		portal := bytes.IndexByte(b[at:], 0)
		if portal < 0 {
			return b
		}
		at += portal
	}
	at++ // behind the portal's name, or the 'S'
	length := bytes.IndexByte(b[at:], 0)
	if length < 0 {
		return b
	}
	b = slices.Replace(b, at, at+length, []byte(name)...)
	binary.BigEndian.PutUint32(b[from+1:], uint32(len(b)-from-1))
	return b
}
