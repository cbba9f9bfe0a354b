package pgmock

import (
	"encoding/binary"
	"strings"
)

// Message frames a body as it should be.
func Message(kind byte, body []byte) []byte {
	return append(Header(kind, uint32(len(body)+4)), body...)
}

// Header is a kind and a length word, true or not.
func Header(kind byte, length uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{kind}, length)
}

// Ready is ReadyForQuery.
func Ready(status byte) []byte { return Message('Z', []byte{status}) }

// Complete is CommandComplete.
func Complete(tag string) []byte { return Message('C', append([]byte(tag), 0)) }

// Error is an ErrorResponse.
func Error(severity, code, message string) []byte {
	return Message('E', []byte("S"+severity+"\x00V"+severity+"\x00C"+code+"\x00M"+message+"\x00\x00"))
}

// Column is a RowDescription of one column of type text (OID 25).
func Column(name string) []byte {
	body := append([]byte{0, 1}, name...)
	body = append(body, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0)
	return Message('T', body)
}

// Row is a DataRow of one value.
func Row(value string) []byte {
	body := binary.BigEndian.AppendUint32([]byte{0, 1}, uint32(len(value)))
	return Message('D', append(body, value...))
}

// answerTo answers a simple query, statement by statement.
func answerTo(text string, status byte) ([]byte, byte) {
	var answer []byte
	for statement := range strings.SplitSeq(strings.Trim(text, "\x00; "), ";") {
		switch word, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(statement)), " "); word {
		case "BEGIN":
			answer, status = append(answer, Complete("BEGIN")...), 'T'
		case "COMMIT", "ROLLBACK", "ABORT":
			answer, status = append(answer, Complete(word)...), 'I'
		case "DISCARD":
			answer = append(answer, Complete("DISCARD ALL")...)
		default:
			answer = append(append(append(answer, Column("one")...), Row("1")...), Complete("SELECT 1")...)
		}
	}
	return append(answer, Ready(status)...), status
}
