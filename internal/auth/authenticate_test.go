package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgerr"
)

// logIn lets a client in through an Authenticator and on to one backend, as a session
// does. It reports what the session sees.
func logIn(t testing.TB, cfg Config, l Login, backend fakeBackend, password string) (Opened, error) {
	t.Helper()
	ctx := context.Background()
	front, theirs := pipe(t)
	back, server := pipe(t)
	asked := client(t, theirs, l.User, password)
	served := backend.serve(t, server)
	defer func() {
		for _, p := range []testPeer{front, back} {
			_ = p.conn.Close()
		}
		<-asked
		<-served
	}()

	a := New(cfg)
	secret, err := a.Frontend(ctx, front, l)
	if err != nil {
		return Opened{}, err
	}
	opened, err := Backend(ctx, back, l.User, secret, BackendOptions{Source: a.SecretSource(front, l)})
	if err != nil {
		return Opened{}, err
	}
	return opened, SendOK(ctx, front)
}

func testLogin() Login {
	return Login{User: testUser, Database: "shop", PeerCertCN: "Alice", TLS: true,
		Origin: Origin{Addr: netip.MustParseAddr("192.0.2.1")}}
}

// entries of pool_passwd for testUser, by the name of their kind.
func testEntries(t testing.TB) map[string]*Passwd {
	v := mustVerifier(t, testPassword, testSalt, DefaultIterations)
	// openssl enc -aes-256-cbc -md sha1 -nosalt -pass pass:secret -base64 -A
	const aes = "jOO4SaXBIOMMtlt7F7v/Pw=="
	return map[string]*Passwd{
		"none":    mustPasswd(t, "bob:x\n", "secret"),
		"nil":     nil,
		"md5":     mustPasswd(t, testUser+":"+EncryptMD5(testUser, testPassword), ""),
		"TEXT":    mustPasswd(t, testUser+":TEXT"+testPassword, ""),
		"plain":   mustPasswd(t, testUser+":"+testPassword, ""),
		"AES":     mustPasswd(t, testUser+":AES"+aes, "secret"),
		"no key":  mustPasswd(t, testUser+":AES"+aes, ""),
		"SCRAM":   mustPasswd(t, testUser+":"+v.Text(), ""),
		"invalid": mustPasswd(t, testUser+":SCRAM-SHA-256$", ""),
	}
}

var backendMethods = []Method{Trust, Password, MD5, SCRAM}

// A row of the matrices: what comes of it with a backend that asks for nothing, for
// a clear text password, for md5 and for SCRAM.
type matrixRow struct {
	method  Method // of pool_hba.conf
	allow   bool   // allow_clear_text_frontend_auth
	entries string
	want    string
}

// TestMatrixWithPoolHBA is Pgpool-II's table of what works, with the hazard closed
// (password, none, trust) and these cells better: password with md5 or SCRAM entry, md5
// and scram-sha-256 with SCRAM entry.
func TestMatrixWithPoolHBA(t *testing.T) {
	t.Parallel()
	runMatrix(t, true, []matrixRow{
		{Trust, false, "none nil", "ok - - -"},
		{Trust, true, "none nil", "ok ok - -"},
		{Trust, false, "md5", "ok - ok -"},
		{Trust, false, "TEXT plain AES", "ok ok ok ok"},
		{Trust, true, "SCRAM", "ok - - -"},
		{Trust, false, "no key, invalid", "ok - - -"},
		{Cert, false, "none nil", "ok - - -"},
		{Cert, true, "none nil", "ok ok - -"},
		{Cert, false, "md5", "ok - ok -"},
		{Cert, false, "TEXT plain AES", "ok ok ok ok"},
		{Cert, false, "SCRAM", "ok - - -"},
		{Password, true, "none nil", "- ok ok ok"},
		{Password, false, "none nil", "- ok ok ok"},
		{Password, false, "md5 TEXT plain AES SCRAM", "ok ok ok ok"},
		{Password, true, "no key, invalid", "- - - -"},
		{MD5, true, "none nil", "- - - -"},
		{MD5, false, "md5", "ok - ok -"},
		{MD5, false, "TEXT plain AES", "ok ok ok ok"},
		{MD5, false, "SCRAM", "ok - - ok"},
		{MD5, true, "no key, invalid", "- - - -"},
		{SCRAM, true, "none nil md5", "- - - -"},
		{SCRAM, false, "TEXT plain AES", "ok ok ok ok"},
		{SCRAM, false, "SCRAM", "ok - - ok"},
		{SCRAM, true, "no key, invalid", "- - - -"},
		{Reject, true, "none TEXT SCRAM", "- - - -"},
	})
}

