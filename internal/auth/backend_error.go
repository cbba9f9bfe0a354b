package auth

import (
	"bytes"
	"fmt"

	"github.com/pgchorus/pgchorus/internal/pgerr"
)

// BackendError is an ErrorResponse with which a backend ended the log-in. Body is its
// message body as it came, to be forwarded to the frontend untouched.
type BackendError struct {
	Body []byte
}

// Code is its SQLSTATE, or InternalError if the backend gave none.
func (e *BackendError) Code() pgerr.Code {
	if code := e.field('C'); len(code) == 5 {
		return pgerr.Code(code)
	}
	return pgerr.InternalError
}

// Message is its primary message, which may be empty.
func (e *BackendError) Message() string { return e.field('M') }

func (e *BackendError) Error() string {
	return fmt.Sprintf("backend refused the log-in: %s (%s)", e.Message(), e.Code())
}

// field looks for one field. Fields may be missing, doubled or cut off.
func (e *BackendError) field(name byte) string {
	for rest := e.Body; len(rest) > 1 && rest[0] != 0; {
		value, after, ok := bytes.Cut(rest[1:], []byte{0})
		if !ok {
			return ""
		}
		if rest[0] == name {
			return string(value)
		}
		rest = after
	}
	return ""
}
