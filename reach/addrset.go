package reach

import (
	"math"
	"net/netip"
	"strings"
)

// AddrSet is an immutable set of IPv4 and IPv6 addresses. The zero AddrSet is empty.
// Addresses have no zone, and IPv4 addresses mapped into IPv6 count as IPv4.
type AddrSet struct{ spans []span[netip.Addr] }

// Addresses returns the set of the given addresses; invalid ones are left out.
func Addresses(list ...netip.Addr) AddrSet {
	var s []span[netip.Addr]
	for _, a := range list {
		if a = a.Unmap().WithZone(""); a.IsValid() {
			s = append(s, span[netip.Addr]{a, a})
		}
	}
	return AddrSet{normalize[netip.Addr, addrs](s)}
}

// Prefixes returns the set of all addresses within the given prefixes; invalid ones are left out.
func Prefixes(list ...netip.Prefix) AddrSet {
	var s []span[netip.Addr]
	for _, p := range list {
		if p = p.Masked(); p.IsValid() {
			s = append(s, span[netip.Addr]{p.Addr(), lastAddr(p)})
		}
	}
	return AddrSet{normalize[netip.Addr, addrs](s)}
}

// lastAddr is the highest address of a masked prefix.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	last, _ := netip.AddrFromSlice(b)
	return last
}

// Union returns the addresses in a or b.
func (a AddrSet) Union(b AddrSet) AddrSet { return AddrSet{union[netip.Addr, addrs](a.spans, b.spans)} }

// Intersect returns the addresses in both a and b.
func (a AddrSet) Intersect(b AddrSet) AddrSet {
	switch { // the whole is asked for often
	case a.all():
		return b
	case b.all():
		return a
	}
	return AddrSet{intersect[netip.Addr, addrs](a.spans, b.spans)}
}

// Subtract returns the addresses in a and not in b.
func (a AddrSet) Subtract(b AddrSet) AddrSet {
	return AddrSet{subtract[netip.Addr, addrs](a.spans, b.spans)}
}

// Complement returns all addresses of both families that are not in a.
func (a AddrSet) Complement() AddrSet { return AllAddresses.Subtract(a) }

// Contains reports whether the address is in the set.
func (a AddrSet) Contains(ip netip.Addr) bool {
	return contains[netip.Addr, addrs](a.spans, ip.Unmap().WithZone(""))
}

// all reports whether the set is AllAddresses itself.
func (a AddrSet) all() bool {
	return len(a.spans) == 2 && len(AllAddresses.spans) == 2 && &a.spans[0] == &AllAddresses.spans[0]
}

// Empty reports whether the set has no address.
func (a AddrSet) Empty() bool { return len(a.spans) == 0 }

// Equal reports whether both sets have the same addresses.
func (a AddrSet) Equal(b AddrSet) bool { return equal[netip.Addr, addrs](a.spans, b.spans) }

// Covers reports whether every address of b is in a.
func (a AddrSet) Covers(b AddrSet) bool { return b.Subtract(a).Empty() }

// Single returns the only address of a set that has exactly one.
func (a AddrSet) Single() (netip.Addr, bool) {
	if len(a.spans) == 1 && a.spans[0].lo == a.spans[0].hi {
		return a.spans[0].lo, true
	}
	return netip.Addr{}, false
}

// V4 and V6 return the part of the set in one family.
func (a AddrSet) V4() AddrSet { return a.Intersect(allV4) }

// V6 returns the IPv6 addresses of the set.
func (a AddrSet) V6() AddrSet { return a.Intersect(allV6) }

// Size is the number of addresses, exact up to 2^53 and rounded above.
func (a AddrSet) Size() float64 {
	var n float64
	for _, s := range a.spans {
		n += asFloat(s.hi) - asFloat(s.lo) + 1
		if s.lo.Is6() && s.lo.As16()[7] == s.hi.As16()[7] { // near each other: subtract in 64 bits
			n += float64(low64(s.hi)-low64(s.lo)) - (asFloat(s.hi) - asFloat(s.lo))
		}
	}
	return n
}

func asFloat(a netip.Addr) float64 {
	var f float64
	for _, b := range a.AsSlice() {
		f = f*256 + float64(b)
	}
	return f
}

func low64(a netip.Addr) (n uint64) {
	b := a.As16()
	for _, x := range b[8:] {
		n = n<<8 | uint64(x)
	}
	return n
}

// CIDRs returns the smallest list of prefixes that make up the set, in order, at most limit
// of them; limit zero is no limit.
func (a AddrSet) CIDRs(limit int) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range a.spans {
		for lo := s.lo; ; {
			if limit > 0 && len(out) == limit {
				return out
			}
			// The largest prefix that begins at lo and does not pass hi.
			bits := lo.BitLen()
			for bits > 0 {
				p := netip.PrefixFrom(lo, bits-1)
				if p.Masked().Addr() != lo || lastAddr(p).Compare(s.hi) > 0 {
					break
				}
				bits--
			}
			p := netip.PrefixFrom(lo, bits)
			out = append(out, p)
			last := lastAddr(p)
			if last == s.hi {
				break
			}
			lo = last.Next()
		}
	}
	return out
}

// String lists the set's prefixes; a long list is cut.
func (a AddrSet) String() string {
	if a.Empty() {
		return "nothing"
	}
	const most = 8
	var b strings.Builder
	for i, p := range a.CIDRs(most + 1) {
		if i == most {
			return b.String() + ", …"
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(p.String())
	}
	return b.String()
}

var (
	allV4 = Prefixes(netip.PrefixFrom(netip.IPv4Unspecified(), 0))
	allV6 = Prefixes(netip.PrefixFrom(netip.IPv6Unspecified(), 0))

	// AllAddresses is every IPv4 and IPv6 address.
	AllAddresses = allV4.Union(allV6)

	// Internet is every address that may be a host on the internet: what IANA's special-purpose
	// registries (RFC 6890) call globally reachable, without multicast, and with the
	// documentation ranges 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24 and 2001:db8::/32,
	// which stand for public addresses in examples and test data.
	Internet = allV4.Subtract(Prefixes(
		netip.MustParsePrefix("0.0.0.0/8"),      // this network, RFC 791
		netip.MustParsePrefix("10.0.0.0/8"),     // private, RFC 1918
		netip.MustParsePrefix("100.64.0.0/10"),  // shared address space, RFC 6598
		netip.MustParsePrefix("127.0.0.0/8"),    // loopback
		netip.MustParsePrefix("169.254.0.0/16"), // link local
		netip.MustParsePrefix("172.16.0.0/12"),  // private
		netip.MustParsePrefix("192.0.0.0/24"),   // IETF protocol assignments
		netip.MustParsePrefix("192.168.0.0/16"), // private
		netip.MustParsePrefix("198.18.0.0/15"),  // benchmarking, RFC 2544
		netip.MustParsePrefix("224.0.0.0/3"),    // multicast and reserved
	)).Union(Prefixes(netip.MustParsePrefix("2000::/3"))) // global unicast, RFC 4291
)

// Thresholds from which a set of internet addresses counts as any internet address:
// more than 2^24 IPv4 addresses (a /8), or at least a /24 of IPv6.
var (
	openV4 = math.Pow(2, 24)
	openV6 = math.Pow(2, 128-24)
)

// Open reports whether the set is so large a part of the internet that a way in from it is
// open to anybody, rather than controlled by a list of addresses.
func (a AddrSet) Open() bool {
	in := a.Intersect(Internet)
	return in.V4().Size() > openV4 || in.V6().Size() >= openV6
}
