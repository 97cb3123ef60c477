package provider

import (
	"net/netip"
	"strings"
)

// inside are the networks that are not globally reachable according to the registries of
// special-purpose addresses (RFC 6890), beside those that package netip knows. The networks
// for documentation are left out: nothing is there.
var inside = prefixes(
	"0.0.0.0/8",      // this network, RFC 1122
	"100.64.0.0/10",  // between a carrier and its customers, RFC 6598
	"192.0.0.0/24",   // protocol assignments, RFC 6890
	"198.18.0.0/15",  // benchmarks, RFC 2544
	"240.0.0.0/4",    // reserved, RFC 1112, and broadcast
	"64:ff9b:1::/48", // translation for local use, RFC 8215
	"100::/64",       // discarded, RFC 6666
	"fec0::/10",      // site-local, RFC 3879
)

// embedding are the networks whose addresses contain one of IPv4, and the byte at which that
// begins.
var embedding = []struct {
	netip.Prefix
	at int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, // translation, RFC 6052
	{netip.MustParsePrefix("2002::/16"), 2},     // 6to4, RFC 3056
	{netip.MustParsePrefix("::/96"), 12},        // IPv4-compatible, RFC 4291
}

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

// isPublic reports whether an address belongs to the public internet. An address that
// contains one of IPv4 is judged by that.
func isPublic(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if !a.IsValid() || a.IsUnspecified() || a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsMulticast() {
		return false // the metadata of cloud machines is at a link-local address
	}
	for _, network := range inside {
		if network.Contains(a) {
			return false
		}
	}
	for _, network := range embedding {
		if network.Contains(a) {
			bytes := a.As16()
			return isPublic(netip.AddrFrom4([4]byte(bytes[network.at:])))
		}
	}
	return true
}

// endsInNumber reports whether the last part of a host is a number. Then the host is not a
// name (RFC 3696 section 2). Package netip does not read all such hosts as addresses, but
// inet_aton of C does, and so do many proxies: 127.1, 0x7f000001 and 010.0.0.1.
func endsInNumber(host string) bool {
	last := strings.ToLower(strings.TrimSuffix(host, "."))
	last = last[strings.LastIndexByte(last, '.')+1:]
	digits := "0123456789"
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		last, digits = hex, digits+"abcdef"
	}
	return strings.Trim(last, digits) == ""
}
