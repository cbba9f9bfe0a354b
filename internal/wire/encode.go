package wire

import (
	"encoding/binary"

	"github.com/jackc/pgproto3/v2"
)

func appendString(dst []byte, s string) []byte { return append(append(dst, s...), 0) }

// begin starts a message; finish writes its length.
func begin(dst []byte, kind Kind) ([]byte, int) {
	return append(dst, kind, 0, 0, 0, 0), len(dst) + 1
}

func finish(dst []byte, lengthAt int) []byte {
	binary.BigEndian.PutUint32(dst[lengthAt:], uint32(len(dst)-lengthAt))
	return dst
}

// AppendMessage encodes a message of any kind.
func AppendMessage(dst []byte, kind Kind, body []byte) []byte {
	dst, at := begin(dst, kind)
	return finish(append(dst, body...), at)
}

// AppendReady encodes ReadyForQuery.
func AppendReady(dst []byte, status TxStatus) []byte {
	return append(dst, KindReadyForQuery, 0, 0, 0, 5, status)
}

// AppendQuery encodes a Query; the text is given in parts, which are joined.
func AppendQuery(dst []byte, parts ...string) []byte {
	dst, at := begin(dst, KindQuery)
	for _, part := range parts {
		dst = append(dst, part...)
	}
	return finish(append(dst, 0), at)
}

// AppendQueryOf encodes a Query whose text write appends.
func AppendQueryOf(dst []byte, write func(dst []byte) []byte) []byte {
	dst, at := begin(dst, KindQuery)
	return finish(append(write(dst), 0), at)
}

// AppendBindTexts encodes a Bind of count parameters in text to the unnamed portal, whose result
// is text too.
func AppendBindTexts(dst []byte, statement string, count int, parameter func(i int) string) []byte {
	dst, at := begin(dst, KindBind)
	dst = appendString(append(dst, 0), statement)
	dst = binary.BigEndian.AppendUint16(append(dst, 0, 0), uint16(count))
	for i := range count {
		value := parameter(i)
		dst = append(binary.BigEndian.AppendUint32(dst, uint32(len(value))), value...)
	}
	return finish(append(dst, 0, 0), at)
}

// AppendBindIntegers encodes a Bind of int8 parameters, in binary, to the unnamed portal, whose
// result is text.
func AppendBindIntegers(dst []byte, statement string, values []int64) []byte {
	dst, at := begin(dst, KindBind)
	dst = appendString(append(dst, 0), statement)
	dst = append(dst, 0, 1, 0, 1) // one format for all: binary
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(values)))
	for _, value := range values {
		dst = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(dst, 8), uint64(value))
	}
	return finish(append(dst, 0, 0), at)
}

// AppendParse encodes a Parse.
func AppendParse(dst []byte, name, query string, types []uint32) []byte {
	dst, at := begin(dst, KindParse)
	dst = appendString(appendString(dst, name), query)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(types)))
	for _, oid := range types {
		dst = binary.BigEndian.AppendUint32(dst, oid)
	}
	return finish(dst, at)
}

// AppendBindPlain encodes a Bind without parameters and with text results.
func AppendBindPlain(dst []byte, portal, statement string) []byte {
	dst, at := begin(dst, KindBind)
	dst = appendString(appendString(dst, portal), statement)
	return finish(append(dst, 0, 0, 0, 0, 0, 0), at)
}

// AppendExecute encodes an Execute without a row limit.
func AppendExecute(dst []byte, portal string) []byte {
	dst, at := begin(dst, KindExecute)
	return finish(append(appendString(dst, portal), 0, 0, 0, 0), at)
}

// AppendDescribe encodes a Describe of a statement ('S') or portal ('P').
func AppendDescribe(dst []byte, what byte, name string) []byte {
	dst, at := begin(dst, KindDescribe)
	return finish(appendString(append(dst, what), name), at)
}

// AppendClose encodes a Close of a statement ('S') or portal ('P').
func AppendClose(dst []byte, what byte, name string) []byte {
	dst, at := begin(dst, KindClose)
	return finish(appendString(append(dst, what), name), at)
}

// AppendSync encodes a Sync.
func AppendSync(dst []byte) []byte { return append(dst, KindSync, 0, 0, 0, 4) }

// AppendFlush encodes a Flush.
func AppendFlush(dst []byte) []byte { return append(dst, KindFlush, 0, 0, 0, 4) }

// AppendTerminate encodes a Terminate.
func AppendTerminate(dst []byte) []byte { return append(dst, KindTerminate, 0, 0, 0, 4) }

// AppendEmpty encodes one of the messages that have no body.
func AppendEmpty(dst []byte, kind Kind) []byte { return append(dst, kind, 0, 0, 0, 4) }

// AppendCommandComplete encodes CommandComplete.
func AppendCommandComplete(dst []byte, tag string) []byte {
	dst, at := begin(dst, KindCommandComplete)
	return finish(appendString(dst, tag), at)
}

// AppendParameterStatus encodes ParameterStatus.
func AppendParameterStatus(dst []byte, name, value string) []byte {
	dst, at := begin(dst, KindParameterStatus)
	return finish(appendString(appendString(dst, name), value), at)
}

// AppendKeyData encodes BackendKeyData; the secret has 4 bytes in protocol 3.0.
func AppendKeyData(dst []byte, pid uint32, secret []byte) []byte {
	dst, at := begin(dst, KindBackendKeyData)
	return finish(append(binary.BigEndian.AppendUint32(dst, pid), secret...), at)
}

// AppendNegotiate encodes NegotiateProtocolVersion.
func AppendNegotiate(dst []byte, version uint32, unknown []string) []byte {
	dst, at := begin(dst, KindNegotiateProtocolVersion)
	dst = binary.BigEndian.AppendUint32(dst, version)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(unknown)))
	for _, name := range unknown {
		dst = appendString(dst, name)
	}
	return finish(dst, at)
}

// textOID is the type of every column that we make ourselves.
const textOID = 25

// AppendTextColumns encodes a RowDescription of text columns.
func AppendTextColumns(dst []byte, names ...string) []byte {
	fields := make([]pgproto3.FieldDescription, len(names))
	for i, name := range names {
		fields[i] = pgproto3.FieldDescription{Name: []byte(name), DataTypeOID: textOID, DataTypeSize: -1, TypeModifier: -1}
	}
	return appendOwn(dst, &pgproto3.RowDescription{Fields: fields})
}

// AppendTextRow encodes a DataRow of text values.
func AppendTextRow(dst []byte, values ...string) []byte {
	row := pgproto3.DataRow{Values: make([][]byte, len(values))}
	for i, value := range values {
		row.Values[i] = []byte(value)
	}
	return appendOwn(dst, &row)
}

// appendOwn encodes a message of our own making. The library's only error is a
// message of more than MaxMessage bytes, which ours never are; it would be left out.
func appendOwn(dst []byte, m pgproto3.BackendMessage) []byte {
	out, err := m.Encode(dst)
	if err != nil {
		return dst
	}
	return out
}
