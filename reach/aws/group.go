package aws

import (
	"slices"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// peer is the far end as a security group sees it.
type peer struct {
	addrs  reach.AddrSet
	groups []string // its own groups, where references to them hold
	// doubt: whether it has further groups, or references to them hold, is not known.
	doubt *triad.Unread
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
	if n.unread != nil { // it may have other groups by now
		t.gate(triad.Hop{Type: "security-group", ID: ids[0], Evidence: n.evidence("")}, false, n.unread)
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
		var perhaps reach.AddrSet
		if !from.Empty() {
			why = rangeText(r, p.addrs)
		}
		for _, pair := range r.Pairs {
			switch {
			case slices.Contains(p.groups, pair.GroupID):
				from = p.addrs
				if why == "" {
					why = pair.GroupID
				}
			case p.doubt != nil:
				perhaps, unread = p.addrs, p.doubt
			}
		}
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
