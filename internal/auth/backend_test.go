package auth

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgerr"
)

func testSecrets(t testing.TB) map[string]Secret {
	v := mustVerifier(t, testPassword, testSalt, DefaultIterations)
	hash, err := MD5Hash(EncryptMD5(testUser, testPassword))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]Secret{
		"none":      {},
		"clear":     ClearText(testPassword),
		"wrong":     ClearText("wrong"),
		"unproven":  ClearText(testPassword).asUnproven(),
		"md5":       hash,
		"verifier":  FromVerifier(v),
		"clientKey": FromVerifier(v).enrichedBy(deriveKeys(testPassword, v.Salt, v.Iterations)),
	}
}

func TestBackendLogin(t *testing.T) {
	t.Parallel()
	secrets := testSecrets(t)
	tests := []struct {
		secret string
		want   string // with a backend that asks for nothing, clear text, md5, SCRAM
	}{
		{"none", "ok - - -"},
		{"clear", "ok ok ok ok"},
		{"wrong", "ok - - -"},
		{"unproven", "- ok ok ok"},
		{"md5", "ok - ok -"},
		{"verifier", "ok - - -"},
		{"clientKey", "ok - - ok"},
	}
	for _, tt := range tests {
		for i, want := range strings.Fields(tt.want) {
			asks := backendMethods[i]
			t.Run(tt.secret+"/"+string(asks), func(t *testing.T) {
				t.Parallel()
				opened, err := logInToBackend(t, asks, testSalt, secrets[tt.secret])
				if (err == nil) != (want == "ok") || err == nil && opened.Asked != asks {
					t.Errorf("Backend = %v, %v; want %s", opened, err, want)
				}
			})
		}
	}
}

func logInToBackend(t testing.TB, asks Method, salt string, secret Secret) (Opened, error) {
	t.Helper()
	ours, server := pipe(t)
	served := fakeBackend{asks: asks, user: testUser, password: testPassword, salt: salt}.serve(t, server)
	opened, err := Backend(context.Background(), ours, testUser, secret, BackendOptions{})
	_ = ours.conn.Close()
	<-served
	return opened, err
}

func TestBackendWithAnotherSaltThanTheKey(t *testing.T) {
	t.Parallel()
	secrets := testSecrets(t)
	_, err := logInToBackend(t, SCRAM, "another salt 456", secrets["clientKey"])
	var shown *pgerr.Error
	if !errors.As(err, &shown) || !strings.Contains(shown.Detail, "another SCRAM verifier") || shown.Hint == "" {
		t.Errorf("error %v does not say what is wrong", err)
	}
	if _, err := logInToBackend(t, SCRAM, "another salt 456", secrets["clear"]); err != nil {
		t.Error(err)
	}
}

func TestSecretThatABackendHasCheckedIsProven(t *testing.T) {
	t.Parallel()
	for _, asks := range []Method{Password, MD5, SCRAM} {
		opened, err := logInToBackend(t, asks, testSalt, ClearText(testPassword).asUnproven())
		if err != nil || opened.Secret.Unproven() {
			t.Errorf("%s: %v, %v; want a proven secret", asks, opened, err)
		}
	}
}

func TestBackendErrorIsKeptWhole(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		code       pgerr.Code
		message    string
	}{
		{"all fields", "SFATAL\x00VFATAL\x00C28000\x00Mno entry\x00Fauth.c\x00\x00", "28000", "no entry"},
		{"no fields", "\x00", "XX000", ""},
		{"nothing", "", "XX000", ""},
		{"no SQLSTATE", "SFATAL\x00Mno\x00\x00", "XX000", "no"},
		{"an SQLSTATE of the wrong length", "C1\x00\x00", "XX000", ""},
		{"cut off in a field", "SFATAL\x00C28", "XX000", ""},
		{"no last terminator", "C28P01\x00Mno\x00", "28P01", "no"},
		{"fields after the end", "C28P01\x00\x00Mno\x00", "28P01", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Backend(context.Background(), &scriptPeer{incoming: []message{{'E', tt.body}}}, "u", Secret{}, BackendOptions{})
			var refused *BackendError
			if !errors.As(err, &refused) || string(refused.Body) != tt.body || refused.Code() != tt.code || refused.Message() != tt.message {
				t.Errorf("error %#v, want %s %q with its body", err, tt.code, tt.message)
			}
		})
	}
}

