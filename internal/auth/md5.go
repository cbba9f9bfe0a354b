package auth

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
)

const (
	md5Prefix     = "md5"
	md5HashLength = len(md5Prefix) + 2*md5.Size
	md5SaltLength = 4
)

// EncryptMD5 is PostgreSQL's stored form of an md5 password: "md5" and the digest of
// the password followed by the user name.
func EncryptMD5(user, password string) string {
	return md5Hash(password, user)
}

func md5Hash(secret, salt string) string {
	sum := md5.Sum([]byte(secret + salt))
	return md5Prefix + hex.EncodeToString(sum[:])
}

// md5Answer is what a client sends for a stored hash and a challenge's salt.
func md5Answer(hash, salt string) string {
	return md5Hash(strings.TrimPrefix(hash, md5Prefix), salt)
}

func isMD5Hash(text string) bool {
	if len(text) != md5HashLength || !strings.HasPrefix(text, md5Prefix) {
		return false
	}
	_, err := hex.DecodeString(text[len(md5Prefix):])
	return err == nil
}

// frontendMD5 challenges the frontend. Somebody of whom no hash is known is
// challenged, too, and then refused.
func frontendMD5(ctx context.Context, peer Peer, user string, known Secret) (Secret, error) {
	salt := make([]byte, md5SaltLength)
	_, _ = rand.Read(salt) // never fails since Go 1.24
	answer, err := askPassword(ctx, peer, authMD5, salt, maxChallengeAnswer)
	if err != nil {
		return Secret{}, err
	}
	hash, ok := known.md5For(user)
	matches := equalStrings(answer, md5Answer(hash, string(salt)))
	if !ok {
		return Secret{}, passwordFailed(user, errors.New("no clear text or md5 hash is known"))
	}
	if !matches {
		return Secret{}, passwordFailed(user, errPasswordMismatch)
	}
	return known, nil
}
