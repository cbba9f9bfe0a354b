package auth

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// cipherSuite is a suite of TLS 1.2 that crypto/tls has and does not call insecure, by
// OpenSSL's name and with the words by which a cipher list selects it.
type cipherSuite struct {
	id    uint16
	name  string
	words string // each between blanks
}

var cipherSuites = []cipherSuite{
	{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384", " HIGH ECDHE EECDH kECDHE ECDSA aECDSA AES AES256 AESGCM SHA384 TLSv1.2 "},
	{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384", " HIGH ECDHE EECDH kECDHE RSA aRSA AES AES256 AESGCM SHA384 TLSv1.2 "},
	{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305", " HIGH ECDHE EECDH kECDHE ECDSA aECDSA CHACHA20 SHA256 TLSv1.2 "},
	{tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305", " HIGH ECDHE EECDH kECDHE RSA aRSA CHACHA20 SHA256 TLSv1.2 "},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256", " HIGH ECDHE EECDH kECDHE ECDSA aECDSA AES AES128 AESGCM SHA256 TLSv1.2 "},
	{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256", " HIGH ECDHE EECDH kECDHE RSA aRSA AES AES128 AESGCM SHA256 TLSv1.2 "},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, "ECDHE-ECDSA-AES256-SHA", " HIGH ECDHE EECDH kECDHE ECDSA aECDSA AES AES256 SHA SHA1 TLSv1.0 "},
	{tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, "ECDHE-RSA-AES256-SHA", " HIGH ECDHE EECDH kECDHE RSA aRSA AES AES256 SHA SHA1 TLSv1.0 "},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, "ECDHE-ECDSA-AES128-SHA", " HIGH ECDHE EECDH kECDHE ECDSA aECDSA AES AES128 SHA SHA1 TLSv1.0 "},
	{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, "ECDHE-RSA-AES128-SHA", " HIGH ECDHE EECDH kECDHE RSA aRSA AES AES128 SHA SHA1 TLSv1.0 "},
}

// is reports whether the suite is what one word, or several joined by +, select.
func (s cipherSuite) is(words string) bool {
	for word := range strings.SplitSeq(words, "+") {
		selected := word == s.name || word == "ALL" || word == "DEFAULT" || strings.Contains(s.words, " "+word+" ")
		if !selected || word == "" {
			return false
		}
	}
	return true
}

// parseCiphers evaluates an OpenSSL cipher list (openssl-ciphers(1)) over the suites
// above. Words that select none of them, such as MEDIUM and 3DES, select nothing, as in
// OpenSSL; so do the order and @-commands, since Go orders suites itself. An empty list
// is Go's own choice.
func parseCiphers(list string) ([]uint16, error) {
	if strings.TrimSpace(list) == "" {
		return nil, nil
	}
	chosen, killed := map[uint16]bool{}, map[uint16]bool{}
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(":, ;", r) }) {
		operator, words := word[0], word[1:]
		if !strings.ContainsRune("!-+@", rune(operator)) {
			operator, words = 0, word
		}
		for _, suite := range cipherSuites {
			if suite.is(words) {
				applyCipher(operator, suite.id, chosen, killed)
			}
		}
	}
	return chosenCiphers(list, chosen)
}

func applyCipher(operator byte, id uint16, chosen, killed map[uint16]bool) {
	switch operator {
	case '!':
		killed[id] = true
		delete(chosen, id)
	case '-':
		delete(chosen, id)
	case 0:
		if !killed[id] {
			chosen[id] = true
		}
	}
}

func chosenCiphers(list string, chosen map[uint16]bool) ([]uint16, error) {
	var ids []uint16
	for _, suite := range cipherSuites {
		if chosen[suite.id] {
			ids = append(ids, suite.id)
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("ssl_ciphers: nothing in %q can be used", list)
	}
	return ids, nil
}

// parseCurves reads ssl_ecdh_curve: OpenSSL's names, with colons between several.
func parseCurves(list string) ([]tls.CurveID, error) {
	var ids []tls.CurveID
	for _, name := range strings.FieldsFunc(list, func(r rune) bool { return r == ':' || r == ' ' }) {
		id, ok := curveByName(name)
		if !ok {
			return nil, fmt.Errorf("ssl_ecdh_curve: %q is not one of X25519, prime256v1, secp384r1, secp521r1", name)
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func curveByName(name string) (tls.CurveID, bool) {
	switch strings.ToLower(name) {
	case "x25519":
		return tls.X25519, true
	case "prime256v1", "secp256r1", "p-256":
		return tls.CurveP256, true
	case "secp384r1", "p-384":
		return tls.CurveP384, true
	case "secp521r1", "p-521":
		return tls.CurveP521, true
	}
	return 0, false
}
