package auth

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/xdg-go/scram"

	"github.com/pgchorus/pgchorus/internal/pgerr"
)

// The exchange of RFC 7677, section 3.
const (
	rfcPassword    = "pencil"
	rfcClientNonce = "rOprNGfwEbeRWgbNEkqO"
	rfcServerNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
	rfcSalt        = "W22ZaJ0SNY7soEsUEjb6gQ=="
	rfcFirst       = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
	rfcChallenge   = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
	rfcFinal       = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
	rfcSignature   = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
)

func rfcVerifier(t testing.TB) Verifier {
	t.Helper()
	salt, err := base64.StdEncoding.DecodeString(rfcSalt)
	if err != nil {
		t.Fatal(err)
	}
	return mustVerifier(t, rfcPassword, string(salt), 4096)
}

func TestScramServerFollowsRFC7677(t *testing.T) {
	t.Parallel()
	s := &scramServer{verifier: rfcVerifier(t), known: true, nonce: rfcServerNonce}
	challenge, err := s.challenge(mechanismSCRAM, rfcFirst)
	if err != nil || challenge != rfcChallenge {
		t.Fatalf("challenge = %q, %v; want %q", challenge, err, rfcChallenge)
	}
	proof, ok, err := s.finish(rfcFinal)
	if err != nil || !ok {
		t.Fatalf("finish = %v, %v", ok, err)
	}
	if got := "v=" + base64.StdEncoding.EncodeToString(proof.signature[:]); got != rfcSignature {
		t.Errorf("signature = %q, want %q", got, rfcSignature)
	}
	if want := deriveKeys(rfcPassword, s.verifier.Salt, 4096); proof.client.key != want.key {
		t.Error("the ClientKey recovered from the proof is not the one of the password")
	}
}

func TestScramClientFollowsRFC7677(t *testing.T) {
	t.Parallel()
	// The RFC's client sends a user name and libpq does not, so the proof is checked
	// over the RFC's own first message.
	c := &scramClient{secret: ClearText(rfcPassword), gs2: "n,,", nonce: rfcClientNonce, firstBare: "n=user,r=" + rfcClientNonce}
	final, err := c.final(rfcChallenge)
	if err != nil || final != rfcFinal {
		t.Errorf("final = %q, %v; want %q", final, err, rfcFinal)
	}
	if err := c.verify(rfcSignature); err != nil {
		t.Error(err)
	}
	if err := c.verify(strings.Replace(rfcSignature, "6rri", "6rrj", 1)); err == nil {
		t.Error("a wrong signature was taken for the server's")
	}
}

// Passwords on which SASLprep has something to do or to forbid.
var oddPasswords = []string{"pencil", "I\u00adX", "\u2168", "naïve", "a\u00a0b", strings.Repeat("x", 500), "emoji \U0001f511"}

func TestScramServerServesXdgClient(t *testing.T) {
	t.Parallel()
	for _, password := range oddPasswords {
		xdg, err := scram.SHA256.NewClient("", password, "")
		if err != nil { // the library refuses what PostgreSQL takes as it is
			xdg, err = scram.SHA256.NewClientUnprepped("", password, "")
		}
		if err != nil {
			t.Fatal(err)
		}
		s := &scramServer{verifier: mustVerifier(t, password, testSalt, 4096), known: true, nonce: newNonce()}
		conversation := xdg.NewConversation()
		first, _ := conversation.Step("")
		challenge, err := s.challenge(mechanismSCRAM, first)
		if err != nil {
			t.Fatal(err)
		}
		final, err := conversation.Step(challenge)
		if err != nil {
			t.Fatal(err)
		}
		proof, ok, err := s.finish(final)
		if err != nil || !ok {
			t.Errorf("%q: %v, %v", password, ok, err)
		}
		if _, err := conversation.Step("v=" + base64.StdEncoding.EncodeToString(proof.signature[:])); err != nil || !conversation.Valid() {
			t.Errorf("%q: the client does not take our signature: %v", password, err)
		}
	}
}

