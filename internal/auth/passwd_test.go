package auth

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func mustPasswd(t testing.TB, text, passphrase string) *Passwd {
	t.Helper()
	var key PoolKey
	if passphrase != "" {
		key = NewPoolKey(passphrase)
	}
	p, err := ParsePasswd(strings.NewReader(text), "pool_passwd", key)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPasswdEntries(t *testing.T) {
	t.Parallel()
	hash := EncryptMD5("u", "pw")
	verifier := mustVerifier(t, "pw", "0123456789abcdef", DefaultIterations).Text()
	// The AES texts were made with: openssl enc -aes-256-cbc -md sha1 -nosalt -pass pass:secret -base64 -A
	tests := []struct {
		name, line string
		want       string // Secret's String, and the clear text if there is one
	}{
		{"md5", "u:" + hash, "[secret: md5]"},
		{"md5 in capitals", "u:md5" + strings.ToUpper(hash[3:]), "[secret: md5]"},
		{"md5 of the wrong length is clear text", "u:" + hash + "0", "[secret: clear text] " + hash + "0"},
		{"md5 with other digits is clear text", "u:md5" + strings.Repeat("g", 32), "[secret: clear text] md5" + strings.Repeat("g", 32)},
		{"TEXT", "u:TEXTpw", "[secret: clear text] pw"},
		{"plain", "u:pw", "[secret: clear text] pw"},
		{"blanks belong to the password", "u: pw ", "[secret: clear text]  pw "},
		{"AES of one block", "u:AES5J8LObIU1SsLZvGgd1PdmQ==", "[secret: clear text] pw"},
		{"AES of whole blocks", "u:AESus3pblez7SRpqptypYsAytcV3PMu0I/LSZTLV6Bx9to=", "[secret: clear text] sixteen-bytes-pw"},
		{"AES of more than ASCII", "u:AESCA+Uq88XXUhAX4gs4UPfMk6H/I3beDTn0K5hYkzBI4E=", `[secret: clear text] pässwörd: with \ and all`},
		{"AES under another key", "u:AESSQIx36p0YV6P4WIEqz+8gg==", "unable to decrypt"},
		{"AES that is no Base64", "u:AES!", "unable to decrypt"},
		{"AES of no whole block", "u:AESAAAA", "unable to decrypt"},
		{"AES of nothing", "u:AES", "unable to decrypt"},
		{"verifier", "u:" + verifier, "[secret: SCRAM verifier]"},
		{"verifier with escaped colons", "u:" + strings.ReplaceAll(verifier, ":", `\:`), "[secret: SCRAM verifier]"},
		{"verifier that is none", "u:SCRAM-SHA-256$4096:x", "malformed SCRAM-SHA-256 verifier"},
		{"escaped colon and backslash", `u:a\:b\\c`, `[secret: clear text] a:b\c`},
		{"two more fields are reserved", "u:pw:other:secret", "[secret: clear text] pw"},
		{"empty", "u:", "the password is empty"},
		{"empty TEXT", "u:TEXT", "the password is empty"},
		{"longer than a token", "u:" + strings.Repeat("x", maxPasswdToken+1), "longer than 128"},
		{"of several the first counts", "u:pw\nu:other", "[secret: clear text] pw"},
		{"of several the first counts though unusable", "u:AES!\nu:other", "unable to decrypt"},
		{"another user", "v:pw", "user is not known"},
		{"names are case sensitive", "U:pw", "user is not known"},
		{"comment", "#u:pw", "user is not known"},
		{"no colon", "u", "user is not known"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			secret, err := mustPasswd(t, tt.line+"\n", "secret").Lookup("u")
			got := secret.String()
			if password, ok := secret.Reveal(); ok {
				got += " " + password
			}
			if err != nil {
				got = err.Error()
			}
			if got != tt.want && (err == nil || !strings.Contains(got, tt.want)) {
				t.Errorf("Lookup in %q = %q, want %q", tt.line, got, tt.want)
			}
		})
	}
}

func TestPasswdWithoutKeyOpensNoAES(t *testing.T) {
	t.Parallel()
	if _, err := mustPasswd(t, "u:AES5J8LObIU1SsLZvGgd1PdmQ==", "").Lookup("u"); !errors.Is(err, errDecrypt) {
		t.Errorf("error %v, want %v", err, errDecrypt)
	}
}

func TestPasswdWarningsDoNotShowPasswords(t *testing.T) {
	t.Parallel()
	p := mustPasswd(t, "hidden\nu:AEShidden!\nv:x\nv:hidden\nw:SCRAM-SHA-256$hidden\n"+strings.Repeat("hidden", 300), "")
	if got := len(p.Warnings()); got != 5 {
		t.Errorf("%d warnings, want 5: %q", got, p.Warnings())
	}
	if all := strings.Join(p.Warnings(), "\n"); strings.Contains(all, "hidden") {
		t.Errorf("warnings show a password: %s", all)
	}
}

func TestLoadPasswd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "pool_passwd")
	if err := os.WriteFile(path, []byte("u:pw\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := LoadPasswd(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Lookup("u"); err != nil {
		t.Errorf("Lookup: %v", err)
	}
	for _, none := range []string{"", filepath.Join(dir, "absent")} {
		p, err := LoadPasswd(none)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Lookup("u"); !errors.Is(err, ErrUnknownUser) {
			t.Errorf("%q: error %v, want %v", none, err, ErrUnknownUser)
		}
	}
	if _, err := LoadPasswd(dir); err == nil {
		t.Error("a folder was read as pool_passwd")
	}
}

func TestLoadPoolKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tests := []struct {
		name, text string
		mode       os.FileMode
		ok, warns  bool
	}{
		{"first line", "secret\nmore", 0o600, true, false},
		{"no newline", "secret", 0o600, true, false},
		{"readable by others", "secret\n", 0o644, true, true},
		{"empty", "\n", 0o600, false, false},
		{"too long", strings.Repeat("x", 256), 0o600, false, false},
		{"longest", strings.Repeat("x", 255) + "\n", 0o600, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(dir, strings.ReplaceAll(tt.name, " ", "_"))
			if err := os.WriteFile(path, []byte(tt.text), tt.mode); err != nil {
				t.Fatal(err)
			}
			key, warning, err := LoadPoolKey(path)
			if (err == nil) != tt.ok || (warning != "") != tt.warns {
				t.Fatalf("LoadPoolKey = %v, %q, %v", key, warning, err)
			}
			if tt.ok && !strings.HasPrefix(tt.text, *key.passphrase) {
				t.Errorf("wrong passphrase")
			}
		})
	}
}

func TestPoolKeyPath(t *testing.T) {
	t.Parallel()
	env := map[string]string{"HOME": "/home/p", "PGPOOLKEYFILE": "/env/key"}
	get := func(name string) string { return env[name] }
	home := func(name string) string {
		if name == "HOME" {
			return "/home/p"
		}
		return ""
	}
	for want, got := range map[string]string{
		"/opt/key":           PoolKeyPath("/opt/key", get),
		"/env/key":           PoolKeyPath("", get),
		"/home/p/.pgpoolkey": PoolKeyPath("", home),
	} {
		if got != want {
			t.Errorf("PoolKeyPath = %q, want %q", got, want)
		}
	}
}
