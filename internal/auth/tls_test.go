package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// authority signs certificates and revocation lists for a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
	next int64
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	a := &authority{key: newKey(t), dir: t.TempDir(), next: 2}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue returns a certificate for clients and servers, and its files.
func (a *authority) issue(t testing.TB, name string) (cert tls.Certificate, certFile, keyFile string) {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.next), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	a.next++
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile = a.write(t, name+".crt", "CERTIFICATE", der)
	keyFile = a.write(t, name+".key", "PRIVATE KEY", keyDER)
	if cert, err = tls.LoadX509KeyPair(certFile, keyFile); err != nil {
		t.Fatal(err)
	}
	return cert, certFile, keyFile
}

func (a *authority) write(t testing.TB, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (a *authority) certFile(t testing.TB) string {
	return a.write(t, "ca.crt", "CERTIFICATE", a.cert.Raw)
}

// revoke writes a revocation list that is valid until the given time.
func (a *authority) revoke(t testing.TB, until time.Time, certs ...tls.Certificate) string {
	t.Helper()
	template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: until}
	for _, c := range certs {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: c.Leaf.SerialNumber, RevocationTime: time.Now().Add(-time.Hour)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, a.cert, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return a.write(t, "ca.crl", "X509 CRL", der)
}

// shakeHands returns the server's view and what went wrong on either side.
func shakeHands(t testing.TB, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	ours, theirs := socketPair(t)
	s, c := tls.Server(ours.conn, server), tls.Client(theirs.conn, client)
	failed := make(chan error, 1)
	go func() {
		err := c.Handshake()
		if err == nil { // in TLS 1.3 the server's refusal of a certificate comes later
			_, err = c.Read(make([]byte, 1))
		}
		failed <- err
	}()
	err := s.Handshake()
	if err == nil {
		_, err = s.Write([]byte{1})
	}
	if clientErr := <-failed; err == nil {
		err = clientErr
	}
	return s.ConnectionState(), err
}

func TestFrontendTLSClientCertificates(t *testing.T) {
	t.Parallel()
	ca, stranger := newAuthority(t, "ca"), newAuthority(t, "stranger")
	_, certFile, keyFile := ca.issue(t, "proxy")
	alice, _, _ := ca.issue(t, "alice")
	bob, _, _ := ca.issue(t, "bob")
	mallory, _, _ := stranger.issue(t, "alice")
	now := time.Now()
	base := TLSFiles{Cert: certFile, Key: keyFile}
	withCA := base
	withCA.CACert = ca.certFile(t)
	withCRL := withCA
	withCRL.CRLFile = ca.revoke(t, now.Add(time.Hour), bob)
	foreignCRL := withCA
	foreignCRL.CRLFile = stranger.revoke(t, now.Add(time.Hour))
	tests := []struct {
		name  string
		files TLSFiles
		cert  *tls.Certificate
		want  string // common name that is verified; "refused"
	}{
		{"none is asked for without an authority", base, &alice, ""},
		{"none presented", withCA, nil, ""},
		{"verified", withCA, &alice, "alice"},
		{"of another authority", withCA, &mallory, "refused"},
		{"not revoked", withCRL, &alice, "alice"},
		{"revoked", withCRL, &bob, "refused"},
		{"no list of its authority", foreignCRL, &alice, "refused"},
		{"none presented with a list", withCRL, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			config, warnings, err := FrontendTLS(context.Background(), tt.files)
			if err != nil || len(warnings) > 0 {
				t.Fatalf("FrontendTLS: %v, %q", err, warnings)
			}
			client := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"postgresql"}}
			// A client without a fitting certificate sends none; these send theirs regardless.
			if tt.cert != nil {
				client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return tt.cert, nil }
			}
			state, err := shakeHands(t, config, client)
			got := PeerCN(state)
			if err != nil {
				got = "refused"
			}
			if got != tt.want {
				t.Errorf("PeerCN = %q (%v), want %q", got, err, tt.want)
			}
		})
	}
}

