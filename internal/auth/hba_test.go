package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"strings"
	"testing"
)

func includes(files map[string]string) func(string) (io.ReadCloser, error) {
	return func(name string) (io.ReadCloser, error) {
		text, ok := files[name]
		if !ok {
			return nil, fs.ErrNotExist
		}
		return io.NopCloser(strings.NewReader(text)), nil
	}
}

// dns is a name service with a fixed content.
type dns struct {
	names map[string][]string
	addrs map[string][]string
}

func (d dns) LookupAddr(_ context.Context, addr string) ([]string, error) {
	if names, ok := d.names[addr]; ok {
		return names, nil
	}
	return nil, errors.New("no such name")
}

func (d dns) LookupNetIP(_ context.Context, _, host string) (found []netip.Addr, err error) {
	for _, a := range d.addrs[host] {
		found = append(found, netip.MustParseAddr(a))
	}
	return found, nil
}

var testDNS = dns{
	names: map[string][]string{"10.9.0.1": {"App.Example.ORG."}, "10.9.0.2": {"liar.example.org."}},
	addrs: map[string][]string{"app.example.org": {"10.9.0.7", "10.9.0.1"}, "liar.example.org": {"10.9.0.3"}},
}

func mustHBA(t testing.TB, text string, files map[string]string) *HBA {
	t.Helper()
	h, err := ParseHBA(strings.NewReader(text), "pool_hba.conf", includes(files))
	if err != nil {
		t.Fatal(err)
	}
	h.Resolver = testDNS
	h.Networks = func() ([]netip.Prefix, error) {
		return []netip.Prefix{netip.MustParsePrefix("192.0.2.10/24"), netip.MustParsePrefix("2001:db8::10/64")}, nil
	}
	return h
}

func from(addr string) Origin {
	return Origin{Addr: netip.MustParseAddr(addr), User: "alice", Database: "shop"}
}

func local() Origin { return Origin{Local: true, User: "alice", Database: "shop"} }

func encrypted(o Origin) Origin { o.TLS = true; return o }

func as(o Origin, user, database string) Origin { o.User, o.Database = user, database; return o }

