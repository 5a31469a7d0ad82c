package types

import (
	"cmp"
	"net/netip"
	"strings"
)

// parseIP reads an IPV4 or IPV6; the value is its canonical text.
func parseIP(text string, k Kind) (Value, error) {
	a, err := netip.ParseAddr(strings.TrimSpace(text))
	switch {
	case err != nil, a.Zone() != "", k == IPv4 && !a.Is4():
		return nil, ErrSyntax
	case k == IPv6 && a.Is4():
		a = netip.AddrFrom16(a.As16())
	}
	return a.String(), nil
}

// compareIP orders canonical texts by the addresses' numbers.
func compareIP(a, b string) int {
	x, errX := netip.ParseAddr(a)
	y, errY := netip.ParseAddr(b)
	if errX != nil || errY != nil {
		return cmp.Compare(a, b)
	}
	return x.Compare(y)
}
