package streaming

import (
	"context"
	"net"
	"slices"
	"strings"
	"time"
)

// resolveTime bounds the look-up of one host name.
const resolveTime = time.Second

// sameHost tells whether two names are of one machine, by comparing the names and
// then their addresses. It is asked for only when it is not clear which node is the
// primary, so it keeps nothing.
func sameHost(ctx context.Context) func(a, b string) bool {
	return func(a, b string) bool {
		a, b = hostName(a), hostName(b)
		if strings.EqualFold(a, b) {
			return true
		}
		first := addresses(ctx, a)
		return slices.ContainsFunc(addresses(ctx, b), func(address string) bool { return slices.Contains(first, address) })
	}
}

// hostName: a Unix socket is on this machine, as every loopback address is.
func hostName(host string) string {
	if host == "" || host[0] == '/' {
		return "localhost"
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return "localhost"
	}
	return host
}

func addresses(ctx context.Context, host string) []string {
	if ip := net.ParseIP(host); ip != nil {
		return []string{ip.String()}
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	found, _ := net.DefaultResolver.LookupHost(ctx, host) // a name that cannot be found is no address
	for i, address := range found {
		if hostName(address) == "localhost" {
			found[i] = "127.0.0.1"
		}
	}
	return found
}
