package auth

import (
	"context"
	"errors"
)

// frontendClearText asks for the password and compares it with what is known. What
// is returned holds the clear text, also where only a hash was known.
func frontendClearText(ctx context.Context, peer Peer, user string, known Secret) (Secret, error) {
	password, err := askClearText(ctx, peer, user)
	if err != nil {
		return Secret{}, err
	}
	if known.IsZero() {
		return Secret{}, passwordFailed(user, errors.New("nothing is known to compare the password with"))
	}
	if !known.isPassword(user, password) {
		return Secret{}, passwordFailed(user, errPasswordMismatch)
	}
	if known.open().hasClear {
		return known, nil
	}
	return ClearText(password), nil
}

// frontendUnproven asks for the password and leaves it to the backends to check it.
func frontendUnproven(ctx context.Context, peer Peer, user string) (Secret, error) {
	password, err := askClearText(ctx, peer, user)
	if err != nil {
		return Secret{}, err
	}
	return ClearText(password).asUnproven(), nil
}

func askClearText(ctx context.Context, peer Peer, user string) (string, error) {
	password, err := askPassword(ctx, peer, authCleartext, nil, MaxPasswordMessage)
	if err != nil {
		return "", err
	}
	if password == "" { // as PostgreSQL: an empty password is never right
		return "", passwordFailed(user, errors.New("empty password returned by the frontend"))
	}
	return password, nil
}

// isPassword compares in constant time with the clear text, else with a hash.
func (s Secret) isPassword(user, password string) bool {
	k := s.open()
	switch {
	case k.hasClear:
		return equalStrings(password, k.clear)
	case k.md5 != "":
		return equalStrings(EncryptMD5(user, password), k.md5)
	}
	v, _ := s.verifierWith(nil)
	return deriveKeys(password, v.Salt, v.Iterations).verifier.Equal(v)
}
