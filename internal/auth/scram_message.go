package auth

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
)

// maxNonce bounds a nonce of either side, in bytes; PostgreSQL makes 24.
const maxNonce = 1 << 10

var errSCRAMSyntax = errors.New("malformed SCRAM message")

// clientFirst is the client-first-message (RFC 5802, section 7).
type clientFirst struct {
	gs2     string // header with its commas, as it comes back in the final message
	binding string // "n", "y" or the type after "p="
	bound   bool   // "p=" was given
	bare    string
	nonce   string
}

// parseClientFirst reads "n,,n=user,r=nonce". The user name is ignored, as PostgreSQL
// does: the start-up packet has said who it is.
func parseClientFirst(text string) (clientFirst, error) {
	var m clientFirst
	flag, rest, ok := strings.Cut(text, ",")
	authzid, bare, ok2 := strings.Cut(rest, ",")
	if !ok || !ok2 {
		return m, errSCRAMSyntax
	}
	if authzid != "" {
		return m, errors.New("an authorization identity is not supported")
	}
	m.binding, m.bound = strings.CutPrefix(flag, "p=")
	if !m.bound && flag != "n" && flag != "y" {
		return m, errors.New("unexpected channel-binding flag")
	}
	m.gs2, m.bare = flag+",,", bare
	attributes := strings.Split(bare, ",")
	if len(attributes) < 2 || !strings.HasPrefix(attributes[0], "n=") {
		return m, errSCRAMSyntax
	}
	var err error
	m.nonce, err = attribute(attributes[1], "r=")
	if err != nil || !isNonce(m.nonce) {
		return m, errors.New("malformed SCRAM nonce")
	}
	return m, nil
}

// clientFinal is the client-final-message.
type clientFinal struct {
	binding      []byte // decoded c=
	nonce        string
	withoutProof string
	proof        [keyLength]byte
}

// parseClientFinal reads "c=biws,r=nonce,p=proof"; extensions in between are ignored.
func parseClientFinal(text string) (clientFinal, error) {
	var m clientFinal
	cut := strings.LastIndex(text, ",p=")
	if cut < 0 || !decodeKey(&m.proof, text[cut+len(",p="):]) {
		return m, errSCRAMSyntax
	}
	m.withoutProof = text[:cut]
	attributes := strings.Split(m.withoutProof, ",")
	if len(attributes) < 2 {
		return m, errSCRAMSyntax
	}
	binding, err := attribute(attributes[0], "c=")
	if err != nil {
		return m, err
	}
	if m.binding, err = base64.StdEncoding.Strict().DecodeString(binding); err != nil {
		return m, errSCRAMSyntax
	}
	m.nonce, err = attribute(attributes[1], "r=")
	return m, err
}

// serverFirst is the server-first-message.
type serverFirst struct {
	nonce      string
	salt       []byte
	iterations int
}

func (m serverFirst) text() string {
	return "r=" + m.nonce + ",s=" + base64.StdEncoding.EncodeToString(m.salt) + ",i=" + strconv.Itoa(m.iterations)
}

// parseServerFirst reads "r=nonce,s=salt,i=4096" within our bounds.
func parseServerFirst(text string) (serverFirst, error) {
	var m serverFirst
	attributes := strings.SplitN(text, ",", 4)
	if len(attributes) < 3 {
		return m, errSCRAMSyntax
	}
	var err error
	if m.nonce, err = attribute(attributes[0], "r="); err != nil || !isNonce(m.nonce) {
		return m, errors.New("malformed SCRAM nonce")
	}
	salt, err := attribute(attributes[1], "s=")
	if err != nil {
		return m, err
	}
	m.salt, err = base64.StdEncoding.Strict().DecodeString(salt)
	if err != nil || len(m.salt) == 0 || len(m.salt) > maxSalt {
		return m, errors.New("malformed SCRAM salt")
	}
	count, err := attribute(attributes[2], "i=")
	if err != nil {
		return m, err
	}
	m.iterations, err = parseIterations(count)
	return m, err
}

func attribute(text, name string) (string, error) {
	value, ok := strings.CutPrefix(text, name)
	if !ok {
		return "", errSCRAMSyntax
	}
	return value, nil
}

// isNonce reports whether text is printable ASCII without a comma, within maxNonce.
func isNonce(text string) bool {
	if text == "" || len(text) > maxNonce {
		return false
	}
	for i := range len(text) {
		if c := text[i]; c < 0x21 || c > 0x7e || c == ',' {
			return false
		}
	}
	return true
}
