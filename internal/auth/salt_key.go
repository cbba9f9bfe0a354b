package auth

import "crypto/rand"

const mockSaltLength = 16 // as PostgreSQL's salts

// SaltKey makes the salts of users whose verifier is made up here: those with a clear
// text, and those who do not exist. One user always gets the same, or asking twice
// would tell which of the two he is. Keep one key for the life of the process, over
// reloads.
type SaltKey [keyLength]byte

// NewSaltKey returns a random key.
func NewSaltKey() (key SaltKey) {
	_, _ = rand.Read(key[:]) // never fails since Go 1.24
	return key
}

func (k SaltKey) salt(user string) []byte {
	sum := hmacSum(k[:], "salt:"+user)
	return sum[:mockSaltLength]
}

// mockVerifier stands in for a user's. Its keys are random, so that no proof fits even
// if the check for it were forgotten.
func mockVerifier(salt []byte) Verifier {
	v := Verifier{Iterations: DefaultIterations, Salt: salt}
	_, _ = rand.Read(v.StoredKey[:])
	_, _ = rand.Read(v.ServerKey[:])
	return v
}

// String does not show the key.
func (k SaltKey) String() string { return "[salt key]" }

// GoString is String.
func (k SaltKey) GoString() string { return k.String() }