func TestScramClientIsServedByXdgServer(t *testing.T) {
	t.Parallel()
	v := mustVerifier(t, rfcPassword, testSalt, 4096)
	byKey := FromVerifier(v).enrichedBy(deriveKeys(rfcPassword, v.Salt, 4096))
	for _, secret := range []Secret{ClearText(rfcPassword), byKey} {
		server, err := xdgServer(rfcPassword, testSalt)
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := newSCRAMClient(secret, []string{mechanismSCRAM}, nil)
		if err != nil {
			t.Fatal(err)
		}
		challenge, err := server.Step(c.first())
		if err != nil {
			t.Fatal(err)
		}
		final, err := c.final(challenge)
		if err != nil {
			t.Fatal(err)
		}
		signature, err := server.Step(final)
		if err != nil || c.verify(signature) != nil {
			t.Errorf("%s: %v", secret, err)
		}
	}
}

func TestChannelBindingFlags(t *testing.T) {
	t.Parallel()
	binding := []byte("certificate digest")
	bare := "n=,r=abc"
	withBinding := base64.StdEncoding.EncodeToString([]byte("p=tls-server-end-point,,certificate digest"))
	otherBinding := base64.StdEncoding.EncodeToString([]byte("p=tls-server-end-point,,another certificate"))
	tests := []struct {
		name      string
		offered   []byte
		mechanism string
		header    string
		c         string
		want      pgerr.Code // empty: right proof accepted
	}{
		{"no binding, none offered", nil, mechanismSCRAM, "n,,", "biws", ""},
		{"no binding though offered", binding, mechanismSCRAM, "n,,", "biws", ""},
		{"could bind, none offered", nil, mechanismSCRAM, "y,,", "eSws", ""},
		{"could bind and was not told of the offer", binding, mechanismSCRAM, "y,,", "eSws", pgerr.InvalidAuthorization},
		{"binds", binding, mechanismSCRAMPlus, "p=tls-server-end-point,,", withBinding, ""},
		{"binds to another certificate", binding, mechanismSCRAMPlus, "p=tls-server-end-point,,", otherBinding, pgerr.InvalidAuthorization},
		{"binds by another type", binding, mechanismSCRAMPlus, "p=tls-unique,,", withBinding, pgerr.ProtocolViolation},
		{"PLUS without binding", binding, mechanismSCRAMPlus, "n,,", "biws", pgerr.ProtocolViolation},
		{"binding without PLUS", binding, mechanismSCRAM, "p=tls-server-end-point,,", withBinding, pgerr.ProtocolViolation},
		{"header changed on the way", nil, mechanismSCRAM, "n,,", "eSws", pgerr.InvalidAuthorization},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &scramServer{verifier: rfcVerifier(t), known: true, nonce: "def", binding: tt.offered}
			challenge, err := s.challenge(tt.mechanism, tt.header+bare)
			ok := false
			if err == nil {
				_, ok, err = s.finish(signedFinal(bare, challenge, "c="+tt.c+",r=abcdef"))
			}
			switch {
			case tt.want == "" && (err != nil || !ok):
				t.Errorf("refused: %v", err)
			case tt.want != "" && (err == nil || pgerr.CodeOf(err) != tt.want):
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

// signedFinal is a client-final-message with the right proof.
func signedFinal(firstBare, challenge, withoutProof string) string {
	m, err := parseServerFirst(challenge)
	if err != nil {
		return err.Error()
	}
	keys := deriveKeys(rfcPassword, m.salt, m.iterations)
	proof := xorKeys(keys.key, hmacSum(keys.verifier.StoredKey[:], firstBare+","+challenge+","+withoutProof))
	return withoutProof + ",p=" + base64.StdEncoding.EncodeToString(proof[:])
}

func initialResponse(mechanism, data string) string {
	return string(binary.BigEndian.AppendUint32([]byte(mechanism+"\x00"), uint32(len(data)))) + data
}

func TestScramServerRefusesMalformedMessages(t *testing.T) {
	t.Parallel()
	good := initialResponse(mechanismSCRAM, rfcFirst)
	finals := func(final string) []message { return []message{{'p', good}, {'p', final}} }
	tests := []struct {
		name     string
		incoming []message
		want     pgerr.Code
	}{
		{"nothing", []message{{'p', ""}}, pgerr.ProtocolViolation},
		{"another message", []message{{'Q', "SELECT 1\x00"}}, pgerr.ProtocolViolation},
		{"no mechanism", []message{{'p', initialResponse("", rfcFirst)}}, pgerr.ProtocolViolation},
		{"another mechanism", []message{{'p', initialResponse("SCRAM-SHA-1", rfcFirst)}}, pgerr.ProtocolViolation},
		{"a mechanism that was not offered", []message{{'p', initialResponse(mechanismSCRAMPlus, rfcFirst)}}, pgerr.ProtocolViolation},
		{"no terminator", []message{{'p', mechanismSCRAM}}, pgerr.ProtocolViolation},
		{"length too short", []message{{'p', mechanismSCRAM + "\x00\x00\x00"}}, pgerr.ProtocolViolation},
		{"length too large", []message{{'p', mechanismSCRAM + "\x00\x7f\xff\xff\xffn,,"}}, pgerr.ProtocolViolation},
		{"length negative and data", []message{{'p', mechanismSCRAM + "\x00\xff\xff\xff\xffn,,"}}, pgerr.ProtocolViolation},
		{"bytes after the message", []message{{'p', good + "x"}}, pgerr.ProtocolViolation},
		{"a first message that is none", []message{{'p', initialResponse(mechanismSCRAM, "hello")}}, pgerr.ProtocolViolation},
		{"a flag that is none", []message{{'p', initialResponse(mechanismSCRAM, "x,,n=,r=a")}}, pgerr.ProtocolViolation},
		{"an authorization identity", []message{{'p', initialResponse(mechanismSCRAM, "n,a=bob,n=,r=a")}}, pgerr.ProtocolViolation},
		{"a mandatory extension", []message{{'p', initialResponse(mechanismSCRAM, "n,,m=x,n=,r=a")}}, pgerr.ProtocolViolation},
		{"no nonce", []message{{'p', initialResponse(mechanismSCRAM, "n,,n=,r=")}}, pgerr.ProtocolViolation},
		{"a nonce of blanks", []message{{'p', initialResponse(mechanismSCRAM, "n,,n=,r=a b")}}, pgerr.ProtocolViolation},
		{"a nonce above the bound", []message{{'p', initialResponse(mechanismSCRAM, "n,,n=,r="+strings.Repeat("a", maxNonce+1))}}, pgerr.ProtocolViolation},
		{"no final message", finals(""), pgerr.ProtocolViolation},
		{"a final message without proof", finals("c=biws,r=x"), pgerr.ProtocolViolation},
		{"a proof of the wrong length", finals("c=biws,r=x,p=AAAA"), pgerr.ProtocolViolation},
		{"a proof that is no Base64", finals("c=biws,r=x,p=" + strings.Repeat("!", 44)), pgerr.ProtocolViolation},
		{"another nonce", finals(rfcFinal), pgerr.ProtocolViolation},
		{"the final message twice over", finals(rfcFinal + "," + rfcFinal), pgerr.ProtocolViolation},
		{"silence", []message{{'p', good}}, pgerr.InternalError},
		{"a message above the bound", []message{{'p', strings.Repeat("x", maxChallengeAnswer+1)}}, pgerr.InternalError},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := New(Config{}).frontendSCRAM(context.Background(), &scriptPeer{incoming: tt.incoming}, testLogin(), ClearText(rfcPassword))
			wantCode(t, err, tt.want)
		})
	}
}

func TestScramServerAsksForAFirstMessageThatWasLeftOut(t *testing.T) {
	t.Parallel()
	peer := &scriptPeer{incoming: []message{{'p', mechanismSCRAM + "\x00\xff\xff\xff\xff"}, {'p', rfcFirst}}}
	_, err := New(Config{}).frontendSCRAM(context.Background(), peer, testLogin(), ClearText(rfcPassword))
	if err == nil || len(peer.sent) != 3 || peer.sent[1].body != request(authSASLContinue, "") {
		t.Errorf("sent %q, error %v", peer.sent, err)
	}
}

func TestScramClientRefusesMalformedChallenges(t *testing.T) {
	t.Parallel()
	const ours = "abc"
	tests := []struct {
		name, challenge string
	}{
		{"nothing", ""},
		{"an error", "e=other-error"},
		{"a nonce that is not ours", "r=xyzdef,s=AAAA,i=4096"},
		{"a nonce that adds nothing", "r=abc,s=AAAA,i=4096"},
		{"a nonce of 100 kB", "r=abc" + strings.Repeat("d", 100000) + ",s=AAAA,i=4096"},
		{"no salt", "r=abcdef,i=4096"},
		{"an empty salt", "r=abcdef,s=,i=4096"},
		{"a salt that is no Base64", "r=abcdef,s=!!!!,i=4096"},
		{"no iteration count", "r=abcdef,s=AAAA"},
		{"a count of nothing", "r=abcdef,s=AAAA,i=0"},
		{"a negative count", "r=abcdef,s=AAAA,i=-1"},
		{"a count above the bound", "r=abcdef,s=AAAA,i=10000001"},
		{"a count of 2^31", "r=abcdef,s=AAAA,i=2147483648"},
		{"a count of 2^64", "r=abcdef,s=AAAA,i=18446744073709551616"},
		{"a mandatory extension", "m=x,r=abcdef,s=AAAA,i=4096"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := &scramClient{secret: ClearText("x"), gs2: "n,,", nonce: ours}
			if final, err := c.final(tt.challenge); err == nil {
				t.Errorf("final = %q, want an error", final)
			}
		})
	}
}

