package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// alpnPostgreSQL is the protocol name that libpq offers (protocol chapter 55.2).
const alpnPostgreSQL = "postgresql"

// TLSFiles is the ssl_... parameters of pgpool.conf; names of files are absolute or
// relative to the working directory. Two of that family have no field:
// ssl_dh_params_file, because Go has no finite-field Diffie-Hellman, and
// ssl_prefer_server_ciphers is read and without effect, because Go chooses the cipher
// by the hardware of both sides.
type TLSFiles struct {
	Cert, Key           string // ssl_cert, ssl_key
	CACert, CACertDir   string // ssl_ca_cert, ssl_ca_cert_dir
	CRLFile             string // ssl_crl_file
	Ciphers             string // ssl_ciphers, for TLS 1.2; empty: Go's choice
	ECDHCurve           string // ssl_ecdh_curve, one or several with colons; empty: Go's choice
	PreferServerCiphers bool   // ssl_prefer_server_ciphers
	PassphraseCommand   string // ssl_passphrase_command
}

// FrontendTLS builds the configuration for frontends: TLS 1.2 at least. With
// a certificate authority a client certificate is asked for and may be missing; one
// that is presented has to verify, against the revocation list, too. Warnings are for
// the log. Call it again at a reload; sessions keep the configuration that they began
// with.
func FrontendTLS(ctx context.Context, f TLSFiles) (config *tls.Config, warnings []string, err error) {
	cert, warnings, err := loadKeyPair(ctx, f)
	if err != nil {
		return nil, nil, err
	}
	config = &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{cert},
		NextProtos:   []string{alpnPostgreSQL},
	}
	if config.CipherSuites, err = parseCiphers(f.Ciphers); err != nil {
		return nil, nil, err
	}
	if config.CurvePreferences, err = parseCurves(f.ECDHCurve); err != nil {
		return nil, nil, err
	}
	roots, err := loadAuthorities(f)
	if err != nil {
		return nil, nil, err
	}
	if roots == nil {
		return config, warnings, nil
	}
	revoked, err := loadCRL(f.CRLFile)
	if err != nil {
		return nil, nil, err
	}
	config.ClientCAs, config.ClientAuth = roots, tls.VerifyClientCertIfGiven
	config.VerifyConnection = func(state tls.ConnectionState) error { return revoked.checkChains(state.VerifiedChains) }
	return config, warnings, nil
}

// BackendTLS builds the configuration towards one backend. As in Pgpool-II the
// backend's certificate is verified if a certificate authority is set, and its host
// name is not; verifyHost asks for that, too, and needs an authority. Without an
// authority nothing is verified: it keeps out who only listens. No client certificate
// is sent. Ciphers and curves are those of frontends only, as in PostgreSQL.
func BackendTLS(f TLSFiles, host string, verifyHost bool) (*tls.Config, error) {
	roots, err := loadAuthorities(f)
	if err != nil {
		return nil, err
	}
	if verifyHost && roots == nil {
		return nil, errors.New("to verify a backend's host name, ssl_ca_cert or ssl_ca_cert_dir is needed")
	}
	revoked, err := loadCRL(f.CRLFile)
	if err != nil {
		return nil, err
	}
	// The verification that is switched off here stands in VerifyConnection: the
	// package's own would insist on the host name.
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, NextProtos: []string{alpnPostgreSQL}}
	if net.ParseIP(host) == nil {
		config.ServerName = host
	}
	if roots != nil {
		v := backendVerifier{roots: roots, revoked: revoked}
		if verifyHost {
			v.host = host
		}
		config.VerifyConnection = v.verify
	}
	return config, nil
}

type backendVerifier struct {
	roots   *x509.CertPool
	revoked *revocations
	host    string // empty: any
}

func (v backendVerifier) verify(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the backend presented no certificate")
	}
	leaf := state.PeerCertificates[0]
	options := x509.VerifyOptions{Roots: v.roots, Intermediates: x509.NewCertPool()}
	for _, cert := range state.PeerCertificates[1:] {
		options.Intermediates.AddCert(cert)
	}
	chains, err := leaf.Verify(options)
	if err != nil {
		return fmt.Errorf("backend's certificate: %w", err)
	}
	if v.host != "" {
		if err := leaf.VerifyHostname(v.host); err != nil {
			return fmt.Errorf("backend's certificate: %w", err)
		}
	}
	return v.revoked.checkChains(chains)
}

// loadAuthorities reads ssl_ca_cert and every certificate in ssl_ca_cert_dir; the
// hashed names there, which OpenSSL needs, are not looked at. It is nil if neither is
// set.
func loadAuthorities(f TLSFiles) (*x509.CertPool, error) {
	if f.CACert == "" && f.CACertDir == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	found := false
	if f.CACert != "" {
		text, err := os.ReadFile(f.CACert)
		if err != nil {
			return nil, fmt.Errorf("read ssl_ca_cert: %w", err)
		}
		if found = pool.AppendCertsFromPEM(text); !found {
			return nil, fmt.Errorf("ssl_ca_cert: no certificate in %s", f.CACert)
		}
	}
	more, err := loadAuthorityDir(pool, f.CACertDir)
	if err != nil {
		return nil, err
	}
	if !found && !more {
		return nil, fmt.Errorf("ssl_ca_cert_dir: no certificate in %s", f.CACertDir)
	}
	return pool, nil
}

func loadAuthorityDir(pool *x509.CertPool, dir string) (found bool, err error) {
	if dir == "" {
		return false, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, fmt.Errorf("read ssl_ca_cert_dir: %w", err)
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		info, err := os.Stat(path) // hashed names are links
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return false, fmt.Errorf("read ssl_ca_cert_dir: %w", err)
		}
		found = pool.AppendCertsFromPEM(text) || found
	}
	return found, nil
}