func TestRevocationListThatHasExpiredRefuses(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	alice, _, _ := ca.issue(t, "alice")
	r, err := loadCRL(ca.revoke(t, time.Now().Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	chains := [][]*x509.Certificate{{alice.Leaf, ca.cert}}
	if err := r.checkChains(chains); err != nil {
		t.Error(err)
	}
	r.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	if err := r.checkChains(chains); err == nil {
		t.Error("an expired list was used")
	}
}

func TestFrontendTLSNeedsTLS12(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	_, certFile, keyFile := ca.issue(t, "proxy")
	config, _, err := FrontendTLS(context.Background(), TLSFiles{
		Cert: certFile, Key: keyFile, Ciphers: "HIGH:MEDIUM:+3DES:!aNULL", ECDHCurve: "prime256v1", PreferServerCiphers: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		client := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: version}
		if _, err := shakeHands(t, config, client); (err == nil) != want {
			t.Errorf("%s: %v, want success %v", tls.VersionName(version), err, want)
		}
	}
}

func TestBackendTLSVerifies(t *testing.T) {
	t.Parallel()
	ca, stranger := newAuthority(t, "ca"), newAuthority(t, "stranger")
	node, _, _ := ca.issue(t, "node1.example.org")
	fake, _, _ := stranger.issue(t, "node1.example.org")
	withCA := TLSFiles{CACert: ca.certFile(t)}
	withDir := TLSFiles{CACertDir: t.TempDir()}
	text, err := os.ReadFile(withCA.CACert)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(withDir.CACertDir, "0a1b2c3d.0"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	revoked := TLSFiles{CACert: withCA.CACert, CRLFile: ca.revoke(t, time.Now().Add(time.Hour), node)}
	tests := []struct {
		name   string
		files  TLSFiles
		host   string
		verify bool
		cert   tls.Certificate
		want   bool
	}{
		{"nothing is verified without an authority", TLSFiles{}, "other", false, fake, true},
		{"authority", withCA, "other", false, node, true},
		{"authority from a folder", withDir, "other", false, node, true},
		{"another authority", withCA, "node1.example.org", false, fake, false},
		{"host name", withCA, "node1.example.org", true, node, true},
		{"another host name", withCA, "other.example.org", true, node, false},
		{"an address that the certificate does not name", withCA, "192.0.2.1", true, node, false},
		{"revoked", revoked, "other", false, node, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			config, err := BackendTLS(tt.files, tt.host, tt.verify)
			if err != nil {
				t.Fatal(err)
			}
			server := &tls.Config{Certificates: []tls.Certificate{tt.cert}}
			if _, err := shakeHands(t, server, config); (err == nil) != tt.want {
				t.Errorf("handshake: %v, want success %v", err, tt.want)
			}
		})
	}
	if _, err := BackendTLS(TLSFiles{}, "h", true); err == nil {
		t.Error("a host name cannot be verified without an authority")
	}
}

func TestTLSFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	_, certFile, keyFile := ca.issue(t, "proxy")
	_, _, otherKey := ca.issue(t, "other")
	empty := ca.write(t, "empty", "NOTHING", nil)
	good := TLSFiles{Cert: certFile, Key: keyFile}
	tests := map[string]func(*TLSFiles){
		"no certificate":       func(f *TLSFiles) { f.Cert = "absent" },
		"no key":               func(f *TLSFiles) { f.Key = "absent" },
		"a folder as key":      func(f *TLSFiles) { f.Key = ca.dir },
		"key of another":       func(f *TLSFiles) { f.Key = otherKey },
		"no authority":         func(f *TLSFiles) { f.CACert = "absent" },
		"authority in no form": func(f *TLSFiles) { f.CACert = empty },
		"folder not there":     func(f *TLSFiles) { f.CACertDir = "absent" },
		"folder without one":   func(f *TLSFiles) { f.CACertDir = t.TempDir() },
		"no list":              func(f *TLSFiles) { f.CACert, f.CRLFile = certFile, "absent" },
		"list in no form":      func(f *TLSFiles) { f.CACert, f.CRLFile = certFile, empty },
		"no cipher":            func(f *TLSFiles) { f.Ciphers = "3DES" },
		"unknown curve":        func(f *TLSFiles) { f.ECDHCurve = "secp999" },
		"unknown second curve": func(f *TLSFiles) { f.ECDHCurve = "X25519:brainpoolP256r1" },
	}
	for name, spoil := range tests {
		files := good
		spoil(&files)
		if _, _, err := FrontendTLS(context.Background(), files); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestKeyFilePermissions(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	for mode, warns := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o644: true, 0o604: true, 0o660: true} {
		_, certFile, keyFile := ca.issue(t, "proxy")
		if err := os.Chmod(keyFile, mode); err != nil {
			t.Fatal(err)
		}
		_, warnings, err := FrontendTLS(context.Background(), TLSFiles{Cert: certFile, Key: keyFile})
		if err != nil || (len(warnings) > 0) != warns {
			t.Errorf("mode %o: warnings %q, error %v; want a warning %v", mode, warnings, err, warns)
		}
	}
}

func TestEncryptedKeys(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	tests := []struct {
		name, key, command string
		want               string // part of the error, or nothing
	}{
		{"PKCS #8, AES-256, PBKDF2 with SHA-256", keyAES256, "echo secret", ""},
		{"PKCS #8, AES-128, PBKDF2 with SHA-1", keyAES128SHA1, "echo secret; echo more", ""},
		{"the old form", keyOld, "printf secret", ""},
		{"the prompt and a percent sign", keyAES256, `test "%p %%" = "Enter PEM pass phrase: %" && echo secret`, ""},
		{"wrong passphrase", keyAES256, "echo wrong", "passphrase is wrong"},
		{"no command", keyAES256, "", "ssl_passphrase_command is not set"},
		{"a command that fails", keyAES256, "exit 3", "exit status 3"},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(ca.dir, "encrypted"+string(rune('0'+i)))
			if err := os.WriteFile(path, []byte(tt.key), 0o600); err != nil {
				t.Fatal(err)
			}
			text, err := decryptKey(context.Background(), []byte(tt.key), tt.command)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			block, _ := pem.Decode(text)
			if _, err := parseAnyKey(block.Bytes); err != nil {
				t.Error(err)
			}
		})
	}
}

