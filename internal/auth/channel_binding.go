package auth

import (
	"crypto"
	_ "crypto/sha256" // registers the hashes that certificates are signed with
	_ "crypto/sha512"
	"crypto/tls"
	"crypto/x509"
)

// EndPoint is the tls-server-end-point binding of a server certificate (RFC 5929,
// section 4.1): its digest by the hash of its signature, and SHA-256 in place of MD5
// and SHA-1. It is nil where none is defined (Ed25519); PLUS is then not offered.
func EndPoint(cert *x509.Certificate) []byte {
	if cert == nil {
		return nil
	}
	hash := endPointHash(cert.SignatureAlgorithm)
	if !hash.Available() {
		return nil
	}
	h := hash.New()
	h.Write(cert.Raw)
	return h.Sum(nil)
}

func endPointHash(algorithm x509.SignatureAlgorithm) crypto.Hash {
	switch algorithm {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1,
		x509.SHA256WithRSA, x509.DSAWithSHA256, x509.ECDSAWithSHA256, x509.SHA256WithRSAPSS:
		return crypto.SHA256
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		return crypto.SHA384
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		return crypto.SHA512
	}
	return 0
}

// ServerEndPoint is the EndPoint of the certificate that a configuration made by
// FrontendTLS presents, for Login.ServerEndPoint. Take it from the configuration with
// which the handshake was made, or a reload in between would break the binding.
func ServerEndPoint(config *tls.Config) []byte {
	if config == nil || len(config.Certificates) == 0 {
		return nil
	}
	return EndPoint(config.Certificates[0].Leaf)
}

// peerEndPoint is the EndPoint of the certificate that a backend has presented.
func peerEndPoint(state *tls.ConnectionState) []byte {
	if state == nil || len(state.PeerCertificates) == 0 {
		return nil
	}
	return EndPoint(state.PeerCertificates[0])
}