func TestBackendRefusesHostileBackends(t *testing.T) {
	t.Parallel()
	ok := message{'R', request(0, "")}
	scramList := message{'R', request(10, "SCRAM-SHA-256\x00\x00")}
	notices := make([]message, maxBackendMessages)
	for i := range notices {
		notices[i] = message{'N', "\x00"}
	}
	tests := []struct {
		name     string
		incoming []message
		want     pgerr.Code
	}{
		{"silence", nil, pgerr.InternalError},
		{"another message", []message{{'Z', "I"}}, pgerr.ProtocolViolation},
		{"a request of three bytes", []message{{'R', "\x00\x00\x00"}}, pgerr.ProtocolViolation},
		{"an OK with more", []message{{'R', request(0, "x")}}, pgerr.ProtocolViolation},
		{"gss", []message{{'R', request(7, "")}}, pgerr.FeatureNotSupported},
		{"sspi", []message{{'R', request(9, "")}}, pgerr.FeatureNotSupported},
		{"a number that is none", []message{{'R', request(0xffffffff, "")}}, pgerr.FeatureNotSupported},
		{"a salt of three bytes", []message{{'R', request(5, "abc")}}, pgerr.ProtocolViolation},
		{"asks twice", []message{{'R', request(5, "abcd")}, {'R', request(3, "")}}, pgerr.ProtocolViolation},
		{"no mechanism", []message{{'R', request(10, "")}}, pgerr.InvalidAuthorization},
		{"another mechanism", []message{{'R', request(10, "SCRAM-SHA-1\x00\x00")}}, pgerr.InvalidAuthorization},
		{"PLUS without TLS", []message{{'R', request(10, "SCRAM-SHA-256-PLUS\x00\x00")}}, pgerr.InvalidAuthorization},
		{"a challenge before the list", []message{{'R', request(11, "r=")}}, pgerr.ProtocolViolation},
		{"an outcome before the list", []message{{'R', request(12, "v=")}}, pgerr.ProtocolViolation},
		{"an outcome before the challenge", []message{scramList, {'R', request(12, "v="+strings.Repeat("A", 43)+"=")}}, pgerr.ProtocolViolation},
		{"an OK before the challenge", []message{scramList, ok}, pgerr.ProtocolViolation},
		{"a challenge that is none", []message{scramList, {'R', request(11, "x")}}, pgerr.ConnectionFailure},
		{"notices without end", notices, pgerr.ProtocolViolation},
		{"a protocol version that nobody asked about", []message{{'v', "\x00"}}, pgerr.ProtocolViolation},
		{"a message above the bound", []message{{'R', strings.Repeat("x", MaxPasswordMessage+1)}}, pgerr.InternalError},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Backend(context.Background(), &scriptPeer{incoming: tt.incoming}, "u", ClearText("x"), BackendOptions{})
			wantCode(t, err, tt.want)
		})
	}
}

// impostor knows no verifier: it takes every proof and cannot sign.
type impostor struct {
	scriptPeer
	end []message // what it sends after the proof
}

func (p *impostor) Send(ctx context.Context, kind byte, body []byte) error {
	_, nonce, first := strings.Cut(string(body), "n,,n=,r=")
	switch {
	case first:
		p.incoming = []message{{'R', request(11, "r="+nonce+"x,s=AAAA,i=1")}}
	default:
		p.incoming = p.end
	}
	return p.scriptPeer.Send(ctx, kind, body)
}

