package protocol

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// message is one message of the frontend, with a name for the reports of tests.
type message struct {
	text  string
	bytes []byte
}

func (m message) String() string { return m.text }

// encode frames a body.
func encode(kind byte, text string, body []byte) message {
	b := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))
	return message{text: text, bytes: append(b, body...)}
}

// zero appends a zero-terminated string.
func zero(b []byte, s string) []byte { return append(append(b, s...), 0) }

func short(b []byte, n int) []byte { return binary.BigEndian.AppendUint16(b, uint16(n)) }

func long(b []byte, n int) []byte { return binary.BigEndian.AppendUint32(b, uint32(n)) }

func query(sql string) message {
	return encode('Q', "Query("+sql+")", zero(nil, sql))
}

func parse(name, sql string, types ...int) message {
	b := short(zero(zero(nil, name), sql), len(types))
	for _, oid := range types {
		b = long(b, oid)
	}
	return encode('P', fmt.Sprintf("Parse(%q, %s)", name, sql), b)
}

// null is a parameter that is NULL.
const null = "\x00null"

// bind binds text parameters and asks for text results.
func bind(portal, statement string, params ...string) message {
	return bindFormats(portal, statement, nil, params, nil)
}

func bindFormats(portal, statement string, formats []int, params []string, results []int) message {
	b := short(zero(zero(nil, portal), statement), len(formats))
	for _, f := range formats {
		b = short(b, f)
	}
	b = short(b, len(params))
	for _, p := range params {
		if p == null {
			b = long(b, -1)
			continue
		}
		b = append(long(b, len(p)), p...)
	}
	b = short(b, len(results))
	for _, f := range results {
		b = short(b, f)
	}
	return encode('B', fmt.Sprintf("Bind(%q, %q, %q)", portal, statement, params), b)
}

func describeStatement(name string) message { return targeted('D', "Describe", 'S', name) }

func describePortal(name string) message { return targeted('D', "Describe", 'P', name) }

func closeStatement(name string) message { return targeted('C', "Close", 'S', name) }

func closePortal(name string) message { return targeted('C', "Close", 'P', name) }

func targeted(kind byte, text string, what byte, name string) message {
	return encode(kind, fmt.Sprintf("%s(%c %q)", text, what, name), zero([]byte{what}, name))
}

// execute runs a portal for at most rows rows; 0 is all.
func execute(portal string, rows int) message {
	return encode('E', fmt.Sprintf("Execute(%q, %d)", portal, rows), long(zero(nil, portal), rows))
}

// run is what drivers send for a statement: parse, bind, describe, execute.
func run(sql string, params ...string) []message {
	return []message{parse("", sql), bind("", "", params...), describePortal(""), execute("", 0)}
}

// syncUp is a Sync.
func syncUp() message { return encode('S', "Sync", nil) }

func flush() message { return encode('H', "Flush", nil) }

func terminate() message { return encode('X', "Terminate", nil) }

func copyData(text string) message {
	return encode('d', fmt.Sprintf("CopyData(%q)", text), []byte(text))
}

func copyDone() message { return encode('c', "CopyDone", nil) }

func copyFail(reason string) message {
	return encode('f', "CopyFail("+reason+")", zero(nil, reason))
}

// call calls a function by its OID with text arguments and asks for a text result.
func call(oid int, args ...string) message {
	b := short(short(long(nil, oid), 1), 0)
	b = short(b, len(args))
	for _, arg := range args {
		b = append(long(b, len(arg)), arg...)
	}
	return encode('F', fmt.Sprintf("FunctionCall(%d, %q)", oid, args), short(b, 0))
}

// all puts messages and lists of messages into one list.
func all(parts ...any) []message {
	var list []message
	for _, part := range parts {
		switch part := part.(type) {
		case message:
			list = append(list, part)
		case []message:
			list = append(list, part...)
		default:
			panic(fmt.Sprintf("all: %T", part))
		}
	}
	return list
}

// itoa is short for what messages are made of.
func itoa(n int) string { return strconv.Itoa(n) }

func join(messages []message) []byte {
	var b []byte
	for _, m := range messages {
		b = append(b, m.bytes...)
	}
	return b
}

func texts(messages []message) string {
	list := make([]string, len(messages))
	for i, m := range messages {
		list[i] = m.text
	}
	return strings.Join(list, " ")
}

// protocol30 is version 3.0 as a start-up packet gives it.
const protocol30 = 3 << 16

// startup is a start-up packet, or another packet without a kind: a version or
// request code and names with values.
func startup(version int, params ...string) []byte {
	b := long(long(nil, 0), version)
	for _, p := range params {
		b = zero(b, p)
	}
	b = append(b, 0)
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}

// packet is a packet without a kind.
func packet(code int, rest ...byte) []byte {
	b := long(long(nil, 8+len(rest)), code)
	return append(b, rest...)
}

// Request codes (protocol chapter 55.7).
const (
	codeCancel = 80877102
	codeSSL    = 80877103
	codeGSSENC = 80877104
)
