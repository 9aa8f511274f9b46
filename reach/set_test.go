package reach

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// The naive sets: 4,096 addresses in two ranges that lie at the ends of their families and at
// a border between octets, and all ports in a map.
var sampleAddrs = func() (out []netip.Addr) {
	for _, p := range []string{
		"0.0.0.0/25", "10.0.255.128/24", "255.255.255.128/25", "::/121", "2001:db8::ff80/120",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff80/121",
	} {
		prefix := netip.MustParsePrefix(p).Masked()
		for a := prefix.Addr(); a.IsValid() && prefix.Contains(a); a = a.Next() {
			out = append(out, a)
		}
	}
	return out
}()

type naiveSet map[netip.Addr]bool

func drawAddrs(t *rapid.T, label string) (AddrSet, naiveSet) {
	set, naive := AddrSet{}, naiveSet{}
	for range rapid.IntRange(0, 5).Draw(t, label+" prefixes") {
		a := rapid.SampledFrom(sampleAddrs).Draw(t, label)
		bits := a.BitLen() - rapid.IntRange(0, 6).Draw(t, label+" host bits")
		p, _ := a.Prefix(bits)
		set = set.Union(Prefixes(p))
		for _, x := range sampleAddrs {
			if p.Contains(x) {
				naive[x] = true
			}
		}
	}
	return set, naive
}

func agree(t *rapid.T, what string, set AddrSet, naive func(netip.Addr) bool) {
	for _, a := range sampleAddrs {
		if set.Contains(a) != naive(a) {
			t.Fatalf("%s: %s is %v in the set, %v in the naive one", what, a, set.Contains(a), naive(a))
		}
	}
	for i, s := range set.spans {
		if s.lo.Compare(s.hi) > 0 || i > 0 && (set.spans[i-1].hi.Compare(s.lo) >= 0 || touches[netip.Addr, addrs](set.spans[i-1].hi, s.lo)) {
			t.Fatalf("%s is not in normal form: %v", what, set.spans)
		}
	}
}

func TestAddressSetsAgreeWithANaiveSetAndKeepTheLawsOfSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, na := drawAddrs(t, "a")
		b, nb := drawAddrs(t, "b")
		c, _ := drawAddrs(t, "c")
		agree(t, "union", a.Union(b), func(x netip.Addr) bool { return na[x] || nb[x] })
		agree(t, "intersection", a.Intersect(b), func(x netip.Addr) bool { return na[x] && nb[x] })
		agree(t, "difference", a.Subtract(b), func(x netip.Addr) bool { return na[x] && !nb[x] })
		agree(t, "complement", a.Complement(), func(x netip.Addr) bool { return !na[x] })
		for name, pair := range map[string][2]AddrSet{
			"union commutes":              {a.Union(b), b.Union(a)},
			"union associates":            {a.Union(b).Union(c), a.Union(b.Union(c))},
			"intersection commutes":       {a.Intersect(b), b.Intersect(a)},
			"intersection associates":     {a.Intersect(b).Intersect(c), a.Intersect(b.Intersect(c))},
			"intersection distributes":    {a.Intersect(b.Union(c)), a.Intersect(b).Union(a.Intersect(c))},
			"De Morgan":                   {a.Union(b).Complement(), a.Complement().Intersect(b.Complement())},
			"double complement":           {a.Complement().Complement(), a},
			"difference by complement":    {a.Subtract(b), a.Intersect(b.Complement())},
			"union with itself":           {a.Union(a), a},
			"a set is all of its CIDRs":   {Prefixes(a.CIDRs(0)...), a},
			"a set is its two families":   {a.V4().Union(a.V6()), a},
			"nothing is outside of all":   {AllAddresses.Complement(), AddrSet{}},
			"absorption":                  {a.Intersect(a.Union(b)), a},
			"the parts make up the whole": {a.Subtract(b).Union(a.Intersect(b)), a},
		} {
			if !pair[0].Equal(pair[1]) {
				t.Fatalf("%s: %s is not %s", name, pair[0], pair[1])
			}
		}
		if a.Covers(b) != b.Subtract(a).Empty() || !a.Union(b).Covers(b) {
			t.Fatal("covers disagrees with difference")
		}
		if n := a.V4().Size(); n != float64(countV4(na, a)) {
			t.Fatalf("size of %s is %v, counted %d", a.V4(), n, countV4(na, a))
		}
	})
}

func countV4(n naiveSet, a AddrSet) int {
	count := 0
	for _, s := range a.V4().spans {
		for x := s.lo; x.IsValid() && x.Compare(s.hi) <= 0; x = x.Next() {
			count++
		}
	}
	return count
}

func drawPorts(t *rapid.T, label string) (PortSet, map[int]bool) {
	set, naive := PortSet{}, map[int]bool{}
	for range rapid.IntRange(0, 4).Draw(t, label+" ranges") {
		lo := rapid.SampledFrom([]int{0, 1, 22, 79, 80, 81, 443, 1023, 1024, 65534, 65535}).Draw(t, label+" from")
		hi := min(65535, lo+rapid.IntRange(0, 60).Draw(t, label+" length"))
		set = set.Union(Ports(uint16(lo), uint16(hi)))
		for p := lo; p <= hi; p++ {
			naive[p] = true
		}
	}
	return set, naive
}

func TestPortSetsAgreeWithANaiveSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, na := drawPorts(t, "a")
		b, nb := drawPorts(t, "b")
		for p := range 1 << 16 {
			if p > 1100 && p < 65500 { // the ranges lie below and above
				continue
			}
			x := uint16(p)
			switch {
			case a.Union(b).Contains(x) != (na[p] || nb[p]),
				a.Intersect(b).Contains(x) != (na[p] && nb[p]),
				a.Subtract(b).Contains(x) != (na[p] && !nb[p]),
				a.Complement().Contains(x) == na[p]:
				t.Fatalf("port %d of %s and %s", p, a, b)
			}
		}
		if a.Size() != len(na) || !a.Complement().Complement().Equal(a) || !a.Union(b).Covers(a) {
			t.Fatalf("%s: size %d, counted %d", a, a.Size(), len(na))
		}
	})
}

func TestTrafficAgreesWithANaiveSetOfPairs(t *testing.T) {
	type pair struct {
		port int
		addr netip.Addr
	}
	addresses := sampleAddrs[:8]
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) (Traffic, map[pair]bool) {
			var tr Traffic
			naive := map[pair]bool{}
			for range rapid.IntRange(0, 4).Draw(t, label) {
				p, np := drawPorts(t, label)
				lo := rapid.IntRange(0, 7).Draw(t, label+" address")
				hi := rapid.IntRange(lo, 7).Draw(t, label+" last address")
				tr = tr.Union(NewTraffic(p, Addresses(addresses[lo:hi+1]...)))
				for port := range np {
					for _, a := range addresses[lo : hi+1] {
						naive[pair{port, a}] = true
					}
				}
			}
			return tr, naive
		}
		a, na := draw("a")
		b, nb := draw("b")
		has := func(tr Traffic, x pair) bool { return tr.Every(Port(uint16(x.port))).Contains(x.addr) }
		seen := map[pair]bool{}
		for x := range na {
			seen[x] = true
		}
		for x := range nb {
			seen[x] = true
		}
		for x := range seen {
			if has(a.Union(b), x) != (na[x] || nb[x]) || has(a.Intersect(b), x) != (na[x] && nb[x]) || has(a.Subtract(b), x) != (na[x] && !nb[x]) {
				t.Fatalf("port %d address %s", x.port, x.addr)
			}
		}
		some := AddrSet{}
		for x := range na {
			some = some.Union(Addresses(x.addr))
			if !a.Ports().Contains(uint16(x.port)) {
				t.Fatalf("port %d is missing", x.port)
			}
		}
		if !a.Some().Equal(some) {
			t.Fatalf("some is %s, want %s", a.Some(), some)
		}
		want, _ := drawPorts(t, "wanted")
		all := Addresses(addresses...)
		for _, s := range want.spans {
			for p := int(s.lo); p <= int(s.hi); p++ {
				all = all.Intersect(a.Every(Port(uint16(p))))
			}
		}
		if !a.Every(want).Intersect(Addresses(addresses...)).Equal(all) {
			t.Fatalf("every of %s is %s, want %s", want, a.Every(want), all)
		}
		if !a.Subtract(b).Union(a.Intersect(b)).Equal(a) || !a.Union(b).Equal(b.Union(a)) {
			t.Fatal("the laws of sets do not hold")
		}
	})
}

func TestWhatCountsAsTheInternet(t *testing.T) {
	for text, want := range map[string]bool{
		"8.8.8.8": true, "192.0.2.1": true, "198.51.100.7": true, "203.0.113.9": true,
		"2001:db8::1": true, "2600::1": true,
		"10.0.0.1": false, "172.16.0.1": false, "172.32.0.1": true, "192.168.1.1": false, "100.64.0.1": false,
		"127.0.0.1": false, "169.254.169.254": false, "224.0.0.1": false, "255.255.255.255": false,
		"fd00::1": false, "fe80::1": false, "::1": false, "::ffff:8.8.8.8": true,
	} {
		if got := Internet.Contains(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestASetIsOpenFromASlashEightOn(t *testing.T) {
	for text, want := range map[string]bool{
		"0.0.0.0/0": true, "0.0.0.0/1": true, "128.0.0.0/1": true, "52.0.0.0/7": true, "52.0.0.0/8": false, "198.51.100.0/24": false,
		"10.0.0.0/8": false, "::/0": true, "2000::/24": true, "2600::/24": true, "2600::/25": false,
	} {
		if got := Prefixes(netip.MustParsePrefix(text)).Open(); got != want {
			t.Errorf("%s: open %v, want %v", text, got, want)
		}
	}
}

func TestSetsArePrintedShort(t *testing.T) {
	for want, got := range map[string]string{
		"nothing":                  AddrSet{}.String(),
		"10.0.0.1/32, 10.0.0.2/31": Addresses(netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3")).String(),
		"0.0.0.0/0, ::/0":          AllAddresses.String(),
		"22,80-443":                Port(22).Union(Ports(80, 443)).String(),
		"2001:db8::/32":            Prefixes(netip.MustParsePrefix("2001:db8::1/32")).String(),
		"2048":                     ICMP(8, 0).String(),
		"2048-2303":                ICMP(8, -1).String(),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func BenchmarkTrafficThroughAList(b *testing.B) {
	all := NewTraffic(AllPorts, Internet)
	deny := NewTraffic(Ports(22, 22), Prefixes(netip.MustParsePrefix("198.51.100.0/24")))
	b.ReportAllocs()
	for b.Loop() {
		all.Subtract(deny).Every(Ports(1, 1024))
	}
}
