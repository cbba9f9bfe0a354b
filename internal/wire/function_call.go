package wire

import "encoding/binary"

// Functions that have a large object made (pg_proc.dat): by the number in their first
// argument, or by one of their own choice.
const (
	oidLoCreat     = 957
	oidLoCreate    = 715
	oidLoFromBytea = 3457
)

// CalledFunction is the function that a FunctionCall calls, by its OID.
func CalledFunction(body []byte) (oid uint32, ok bool) {
	if len(body) < 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(body), true
}

// functionCall is what a FunctionCall holds (protocol chapter 55.7), as far as it was
// read.
type functionCall struct {
	oid     uint32
	formats []byte // two bytes each
	args    []byte // as they stand in the message
	first   []byte // the first one, without its length; nil for NULL or none
	result  []byte
	count   int
}

// decodeFunctionCall takes a call apart; ok is false for one that is not well formed,
// which is the server's to refuse.
func decodeFunctionCall(body []byte) (c functionCall, ok bool) {
	if len(body) < 6 {
		return c, false
	}
	c.oid = binary.BigEndian.Uint32(body)
	formats := int(binary.BigEndian.Uint16(body[4:]))
	at := 6 + 2*formats
	if at+2 > len(body) {
		return c, false
	}
	c.formats, c.count = body[6:at], int(binary.BigEndian.Uint16(body[at:]))
	at += 2
	start := at
	for i := range c.count {
		if at+4 > len(body) {
			return c, false
		}
		size := int(int32(binary.BigEndian.Uint32(body[at:])))
		at += 4
		if size < 0 {
			continue
		}
		if size > len(body)-at {
			return c, false
		}
		if i == 0 {
			c.first = body[at : at+size]
		}
		at += size
	}
	c.args, c.result = body[start:at], body[at:]
	return c, len(c.result) == 2
}

// CreatesLargeObject reports whether a FunctionCall has a large object made whose number
// the server chooses.
func CreatesLargeObject(body []byte) bool {
	c, ok := decodeFunctionCall(body)
	if !ok {
		return false
	}
	switch c.oid {
	case oidLoCreat:
		return true
	case oidLoCreate, oidLoFromBytea:
		return isZero(c)
	}
	return false
}

// isZero: the first argument is 0, in the format that it has.
func isZero(c functionCall) bool {
	if len(c.first) == 4 && len(c.formats) >= 2 && c.formats[1] == 1 {
		return binary.BigEndian.Uint32(c.first) == 0
	}
	return string(c.first) == "0"
}

// CallResult is the four-byte result of a FunctionCall as an Answer keeps it.
func CallResult(tags []byte) (value []byte, ok bool) {
	if len(tags) != 4+4+1 || binary.BigEndian.Uint32(tags) != 4 {
		return nil, false
	}
	return tags[4:8], true
}

// AppendLargeObject encodes the FunctionCall body anew so that the object gets the number
// oid: lo_creat becomes lo_create(oid), the others are given oid for the 0 that was
// their first argument.
func AppendLargeObject(dst, body, oid []byte) []byte {
	c, ok := decodeFunctionCall(body)
	if !ok {
		return dst
	}
	dst, at := begin(dst, KindFunctionCall)
	count, rest := c.count, c.args
	if c.oid == oidLoCreat {
		c.oid, count, rest = oidLoCreate, 1, nil
	} else {
		rest = rest[4+len(c.first):]
	}
	dst = binary.BigEndian.AppendUint32(dst, c.oid)
	dst = binary.BigEndian.AppendUint16(dst, uint16(count))
	for i := range count {
		dst = binary.BigEndian.AppendUint16(dst, c.format(i))
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(count))
	dst = append(dst, 0, 0, 0, 4)
	dst = append(dst, oid...)
	dst = append(dst, rest...)
	return finish(append(dst, c.result...), at)
}

// format is that of an argument; the first one is given in binary.
func (c functionCall) format(i int) uint16 {
	switch {
	case i == 0:
		return 1
	case len(c.formats) == 2:
		return binary.BigEndian.Uint16(c.formats)
	case len(c.formats) >= 2*(i+1):
		return binary.BigEndian.Uint16(c.formats[2*i:])
	}
	return 0
}
