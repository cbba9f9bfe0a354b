package wire

import "encoding/binary"

// HeaderSize is the length of what stands in front of a message's body.
const HeaderSize = headerSize

// CutFrame splits off the first of encoded messages; whole is false if there is not a
// whole one.
func CutFrame(messages []byte) (first Frame, rest []byte, whole bool) {
	if len(messages) < headerSize {
		return nil, nil, false
	}
	size := uint64(binary.BigEndian.Uint32(messages[1:])) + 1
	if size < headerSize || size > uint64(len(messages)) {
		return nil, nil, false
	}
	return Frame(messages[:size]), messages[size:], true
}
