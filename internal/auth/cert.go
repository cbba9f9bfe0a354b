package auth

import (
	"crypto/tls"
	"errors"

	"github.com/pgchorus/pgchorus/internal/pgerr"
)

// PeerCN is the common name of the certificate with which the peer has proved itself,
// or empty if it presented none or none that was verified.
func PeerCN(state tls.ConnectionState) string {
	if len(state.VerifiedChains) == 0 || len(state.PeerCertificates) == 0 {
		return ""
	}
	return state.PeerCertificates[0].Subject.CommonName
}

// checkCert lets in whose certificate is made out to the user name. Case is ignored as
// in Pgpool-II, but of ASCII letters only: other letters fold into these.
func checkCert(l Login) error {
	switch {
	case !l.TLS:
		return certFailed(l.User, errors.New("the connection is not encrypted"))
	case l.PeerCertCN == "":
		return certFailed(l.User, errors.New("no valid certificate presented"))
	case !equalFoldASCII(l.PeerCertCN, l.User):
		return certFailed(l.User, errors.New("the certificate's common name is not the user name"))
	}
	return nil
}

func certFailed(user string, reason error) error {
	return pgerr.Fatalf(pgerr.InvalidAuthorization, `certificate authentication failed for user "%s"`, user).Wrap(reason)
}

func equalFoldASCII(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lowerASCII(a[i]) != lowerASCII(b[i]) {
			return false
		}
	}
	return true
}

func lowerASCII(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
