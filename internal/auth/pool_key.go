package auth

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1" // the key file's format prescribes it
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxPassphrase is the longest passphrase in a key file, in bytes (Pgpool-II).
const maxPassphrase = 255

const aesKeyLength = 32

// PoolKey is the passphrase under which AES entries are encrypted. The zero PoolKey
// opens none. It does not print itself.
type PoolKey struct {
	passphrase *string
}

// NewPoolKey is the key of a passphrase, without the newline of a key file.
func NewPoolKey(passphrase string) PoolKey { return PoolKey{&passphrase} }

// String does not show the passphrase.
func (k PoolKey) String() string { return "[pool key]" }

// GoString is String.
func (k PoolKey) GoString() string { return k.String() }

// PoolKeyPath is where the key file is: the -k option, else PGPOOLKEYFILE, else
// .pgpoolkey in the home directory.
func PoolKeyPath(option string, getenv func(string) string) string {
	switch {
	case option != "":
		return option
	case getenv("PGPOOLKEYFILE") != "":
		return getenv("PGPOOLKEYFILE")
	}
	return filepath.Join(getenv("HOME"), ".pgpoolkey")
}

// LoadPoolKey reads the first line of a key file. The warning, if any, says that others
// may read the file; it is used all the same, as Pgpool-II does.
func LoadPoolKey(path string) (key PoolKey, warning string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return PoolKey{}, "", fmt.Errorf("open key file: %w", err)
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && info.Mode().Perm()&0o077 != 0 {
		warning = fmt.Sprintf("key file %s can be read by group or others; use mode 0600", path)
	}
	line, err := bufio.NewReader(io.LimitReader(f, maxPassphrase+2)).ReadString('\n')
	if err != nil && err != io.EOF {
		return PoolKey{}, warning, fmt.Errorf("read key file: %w", err)
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" || len(line) > maxPassphrase {
		return PoolKey{}, warning, fmt.Errorf("key file %s: the first line has to be 1 to %d bytes long", path, maxPassphrase)
	}
	return NewPoolKey(line), warning, nil
}

var errDecrypt = errors.New("unable to decrypt password from pool_passwd, verify the valid pool_key exists")

// decrypt opens an AES entry: Base64 of AES-256-CBC with PKCS#7 padding, key and
// initialisation vector from OpenSSL's EVP_BytesToKey. There is no authentication tag,
// so a wrong key is found out by the padding, mostly.
func (k PoolKey) decrypt(text string) (string, error) {
	if k.passphrase == nil {
		return "", errDecrypt
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(data) == 0 || len(data)%aes.BlockSize != 0 {
		return "", errDecrypt
	}
	material := bytesToKey(*k.passphrase, aesKeyLength+aes.BlockSize)
	block, err := aes.NewCipher(material[:aesKeyLength])
	if err != nil {
		return "", errDecrypt
	}
	cipher.NewCBCDecrypter(block, material[aesKeyLength:]).CryptBlocks(data, data)
	plain, ok := unpad(data)
	if !ok || containsNUL(plain) {
		return "", errDecrypt
	}
	return string(plain), nil
}

// bytesToKey is EVP_BytesToKey with SHA-1, no salt and one iteration.
func bytesToKey(passphrase string, length int) []byte {
	var out, last []byte
	for len(out) < length {
		sum := sha1.Sum(append(last, passphrase...))
		last = sum[:]
		out = append(out, last...)
	}
	return out[:length]
}

// unpad takes PKCS#7 padding off whole blocks.
func unpad(data []byte) ([]byte, bool) {
	if len(data) == 0 {
		return nil, false
	}
	n := int(data[len(data)-1])
	if n == 0 || n > aes.BlockSize || n > len(data) {
		return nil, false
	}
	for _, c := range data[len(data)-n:] {
		if int(c) != n {
			return nil, false
		}
	}
	return data[:len(data)-n], true
}
