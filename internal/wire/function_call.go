package wire

import "encoding/binary"

// Functions that libpq's lo_creat and lo_create call (pg_proc.dat).
const (
	oidLoCreat  = 957
	oidLoCreate = 715
)

// CallsLargeObjectCreat reports whether a FunctionCall calls lo_creat, which chooses the
// number of the object itself.
func CallsLargeObjectCreat(body []byte) bool {
	return len(body) >= 4 && binary.BigEndian.Uint32(body) == oidLoCreat
}

// CallResult is the four-byte result of a FunctionCall as an Answer keeps it.
func CallResult(tags []byte) (value []byte, ok bool) {
	if len(tags) != 4+4+1 || binary.BigEndian.Uint32(tags) != 4 {
		return nil, false
	}
	return tags[4:8], true
}

// AppendLargeObjectCreate encodes the FunctionCall lo_create(oid), in binary.
func AppendLargeObjectCreate(dst []byte, oid []byte) []byte {
	dst, at := begin(dst, KindFunctionCall)
	dst = binary.BigEndian.AppendUint32(dst, oidLoCreate)
	dst = append(dst, 0, 1, 0, 1) // one format code: binary
	dst = append(dst, 0, 1, 0, 0, 0, 4)
	dst = append(dst, oid...)
	return finish(append(dst, 0, 1), at)
}
