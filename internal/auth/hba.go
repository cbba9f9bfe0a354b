package auth

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// hostNameTimeout bounds the name service look-ups of one Match. They happen only with
// rules that name hosts.
const hostNameTimeout = 10 * time.Second

// Origin is where a frontend comes from and what it wants, as far as pool_hba.conf
// looks at it.
type Origin struct {
	Local          bool // a Unix socket; Addr is then unused
	Addr           netip.Addr
	TLS            bool
	User, Database string
}

// host is the origin as an error message shows it: numeric, or [local].
func (o Origin) host() string {
	if o.Local {
		return "[local]"
	}
	return o.Addr.Unmap().WithZone("").String()
}

// HBA is the rules of one pool_hba.conf. The fields may be replaced before first use,
// in tests; after that it does not change.
type HBA struct {
	Rules    []Rule
	Resolver Resolver                       // for host names
	Networks func() ([]netip.Prefix, error) // our own addresses, for samehost and samenet
	Warnings []string                       // lines that are accepted and can never match
}

// Resolver is what *net.Resolver offers.
type Resolver interface {
	LookupAddr(ctx context.Context, addr string) (names []string, err error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Rule is one line of pool_hba.conf.
type Rule struct {
	Line      int // in the file, from 1
	Kind      ConnKind
	Databases []Token
	Users     []Token
	Address   Address // zero with Local
	Method    Method
}

// ConnKind is the first field of a line.
type ConnKind string

// The kinds of connection that a line may be for.
const (
	LocalConn ConnKind = "local"
	Host      ConnKind = "host"
	HostSSL   ConnKind = "hostssl"
	HostNoSSL ConnKind = "hostnossl"
)

// Match returns the first rule that applies. It waits for the name service if a rule
// before the matching one names hosts, at most hostNameTimeout in all.
func (h *HBA) Match(ctx context.Context, o Origin) (Rule, bool) {
	ctx, cancel := context.WithTimeout(ctx, hostNameTimeout)
	defer cancel()
	o.Addr = o.Addr.Unmap().WithZone("")
	m := &matcher{hba: h, origin: o}
	for _, rule := range h.Rules {
		if m.matches(ctx, rule) {
			return rule, true
		}
	}
	return Rule{}, false
}

// matcher keeps the answers of the name service for the length of one Match.
type matcher struct {
	hba    *HBA
	origin Origin

	asked bool
	names []string // what the origin's address is called, lower case, no dot at the end
}

func (m *matcher) matches(ctx context.Context, r Rule) bool {
	return m.matchesKind(r) && matchesDatabase(r.Databases, m.origin) &&
		matchesUser(r.Users, m.origin) && (m.origin.Local || m.matchesAddress(ctx, r.Address))
}

func (m *matcher) matchesKind(r Rule) bool {
	switch r.Kind {
	case LocalConn:
		return m.origin.Local
	case HostSSL:
		return !m.origin.Local && m.origin.TLS
	case HostNoSSL:
		return !m.origin.Local && !m.origin.TLS
	}
	return !m.origin.Local
}

// matchesDatabase has no meaning for samegroup and samerole: they never match, and
// replication is a name like others.
func matchesDatabase(tokens []Token, o Origin) bool {
	for _, t := range tokens {
		switch {
		case t.isKeyword("all"):
			return true
		case t.isKeyword("sameuser"):
			if o.Database == o.User {
				return true
			}
		case t.isKeyword("samegroup"), t.isKeyword("samerole"):
		case t.Text == o.Database:
			return true
		}
	}
	return false
}

// matchesUser never matches +group, since there is nobody to ask for members.
func matchesUser(tokens []Token, o Origin) bool {
	return slices.ContainsFunc(tokens, func(t Token) bool {
		return t.isKeyword("all") || !t.isGroup() && t.Text == o.User
	})
}

func (m *matcher) matchesAddress(ctx context.Context, a Address) bool {
	switch a.kind {
	case addressAll:
		return true
	case addressRange:
		return a.contains(m.origin.Addr)
	case addressSameHost, addressSameNet:
		return m.isOwn(a.kind == addressSameNet)
	}
	return m.isNamed(ctx, a.name)
}

// isOwn reports whether the address is one of ours, or in one of our networks.
func (m *matcher) isOwn(network bool) bool {
	own, err := m.hba.Networks()
	if err != nil {
		return false
	}
	for _, p := range own {
		if p.Addr() == m.origin.Addr || network && p.Masked().Contains(m.origin.Addr) {
			return true
		}
	}
	return false
}

// isNamed asks for the names of the address, and believes one only if it leads back to
// the address.
func (m *matcher) isNamed(ctx context.Context, pattern string) bool {
	for _, name := range m.originNames(ctx) {
		if !matchesHostName(pattern, name) {
			continue
		}
		addrs, err := m.hba.Resolver.LookupNetIP(ctx, "ip", name)
		if err == nil && slices.ContainsFunc(addrs, func(a netip.Addr) bool { return a.Unmap() == m.origin.Addr }) {
			return true
		}
	}
	return false
}

func (m *matcher) originNames(ctx context.Context) []string {
	if m.asked || !m.origin.Addr.IsValid() {
		return m.names
	}
	m.asked = true
	names, err := m.hba.Resolver.LookupAddr(ctx, m.origin.Addr.String())
	if err != nil {
		return nil
	}
	for _, name := range names {
		m.names = append(m.names, strings.TrimSuffix(strings.ToLower(name), "."))
	}
	return m.names
}

// matchesHostName compares with a name or, with a dot in front, with the end of one.
func matchesHostName(pattern, name string) bool {
	pattern = strings.ToLower(pattern)
	if strings.HasPrefix(pattern, ".") {
		return strings.HasSuffix(name, pattern) && len(name) > len(pattern)
	}
	return name == pattern
}

// interfaceNetworks lists our own addresses with their networks.
func interfaceNetworks() ([]netip.Prefix, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var own []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			own = append(own, netip.PrefixFrom(p.Addr().Unmap().WithZone(""), p.Bits()))
		}
	}
	return own, nil
}
