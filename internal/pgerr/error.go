package pgerr

import (
	"errors"
	"fmt"
)

// Severity is the S and V field of an ErrorResponse (protocol chapter 55.8).
type Severity string

// The severities that we produce ourselves.
const (
	SeverityError   Severity = "ERROR"
	SeverityFatal   Severity = "FATAL"
	SeverityWarning Severity = "WARNING"
	SeverityNotice  Severity = "NOTICE"
)

// Error is an error with the fields of PostgreSQL's ErrorResponse. The frontend
// is shown Message, Detail, Hint and Position; Err is for our own log.
type Error struct {
	Severity Severity
	Code     Code
	Message  string
	Detail   string
	Hint     string
	Position int // 1-based, in characters of the query string; 0 for none
	Err      error
}

// New returns an Error of severity ERROR.
func New(code Code, message string) *Error {
	return &Error{Severity: SeverityError, Code: code, Message: message}
}

// Newf is New with a formatted message.
func Newf(code Code, format string, args ...any) *Error {
	return New(code, fmt.Sprintf(format, args...))
}

// Fatal returns an Error of severity FATAL: the session ends after it.
func Fatal(code Code, message string) *Error {
	return &Error{Severity: SeverityFatal, Code: code, Message: message}
}

// Fatalf is Fatal with a formatted message.
func Fatalf(code Code, format string, args ...any) *Error {
	return Fatal(code, fmt.Sprintf(format, args...))
}

// WithDetail sets DETAIL and returns e.
func (e *Error) WithDetail(format string, args ...any) *Error {
	e.Detail = fmt.Sprintf(format, args...)
	return e
}

// WithHint sets HINT and returns e.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// Wrap keeps err as the cause, for the log only, and returns e.
func (e *Error) Wrap(err error) *Error {
	e.Err = err
	return e
}

func (e *Error) Error() string {
	text := e.Message
	if e.Detail != "" {
		text += " (" + e.Detail + ")"
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the SQLSTATE that err carries, or InternalError.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return InternalError
}