// TestMatrixWithoutPoolHBA is what works when the backends decide. Better than in
// Pgpool-II: password with an md5 entry, SCRAM entries, and an md5 entry before a SCRAM
// backend where clear text is allowed.
func TestMatrixWithoutPoolHBA(t *testing.T) {
	t.Parallel()
	runMatrix(t, false, []matrixRow{
		{"", false, "none nil", "ok ok - -"},
		{"", true, "none nil", "ok ok ok ok"},
		{"", false, "md5", "ok ok ok -"},
		{"", true, "md5", "ok ok ok ok"},
		{"", false, "TEXT plain AES", "ok ok ok ok"},
		{"", true, "TEXT plain AES", "ok ok ok ok"},
		{"", false, "SCRAM", "ok ok - ok"},
		{"", true, "SCRAM", "ok ok ok ok"},
		{"", true, "no key, invalid", "ok - - -"},
	})
}

func runMatrix(t *testing.T, poolHBA bool, rows []matrixRow) {
	entries := testEntries(t)
	for _, row := range rows {
		for _, entry := range entryNames(row.entries) {
			cfg := Config{EnablePoolHBA: poolHBA, Passwd: entries[entry], AllowClearText: row.allow}
			if poolHBA {
				cfg.HBA = mustHBA(t, "host all all all "+string(row.method), nil)
			}
			for i, want := range strings.Fields(row.want) {
				asks := backendMethods[i]
				t.Run(fmt.Sprintf("%s/%s/allow=%v/backend %s", row.method, entry, row.allow, asks), func(t *testing.T) {
					t.Parallel()
					checkCell(t, cfg, row.method, asks, want == "ok")
				})
			}
		}
	}
}

func entryNames(list string) []string {
	if strings.Contains(list, ",") {
		return strings.Split(list, ", ")
	}
	return strings.Fields(list)
}

// checkCell tries the right password and two wrong ones. A wrong one may get in only
// where nobody is meant to look: the frontend's method is trust or cert and its entry is
// used on its behalf, or nothing stands between it and a backend that trusts everybody.
func checkCell(t *testing.T, cfg Config, method, asks Method, want bool) {
	t.Helper()
	backend := fakeBackend{asks: asks, user: testUser, password: testPassword, salt: testSalt}
	opened, err := logIn(t, cfg, testLogin(), backend, testPassword)
	if (err == nil) != want {
		t.Errorf("right password: %v, want success %v", err, want)
	}
	if err == nil && opened.Asked != asks {
		t.Errorf("asked is %s, want %s", opened.Asked, asks)
	}
	onBehalf := (method == Trust || method == Cert) && !cfg.Passwd.lacks(testUser)
	nobodyLooks := asks == Trust && (method == "" || method == Trust || method == Cert)
	for _, wrong := range []string{"wrong", testPassword[:1]} {
		_, err := logIn(t, cfg, testLogin(), backend, wrong)
		if err == nil && !(want && (onBehalf || nobodyLooks)) {
			t.Errorf("password %q got in", wrong)
		}
	}
}

func (p *Passwd) lacks(user string) bool {
	_, err := p.Lookup(user)
	return err != nil
}

