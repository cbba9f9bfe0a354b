package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Errors for a message whose body does not fit its kind, in PostgreSQL's words
// (pqformat.c).
var (
	ErrMalformed = errors.New("invalid message format")
	errNoString  = errors.New("invalid string in message")
	errShort     = errors.New("insufficient data left in message")
	errNothing   = errors.New("no data left in message")
)

// ParseMessage is a Parse: create a prepared statement.
type ParseMessage struct {
	Name  string
	Query string
	Types []uint32 // 0 for a type that the server shall find out
}

// BindMessage is a Bind: create a portal. The parameters are slices of the frame.
type BindMessage struct {
	Portal, Statement string
	Formats           []uint16
	Params            [][]byte // nil for NULL
	results           []byte   // result formats, undecoded
}

// cursor reads a body from the front; why is set once something is missing.
type cursor struct {
	b   []byte
	why error
}

func (c *cursor) fail(why error) {
	if c.why == nil {
		c.why = why
	}
	c.b = nil
}

func (c *cursor) bytes(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.fail(errShort)
		return nil
	}
	out := c.b[:n:n]
	c.b = c.b[n:]
	return out
}

func (c *cursor) byte() byte {
	if len(c.b) == 0 {
		c.fail(errNothing)
		return 0
	}
	return c.bytes(1)[0]
}

func (c *cursor) uint16() uint16 {
	if b := c.bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) uint32() uint32 {
	if b := c.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) string() string { return string(c.text()) }

// text is string without a copy.
func (c *cursor) text() []byte {
	end := bytes.IndexByte(c.b, 0)
	if end < 0 {
		c.fail(errNoString)
		return nil
	}
	out := c.b[:end]
	c.b = c.b[end+1:]
	return out
}

// fits reports whether count items of at least size bytes can still follow, so
// that nothing is allocated for a count that is a lie.
func (c *cursor) fits(count, size int) bool {
	if count*size > len(c.b) {
		c.fail(errShort)
	}
	return c.why == nil
}

func (c *cursor) done() error {
	if c.why == nil && len(c.b) != 0 {
		return ErrMalformed
	}
	return c.why
}

// DecodeQuery returns a Query's text.
func DecodeQuery(body []byte) ([]byte, error) {
	if len(body) == 0 || bytes.IndexByte(body, 0) != len(body)-1 {
		return nil, ErrMalformed
	}
	return body[:len(body)-1], nil
}

// DecodeParse decodes a Parse.
func DecodeParse(body []byte) (ParseMessage, error) {
	c := cursor{b: body}
	m := ParseMessage{Name: c.string(), Query: c.string()}
	count := int(c.uint16())
	if c.fits(count, 4) && count > 0 {
		m.Types = make([]uint32, count)
		for i := range m.Types {
			m.Types[i] = c.uint32()
		}
	}
	return m, c.done()
}

// BindNames returns a Bind's portal and statement, as they stand there, without looking at the
// rest.
func BindNames(body []byte) (portal, statement []byte, err error) {
	c := cursor{b: body}
	portal, statement = c.text(), c.text()
	return portal, statement, c.why
}

// DecodeBind decodes a Bind. The library's decoder panics on a negative length
// (pgx issue 2519), so this is our own.
func DecodeBind(body []byte) (BindMessage, error) {
	c := cursor{b: body}
	m := BindMessage{Portal: c.string(), Statement: c.string()}
	formats := int(c.uint16())
	if c.fits(formats, 2) {
		for range formats {
			m.Formats = append(m.Formats, c.uint16())
		}
	}
	params := int(c.uint16())
	if c.fits(params, 4) {
		m.Params = make([][]byte, params)
		for i := range m.Params {
			m.Params[i] = c.param()
		}
	}
	m.results = c.b
	results := int(c.uint16())
	if c.fits(results, 2) {
		c.bytes(2 * results)
	}
	return m, c.done()
}

func (c *cursor) param() []byte {
	length := int32(c.uint32())
	if length == -1 {
		return nil
	}
	value := c.bytes(int(length))
	if value == nil {
		return []byte{}
	}
	return value
}

