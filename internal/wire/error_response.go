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

// AppendShifted appends an ErrorResponse or NoticeResponse with by characters
// added to its position, which counts from the start of the text that we sent and
// not of the text that the frontend did.
func AppendShifted(dst []byte, frame Frame, by int) []byte {
	value, at, ok := findField(frame.Body(), FieldPosition)
	if by == 0 || !ok {
		return append(dst, frame...)
	}
	position, err := strconv.Atoi(string(value))
	if err != nil || position+by < 1 {
		return append(dst, frame...)
	}
	body := frame.Body()
	dst, lengthAt := begin(dst, frame.Kind())
	dst = append(dst, body[:at]...)
	dst = strconv.AppendInt(dst, int64(position+by), 10)
	return finish(append(dst, body[at+len(value):]...), lengthAt)
}