func TestQueryForVerifiers(t *testing.T) {
	t.Parallel()
	v := mustVerifier(t, testPassword, testSalt, DefaultIterations).Text()
	tests := []struct {
		name   string
		method Method
		stored string
		err    error
		want   string
	}{
		{"scram with a verifier", SCRAM, v, nil, "ok - - ok"},
		{"md5 with a verifier becomes scram", MD5, v, nil, "ok - - ok"},
		{"md5 with a hash", MD5, EncryptMD5(testUser, testPassword), nil, "ok - ok -"},
		{"scram with a hash", SCRAM, EncryptMD5(testUser, testPassword), nil, "- - - -"},
		{"password with a verifier", Password, v, nil, "ok ok ok ok"},
		{"no row", SCRAM, "", ErrUnknownUser, "- - - -"},
		{"an empty verifier", SCRAM, "", nil, "- - - -"},
		{"no row, password is for the backend to check", Password, "", nil, "- ok ok ok"},
		{"what is neither is not a clear text", Password, testPassword, nil, "- - - -"},
		{"the query fails", Password, "", errors.New("no backend"), "- - - -"},
		{"no row, the backend decides", "", "", nil, "ok ok - -"},
		{"a verifier, the backend decides", "", v, nil, "ok ok - ok"},
		{"a hash, the backend decides", "", EncryptMD5(testUser, testPassword), nil, "ok ok ok -"},
	}
	for _, tt := range tests {
		cfg := Config{
			EnablePoolHBA: tt.method != "",
			Query:         func(context.Context, string) (string, error) { return tt.stored, tt.err },
		}
		if tt.method != "" {
			cfg.HBA = mustHBA(t, "host all all all "+string(tt.method), nil)
		}
		for i, want := range strings.Fields(tt.want) {
			t.Run(tt.name+"/backend "+string(backendMethods[i]), func(t *testing.T) {
				t.Parallel()
				checkCell(t, cfg, tt.method, backendMethods[i], want == "ok")
			})
		}
	}
}

func TestQueryIsNotAskedForUsersWithAnEntry(t *testing.T) {
	t.Parallel()
	cfg := Config{
		EnablePoolHBA: true, HBA: mustHBA(t, "host all all all scram-sha-256", nil), Passwd: testEntries(t)["TEXT"],
		Query: func(context.Context, string) (string, error) { t.Error("the query was run"); return "", nil },
	}
	backend := fakeBackend{asks: SCRAM, user: testUser, password: testPassword, salt: testSalt}
	if _, err := logIn(t, cfg, testLogin(), backend, testPassword); err != nil {
		t.Error(err)
	}
}

func TestErrorsThatTheFrontendSees(t *testing.T) {
	t.Parallel()
	hba := func(method string) *HBA { return mustHBA(t, "host all all all "+method, nil) }
	other := testLogin()
	other.PeerCertCN = "bob"
	none := testLogin()
	none.PeerCertCN = ""
	plain := testLogin()
	plain.TLS = false
	unix := testLogin()
	unix.TLS, unix.Origin = false, Origin{Local: true}
	const refused = `password authentication failed for user "alice"`
	const noLine = `no pool_hba.conf entry for host "192.0.2.1", user "alice", database "shop", SSL on`
	tests := []struct {
		name   string
		cfg    Config
		login  Login
		code   pgerr.Code
		text   string
		detail string
	}{
		{"no rules", Config{EnablePoolHBA: true}, testLogin(), "28000", "client authentication failed", "missing or erroneous pool_hba.conf file"},
		{"no line", Config{EnablePoolHBA: true, HBA: mustHBA(t, "local all all trust", nil)}, testLogin(), "28000", "client authentication failed", noLine},
		{"reject", Config{EnablePoolHBA: true, HBA: hba("reject")}, testLogin(), "28000", "client authentication failed", noLine},
		{"no line, Unix socket", Config{EnablePoolHBA: true, HBA: hba("trust")}, unix, "28000", "client authentication failed",
			`no pool_hba.conf entry for host "[local]", user "alice", database "shop", SSL off`},
		{"certificate of another", Config{EnablePoolHBA: true, HBA: hba("cert")}, other, "28000", `certificate authentication failed for user "alice"`, ""},
		{"no certificate", Config{EnablePoolHBA: true, HBA: hba("cert")}, none, "28000", `certificate authentication failed for user "alice"`, ""},
		{"certificate without TLS", Config{EnablePoolHBA: true, HBA: hba("cert")}, plain, "28000", `certificate authentication failed for user "alice"`, ""},
		{"wrong password", Config{EnablePoolHBA: true, HBA: hba("password"), Passwd: testEntries(t)["TEXT"]}, testLogin(), "28P01", refused, ""},
		{"wrong md5", Config{EnablePoolHBA: true, HBA: hba("md5"), Passwd: testEntries(t)["md5"]}, testLogin(), "28P01", refused, ""},
		{"unknown md5", Config{EnablePoolHBA: true, HBA: hba("md5")}, testLogin(), "28P01", refused, ""},
		{"wrong scram", Config{EnablePoolHBA: true, HBA: hba("scram-sha-256"), Passwd: testEntries(t)["SCRAM"]}, testLogin(), "28P01", refused, ""},
		{"unknown scram", Config{EnablePoolHBA: true, HBA: hba("scram-sha-256")}, testLogin(), "28P01", refused, ""},
		{"no entry for the backend's md5", Config{}, testLogin(), "28P01", refused, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := logIn(t, tt.cfg, tt.login, fakeBackend{asks: MD5, user: testUser, password: testPassword}, "wrong")
			var shown *pgerr.Error
			if !errors.As(err, &shown) {
				t.Fatalf("error %v is not for the frontend", err)
			}
			if shown.Severity != pgerr.SeverityFatal || shown.Code != tt.code || shown.Message != tt.text || shown.Detail != tt.detail {
				t.Errorf("error %s %s %q (%s), want %s %q (%s)", shown.Severity, shown.Code, shown.Message, shown.Detail, tt.code, tt.text, tt.detail)
			}
		})
	}
}

func TestSecretSourceAsksTheFrontendOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	front, theirs := pipe(t)
	asked := client(t, theirs, testUser, testPassword)
	a := New(Config{Passwd: testEntries(t)["TEXT"]})
	source := a.SecretSource(front, testLogin())
	for _, asks := range []Method{SCRAM, Trust, MD5, SCRAM} {
		back, server := pipe(t)
		served := fakeBackend{asks: asks, user: testUser, password: testPassword, salt: testSalt}.serve(t, server)
		opened, err := Backend(ctx, back, testUser, Secret{}, BackendOptions{Source: source})
		if err != nil || opened.Asked != asks {
			t.Errorf("backend that asks for %s: %v, %v", asks, opened, err)
		}
		<-served
	}
	if err := SendOK(ctx, front); err != nil {
		t.Error(err)
	}
	if err := <-asked; err != nil {
		t.Error(err)
	}
}

// A backend that trusts must not open the door to one that does not: the entry in
// pool_passwd is not used on behalf of a frontend that nobody has asked.
func TestTrustingBackendDoesNotSpeakForAnother(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	front, theirs := pipe(t)
	asked := client(t, theirs, testUser, "wrong")
	a := New(Config{Passwd: testEntries(t)["TEXT"]})
	source := a.SecretSource(front, testLogin())

	back, server := pipe(t)
	fakeBackend{asks: Trust}.serve(t, server)
	opened, err := Backend(ctx, back, testUser, Secret{}, BackendOptions{Source: source})
	if err != nil || opened.Asked != Trust {
		t.Fatalf("trusting backend: %v, %v", opened, err)
	}
	back, server = pipe(t)
	fakeBackend{asks: Password, user: testUser, password: testPassword}.serve(t, server)
	_, err = Backend(ctx, back, testUser, opened.Secret, BackendOptions{Source: source})
	wantCode(t, err, pgerr.InvalidPassword)
	_ = front.conn.Close()
	<-asked
}