// AppendBindWith encodes m with further parameters, text ones, behind the given number of
// its own. Places that m leaves free are NULL, as is a value that is nil.
func AppendBindWith(dst []byte, m BindMessage, own int, values Row) []byte {
	dst, at := begin(dst, KindBind)
	dst = appendString(appendString(dst, m.Portal), m.Statement)
	number := own + len(values)
	dst = binary.BigEndian.AppendUint16(dst, uint16(number))
	for i := range number {
		format := uint16(0)
		if i < own {
			format = m.format(i)
		}
		dst = binary.BigEndian.AppendUint16(dst, format)
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(number))
	for i := range own {
		dst = m.appendParam(dst, i)
	}
	for _, value := range values {
		dst = appendValue(dst, value)
	}
	return finish(append(dst, m.results...), at)
}

// format is the format code of parameter i by the rules of Bind: none given
// means text for all, one given means that one for all.
func (m BindMessage) format(i int) uint16 {
	switch {
	case i >= len(m.Params) || len(m.Formats) == 0:
		return 0
	case len(m.Formats) == 1:
		return m.Formats[0]
	case i < len(m.Formats):
		return m.Formats[i]
	}
	return 0
}

func (m BindMessage) appendParam(dst []byte, i int) []byte {
	if i >= len(m.Params) {
		return appendValue(dst, nil)
	}
	return appendValue(dst, m.Params[i])
}

// appendValue is a length and that many bytes; nil is NULL.
func appendValue(dst, value []byte) []byte {
	if value == nil {
		return append(dst, 0xff, 0xff, 0xff, 0xff)
	}
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(value))), value...)
}

// AppendParamsWithout encodes a ParameterDescription without the parameters behind the
// first count, of which the frontend knows nothing.
func AppendParamsWithout(dst []byte, frame Frame, count int) []byte {
	body := frame.Body()
	if len(body) < 2+4*count {
		return append(dst, frame...)
	}
	dst, at := begin(dst, KindParameterDescription)
	dst = binary.BigEndian.AppendUint16(dst, uint16(count))
	return finish(append(dst, body[2:2+4*count]...), at)
}

// DecodeTarget decodes a Describe or a Close: 'S' for a statement, 'P' for a portal.
func DecodeTarget(body []byte) (what byte, name string, err error) {
	c := cursor{b: body}
	what, name = c.byte(), c.string()
	return what, name, c.done()
}

// DecodeExecute decodes an Execute; 0 rows means all.
func DecodeExecute(body []byte) (portal string, rows uint32, err error) {
	c := cursor{b: body}
	portal, rows = c.string(), c.uint32()
	return portal, rows, c.done()
}

// DecodeKeyData decodes BackendKeyData.
func DecodeKeyData(body []byte) (pid uint32, secret []byte, err error) {
	if len(body) < 4+minCancelKey || len(body) > 4+maxCancelKey {
		return 0, nil, ErrMalformed
	}
	return binary.BigEndian.Uint32(body), bytes.Clone(body[4:]), nil
}

// DecodeParameterStatus decodes ParameterStatus.
func DecodeParameterStatus(body []byte) (name, value string, err error) {
	c := cursor{b: body}
	name, value = c.string(), c.string()
	return name, value, c.done()
}

// CommandTag is the tag of a CommandComplete, without its terminator.
func CommandTag(body []byte) []byte {
	return bytes.TrimSuffix(body, []byte{0})
}

// AppendNotification appends a NotificationResponse, with the sender's process number
// changed if it is the given one.
func AppendNotification(dst []byte, frame Frame, from, to uint32) []byte {
	start := len(dst)
	dst = append(dst, frame...)
	if body := dst[start+headerSize:]; len(body) >= 4 && binary.BigEndian.Uint32(body) == from {
		binary.BigEndian.PutUint32(body, to)
	}
	return dst
}

// Row is the values of a DataRow; nil for NULL.
type Row [][]byte

// DecodeRow decodes a DataRow. The values are copies.
func DecodeRow(body []byte) (Row, error) {
	c := cursor{b: body}
	columns := int(c.uint16())
	row := make(Row, 0, min(columns, len(body)/4))
	for range columns {
		length := int32(c.uint32())
		if c.why != nil {
			break
		}
		if length < 0 {
			row = append(row, nil)
			continue
		}
		row = append(row, append([]byte{}, c.bytes(int(length))...))
	}
	return row, c.done()
}

// FirstColumn is the first value of a DataRow; ok is false for NULL, for a row
// without columns and for one that is malformed.
func FirstColumn(body []byte) (value []byte, ok bool) {
	c := cursor{b: body}
	if c.uint16() == 0 {
		return nil, false
	}
	length := int32(c.uint32())
	if length < 0 {
		return nil, false
	}
	value = c.bytes(int(length))
	return value, c.why == nil
}
