package auth

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/xdg-go/stringprep"
)

const (
	verifierPrefix = "SCRAM-SHA-256$"
	keyLength      = sha256.Size
	// DefaultIterations is PostgreSQL's scram_iterations.
	DefaultIterations = 4096
	// MaxIterations bounds the work that a backend may ask of us, or a verifier of a
	// method that hashes a clear text; some seconds of one core.
	MaxIterations = 10_000_000
	// maxSalt bounds a salt in bytes; PostgreSQL makes 16.
	maxSalt = 1 << 10
	// maxDerivedKeys bounds a keyCache: one salt for each node and some to spare.
	maxDerivedKeys = 256
)

// Verifier is what PostgreSQL stores for a SCRAM-SHA-256 password (rolpassword in
// pg_authid). It does not print its keys; use Text to store it.
type Verifier struct {
	Iterations int
	Salt       []byte
	StoredKey  [keyLength]byte
	ServerKey  [keyLength]byte
}

// BuildVerifier hashes a password. Iterations must be 1 to MaxIterations and the salt
// not empty (PostgreSQL takes 16 random bytes).
func BuildVerifier(password string, salt []byte, iterations int) (Verifier, error) {
	if iterations < 1 || iterations > MaxIterations || len(salt) == 0 || len(salt) > maxSalt {
		return Verifier{}, errors.New("SCRAM salt or iteration count out of range")
	}
	return deriveKeys(password, salt, iterations).verifier, nil
}

// ParseVerifier reads SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>. The
// error does not repeat the text.
func ParseVerifier(text string) (Verifier, error) {
	v, ok := parseVerifier(text)
	if !ok {
		return Verifier{}, errors.New("malformed SCRAM-SHA-256 verifier")
	}
	return v, nil
}

func parseVerifier(text string) (v Verifier, ok bool) {
	rest, isVerifier := strings.CutPrefix(text, verifierPrefix)
	factors, keys, two := strings.Cut(rest, "$")
	count, salt, saltGiven := strings.Cut(factors, ":")
	stored, server, bothKeys := strings.Cut(keys, ":")
	if !isVerifier || !two || !saltGiven || !bothKeys {
		return Verifier{}, false
	}
	var err error
	if v.Iterations, err = parseIterations(count); err != nil {
		return Verifier{}, false
	}
	if v.Salt, err = base64.StdEncoding.Strict().DecodeString(salt); err != nil || len(v.Salt) == 0 || len(v.Salt) > maxSalt {
		return Verifier{}, false
	}
	return v, decodeKey(&v.StoredKey, stored) && decodeKey(&v.ServerKey, server)
}

func decodeKey(key *[keyLength]byte, text string) bool {
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	return err == nil && copy(key[:], raw) == keyLength && len(raw) == keyLength
}

// parseIterations takes plain decimal digits only: no sign, no blanks.
func parseIterations(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n == 0 {
		return 0, errors.New("invalid SCRAM iteration count")
	}
	if n > MaxIterations {
		return 0, fmt.Errorf("SCRAM iteration count %d is above %d", n, MaxIterations)
	}
	return int(n), nil
}

// Text is the form that PostgreSQL stores and that ParseVerifier reads.
func (v Verifier) Text() string {
	b64 := base64.StdEncoding.EncodeToString
	return verifierPrefix + strconv.Itoa(v.Iterations) + ":" + b64(v.Salt) + "$" + b64(v.StoredKey[:]) + ":" + b64(v.ServerKey[:])
}

// String does not show the keys: whoever has ServerKey can pose as the server.
func (v Verifier) String() string { return "[SCRAM verifier]" }

// GoString is String.
func (v Verifier) GoString() string { return v.String() }

// MarshalJSON is String as a JSON string.
func (v Verifier) MarshalJSON() ([]byte, error) { return []byte(`"` + v.String() + `"`), nil }

// Equal compares whole verifiers, the keys in constant time.
func (v Verifier) Equal(o Verifier) bool {
	return v.sameFactors(o.Salt, o.Iterations) && equalKeys(v.StoredKey, o.StoredKey) && equalKeys(v.ServerKey, o.ServerKey)
}

func (v Verifier) sameFactors(salt []byte, iterations int) bool {
	return v.Iterations == iterations && string(v.Salt) == string(salt)
}

// scramKeys are the keys of one password for one salt and iteration count (RFC 5802,
// section 3).
type scramKeys = clientKey

func deriveKeys(password string, salt []byte, iterations int) scramKeys {
	salted, err := pbkdf2.Key(sha256.New, saslPrep(password), salt, iterations, keyLength)
	if err != nil {
		// Only under a FIPS policy that forbids the parameters. Nobody can know a
		// random key, so everybody is refused.
		salted = make([]byte, keyLength)
		_, _ = rand.Read(salted)
	}
	keys := scramKeys{key: hmacSum(salted, "Client Key")}
	keys.verifier = Verifier{
		Iterations: iterations,
		Salt:       append([]byte(nil), salt...),
		StoredKey:  sha256.Sum256(keys.key[:]),
		ServerKey:  hmacSum(salted, "Server Key"),
	}
	return keys
}

func hmacSum(key []byte, message string) (sum [keyLength]byte) {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(message))
	mac.Sum(sum[:0])
	return sum
}

// saslPrep normalises a password; like PostgreSQL it takes one that SASLprep forbids
// as it is (pg_saslprep).
func saslPrep(password string) string {
	if prepared, err := stringprep.SASLprep.Prepare(password); err == nil && prepared != "" {
		return prepared
	}
	return password
}

// keyCache keeps the keys derived from one clear text, so that a log-in to N nodes
// costs the hashing once for each node and not for each session.
type keyCache struct {
	mu   sync.Mutex // guards keys; held while hashing, so that nobody hashes twice
	keys map[string]scramKeys
}

func newKeyCache() *keyCache { return &keyCache{keys: map[string]scramKeys{}} }

func (c *keyCache) derive(password string, salt []byte, iterations int) scramKeys {
	name := strconv.Itoa(iterations) + ":" + string(salt)
	c.mu.Lock()
	defer c.mu.Unlock()
	if keys, ok := c.keys[name]; ok {
		return keys
	}
	if len(c.keys) >= maxDerivedKeys {
		clear(c.keys)
	}
	keys := deriveKeys(password, salt, iterations)
	c.keys[name] = keys
	return keys
}
