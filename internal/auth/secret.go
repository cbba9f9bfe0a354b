package auth

import (
	"crypto/subtle"
	"fmt"
	"io"
	"strings"
)

// Secret is what is known of a user's password. It never changes, may be copied and
// used from several goroutines, and does not print what it holds. The zero Secret
// knows nothing.
//
// The content stands behind a function because fmt prints unexported fields of
// a surrounding struct without asking their String method, and follows pointers when
// the verb is odd.
type Secret struct {
	known func() *knownSecret // nil: nothing
}

func seal(k knownSecret) Secret {
	return Secret{func() *knownSecret { return &k }}
}

// open is the content, not to be changed, or nil.
func (s Secret) open() *knownSecret {
	if s.known == nil {
		return nil
	}
	return s.known()
}

type knownSecret struct {
	clear    string
	hasClear bool
	md5      string // "md5" and 32 hexadecimal digits, lower case; empty if unknown
	verifier *Verifier
	client   *clientKey
	unproven bool
	keys     *keyCache // with clear only
}

// clientKey is what a frontend reveals when it proves itself against a verifier. It
// answers any backend that stores the same verifier, and no other.
type clientKey struct {
	key      [keyLength]byte
	verifier Verifier
}

// ClearText is the Secret of a known password. An empty password is none and can let
// nobody in (as in PostgreSQL).
func ClearText(password string) Secret {
	if password == "" {
		return Secret{}
	}
	return seal(knownSecret{clear: password, hasClear: true, keys: newKeyCache()})
}

// MD5Hash is the Secret of a hash as PostgreSQL stores it; see EncryptMD5. It is
// refused if it is not "md5" and 32 hexadecimal digits.
func MD5Hash(hash string) (Secret, error) {
	if !isMD5Hash(hash) {
		return Secret{}, fmt.Errorf("not an md5 password hash")
	}
	return seal(knownSecret{md5: strings.ToLower(hash)}), nil
}

// FromVerifier is the Secret of a SCRAM verifier. A frontend can prove itself against
// it; alone it cannot log in to a backend.
func FromVerifier(v Verifier) Secret {
	return seal(knownSecret{verifier: &v})
}

// IsZero reports whether nothing is known.
func (s Secret) IsZero() bool { return s.known == nil }

// Unproven reports whether the secret came from the frontend and was compared with
// nothing. It is good for nothing but a log-in to a backend that asks for it.
func (s Secret) Unproven() bool { return s.known != nil && s.open().unproven }

// Reveal returns the clear text if it is known, for a log-in by another library.
func (s Secret) Reveal() (password string, ok bool) {
	if s.known == nil || !s.open().hasClear {
		return "", false
	}
	return s.open().clear, true
}

// String says what is known and not its value.
func (s Secret) String() string {
	k := s.open()
	switch {
	case k == nil:
		return "[no secret]"
	case k.hasClear:
		return "[secret: clear text]"
	case k.client != nil:
		return "[secret: SCRAM key]"
	case k.md5 != "":
		return "[secret: md5]"
	}
	return "[secret: SCRAM verifier]"
}

// GoString is String.
func (s Secret) GoString() string { return s.String() }

// Format prints String whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText is String; it also serves JSON map keys, YAML and loggers.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON is String as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// asUnproven marks a clear text that the frontend sent and nobody has checked.
func (s Secret) asUnproven() Secret {
	k := *s.open()
	k.unproven = true
	return seal(k)
}

// asProven is for a clear text that turned out to be one that a backend has checked.
func (s Secret) asProven() Secret {
	if !s.Unproven() {
		return s
	}
	k := *s.open()
	k.unproven = false
	return seal(k)
}

// md5For is the md5 hash of the user's password, if it is known or can be made.
func (s Secret) md5For(user string) (string, bool) {
	switch {
	case s.known == nil:
		return "", false
	case s.open().hasClear:
		return EncryptMD5(user, s.open().clear), true
	}
	return s.open().md5, s.open().md5 != ""
}

// verifierWith is what a frontend's SCRAM proof is checked against. A clear text gets
// the salt of the mock exchange, so that its owner cannot be told from an unknown user.
func (s Secret) verifierWith(salt []byte) (Verifier, bool) {
	switch {
	case s.known == nil:
		return Verifier{}, false
	case s.open().hasClear:
		return s.open().keys.derive(s.open().clear, salt, DefaultIterations).verifier, true
	case s.open().verifier != nil:
		return *s.open().verifier, true
	case s.open().client != nil:
		return s.open().client.verifier, true
	}
	return Verifier{}, false
}

// same reports whether both are the same password as far as can be seen without
// hashing again. A false "no" costs a new log-in; a false "yes" would let somebody in.
func (s Secret) same(o Secret) bool {
	if s.known == nil || o.known == nil {
		return false
	}
	a, b := s.open(), o.open()
	switch {
	case a.hasClear && b.hasClear:
		return equalStrings(a.clear, b.clear)
	case a.client != nil && b.client != nil:
		return a.client.verifier.Equal(b.client.verifier) && equalKeys(a.client.key, b.client.key)
	case a.hasClear && b.client != nil:
		return a.matches(b.client.verifier)
	case b.hasClear && a.client != nil:
		return b.matches(a.client.verifier)
	case a.md5 != "" && b.md5 != "":
		return equalStrings(a.md5, b.md5)
	}
	return false
}

// matches reports whether v is the verifier of the clear text in k.
func (k *knownSecret) matches(v Verifier) bool {
	return k.keys.derive(k.clear, v.Salt, v.Iterations).verifier.Equal(v)
}

// equalStrings compares whole strings in a time that depends on their lengths only.
func equalStrings(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

func equalKeys(a, b [keyLength]byte) bool {
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}