func TestBackendThatCannotSignIsRefused(t *testing.T) {
	t.Parallel()
	ok := message{'R', request(0, "")}
	tests := map[string][]message{
		"no signature":      {ok},
		"an empty one":      {{'R', request(12, "")}, ok},
		"a wrong one":       {{'R', request(12, "v="+strings.Repeat("A", 43)+"=")}, ok},
		"an error instead":  {{'R', request(12, "e=other-error")}, ok},
		"another challenge": {{'R', request(11, "r=,s=,i=1")}, ok},
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &impostor{end: end}
			p.incoming = []message{{'R', request(10, "SCRAM-SHA-256\x00\x00")}}
			if opened, err := Backend(context.Background(), p, "u", ClearText("x"), BackendOptions{}); err == nil {
				t.Errorf("Backend = %v, want an error", opened)
			}
		})
	}
}

func TestBackendHandsOnNegotiateProtocolVersion(t *testing.T) {
	t.Parallel()
	var got string
	peer := &scriptPeer{incoming: []message{{'v', "version"}, {'N', "\x00"}, {'R', request(0, "")}}}
	opened, err := Backend(context.Background(), peer, "u", Secret{}, BackendOptions{Negotiate: func(body []byte) { got = string(body) }})
	if err != nil || opened.Asked != Trust || got != "version" {
		t.Errorf("Backend = %v, %v; negotiated %q", opened, err, got)
	}
}

func FuzzBackendAuth(f *testing.F) {
	f.Add(byte('R'), []byte(request(10, "SCRAM-SHA-256\x00\x00")), byte('R'), []byte(request(11, "r=x,s=AAAA,i=1")))
	f.Add(byte('R'), []byte(request(5, "salt")), byte('E'), []byte("C28P01\x00"))
	f.Add(byte('N'), []byte("x"), byte('R'), []byte(request(3, "")))
	f.Fuzz(func(t *testing.T, kind1 byte, body1 []byte, kind2 byte, body2 []byte) {
		peer := &scriptPeer{incoming: []message{{kind1, string(body1)}, {kind2, string(body2)}, {kind2, string(body2)}}}
		opened, err := Backend(context.Background(), peer, "u", ClearText("x"), BackendOptions{Negotiate: func([]byte) {}})
		var refused *BackendError
		if errors.As(err, &refused) {
			_ = refused.Error()
		}
		if err == nil && opened.Asked == SCRAM {
			t.Fatalf("%q %q passed for a backend that knows the password", body1, body2)
		}
	})
}

func TestCleartextAndMD5AnswersAreComparedWhole(t *testing.T) {
	t.Parallel()
	right := EncryptMD5(testUser, testPassword)
	secrets := testSecrets(t)
	tests := []struct {
		name, body string
		want       pgerr.Code // empty: in
	}{
		{"right", testPassword + "\x00", ""},
		{"no terminator", testPassword, pgerr.ProtocolViolation},
		{"one byte without terminator", testPassword[:1], pgerr.ProtocolViolation},
		{"prefix", testPassword[:5] + "\x00", pgerr.InvalidPassword},
		{"more", testPassword + "x\x00", pgerr.InvalidPassword},
		{"two terminators", testPassword + "\x00\x00", pgerr.ProtocolViolation},
		{"terminator inside", testPassword + "\x00x\x00", pgerr.ProtocolViolation},
		{"empty", "\x00", pgerr.InvalidPassword},
		{"nothing", "", pgerr.ProtocolViolation},
		{"the stored hash", right + "\x00", pgerr.InvalidPassword},
	}
	for _, tt := range tests {
		for _, known := range []string{"clear", "md5", "verifier", "none"} {
			t.Run(tt.name+"/"+known, func(t *testing.T) {
				t.Parallel()
				_, err := frontendClearText(context.Background(), &scriptPeer{incoming: []message{{'p', tt.body}}}, testUser, secrets[known])
				want := tt.want
				if known == "none" && want == "" {
					want = pgerr.InvalidPassword
				}
				if want == "" && err != nil || want != "" && pgerr.CodeOf(err) != want {
					t.Errorf("error %v, want %q", err, want)
				}
			})
		}
	}
	for _, answer := range []string{"", "\x00", right + "\x00", "md5\x00", right[:10]} {
		peer := &scriptPeer{incoming: []message{{'p', answer}}}
		if _, err := frontendMD5(context.Background(), peer, testUser, secrets["md5"]); err == nil {
			t.Errorf("md5 answer %q got in", answer)
		}
	}
}
