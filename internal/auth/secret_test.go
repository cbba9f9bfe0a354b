package auth

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestSecretNeverShowsItself(t *testing.T) {
	t.Parallel()
	const password = "correct-horse"
	v := mustVerifier(t, password, "0123456789abcdef", 1)
	md5Secret, err := MD5Hash(EncryptMD5("u", password))
	if err != nil {
		t.Fatal(err)
	}
	client := FromVerifier(v).enrichedBy(deriveKeys(password, v.Salt, 1))
	hidden := []string{password, EncryptMD5("u", password)[3:], v.Text(), fmt.Sprint(v.StoredKey[:8]), fmt.Sprint(v.ServerKey[:8]), string(v.Salt)}
	for _, secret := range []Secret{ClearText(password), md5Secret, FromVerifier(v), client, {}} {
		surrounding := struct{ hidden Secret }{secret}
		asJSON, err := json.Marshal(map[string]any{"s": secret, "in": struct{ S Secret }{secret}, "v": v})
		if err != nil {
			t.Fatal(err)
		}
		printed := string(asJSON)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			printed += fmt.Sprintf(verb, secret) + fmt.Sprintf(verb, &secret) + fmt.Sprintf(verb, surrounding)
		}
		printed += fmt.Sprintf("%v %#v %v", v, v, NewPoolKey(password))
		for _, h := range hidden {
			if strings.Contains(printed, h) {
				t.Errorf("%s shows %q in %s", secret, h, printed)
			}
		}
	}
}

func TestSameSecret(t *testing.T) {
	t.Parallel()
	v := mustVerifier(t, "a", "salt", 1)
	other := mustVerifier(t, "a", "pepper", 1)
	client := FromVerifier(v).enrichedBy(deriveKeys("a", v.Salt, 1))
	md5A, _ := MD5Hash(EncryptMD5("u", "a"))
	md5B, _ := MD5Hash(EncryptMD5("u", "b"))
	tests := []struct {
		name string
		a, b Secret
		want bool
	}{
		{"nothing is not the same as nothing", Secret{}, Secret{}, false},
		{"clear text", ClearText("a"), ClearText("a"), true},
		{"another clear text", ClearText("a"), ClearText("ab"), false},
		{"clear text and the key that it makes", ClearText("a"), client, true},
		{"the key and the clear text that makes it", client, ClearText("a"), true},
		{"another clear text than the key's", ClearText("b"), client, false},
		{"keys", client, client, true},
		{"keys of other salts", client, FromVerifier(other).enrichedBy(deriveKeys("a", other.Salt, 1)), false},
		{"a verifier proves nothing", FromVerifier(v), FromVerifier(v), false},
		{"md5", md5A, md5A, true},
		{"another md5", md5A, md5B, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.a.same(tt.b); got != tt.want {
				t.Errorf("same = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestOpenedServes(t *testing.T) {
	t.Parallel()
	unproven := ClearText("a").asUnproven()
	tests := []struct {
		name    string
		opened  Opened
		session Secret
		want    bool
	}{
		{"backend trusts, session knows nothing", Opened{Asked: Trust}, Secret{}, true},
		{"backend trusts, session proved a password", Opened{Asked: Trust}, ClearText("a"), true},
		{"backend trusts, nobody checked the password", Opened{Asked: Trust}, unproven, false},
		{"backend asked, session knows nothing", Opened{SCRAM, ClearText("a")}, Secret{}, false},
		{"backend asked, session sent the same", Opened{SCRAM, unproven}, unproven, true},
		{"backend asked, session sent another", Opened{SCRAM, unproven}, ClearText("b").asUnproven(), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.opened.Serves(tt.session); got != tt.want {
				t.Errorf("Serves = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestParseVerifier(t *testing.T) {
	t.Parallel()
	good := mustVerifier(t, "pencil", "0123456789abcdef", DefaultIterations).Text()
	v, err := ParseVerifier(good)
	if err != nil || v.Text() != good {
		t.Fatalf("ParseVerifier(%q) = %v, %v", good, v, err)
	}
	keys := strings.SplitN(good, "$", 3)[2]
	bad := []string{
		"", "SCRAM-SHA-256", "SCRAM-SHA-256$", "md5" + strings.Repeat("0", 32),
		good + "x", good[:len(good)-1], "SCRAM-SHA-256$0:AAAA$" + keys, "SCRAM-SHA-256$-1:AAAA$" + keys,
		"SCRAM-SHA-256$+1:AAAA$" + keys, "SCRAM-SHA-256$10000001:AAAA$" + keys, "SCRAM-SHA-256$4096:$" + keys,
		"SCRAM-SHA-256$4096:AAAA$" + strings.Split(keys, ":")[0], "SCRAM-SHA-256$4096$" + keys,
	}
	for _, text := range bad {
		if v, err := ParseVerifier(text); err == nil {
			t.Errorf("ParseVerifier(%q) = %s, want an error", text, v.Text())
		}
	}
}

func TestEncryptMD5(t *testing.T) {
	t.Parallel()
	// SELECT 'md5' || md5('secret' || 'alice')
	const want = "md54a0a68b43b6cd5cf266fa02f196e2371"
	if got := EncryptMD5("alice", "secret"); got != want {
		t.Errorf("EncryptMD5 = %s, want %s", got, want)
	}
}
