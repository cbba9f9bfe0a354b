package auth

import (
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pgchorus/pgchorus/internal/pgerr"
)

// scramClient is our side towards a backend, one exchange. It is written here and not
// taken from xdg-go/scram because that starts from a clear text only, and we often have
// a ClientKey instead.
type scramClient struct {
	secret    Secret
	gs2       string
	binding   []byte // follows gs2 in c=; nil without PLUS
	nonce     string
	firstBare string

	answered        bool // the proof was sent
	serverSignature [keyLength]byte
}

// newSCRAMClient chooses PLUS if the backend offers it and the connection has
// a certificate to bind to. Over TLS without an offer it says "y", so that a backend
// whose offer was taken away by somebody in between refuses.
func newSCRAMClient(secret Secret, offered []string, binding []byte) (c *scramClient, mechanism string, err error) {
	c = &scramClient{secret: secret, gs2: "n,,", nonce: newNonce()}
	plain, plus := slices.Contains(offered, mechanismSCRAM), slices.Contains(offered, mechanismSCRAMPlus)
	switch {
	case plus && binding != nil:
		c.gs2, c.binding = "p="+bindingType+",,", binding
		return c, mechanismSCRAMPlus, nil
	case !plain:
		return nil, "", pgerr.Fatal(pgerr.InvalidAuthorization, "failed to authenticate with backend").
			WithDetail("none of the backend's SASL mechanisms is supported")
	case binding != nil:
		c.gs2 = "y,,"
	}
	return c, mechanismSCRAM, nil
}

// first is the client-first-message. The user name stays empty as in libpq: the
// backend takes it from the start-up packet.
func (c *scramClient) first() string {
	c.firstBare = "n=,r=" + c.nonce
	return c.gs2 + c.firstBare
}

// final answers the server-first-message with the proof.
func (c *scramClient) final(text string) (string, error) {
	m, err := parseServerFirst(text)
	if err != nil {
		return "", fmt.Errorf("server-first-message: %w", err)
	}
	if !strings.HasPrefix(m.nonce, c.nonce) || len(m.nonce) == len(c.nonce) {
		return "", errors.New("server-first-message: the nonce does not extend ours")
	}
	keys, err := c.secret.scramKeysFor(m.salt, m.iterations)
	if err != nil {
		return "", err
	}
	input := append([]byte(c.gs2), c.binding...)
	withoutProof := "c=" + base64.StdEncoding.EncodeToString(input) + ",r=" + m.nonce
	message := c.firstBare + "," + text + "," + withoutProof
	proof := xorKeys(keys.key, hmacSum(keys.verifier.StoredKey[:], message))
	c.answered = true
	c.serverSignature = hmacSum(keys.verifier.ServerKey[:], message)
	return withoutProof + ",p=" + base64.StdEncoding.EncodeToString(proof[:]), nil
}

// verify checks the server-final-message: only a backend that knows the verifier can
// have made the signature.
func (c *scramClient) verify(text string) error {
	value, ok := strings.CutPrefix(text, "v=")
	var signature [keyLength]byte
	if !ok || !decodeKey(&signature, value) {
		return errors.New("server-final-message: no signature")
	}
	if !hmac.Equal(signature[:], c.serverSignature[:]) {
		return errors.New("server-final-message: the signature is wrong, this backend does not know the password")
	}
	return nil
}

// scramKeysFor finds the keys for a backend's salt: the ClientKey if it was made with
// the same, else from the clear text.
func (s Secret) scramKeysFor(salt []byte, iterations int) (scramKeys, error) {
	k := s.open()
	switch {
	case k == nil:
		return scramKeys{}, noPasswordFor(SCRAM, "valid password not found")
	case k.hasClear:
		return k.keys.derive(k.clear, salt, iterations), nil
	case k.client != nil && k.client.verifier.sameFactors(salt, iterations):
		return *k.client, nil
	case k.client != nil:
		return scramKeys{}, noPasswordFor(SCRAM, "this backend has another SCRAM verifier for the user").
			WithHint("Set the password with one and the same SCRAM-SHA-256 verifier on every node.")
	case k.verifier != nil:
		return scramKeys{}, noPasswordFor(SCRAM, "a SCRAM verifier alone cannot log in to a backend").
			WithHint("Use method scram-sha-256 in pool_hba.conf.")
	}
	return scramKeys{}, noPasswordFor(SCRAM, "valid password not found")
}
