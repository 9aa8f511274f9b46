package aws

import (
	"net/netip"
	"strconv"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// border is one crossing of a subnet's border, where its network ACL stands.
type border struct {
	scope, vpc, subnet string
	outward            bool       // packets leave the subnet
	server             netip.Addr // the far end when the client is on this side; else it is the client
	forth, back        bool       // asked for the packets, for TCP's answer
}

// aclPass passes the traffic through the network ACL at a border, and its answer the other
// way. The rules look at the far end.
func (t *trace) aclPass(b border) {
	acl := t.e.aclOf(b.scope, b.vpc, b.subnet)
	h := triad.Hop{Type: "network-acl", Evidence: acl.evidence("")}
	if acl.doc == nil {
		u := orUnread(acl.unread, b.scope, sectionACLs, "no network ACL of subnet "+b.subnet+" is among those that were read")
		if b.forth {
			t.gate(h, false, u)
		}
		if b.back {
			t.answerGate(h, false, u)
		}
		return
	}
	h.ID = acl.doc.ID
	pass := func(egress bool, ports reach.PortSet) (sure, maybe reach.Traffic, detail string) {
		far := t.client
		if b.server.IsValid() {
			far = reach.Addresses(b.server)
		}
		x, detail := t.aclAllows(acl.doc, egress, ports, far)
		if b.server.IsValid() {
			x = reach.NewTraffic(x.Ports(), t.client)
		}
		if acl.unread != nil {
			return reach.Traffic{}, reach.NewTraffic(ports, t.client), detail
		}
		return x, x, detail
	}
	if b.forth {
		sure, maybe, detail := pass(b.outward, t.q.ports)
		h.Evidence, h.Reason = acl.evidence(detail), acl.doc.ID+" stops "+t.what()+": "+detail
		if !maybe.Empty() && t.through(maybe).Empty() {
			h.Reason = acl.doc.ID + " lets through only a part of " + t.what() + ": ports " + maybe.Ports().String()
		}
		t.filter(h, sure, maybe, acl.unread)
	}
	if b.back && t.q.protocol == tcp {
		sure, maybe, detail := pass(!b.outward, t.q.sports)
		h.Evidence, h.Reason = acl.evidence(detail), acl.doc.ID+" stops tcp to the client's ports "+t.q.sports.String()+": "+detail
		t.answer(h, sure, maybe, acl.unread)
	}
}

// leaving and entering are the borders on the client's and on the server's side.
func leaving(scope, vpc, subnet string, server netip.Addr) border {
	return border{scope: scope, vpc: vpc, subnet: subnet, outward: true, server: server, forth: true, back: true}
}

func entering(scope, vpc, subnet string) border {
	return border{scope: scope, vpc: vpc, subnet: subnet, forth: true, back: true}
}

// aclAllows evaluates the rules in order. Detail is the rule to show: the first that allows
// any of the traffic, else the first that denies it.
func (t *trace) aclAllows(acl *networkACL, egress bool, ports reach.PortSet, far reach.AddrSet) (allowed reach.Traffic, detail string) {
	rest := reach.NewTraffic(ports, far)
	detail = "no rule matches"
	met := false
	for i := range acl.Entries {
		r := &acl.Entries[i]
		if r.Egress != egress || !r.prefix.IsValid() {
			continue
		}
		rulePorts := r.ports
		if r.protocol != every {
			t.e.named[r.protocol] = true
			if r.protocol != t.q.protocol {
				continue
			}
		}
		hit := rest.Intersect(reach.NewTraffic(rulePorts, r.addrs))
		if hit.Empty() {
			continue
		}
		if allow := r.Action == "allow"; allow && allowed.Empty() || !allow && !met {
			detail = r.text()
		}
		met = true
		if r.Action == "allow" {
			allowed = allowed.Union(hit)
		}
		if rest = rest.Subtract(hit); rest.Empty() {
			break
		}
	}
	return allowed, detail
}

// text is the rule for people: "rule 100 allow tcp 443 from 0.0.0.0/0".
func (r *aclEntry) text() string {
	way, number := " from ", strconv.Itoa(r.Number)
	if r.Egress {
		way = " to "
	}
	if r.Number == lastRule {
		number = "*"
	}
	s := "rule " + number + " " + r.Action + " " + protocolName(r.protocol)
	if (r.protocol == tcp || r.protocol == udp) && !r.ports.Equal(reach.AllPorts) {
		s += " " + r.ports.String()
	}
	return s + way + r.prefix.String()
}

// lastRule is the number of the rule, shown as * by the console, that denies what no other
// rule met.
const lastRule = 32767
