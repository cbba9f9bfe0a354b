package auth

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

type addressKind int

const (
	addressAll addressKind = iota + 1
	addressSameHost
	addressSameNet
	addressRange
	addressName
)

// Address is the ADDRESS field of a rule.
type Address struct {
	kind addressKind
	name string     // of addressName: a host name, or a suffix that begins with a dot
	addr netip.Addr // of addressRange
	mask netip.Addr // of addressRange, of the same family; need not be contiguous
}

// contains compares the bits that the mask has set, as PostgreSQL does.
func (a Address) contains(addr netip.Addr) bool {
	if !addr.IsValid() || addr.Is4() != a.addr.Is4() {
		return false
	}
	want, mask, got := a.addr.AsSlice(), a.mask.AsSlice(), addr.AsSlice()
	for i := range want {
		if (want[i]^got[i])&mask[i] != 0 {
			return false
		}
	}
	return true
}

// parseAddress reads the address field. It takes a second field for the mask if there
// has to be one.
func parseAddress(t Token, next func() (Token, error)) (Address, error) {
	switch {
	case t.isKeyword("all"):
		return Address{kind: addressAll}, nil
	case t.isKeyword("samehost"):
		return Address{kind: addressSameHost}, nil
	case t.isKeyword("samenet"):
		return Address{kind: addressSameNet}, nil
	}
	host, bits, cidr := strings.Cut(t.Text, "/")
	addr, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return parseHostName(host, cidr, t.Text)
	case addr.Zone() != "":
		return Address{}, fmt.Errorf("invalid IP address %q", t.Text)
	case cidr:
		return parseCIDR(addr, bits, t.Text)
	}
	mask, err := next()
	if err != nil {
		return Address{}, err
	}
	return parseMask(addr, mask.Text)
}

// parseHostName takes what is not numeric for a name, unless it looks like an address
// gone wrong: such a line would silently never match.
func parseHostName(host string, cidr bool, whole string) (Address, error) {
	switch {
	case cidr:
		return Address{}, fmt.Errorf("specifying both host name and CIDR mask is invalid: %q", whole)
	case host == "" || host == "." || strings.Contains(host, ":") || strings.Trim(host, "0123456789.") == "":
		return Address{}, fmt.Errorf("invalid IP address %q", whole)
	}
	return Address{kind: addressName, name: host}, nil
}

func parseCIDR(addr netip.Addr, bits, whole string) (Address, error) {
	n, err := strconv.ParseUint(bits, 10, 8)
	if err != nil || int(n) > addr.BitLen() {
		return Address{}, fmt.Errorf("invalid CIDR mask in address %q", whole)
	}
	return Address{kind: addressRange, addr: addr, mask: maskOf(addr, int(n))}, nil
}

// maskOf is the address of n set bits in the family of addr.
func maskOf(addr netip.Addr, n int) netip.Addr {
	raw := make([]byte, addr.BitLen()/8)
	for i := range n {
		raw[i/8] |= 0x80 >> (i % 8)
	}
	mask, _ := netip.AddrFromSlice(raw)
	return mask
}

func parseMask(addr netip.Addr, text string) (Address, error) {
	mask, err := netip.ParseAddr(text)
	if err != nil || mask.Zone() != "" {
		return Address{}, fmt.Errorf("invalid IP mask %q", text)
	}
	if mask.Is4() != addr.Is4() {
		return Address{}, errors.New("IP address and mask do not match")
	}
	return Address{kind: addressRange, addr: addr, mask: mask}, nil
}
