package auth

import (
	"errors"

	"github.com/pgchorus/pgchorus/internal/pgerr"
)

// ErrUnknownUser says that nothing is known of a user. A VerifierQuery that finds no
// row returns it, or an empty verifier.
var ErrUnknownUser = errors.New("user is not known")

var errPasswordMismatch = errors.New("password does not match")

// passwordFailed is the one answer to a wrong password, an unknown user and a user
// without a usable password; the reason is for the log.
func passwordFailed(user string, reason error) error {
	return pgerr.Fatalf(pgerr.InvalidPassword, `password authentication failed for user "%s"`, user).Wrap(reason)
}

// saslViolation is a SCRAM message that is not one.
func saslViolation(detail string) error {
	return pgerr.Fatal(pgerr.ProtocolViolation, "malformed SCRAM message").WithDetail("%s", detail)
}