func FuzzScramServer(f *testing.F) {
	f.Add([]byte(initialResponse(mechanismSCRAM, rfcFirst)), []byte(rfcFinal), false)
	f.Add([]byte(initialResponse(mechanismSCRAMPlus, "p=tls-server-end-point,,n=,r=abc")), []byte("c=,r=,p="), true)
	f.Add([]byte(mechanismSCRAM+"\x00\xff\xff\xff\xff"), []byte("n,,n=,r=abc,x=y"), true)
	a := New(Config{})
	known := FromVerifier(Verifier{Iterations: 1, Salt: []byte("salt"), StoredKey: [keyLength]byte{1}, ServerKey: [keyLength]byte{2}})
	f.Fuzz(func(t *testing.T, first, final []byte, bind bool) {
		l := testLogin()
		if bind {
			l.ServerEndPoint = []byte("digest")
		}
		peer := &scriptPeer{incoming: []message{{'p', string(first)}, {'p', string(final)}, {'p', string(final)}}}
		secret, err := a.frontendSCRAM(context.Background(), peer, l, known)
		if err == nil || !secret.IsZero() {
			t.Fatalf("%q and %q got in", first, final)
		}
		var shown *pgerr.Error
		if !errors.As(err, &shown) && !errors.Is(err, errTooLong) && len(peer.incoming) > 0 {
			t.Fatalf("error %v is not for the frontend", err)
		}
	})
}