func TestAskAgainBeforeAPooledConnectionIsLent(t *testing.T) {
	t.Parallel()
	entries := testEntries(t)
	v := mustVerifier(t, testPassword, testSalt, DefaultIterations)
	clientKnown := FromVerifier(v).enrichedBy(deriveKeys(testPassword, v.Salt, v.Iterations))
	fromFrontend := ClearText(testPassword).asUnproven()
	changed := ClearText("old password")
	tests := []struct {
		name   string
		cfg    Config
		opened Opened
		right  bool // the right password may use the connection
		wrong  bool // and the wrong one
	}{
		{"backend trusts", Config{}, Opened{Asked: Trust}, true, true},
		{"clear text from an earlier frontend", Config{}, Opened{Password, fromFrontend}, true, false},
		{"md5 against an earlier clear text", Config{}, Opened{MD5, fromFrontend}, true, false},
		{"scram against an earlier clear text", Config{}, Opened{SCRAM, fromFrontend}, true, false},
		{"scram, clear text is allowed", Config{AllowClearText: true}, Opened{SCRAM, fromFrontend}, true, false},
		{"entry", Config{Passwd: entries["TEXT"]}, Opened{SCRAM, ClearText(testPassword)}, true, false},
		{"entry has changed since", Config{Passwd: entries["TEXT"]}, Opened{SCRAM, changed}, false, false},
		{"key from an earlier proof", Config{Passwd: entries["SCRAM"]}, Opened{SCRAM, clientKnown}, true, false},
		{"role is gone", Config{Query: func(context.Context, string) (string, error) { return "", nil }}, Opened{SCRAM, clientKnown}, false, false},
	}
	for _, tt := range tests {
		for _, password := range []string{testPassword, "wrong"} {
			t.Run(tt.name+"/"+password, func(t *testing.T) {
				t.Parallel()
				front, theirs := pipe(t)
				asked := client(t, theirs, testUser, password)
				secret, err := New(tt.cfg).AskAgain(context.Background(), front, testLogin(), tt.opened)
				want := tt.right
				if password == "wrong" {
					want = tt.wrong
				}
				if got := err == nil && tt.opened.Serves(secret); got != want {
					t.Errorf("may use the connection: %v (%v), want %v", got, err, want)
				}
				_ = front.conn.Close()
				<-asked
			})
		}
	}
}

// A password that was changed on the backends must not be refused because a connection
// that was opened with the old one is still in the pool.
func TestAskAgainLetsTheBackendCheckAnotherClearText(t *testing.T) {
	t.Parallel()
	for _, asked := range []Method{Password, MD5, SCRAM} {
		for password, proven := range map[string]bool{testPassword: true, "new password": false} {
			front, theirs := pipe(t)
			done := client(t, theirs, testUser, password)
			opened := Opened{asked, ClearText(testPassword).asUnproven()}
			secret, err := New(Config{AllowClearText: true}).AskAgain(context.Background(), front, testLogin(), opened)
			if err != nil || secret.Unproven() == proven || opened.Serves(secret) != proven {
				t.Errorf("%s, %s: %v, %v; want it proven %v", asked, password, secret, err, proven)
			}
			_ = front.conn.Close()
			<-done
		}
	}
}

func TestUnknownUserLooksLikeOthers(t *testing.T) {
	t.Parallel()
	cfg := Config{EnablePoolHBA: true, HBA: mustHBA(t, "host all all all scram-sha-256", nil), Passwd: testEntries(t)["TEXT"], SaltKey: NewSaltKey()}
	seen := map[string][]string{}
	for _, user := range []string{testUser, "nobody", testUser, "nobody"} {
		peer := &scriptPeer{incoming: []message{{'p', "SCRAM-SHA-256\x00\x00\x00\x00\x0bn,,n=,r=abc"}}}
		l := testLogin()
		l.User = user
		if _, err := New(cfg).Frontend(context.Background(), peer, l); err == nil {
			t.Fatal("got in")
		}
		challenge := peer.sent[len(peer.sent)-1].body
		_, factors, _ := strings.Cut(challenge, ",s=")
		seen[user] = append(seen[user], factors)
	}
	for user, factors := range seen {
		if factors[0] != factors[1] {
			t.Errorf("%s was given two salts: %q", user, factors)
		}
	}
	known, unknown := seen[testUser][0], seen["nobody"][0]
	if known == unknown || len(known) != len(unknown) || !strings.HasSuffix(unknown, ",i=4096") || !strings.HasSuffix(known, ",i=4096") {
		t.Errorf("challenges can be told apart: %q, %q", known, unknown)
	}
}
