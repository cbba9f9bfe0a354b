// Package pgerr is the one error type of pgchorus that a frontend may be shown:
// an SQLSTATE with PostgreSQL's ErrorResponse fields around it.
//
// It does not speak the protocol (internal/wire encodes it) and does not decide
// what a frontend may know (internal/session does). Everything that is not an
// Error is an internal error to the frontend and a wrapped Go error to our log.
package pgerr
