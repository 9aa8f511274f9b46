package aws

import (
	"net/netip"
	"slices"
	"strconv"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// peer is the far end as a security group sees it.
type peer struct {
	addrs  reach.AddrSet
	groups []string // its own groups, where references to them hold
}

// groupsPass passes the traffic through the security groups of an interface. Groups are
// stateful, so the answer needs no rule. On ingress the peer is the client; on egress it is
// the one destination, and what is let through holds for every client address.
func (t *trace) groupsPass(n point, egress bool, p peer) {
	ids := n.doc.groups()
	if len(ids) == 0 {
		if !filtersWithoutGroups(n.doc) {
			return
		}
		u := &triad.Unread{Scope: n.scope, Section: sectionInterfaces, Reason: "interface " + n.doc.ID + " names no security group"}
		t.gate(triad.Hop{Type: "security-group", Evidence: n.evidence("no security group is named")}, false, u)
		return
	}
	var sure, maybe reach.Traffic
	var unread *triad.Unread
	var allowing, closed []triad.Hop
	for _, id := range ids {
		g := find[securityGroup](t.e, id, n.scope, sectionGroups)
		h := triad.Hop{Type: "security-group", ID: id, Evidence: g.evidence("")}
		if g.doc == nil {
			unread = g.unread
			if unread == nil {
				unread = &triad.Unread{Scope: n.scope, Section: sectionGroups, Reason: id + " is not among the security groups that were read"}
			}
			maybe = t.everything(p, egress)
			allowing = append(allowing, h)
			continue
		}
		s, m, detail, u := t.groupPass(g, egress, p)
		if g.unread != nil {
			s, m, u = reach.Traffic{}, t.everything(p, egress), g.unread
		}
		if u != nil {
			unread = u
		}
		sure, maybe = sure.Union(s), maybe.Union(m)
		if t.through(m).Empty() {
			h.Reason = t.groupReason(id, egress, p, m)
			h.Evidence = g.evidence(t.near(g.doc, egress))
			closed = append(closed, h)
		} else {
			h.Evidence = g.evidence(detail)
			allowing = append(allowing, h)
		}
	}
	if len(allowing) == 0 {
		for i, h := range closed {
			// The union of several groups may pass what no single one does.
			if i == 0 || t.stopped() {
				t.filter(h, sure, maybe, unread)
			}
		}
		return
	}
	// Only traffic that an earlier hop took away can still stop here.
	allowing[0].Reason = "what it allows is stopped before it"
	t.filter(allowing[0], sure, maybe, unread)
	for _, h := range allowing[1:] {
		t.hop(h.Type, h.ID, h.Evidence)
	}
}

// filtersWithoutGroups reports whether an interface without groups is a gap in what was read
// rather than an interface that no group filters: those of network load balancers of the
// older kind, NAT and transit gateways have none.
func filtersWithoutGroups(n *networkInterface) bool {
	return n.instance != "" || n.Type == "interface" && n.balancer == "" || n.Type == ""
}

func (t *trace) everything(p peer, egress bool) reach.Traffic {
	if egress {
		return reach.NewTraffic(t.q.ports, t.client)
	}
	return reach.NewTraffic(t.q.ports, p.addrs)
}

// groupPass returns what one group lets through, the rule to show, and why it is not sure.
func (t *trace) groupPass(g found[securityGroup], egress bool, p peer) (sure, maybe reach.Traffic, detail string, unread *triad.Unread) {
	rules := g.doc.Ingress
	if egress {
		rules = g.doc.Egress
	}
	for i := range rules {
		r := &rules[i]
		if r.protocol != every && r.protocol != t.q.protocol {
			t.e.named[r.protocol] = true
			continue
		}
		if r.protocol != every {
			t.e.named[r.protocol] = true
		}
		ports := t.q.ports
		if r.protocol != every {
			if ports = ports.Intersect(r.ports); ports.Empty() {
				continue
			}
		}
		from, why := r.addrs.Intersect(p.addrs), ""
		if !from.Empty() {
			why = rangeText(r, p.addrs)
		}
		for _, pair := range r.Pairs {
			if slices.Contains(p.groups, pair.GroupID) {
				from = p.addrs
				if why == "" {
					why = pair.GroupID
				}
			}
		}
		var perhaps reach.AddrSet
		for _, l := range r.PrefixLists {
			list := t.e.prefixList(g.row.Scope, l.ID)
			if list.unread != nil {
				perhaps, unread = p.addrs, list.unread
				continue
			}
			if hit := list.doc.addrs.Intersect(p.addrs); !hit.Empty() {
				from = from.Union(hit)
				if why == "" {
					why = l.ID
				}
			}
		}
		if egress { // one destination: it is allowed or not, whoever the client is
			if !from.Empty() {
				from = t.client
			}
			if !perhaps.Empty() {
				perhaps = t.client
			}
		}
		sure = sure.Union(reach.NewTraffic(ports, from))
		maybe = maybe.Union(reach.NewTraffic(ports, from.Union(perhaps)))
		if detail == "" && why != "" {
			detail = ruleText(r) + direction(egress) + why
		}
	}
	return sure, maybe, detail, unread
}

func direction(egress bool) string {
	if egress {
		return " to "
	}
	return " from "
}

func rangeText(r *permission, to reach.AddrSet) string {
	for _, x := range r.ranges {
		if !reach.Prefixes(x).Intersect(to).Empty() {
			return x.String()
		}
	}
	return r.addrs.String()
}

// near lists the rules of a group that are about the traffic asked for, but for other peers.
// Other rules are left out: they decide nothing here, and what is said stays the same when
// they change.
func (t *trace) near(g *securityGroup, egress bool) string {
	rules, s := g.Ingress, "in"
	if egress {
		rules, s = g.Egress, "out"
	}
	const most = 6
	n := 0
	text := ""
	for i := range rules {
		r := &rules[i]
		if r.protocol != every && (r.protocol != t.q.protocol || r.ports.Intersect(t.q.ports).Empty()) {
			continue
		}
		var peers []string
		for _, x := range r.ranges {
			peers = append(peers, x.String())
		}
		for _, x := range r.PrefixLists {
			peers = append(peers, x.ID)
		}
		for _, x := range r.Pairs {
			peers = append(peers, x.GroupID)
		}
		for _, x := range peers {
			if n++; n > most {
				return text + ", …"
			}
			if n > 1 {
				text += ", "
			}
			text += ruleText(r) + direction(egress) + x
		}
	}
	if n == 0 {
		return "no rule lets " + t.what() + " " + s
	}
	return "only " + text
}

// ruleText is a rule's protocol and ports: "tcp 443".
func ruleText(r *permission) string {
	s := protocolName(r.protocol)
	if (r.protocol == tcp || r.protocol == udp) && !r.ports.Equal(reach.AllPorts) {
		s += " " + r.ports.String()
	}
	return s
}

func (t *trace) groupReason(id string, egress bool, p peer, m reach.Traffic) string {
	way := "inbound"
	if egress {
		way = "outbound"
	}
	if !m.Empty() {
		return id + " lets through only a part of " + t.what() + ": ports " + m.Ports().String()
	}
	return "no " + way + " rule of " + id + " allows " + t.what() + direction(egress) + p.addrsText()
}

func (p peer) addrsText() string {
	if p.addrs.Covers(reach.Internet.V4()) {
		return "the internet"
	}
	return p.addrs.String()
}

// what names the traffic asked about: "tcp 443".
func (t *trace) what() string {
	s := protocolName(t.q.protocol)
	if (t.q.protocol == tcp || t.q.protocol == udp) && !t.q.ports.Equal(reach.AllPorts) {
		s += " " + t.q.ports.String()
	}
	return s
}

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
