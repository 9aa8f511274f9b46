package aws

import (
	"fmt"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/triad-security/triad/reach"
)

// packet is one packet as a naive filter sees it: rule by rule, without any set.
type packet struct {
	protocol, port int
	far            netip.Addr
}

var (
	packetProtocols = []string{"tcp", "udp", "all"}
	packetRanges    = []string{"0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/16", "198.51.100.0/24", "198.51.100.128/25", "203.0.113.7/32"}
	packetPorts     = []string{"22", "80", "1-1023", "1024-65535", "0-65535", "443-445"}
	packetFar       = []string{"10.0.9.9", "10.9.9.9", "198.51.100.7", "198.51.100.200", "203.0.113.7", "8.8.8.8"}
)

func drawPacket(t *rapid.T) packet {
	return packet{
		rapid.SampledFrom([]int{tcp, udp, 47}).Draw(t, "protocol"),
		rapid.SampledFrom([]int{22, 79, 80, 443, 1023, 1024, 65535}).Draw(t, "port"),
		netip.MustParseAddr(rapid.SampledFrom(packetFar).Draw(t, "far end")),
	}
}

func (p packet) meets(protocol, ports, cidr string) bool {
	if !netip.MustParsePrefix(cidr).Contains(p.far) {
		return false
	}
	switch {
	case protocol == "all":
		return true
	case protocol == "tcp" && p.protocol != tcp, protocol == "udp" && p.protocol != udp:
		return false
	}
	r, _ := ParsePorts(ports)
	return int(r.Lo) <= p.port && p.port <= int(r.Hi)
}

func (p packet) asked() asked {
	return asked{protocol: p.protocol, ports: reach.Port(uint16(p.port)), sports: reach.Port(40000), every: true}
}

type drawnRule struct {
	number                int
	allow                 bool
	protocol, ports, cidr string
}

func drawRules(t *rapid.T) (rules []drawnRule) {
	for i := range rapid.IntRange(0, 6).Draw(t, "rules") {
		rules = append(rules, drawnRule{
			100 - i, rapid.Bool().Draw(t, "allow"),
			rapid.SampledFrom(packetProtocols).Draw(t, "rule protocol"),
			rapid.SampledFrom(packetPorts).Draw(t, "rule ports"),
			rapid.SampledFrom(packetRanges).Draw(t, "rule range"),
		})
	}
	return rules
}

func (r drawnRule) portsFor() string {
	if r.protocol == "all" {
		return "-"
	}
	return r.ports
}

func TestNetworkACLsAgreeWithARuleByRuleReading(t *testing.T) {
	w := simple(t)
	rapid.Check(t, func(rt *rapid.T) {
		rules, p := drawRules(rt), drawPacket(rt)
		var text []string
		for _, r := range rules {
			text = append(text, fmt.Sprintf("in %d %s %s %s %s", r.number, map[bool]string{true: "allow", false: "deny"}[r.allow], r.protocol, r.portsFor(), r.cidr))
		}
		w.acl("vpc-1", "acl-pub", []string{"s-pub"}, text...)
		want := false
		for i := len(rules) - 1; i >= 0; i-- { // numbers fall with the index
			if p.meets(rules[i].protocol, rules[i].ports, rules[i].cidr) {
				want = rules[i].allow
				break
			}
		}
		tr := newTrace(&engine{v: w.Estate}, p.asked(), reach.Addresses(p.far))
		acl := tr.e.aclOf(testScope, "vpc-1", "s-pub")
		allowed, detail := tr.aclAllows(acl.doc, false, tr.q.ports, tr.client)
		if got := !allowed.Empty(); got != want {
			rt.Fatalf("%v: got %v, want %v (%s)\n%v", p, got, want, detail, text)
		}
		// All far ends at once say the same.
		all := newTrace(&engine{v: w.Estate}, p.asked(), reach.AllAddresses)
		allowed, _ = all.aclAllows(acl.doc, false, all.q.ports, all.client)
		if got := allowed.Some().Contains(p.far); got != want {
			rt.Fatalf("%v among all addresses: got %v, want %v\n%v", p, got, want, text)
		}
	})
}

func TestSecurityGroupsAgreeWithARuleByRuleReading(t *testing.T) {
	w := simple(t)
	rapid.Check(t, func(rt *rapid.T) {
		rules, p := drawRules(rt), drawPacket(rt)
		var text []string
		want := false
		for _, r := range rules {
			text = append(text, fmt.Sprintf("in %s %s %s", r.protocol, r.portsFor(), r.cidr))
			want = want || p.meets(r.protocol, r.ports, r.cidr)
		}
		w.group("vpc-1", "sg-1", text...)
		tr := newTrace(&engine{v: w.Estate}, p.asked(), reach.AllAddresses)
		g := first[securityGroup](tr.e, "sg-1")
		sure, maybe, detail, unread := tr.groupPass(g, false, peer{addrs: tr.client})
		if got := sure.Some().Contains(p.far); got != want || !sure.Equal(maybe) || unread != nil {
			rt.Fatalf("%v: got %v, want %v (%s)\n%v", p, got, want, detail, text)
		}
	})
}

func TestTheRouteTakenIsTheLongestThatHoldsTheAddress(t *testing.T) {
	w := simple(t)
	rapid.Check(t, func(rt *rapid.T) {
		var routes []string
		best := -1
		far := netip.MustParseAddr(rapid.SampledFrom(packetFar).Draw(rt, "far end"))
		seen := map[string]bool{}
		for range rapid.IntRange(0, 6).Draw(rt, "routes") {
			cidr := rapid.SampledFrom(packetRanges).Draw(rt, "range")
			if seen[cidr] {
				continue
			}
			seen[cidr] = true
			routes = append(routes, cidr+" igw-"+fmt.Sprint(len(routes)))
			if p := netip.MustParsePrefix(cidr); p.Contains(far) && p.Bits() > best {
				best = p.Bits()
			}
		}
		w.table("vpc-1", "rtb-x", "s-x", routes...)
		e := &engine{v: w.Estate}
		table := e.tableOf(testScope, "vpc-1", "s-x")
		h := e.lookup(table, far)
		switch {
		case best < 0 && h.route != nil, best >= 0 && (h.route == nil || h.prefix.Bits() != best):
			rt.Fatalf("%s in %v: %s", far, routes, h.detail())
		}
		// The addresses that lead to a target are those whose look-up ends there.
		for _, r := range routes {
			target := r[len(r)-5:]
			lead, _, _ := e.leadingTo(table, reach.AllAddresses, func(x *route) bool { return x.Gateway == target })
			if got, want := lead.Contains(far), h.route != nil && h.route.Gateway == target; got != want {
				rt.Fatalf("%s leads to %s: %v, want %v in %v", far, target, got, want, routes)
			}
		}
	})
}
