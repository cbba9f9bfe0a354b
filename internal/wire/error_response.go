package wire

import (
	"bytes"
	"strconv"

	"github.com/jackc/pgproto3/v2"

	"github.com/pgchorus/pgchorus/internal/pgerr"
)

// AppendError encodes err as an ErrorResponse.
func AppendError(dst []byte, err *pgerr.Error) []byte {
	return appendOwn(dst, &pgproto3.ErrorResponse{
		Severity:            string(err.Severity),
		SeverityUnlocalized: string(err.Severity),
		Code:                string(err.Code),
		Message:             err.Message,
		Detail:              err.Detail,
		Hint:                err.Hint,
		Position:            int32(err.Position),
	})
}

// AppendNotice encodes err as a NoticeResponse.
func AppendNotice(dst []byte, err *pgerr.Error) []byte {
	start := len(dst)
	dst = AppendError(dst, err)
	dst[start] = KindNoticeResponse
	return dst
}

// Field codes of ErrorResponse and NoticeResponse (protocol chapter 55.8).
const (
	FieldSeverity byte = 'V'
	FieldCode     byte = 'C'
	FieldMessage  byte = 'M'
	FieldDetail   byte = 'D'
	FieldPosition byte = 'P'
	FieldRoutine  byte = 'R'
)

// ErrorField returns one field of an ErrorResponse's body; "" when it has none,
// also when the body is malformed.
func ErrorField(body []byte, field byte) string {
	value, _, _ := findField(body, field)
	return string(value)
}

// findField returns a field's value and where it starts in body.
func findField(body []byte, field byte) (value []byte, at int, ok bool) {
	for at < len(body) && body[at] != 0 {
		end := bytes.IndexByte(body[at+1:], 0)
		if end < 0 {
			return nil, 0, false
		}
		if body[at] == field {
			return body[at+1 : at+1+end], at + 1, true
		}
		at += end + 2
	}
	return nil, 0, false
}

// AppendPlaced appends an ErrorResponse or NoticeResponse with its position, which
// counts in the text that we sent, led back to the text that the frontend did.
func AppendPlaced(dst []byte, frame Frame, e *Expect) []byte {
	if e.Prefix == 0 && e.Base == 0 && e.Place == nil {
		return append(dst, frame...)
	}
	value, at, ok := findField(frame.Body(), FieldPosition)
	position, err := strconv.Atoi(string(value))
	if !ok || err != nil {
		return append(dst, frame...)
	}
	if position -= e.Prefix; e.Place != nil {
		position = e.Place(position)
	}
	if position += e.Base; position < 1 {
		return append(dst, frame...)
	}
	body := frame.Body()
	dst, lengthAt := begin(dst, frame.Kind())
	dst = append(dst, body[:at]...)
	dst = strconv.AppendInt(dst, int64(position), 10)
	return finish(append(dst, body[at+len(value):]...), lengthAt)
}

// WithoutPosition is the body of an ErrorResponse without a position in the text: that of a
// query of ours says nothing to the frontend.
func WithoutPosition(body []byte) []byte {
	value, at, ok := findField(body, FieldPosition)
	if !ok {
		return body
	}
	return append(append([]byte(nil), body[:at-1]...), body[at+len(value)+1:]...)
}
