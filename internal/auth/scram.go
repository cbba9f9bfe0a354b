package auth

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/pgchorus/pgchorus/internal/pgerr"
)

const (
	mechanismSCRAM     = "SCRAM-SHA-256"
	mechanismSCRAMPlus = "SCRAM-SHA-256-PLUS"
	bindingType        = "tls-server-end-point"
	ownNonceLength     = 18 // bytes before Base64, as in PostgreSQL
)

// scramServer is our side towards a frontend, one exchange. It is written here and not
// taken from xdg-go/scram because that keeps the ClientKey, which the frontend's proof
// reveals and a log-in to a backend needs, to itself; tests run the two against each
// other.
type scramServer struct {
	verifier Verifier
	known    bool   // false: the verifier is made up and no proof will do
	binding  []byte // tls-server-end-point of our certificate; nil if PLUS is not offered
	nonce    string // our part

	first       clientFirst
	serverFirst string
	wholeNonce  string
}

// scramProof is what a successful exchange has shown.
type scramProof struct {
	client    clientKey
	signature [keyLength]byte // goes back to the frontend
}

func newNonce() string {
	raw := make([]byte, ownNonceLength)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	return base64.StdEncoding.EncodeToString(raw)
}

// mechanisms is the list in AuthenticationSASL: each name and the list end in NUL.
func (s *scramServer) mechanisms() []byte {
	list := mechanismSCRAM + "\x00\x00"
	if s.binding != nil {
		list = mechanismSCRAMPlus + "\x00" + list
	}
	return []byte(list)
}

// challenge answers the client-first-message.
func (s *scramServer) challenge(mechanism, text string) (string, error) {
	first, err := parseClientFirst(text)
	if err != nil {
		return "", saslViolation(err.Error())
	}
	if err := s.checkBindingFlag(mechanism, first); err != nil {
		return "", err
	}
	s.first, s.wholeNonce = first, first.nonce+s.nonce
	s.serverFirst = serverFirst{s.wholeNonce, s.verifier.Salt, s.verifier.Iterations}.text()
	return s.serverFirst, nil
}

// checkBindingFlag refuses what a man in the middle would bring about: a mechanism and
// a flag that do not fit, and a client that believes we cannot do PLUS though we
// offered it.
func (s *scramServer) checkBindingFlag(mechanism string, first clientFirst) error {
	plus := mechanism == mechanismSCRAMPlus
	switch {
	case plus != first.bound:
		return saslViolation("The channel binding flag does not fit the chosen mechanism.")
	case plus && first.binding != bindingType:
		return pgerr.Fatalf(pgerr.ProtocolViolation, "unsupported SCRAM channel-binding type %q", first.binding)
	case first.binding == "y" && s.binding != nil:
		return pgerr.Fatal(pgerr.InvalidAuthorization, "SCRAM channel binding negotiation error").
			WithDetail("The client supports SCRAM channel binding but thinks the server does not. However, this server does support channel binding.")
	}
	return nil
}

// finish checks the client-final-message. ok is false for a wrong proof; a message
// that is none gives an error.
func (s *scramServer) finish(text string) (proof scramProof, ok bool, err error) {
	final, err := parseClientFinal(text)
	if err != nil {
		return scramProof{}, false, saslViolation(err.Error())
	}
	if final.nonce != s.wholeNonce {
		return scramProof{}, false, saslViolation("Nonce does not match.")
	}
	expected := []byte(s.first.gs2)
	if s.first.bound {
		expected = append(expected, s.binding...)
	}
	if !bytes.Equal(final.binding, expected) {
		return scramProof{}, false, pgerr.Fatal(pgerr.InvalidAuthorization, "SCRAM channel binding check failed")
	}
	proof, ok = s.check(final)
	return proof, ok, nil
}

// check recovers the ClientKey: it is the proof XOR a signature made with StoredKey,
// and it is right if its hash is StoredKey.
func (s *scramServer) check(final clientFinal) (scramProof, bool) {
	message := s.first.bare + "," + s.serverFirst + "," + final.withoutProof
	p := scramProof{client: clientKey{verifier: s.verifier}}
	p.client.key = xorKeys(final.proof, hmacSum(s.verifier.StoredKey[:], message))
	p.signature = hmacSum(s.verifier.ServerKey[:], message)
	right := hmac.Equal(hashKey(p.client.key), s.verifier.StoredKey[:])
	return p, right && s.known
}