func TestHBAMatch(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"people":  "alice, bob # two\n\"carol\"\n@more",
		"more":    "dave\n",
		"quoted":  `"all"`,
		"nothing": "\n",
	}
	tests := []struct {
		name   string
		rules  string
		origin Origin
		want   string // method and line, or nothing
	}{
		{"local line for a Unix socket", "local all all md5", local(), "md5 1"},
		{"local line not for TCP", "local all all md5", from("127.0.0.1"), ""},
		{"host line not for a Unix socket", "host all all all md5", local(), ""},
		{"host line with and without TLS", "host all all all md5", encrypted(from("10.0.0.1")), "md5 1"},
		{"hostssl needs TLS", "hostssl all all all md5", from("10.0.0.1"), ""},
		{"hostssl with TLS", "hostssl all all all md5", encrypted(from("10.0.0.1")), "md5 1"},
		{"hostnossl without TLS", "hostnossl all all all md5", from("10.0.0.1"), "md5 1"},
		{"hostnossl not with TLS", "hostnossl all all all md5", encrypted(from("10.0.0.1")), ""},
		{"the first line decides", "host all all 10.0.0.0/8 reject\nhost all all all trust", from("10.1.2.3"), "reject 1"},
		{"comments and blank lines count as lines", "# nothing\n\n  host all all all trust # end", from("10.1.2.3"), "trust 3"},
		{"carriage returns", "host all all all trust\r\n", from("10.1.2.3"), "trust 1"},
		{"CIDR, outside", "host all all 10.0.0.0/8 trust", from("11.0.0.1"), ""},
		{"CIDR of odd length", "host all all 10.1.128.0/17 trust", from("10.1.129.3"), "trust 1"},
		{"CIDR of odd length, outside", "host all all 10.1.128.0/17 trust", from("10.1.127.3"), ""},
		{"CIDR with host bits", "host all all 10.1.2.3/8 trust", from("10.200.0.1"), "trust 1"},
		{"one address", "host all all 10.1.2.3/32 trust", from("10.1.2.4"), ""},
		{"everything of a family", "host all all 0.0.0.0/0 trust", from("10.1.2.4"), "trust 1"},
		{"the other family", "host all all 0.0.0.0/0 trust", from("::1"), ""},
		{"IPv6", "host all all 2001:db8::/32 trust", from("2001:db8:1::1"), "trust 1"},
		{"IPv6 with zone", "host all all fe80::/10 trust", from("fe80::1%eth0"), "trust 1"},
		{"IPv4 in IPv6", "host all all 10.0.0.0/8 trust", from("::ffff:10.1.1.1"), "trust 1"},
		{"mask in a field of its own", "host all all 10.0.0.0 255.0.0.0 trust", from("10.7.7.7"), "trust 1"},
		{"mask in a field of its own, outside", "host all all 10.0.0.0 255.0.0.0 trust", from("12.7.7.7"), ""},
		{"mask with a hole", "host all all 10.0.0.5 255.0.0.255 trust", from("10.7.7.5"), "trust 1"},
		{"IPv6 mask", "host all all 2001:db8:: ffff:ffff:: trust", from("2001:db8::9"), "trust 1"},
		{"samehost, ours", "host all all samehost trust", from("192.0.2.10"), "trust 1"},
		{"samehost, neighbour", "host all all samehost trust", from("192.0.2.11"), ""},
		{"samenet, neighbour", "host all all samenet trust", from("192.0.2.11"), "trust 1"},
		{"samenet, IPv6", "host all all samenet trust", from("2001:db8::99"), "trust 1"},
		{"samenet, elsewhere", "host all all samenet trust", from("198.51.100.1"), ""},
		{"host name", "host all all app.example.org trust", from("10.9.0.1"), "trust 1"},
		{"host name, case", "host all all APP.example.ORG trust", from("10.9.0.1"), "trust 1"},
		{"host name that does not lead back", "host all all liar.example.org trust", from("10.9.0.2"), ""},
		{"address without a name", "host all all app.example.org trust", from("10.9.0.9"), ""},
		{"suffix", "host all all .example.org trust", from("10.9.0.1"), "trust 1"},
		{"suffix is not the name itself", "host all all .app.example.org trust", from("10.9.0.1"), ""},
		{"quoted all is a host name", `host all all "all" trust`, from("10.9.0.1"), ""},
		{"database list", "local shop,stock all trust", local(), "trust 1"},
		{"database list with blanks", "local stock, shop all trust", local(), "trust 1"},
		{"another database", "local stock all trust", local(), ""},
		{"names are case sensitive", "local Shop all trust", local(), ""},
		{"sameuser", "local sameuser all trust", as(local(), "bob", "bob"), "trust 1"},
		{"sameuser, another database", "local sameuser all trust", local(), ""},
		{"samerole never matches", "local samerole all trust", as(local(), "bob", "bob"), ""},
		{"samegroup never matches", "local samegroup all trust", as(local(), "bob", "bob"), ""},
		{"replication is a name", "local replication all trust", as(local(), "bob", "replication"), "trust 1"},
		{"quoted all is a database", `local "all" all trust`, local(), ""},
		{"quoted all, that database", `local "all" all trust`, as(local(), "bob", "all"), "trust 1"},
		{"quotes with blanks and commas", `local "a b,c" all trust`, as(local(), "bob", "a b,c"), "trust 1"},
		{"doubled quote", `local "a""b" all trust`, as(local(), "bob", `a"b`), "trust 1"},
		{"hash in quotes", `local "a#b" all trust`, as(local(), "bob", "a#b"), "trust 1"},
		{"user", "local all alice trust", local(), "trust 1"},
		{"another user", "local all bob trust", local(), ""},
		{"group never matches", "local all +staff trust", as(local(), "staff", "shop"), ""},
		{"quoted plus is a user", `local all "+staff" trust`, as(local(), "+staff", "shop"), "trust 1"},
		{"file", "local all @people trust", as(local(), "bob", "shop"), "trust 1"},
		{"quoted word in a file", "local all @people trust", as(local(), "carol", "shop"), "trust 1"},
		{"file in a file", "local all @people trust", as(local(), "dave", "shop"), "trust 1"},
		{"not in the file", "local all @people trust", as(local(), "erin", "shop"), ""},
		{"quoted keyword in a file", "local all @quoted trust", local(), ""},
		{"empty file", "local all @nothing trust", local(), ""},
		{"file among others", "local all erin,@more trust", as(local(), "erin", "shop"), "trust 1"},
		{"all methods", "local a all cert\nlocal b all scram-sha-256\nlocal c all password", as(local(), "x", "b"), "scram-sha-256 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if rule, ok := mustHBA(t, tt.rules, files).Match(context.Background(), tt.origin); ok {
				got = fmt.Sprintf("%s %d", rule.Method, rule.Line)
			}
			if got != tt.want {
				t.Errorf("Match(%q, %+v) = %q, want %q", tt.rules, tt.origin, got, tt.want)
			}
		})
	}
}

func TestParseHBARefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxHBAToken+1)
	tests := []struct {
		name, text, want string
	}{
		{"a file without rules", "# nothing\n", "no rule"},
		{"an empty file", "", "no rule"},
		{"a kind that is none", "hosts all all all trust", `invalid connection type "hosts"`},
		{"a line that ends early", "host", "end-of-line before database specification"},
		{"no user", "local all", "end-of-line before role specification"},
		{"no address", "host all all", "end-of-line before IP address specification"},
		{"no method", "host all all all", "end-of-line before authentication method"},
		{"no mask", "host all all 10.0.0.1", "end-of-line before netmask specification"},
		{"a method in place of a mask", "host all all 10.0.0.1 trust", `invalid IP mask "trust"`},
		{"a mask of the other family", "host all all 10.0.0.1 ffff:: trust", "do not match"},
		{"a CIDR too long", "host all all 10.0.0.1/33 trust", "invalid CIDR mask"},
		{"a CIDR with a sign", "host all all 10.0.0.1/-1 trust", "invalid CIDR mask"},
		{"no CIDR", "host all all 10.0.0.1/ trust", "invalid CIDR mask"},
		{"a name with CIDR", "host all all example.org/8 trust", "host name and CIDR mask"},
		{"an address gone wrong", "host all all 10.0.0.256 trust", "invalid IP address"},
		{"several addresses", "host all all 10.0.0.1/32,10.0.0.2/32 trust", "multiple values"},
		{"several methods", "local all all trust,md5", "multiple values"},
		{"an unknown method", "local all all peer", `invalid authentication method "peer"`},
		{"pam", "local all all pam pamservice=x", `authentication method "pam" is not supported`},
		{"ldap", "local all all ldap", `authentication method "ldap" is not supported`},
		{"a method in capitals", "local all all TRUST", "invalid authentication method"},
		{"an option", "local all all cert clientcert=1", `unrecognized authentication option name: "clientcert"`},
		{"an option without value", "local all all md5 x", "not in name=value format: x"},
		{"a long word", "local " + long + " all trust", "longer than 255"},
		{"a long line", "local all all trust #" + strings.Repeat("x", maxHBALine), "longer than 8191"},
		{"a file that is not there", "local all @absent trust", "@absent: file does not exist"},
		{"a file that includes itself", "local all @self trust", "nested deeper than 10"},
		{"a file with a long word", "local all @long trust", "longer than 255"},
	}
	files := map[string]string{"self": "@self", "long": long}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h, err := ParseHBA(strings.NewReader(tt.text), "pool_hba.conf", includes(files))
			if h != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ParseHBA(%.40q) = %v, %v; want an error with %q", tt.text, h, err, tt.want)
			}
		})
	}
}

func TestParseHBANamesEveryBadLine(t *testing.T) {
	t.Parallel()
	text := "local all all trust\nlocal all all pam\n\nhost all all 1.2.3.4/99 md5\n" + strings.Repeat("y", maxHBALine+1) + "\nlocal all all ident\n"
	_, err := ParseHBA(strings.NewReader(text), "pool_hba.conf", nil)
	for _, want := range []string{"pool_hba.conf:2: ", "pool_hba.conf:4: ", "pool_hba.conf:5: ", "pool_hba.conf:6: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %q", err, want)
		}
	}
	var line *LineError
	if !errors.As(err, &line) || line.Line != 2 {
		t.Errorf("first bad line is %v, want 2", line)
	}
}

func TestParseHBAWarnsOfWordsThatNeverMatch(t *testing.T) {
	t.Parallel()
	h := mustHBA(t, "local samerole +staff trust\nlocal all all reject", nil)
	if len(h.Warnings) != 2 {
		t.Errorf("warnings %q, want two", h.Warnings)
	}
}

func FuzzParseHBA(f *testing.F) {
	f.Add("host all all 10.0.0.0/8 md5\nlocal \"a\"\"b\",@f all trust # x", "alice, @f")
	f.Add("hostssl sameuser +x .example.org cert", "\"")
	f.Add("host all all 1.2.3.4 255.255.0.0 trust a=b", "@@,#")
	f.Fuzz(func(t *testing.T, text, included string) {
		h, err := ParseHBA(strings.NewReader(text), "fuzz", includes(map[string]string{"f": included}))
		if (h == nil) == (err == nil) {
			t.Fatalf("ParseHBA gives %v and %v", h, err)
		}
		if err != nil {
			return
		}
		h.Resolver = testDNS
		for _, o := range []Origin{local(), encrypted(from("10.9.0.1")), from("::1"), {}} {
			if rule, ok := h.Match(context.Background(), o); ok && rule.Line < 1 {
				t.Fatalf("rule without a line: %+v", rule)
			}
		}
	})
}

func TestOwnAddressesAreSameHost(t *testing.T) {
	t.Parallel()
	h, err := ParseHBA(strings.NewReader("host all all samehost trust"), "pool_hba.conf", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := h.Match(context.Background(), from("127.0.0.1")); !ok {
		t.Error("127.0.0.1 is not one of our addresses")
	}
}
