package auth

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"
)

// revocations is the lists of one ssl_crl_file. A nil one revokes nothing.
type revocations struct {
	lists []revocationList
	now   func() time.Time
}

type revocationList struct {
	list    *x509.RevocationList
	serials map[string]bool
}

// loadCRL reads ssl_crl_file, which may hold lists of several authorities.
func loadCRL(path string) (*revocations, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read ssl_crl_file: %w", err)
	}
	r := &revocations{now: time.Now}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("ssl_crl_file: %w", err)
		}
		r.lists = append(r.lists, newRevocationList(list))
	}
	if len(r.lists) == 0 {
		return nil, fmt.Errorf("ssl_crl_file: no revocation list in %s", path)
	}
	return r, nil
}

func newRevocationList(list *x509.RevocationList) revocationList {
	serials := make(map[string]bool, len(list.RevokedCertificateEntries))
	for _, entry := range list.RevokedCertificateEntries {
		serials[entry.SerialNumber.String()] = true
	}
	return revocationList{list, serials}
}

// checkChains wants one chain without a revoked certificate. No chain is no
// certificate, which is for others to judge.
func (r *revocations) checkChains(chains [][]*x509.Certificate) error {
	if r == nil || len(chains) == 0 {
		return nil
	}
	var err error
	for _, chain := range chains {
		if err = r.checkChain(chain); err == nil {
			return nil
		}
	}
	return err
}

// checkChain wants a valid list for each certificate below the root, as OpenSSL does
// with X509_V_FLAG_CRL_CHECK_ALL, which PostgreSQL sets.
func (r *revocations) checkChain(chain []*x509.Certificate) error {
	for i := 0; i+1 < len(chain); i++ {
		if err := r.check(chain[i], chain[i+1]); err != nil {
			return fmt.Errorf("certificate of %s: %w", chain[i].Subject, err)
		}
	}
	return nil
}

func (r *revocations) check(cert, issuer *x509.Certificate) error {
	reason := errors.New("ssl_crl_file has no list of its issuer")
	for _, l := range r.lists {
		if string(l.list.RawIssuer) != string(issuer.RawSubject) || l.list.CheckSignatureFrom(issuer) != nil {
			continue
		}
		now := r.now()
		switch {
		case l.serials[cert.SerialNumber.String()]:
			return errors.New("revoked")
		case now.Before(l.list.ThisUpdate), !l.list.NextUpdate.IsZero() && now.After(l.list.NextUpdate):
			reason = errors.New("the revocation list of its issuer is not valid now")
		default:
			reason = nil
		}
	}
	return reason
}
