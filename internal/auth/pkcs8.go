package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1" // the older default of PBKDF2 in PKCS #5
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"hash"
)

const pkcs8Encrypted = "ENCRYPTED PRIVATE KEY"

// Object identifiers of PKCS #5 (RFC 8018) and AES.
var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}

	pkcs8Hashes = map[string]func() hash.Hash{
		"1.2.840.113549.2.7":  sha1.New,
		"1.2.840.113549.2.9":  sha256.New,
		"1.2.840.113549.2.10": sha512.New384,
		"1.2.840.113549.2.11": sha512.New,
	}
	pkcs8KeyLengths = map[string]int{ // AES in CBC mode
		"2.16.840.1.101.3.4.1.2":  16,
		"2.16.840.1.101.3.4.1.22": 24,
		"2.16.840.1.101.3.4.1.42": 32,
	}
)

type encryptedPKCS8 struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

type pbes2Params struct {
	KDF    pkix.AlgorithmIdentifier
	Cipher pkix.AlgorithmIdentifier
}

type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

var errPKCS8Unsupported = errors.New("the key's encryption is not supported; use openssl pkcs8 -topk8 -v2 aes-256-cbc")

// decryptPKCS8 opens what openssl writes by default: PBES2 with PBKDF2 and AES-CBC. The
// standard library has no reader for it.
func decryptPKCS8(der, passphrase []byte) ([]byte, error) {
	var outer encryptedPKCS8
	var scheme pbes2Params
	if !decodeWhole(der, &outer) || !outer.Algorithm.Algorithm.Equal(oidPBES2) ||
		!decodeWhole(outer.Algorithm.Parameters.FullBytes, &scheme) {
		return nil, errPKCS8Unsupported
	}
	length, known := pkcs8KeyLengths[scheme.Cipher.Algorithm.String()]
	var iv []byte
	if !known || !decodeWhole(scheme.Cipher.Parameters.FullBytes, &iv) || len(iv) != aes.BlockSize ||
		len(outer.Data) == 0 || len(outer.Data)%aes.BlockSize != 0 {
		return nil, errPKCS8Unsupported
	}
	key, err := pkcs8Key(scheme.KDF, passphrase, length)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(outer.Data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, outer.Data)
	key8, ok := unpad(plain)
	if !ok {
		return nil, errors.New("decrypt: the passphrase is wrong")
	}
	return key8, nil
}

func pkcs8Key(kdf pkix.AlgorithmIdentifier, passphrase []byte, length int) ([]byte, error) {
	var params pbkdf2Params
	if !kdf.Algorithm.Equal(oidPBKDF2) || !decodeWhole(kdf.Parameters.FullBytes, &params) ||
		params.Iterations < 1 || params.Iterations > MaxIterations {
		return nil, errPKCS8Unsupported
	}
	newHash := sha1.New
	if len(params.PRF.Algorithm) > 0 {
		if newHash = pkcs8Hashes[params.PRF.Algorithm.String()]; newHash == nil {
			return nil, errPKCS8Unsupported
		}
	}
	return pbkdf2.Key(newHash, string(passphrase), params.Salt, params.Iterations, length)
}

func decodeWhole(der []byte, into any) bool {
	rest, err := asn1.Unmarshal(der, into)
	return err == nil && len(rest) == 0
}