func hashKey(key [keyLength]byte) []byte {
	sum := sha256.Sum256(key[:])
	return sum[:]
}

func xorKeys(a, b [keyLength]byte) [keyLength]byte {
	for i := range a {
		a[i] ^= b[i]
	}
	return a
}

// frontendSCRAM runs the exchange with the frontend: our list, its first message, our
// challenge, its proof, our signature. Somebody without a usable secret goes through
// all of it and is refused at the end.
func (a *Authenticator) frontendSCRAM(ctx context.Context, peer Peer, l Login, known Secret) (Secret, error) {
	salt := a.cfg.SaltKey.salt(l.User)
	s := &scramServer{nonce: newNonce(), binding: l.binding()}
	if s.verifier, s.known = known.verifierWith(salt); !s.known {
		s.verifier = mockVerifier(salt)
	}
	mechanism, first, err := s.receiveFirst(ctx, peer)
	if err != nil {
		return Secret{}, err
	}
	challenge, err := s.challenge(mechanism, first)
	if err != nil {
		return Secret{}, err
	}
	final, err := askSASL(ctx, peer, challenge)
	if err != nil {
		return Secret{}, err
	}
	proof, ok, err := s.finish(final)
	if err != nil {
		return Secret{}, err
	}
	if !ok {
		return Secret{}, passwordFailed(l.User, s.refusal())
	}
	signature := "v=" + base64.StdEncoding.EncodeToString(proof.signature[:])
	if err := sendAuth(ctx, peer, authSASLFinal, []byte(signature)); err != nil {
		return Secret{}, err
	}
	return known.enrichedBy(proof.client), nil
}

func (s *scramServer) refusal() error {
	if s.known {
		return errPasswordMismatch
	}
	return errors.New("no clear text or SCRAM verifier is known")
}

// enrichedBy adds a ClientKey unless the clear text is known, which serves for more.
func (s Secret) enrichedBy(client clientKey) Secret {
	if s.open().hasClear {
		return s
	}
	k := *s.open()
	k.client = &client
	return seal(k)
}

// receiveFirst offers the mechanisms and reads SASLInitialResponse. A client may leave
// the message out there and is then asked for it with an empty challenge.
func (s *scramServer) receiveFirst(ctx context.Context, peer Peer) (mechanism, first string, err error) {
	if err := sendAuth(ctx, peer, authSASL, s.mechanisms()); err != nil {
		return "", "", err
	}
	body, err := receivePassword(ctx, peer, maxChallengeAnswer)
	if err != nil {
		return "", "", err
	}
	mechanism, first, given, err := parseInitialResponse(body)
	if err != nil {
		return "", "", err
	}
	if !slices.Contains(strings.Split(string(s.mechanisms()), "\x00"), mechanism) || mechanism == "" {
		return "", "", pgerr.Fatal(pgerr.ProtocolViolation, "client selected an invalid SASL authentication mechanism")
	}
	if !given {
		first, err = askSASL(ctx, peer, "")
	}
	return mechanism, first, err
}

// parseInitialResponse takes SASLInitialResponse apart: a NUL-terminated mechanism, an
// int32 length (-1 for no message), the message. Nothing may follow.
func parseInitialResponse(body []byte) (mechanism, first string, given bool, err error) {
	name, rest, ok := bytes.Cut(body, []byte{0})
	if !ok || len(rest) < 4 {
		return "", "", false, saslViolation("SASLInitialResponse is too short.")
	}
	length, data := binary.BigEndian.Uint32(rest), rest[4:]
	switch {
	case length == 0xffffffff && len(data) == 0:
		return string(name), "", false, nil
	case uint64(length) != uint64(len(data)):
		return "", "", false, saslViolation("The length in SASLInitialResponse is wrong.")
	}
	return string(name), string(data), true, nil
}

func askSASL(ctx context.Context, peer Peer, challenge string) (string, error) {
	if err := sendAuth(ctx, peer, authSASLContinue, []byte(challenge)); err != nil {
		return "", err
	}
	body, err := receivePassword(ctx, peer, maxChallengeAnswer)
	return string(body), err
}