func TestScramClientBindsToTheBackendsCertificate(t *testing.T) {
	t.Parallel()
	digest, other := []byte("certificate digest"), []byte("another certificate")
	both := []string{mechanismSCRAMPlus, mechanismSCRAM}
	tests := []struct {
		name      string
		offered   []string
		ours      []byte // the certificate that we see
		theirs    []byte // the certificate that the backend has
		mechanism string
		ok        bool
	}{
		{"no TLS", []string{mechanismSCRAM}, nil, nil, mechanismSCRAM, true},
		{"TLS and an offer", both, digest, digest, mechanismSCRAMPlus, true},
		{"TLS, a backend that cannot bind", []string{mechanismSCRAM}, digest, nil, mechanismSCRAM, true},
		{"somebody in between with a certificate of his own", both, other, digest, mechanismSCRAMPlus, false},
		{"somebody in between takes the offer away", []string{mechanismSCRAM}, other, digest, mechanismSCRAM, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, mechanism, err := newSCRAMClient(ClearText(rfcPassword), tt.offered, tt.ours)
			if err != nil || mechanism != tt.mechanism {
				t.Fatalf("mechanism %q, %v; want %q", mechanism, err, tt.mechanism)
			}
			s := &scramServer{verifier: rfcVerifier(t), known: true, nonce: newNonce(), binding: tt.theirs}
			ok := false
			if challenge, err := s.challenge(mechanism, c.first()); err == nil {
				final, err := c.final(challenge)
				if err != nil {
					t.Fatal(err)
				}
				_, ok, _ = s.finish(final)
			}
			if ok != tt.ok {
				t.Errorf("let in: %v, want %v", ok, tt.ok)
			}
		})
	}
}
