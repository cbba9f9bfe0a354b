package wire

import (
	"encoding/binary"
	"errors"
)

// Where a statement is made to return one column more than the frontend has asked for, that
// column is cut off again.

var errTail = errors.New("malformed row")

// columnTail is what a RowDescription has of each column behind its name.
const columnTail = 18

// AppendDescriptionTail appends a RowDescription without its last column. If that was the
// only one, nothing is appended and none is true.
func AppendDescriptionTail(dst []byte, frame Frame) (out []byte, none bool, err error) {
	c := cursor{b: frame.Body()}
	columns := int(c.uint16())
	all := c.b
	for i := 1; i < columns; i++ {
		_ = c.string()
		c.bytes(columnTail)
	}
	before := len(all) - len(c.b)
	_ = c.string()
	c.bytes(columnTail)
	if c.done() != nil || columns == 0 {
		return dst, false, errTail
	}
	if columns == 1 {
		return dst, true, nil
	}
	dst, at := begin(dst, KindRowDescription)
	dst = binary.BigEndian.AppendUint16(dst, uint16(columns-1))
	return finish(append(dst, all[:before]...), at), false, nil
}

// AppendRowTail appends a DataRow without its last column, and returns that; nothing is
// appended if it was the only one. last is a part of the frame; nil is NULL.
func AppendRowTail(dst []byte, frame Frame) (out, last []byte, err error) {
	c := cursor{b: frame.Body()}
	columns := int(c.uint16())
	all := c.b
	for i := 1; i < columns; i++ {
		c.param()
	}
	rest := c.b
	last = c.param()
	if c.done() != nil || columns == 0 {
		return dst, nil, errTail
	}
	if columns == 1 {
		return dst, last, nil
	}
	dst, at := begin(dst, KindDataRow)
	dst = binary.BigEndian.AppendUint16(dst, uint16(columns-1))
	return finish(append(dst, all[:len(all)-len(rest)]...), at), last, nil
}

// AppendBindTail encodes a Bind of another statement than the one that m names, which
// returns one column more, in text.
func AppendBindTail(dst []byte, statement string, frame Frame) ([]byte, error) {
	m, err := DecodeBind(frame.Body())
	if err != nil {
		return dst, err
	}
	m.Statement = statement
	if formats := m.results; len(formats) > 4 { // one format for all, or none, are for the last one too
		count := binary.BigEndian.Uint16(formats)
		m.results = append(binary.BigEndian.AppendUint16(nil, count+1), formats[2:]...)
		m.results = append(m.results, 0, 0)
	}
	return AppendBindWith(dst, m, len(m.Params), nil), nil
}