func parseAnyKey(der []byte) (any, error) {
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	return x509.ParsePKCS8PrivateKey(der)
}

func TestParseCiphers(t *testing.T) {
	t.Parallel()
	all := make([]uint16, 0, len(cipherSuites))
	for _, s := range cipherSuites {
		all = append(all, s.id)
	}
	gcm256 := []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}
	tests := []struct {
		name, list string
		want       []uint16
	}{
		{"nothing is Go's choice", "", nil},
		{"Pgpool-II's default", "HIGH:MEDIUM:+3DES:!aNULL", all},
		{"one", "ECDHE-RSA-AES256-GCM-SHA384", gcm256[1:]},
		{"several, with other separators", "ECDHE-RSA-AES256-GCM-SHA384,ECDHE-ECDSA-AES256-GCM-SHA384", gcm256},
		{"words together", "AESGCM+AES256", gcm256},
		{"taken out for good", "!AES128:HIGH:AES128:!CHACHA20:!SHA1", gcm256},
		{"taken out and put back", "HIGH:-ALL:AES256+AESGCM", gcm256},
		{"commands and unknown words", "AES256+AESGCM:@STRENGTH:@SECLEVEL=2:FOO:!BAR", gcm256},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseCiphers(tt.list)
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("parseCiphers(%q) = %v, %v; want %v", tt.list, got, err, tt.want)
			}
		})
	}
}

func TestCipherSuitesAreTheOnesThatGoCallsSecure(t *testing.T) {
	t.Parallel()
	secure := map[uint16]bool{}
	for _, s := range tls.CipherSuites() {
		secure[s.ID] = true
	}
	for _, s := range cipherSuites {
		if !secure[s.id] {
			t.Errorf("%s is insecure or unknown", s.name)
		}
	}
}

func TestEndPointOfOddCertificates(t *testing.T) {
	t.Parallel()
	if got := EndPoint(&x509.Certificate{SignatureAlgorithm: x509.PureEd25519}); got != nil {
		t.Errorf("Ed25519 has endpoint %x", got)
	}
	if EndPoint(nil) != nil || ServerEndPoint(nil) != nil || peerEndPoint(nil) != nil {
		t.Error("nothing has an endpoint")
	}
	for algorithm, length := range map[x509.SignatureAlgorithm]int{x509.SHA1WithRSA: 32, x509.ECDSAWithSHA384: 48, x509.SHA512WithRSA: 64} {
		if got := EndPoint(&x509.Certificate{SignatureAlgorithm: algorithm}); len(got) != length {
			t.Errorf("%s: endpoint of %d bytes, want %d", algorithm, len(got), length)
		}
	}
}
