package auth

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Bounds of pool_passwd, in bytes (Pgpool-II). A SCRAM verifier is longer than a token
// may be there; it is bounded by the line.
const (
	maxPasswdLine  = 1024
	maxPasswdToken = 128
)

// Passwd is the entries of one pool_passwd. It does not change; a nil Passwd has no
// entries.
type Passwd struct {
	entries  map[string]passwdEntry
	warnings []string
}

type passwdEntry struct {
	secret Secret
	err    error // why the entry cannot be used
}

// LoadPasswd reads pool_passwd without a key; AES entries are then unusable. A missing
// file and an empty path have no entries.
func LoadPasswd(path string) (*Passwd, error) {
	return LoadPasswdWithKey(path, PoolKey{})
}

// LoadPasswdWithKey is LoadPasswd with the key that opens AES entries.
func LoadPasswdWithKey(path string, key PoolKey) (*Passwd, error) {
	if path == "" {
		return &Passwd{}, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Passwd{warnings: []string{path + ": does not exist, so it has no entries"}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open pool_passwd: %w", err)
	}
	defer func() { _ = f.Close() }()
	return ParsePasswd(f, path, key)
}

// ParsePasswd reads pool_passwd; the name is for messages. A bad line makes its own
// entry unusable and is told by Warnings.
func ParsePasswd(r io.Reader, name string, key PoolKey) (*Passwd, error) {
	p := &Passwd{entries: map[string]passwdEntry{}}
	err := eachLine(r, func(number int, line string, lineErr error) error {
		if err := p.add(line, lineErr, key); err != nil {
			p.warnings = append(p.warnings, (&LineError{name, number, err}).Error())
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read pool_passwd: %w", err)
	}
	return p, nil
}

// Warnings says which lines are of no use, without showing what is in them.
func (p *Passwd) Warnings() []string {
	if p == nil {
		return nil
	}
	return p.warnings
}

// Lookup finds the user's entry. The error is ErrUnknownUser if there is none, else it
// says why the entry cannot be used.
func (p *Passwd) Lookup(user string) (Secret, error) {
	if p == nil {
		return Secret{}, ErrUnknownUser
	}
	entry, ok := p.entries[user]
	if !ok {
		return Secret{}, ErrUnknownUser
	}
	return entry.secret, entry.err
}

// String does not show the entries.
func (p *Passwd) String() string { return "[pool_passwd]" }

// add takes one line. Of several entries for one user the first counts, usable or not.
func (p *Passwd) add(line string, lineErr error, key PoolKey) error {
	if lineErr == nil && (line == "" || line[0] == '#') {
		return nil
	}
	if lineErr != nil || len(line) > maxPasswdLine {
		return fmt.Errorf("the line is longer than %d bytes", maxPasswdLine)
	}
	user, rest, ok := cutEscaped(line)
	if !ok || user == "" || len(user) > maxPasswdToken {
		return errors.New("not of the form user:password")
	}
	if _, taken := p.entries[user]; taken {
		return errors.New("a second entry for this user is not used")
	}
	secret, err := decodeField(rest, key)
	if err == nil && secret.IsZero() {
		err = errors.New("the password is empty")
	}
	p.entries[user] = passwdEntry{secret, err}
	return err
}

// decodeField reads the password field, which ends at the next colon (two more fields
// are reserved) unless it is a verifier, which has colons of its own.
func decodeField(rest string, key PoolKey) (Secret, error) {
	if strings.HasPrefix(rest, verifierPrefix) {
		v, err := ParseVerifier(strings.ReplaceAll(rest, `\`, ""))
		if err != nil {
			return Secret{}, err
		}
		return FromVerifier(v), nil
	}
	password, _, _ := cutEscaped(rest)
	if len(password) > maxPasswdToken {
		return Secret{}, fmt.Errorf("the password field is longer than %d bytes", maxPasswdToken)
	}
	return DecodePassword(password, key)
}

// DecodePassword reads a password as it may stand in pool_passwd or pgpool.conf: md5
// hash, AES and Base64, TEXT and clear text, a SCRAM verifier, or else clear text.
// An empty one is the zero Secret.
func DecodePassword(text string, key PoolKey) (Secret, error) {
	switch {
	case text == "":
		return Secret{}, nil
	case isMD5Hash(text):
		return MD5Hash(text)
	case strings.HasPrefix(text, verifierPrefix):
		return hashedSecret(text)
	case strings.HasPrefix(text, "TEXT"):
		return ClearText(strings.TrimPrefix(text, "TEXT")), nil
	case strings.HasPrefix(text, "AES"):
		password, err := key.decrypt(strings.TrimPrefix(text, "AES"))
		if err != nil {
			return Secret{}, err
		}
		return ClearText(password), nil
	}
	return ClearText(text), nil
}

// cutEscaped cuts at the first colon that no backslash protects, and takes the
// backslashes of the first part away.
func cutEscaped(line string) (token, rest string, found bool) {
	var text strings.Builder
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == ':':
			return text.String(), line[i+1:], true
		case c == '\\' && i+1 < len(line):
			i++
			text.WriteByte(line[i])
		default:
			text.WriteByte(c)
		}
	}
	return text.String(), "", false
}
