package follow

import (
	"bytes"
	"strconv"
)

// kind is what a line of test_decoding tells.
type kind uint8

const (
	kindOther kind = iota // nothing that matters here
	kindBegin
	kindCommit
	kindChange // of rows, or TRUNCATE
	kindMessage
)

// line is one message of the plugin test_decoding (contrib/test_decoding), as far as it
// matters here. What it points to belongs to the bytes that it was read from.
type line struct {
	kind kind
	xid  uint32 // of COMMIT
	// rest is what follows the names of a change, or the whole of a message.
	rest []byte
	// head is the part of a change in front of rest, by which changes of one relation are
	// told to be of the same.
	head []byte
}

var (
	beginWord   = []byte("BEGIN")
	commitWord  = []byte("COMMIT ")
	tableWord   = []byte("table ")
	messageWord = []byte("message: transactional: 1 prefix: " + prefix + ", ")
	definition  = []byte(" content:" + definitionMark)
)

// readLine finds out what a line tells. ok is false if it is none that test_decoding writes.
func readLine(b []byte) (l line, ok bool) {
	switch {
	case bytes.HasPrefix(b, tableWord):
		end := namesEnd(b[len(tableWord):])
		if end < 0 {
			return line{kind: kindChange}, true // names that cannot be told
		}
		end += len(tableWord)
		return line{kind: kindChange, head: b[:end], rest: b[end:]}, true
	case bytes.HasPrefix(b, commitWord):
		xid, err := strconv.ParseUint(string(b[len(commitWord):]), 10, 32)
		return line{kind: kindCommit, xid: uint32(xid)}, err == nil
	case bytes.HasPrefix(b, beginWord):
		return line{kind: kindBegin}, true
	case bytes.HasPrefix(b, messageWord):
		return line{kind: kindMessage, rest: b[len(messageWord):]}, true
	}
	return line{}, bytes.HasPrefix(b, []byte("message: "))
}

// tellsDefinition reports whether a message is the event trigger's.
func (l line) tellsDefinition() bool { return bytes.HasSuffix(l.rest, definition) }

// namesEnd is where the list of names ends, which a colon and a space follow; -1 if it does
// not end.
func namesEnd(b []byte) int {
	quoted := false
	for i, c := range b {
		switch {
		case c == '"':
			quoted = !quoted // a doubled one changes nothing
		case c == ':' && !quoted:
			return i
		}
	}
	return -1
}

// name is a relation in a change, as the catalogue has it.
type name struct{ schema, relation string }

// names are the relations of a change: several of TRUNCATE, one otherwise. It is false if
// they cannot be told.
func (l line) names() (names []name, ok bool) {
	rest := l.head[min(len(tableWord), len(l.head)):]
	for len(rest) > 0 {
		var n name
		var dot, end byte
		n.schema, dot, rest = identifier(rest)
		n.relation, end, rest = identifier(rest)
		if dot != '.' || n.schema == "" || n.relation == "" || end != 0 && end != ',' {
			return nil, false
		}
		names = append(names, n)
		rest = bytes.TrimPrefix(rest, []byte(" "))
	}
	return names, len(names) > 0
}

// identifier takes an identifier and the byte behind it, 0 at the end, from b
// (quote_identifier in ruleutils.c).
func identifier(b []byte) (id string, end byte, rest []byte) {
	if len(b) == 0 || b[0] != '"' {
		for i, c := range b {
			if c == '.' || c == ',' {
				return string(b[:i]), c, b[i+1:]
			}
		}
		return string(b), 0, nil
	}
	var out []byte
	for i := 1; i < len(b); i++ {
		switch {
		case b[i] != '"':
			out = append(out, b[i])
		case i+1 < len(b) && b[i+1] == '"':
			out = append(out, '"')
			i++
		case i+1 < len(b):
			return string(out), b[i+1], b[i+2:]
		default:
			return string(out), 0, nil
		}
	}
	return "", '"', nil // it does not end
}
