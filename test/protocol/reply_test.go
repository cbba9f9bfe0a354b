package protocol

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sort"
	"strings"
)

// reply is one message of the server.
type reply struct {
	kind byte
	body []byte
}

// kindNames are the server's messages by kind (protocol chapter 55.7).
var kindNames = map[byte]string{
	'R': "Authentication", 'K': "BackendKeyData", '2': "BindComplete", '3': "CloseComplete",
	'C': "CommandComplete", 'G': "CopyInResponse", 'H': "CopyOutResponse", 'D': "DataRow",
	'd': "CopyData", 'c': "CopyDone", 'I': "EmptyQueryResponse", 'E': "Error",
	'V': "FunctionCallResponse", 'v': "NegotiateProtocolVersion", 'n': "NoData", 'N': "Notice",
	'A': "Notification", 't': "ParameterDescription", 'S': "ParameterStatus", '1': "ParseComplete",
	's': "PortalSuspended", 'Z': "Ready", 'T': "RowDescription",
}

// String is the reply without what differs from run to run: process numbers, and
// where in its source the server found an error.
func (r reply) String() string {
	name, ok := kindNames[r.kind]
	if !ok {
		name = fmt.Sprintf("kind %q", r.kind)
	}
	switch r.kind {
	case 'E', 'N':
		return name + "(" + r.fields() + ")"
	case 'A':
		return fmt.Sprintf("%s(%q)", name, r.body[4:])
	case 'C', 'S', 'd', 'Z':
		return fmt.Sprintf("%s(%s)", name, strings.ReplaceAll(string(bytes.TrimRight(r.body, "\x00")), "\x00", "="))
	case 'D':
		return name + "(" + strings.Join(r.values(), ", ") + ")"
	case 'T':
		return name + "(" + strings.Join(r.columns(), ", ") + ")"
	case 'K':
		return name
	}
	if len(r.body) == 0 {
		return name
	}
	return fmt.Sprintf("%s(%x)", name, r.body)
}

// fields are the fields of an error or a notice but for the place in the source.
func (r reply) fields() string {
	var shown []string
	for _, field := range bytes.Split(bytes.TrimRight(r.body, "\x00"), []byte{0}) {
		if len(field) > 0 && strings.IndexByte("FLR", field[0]) < 0 {
			shown = append(shown, string(field))
		}
	}
	sort.Strings(shown)
	return strings.Join(shown, "|")
}

// field is one field of an error or a notice.
func (r reply) field(code byte) string {
	for _, field := range bytes.Split(bytes.TrimRight(r.body, "\x00"), []byte{0}) {
		if len(field) > 0 && field[0] == code {
			return string(field[1:])
		}
	}
	return ""
}

// values are the columns of a row.
func (r reply) values() []string {
	b := r.body[2:]
	var values []string
	for len(b) >= 4 {
		n := int32(binary.BigEndian.Uint32(b))
		b = b[4:]
		if n < 0 {
			values = append(values, "NULL")
			continue
		}
		values = append(values, fmt.Sprintf("%q", b[:n]))
		b = b[n:]
	}
	return values
}

// columns are a row description's names, types and formats. Of a table's OID only
// whether there is one is kept: it depends on what the server did before.
func (r reply) columns() []string {
	b := r.body[2:]
	var columns []string
	for len(b) > 0 {
		end := bytes.IndexByte(b, 0)
		name, rest := b[:end], b[end+1:]
		table := binary.BigEndian.Uint32(rest) != 0
		columns = append(columns, fmt.Sprintf("%s %x table=%t", name, rest[4:18], table))
		b = rest[18:]
	}
	return columns
}

func renderings(replies []reply) []string {
	list := make([]string, len(replies))
	for i, r := range replies {
		list[i] = r.String()
	}
	return list
}
