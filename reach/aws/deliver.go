package aws

import (
	"net/netip"
	"slices"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// send follows packets from an interface to an address and what happens there. t.client must
// be the addresses that src sends from, or those of the client that a load balancer preserves.
// With quiet set the source adds no hop of its own.
func (t *trace) send(src point, dst netip.Addr, quiet bool) *trace {
	w := t.e.wayTo(src, dst)
	if !quiet {
		if src.unread != nil {
			t.gate(triad.Hop{Type: "network-interface", ID: src.doc.ID, Evidence: src.evidence("")}, false, src.unread)
		}
		t.origin(src)
	}
	p := peer{addrs: reach.Addresses(dst)}
	switch {
	case w.end.doc == nil:
		p.doubt = w.unsure
	case w.end.unread != nil:
		p.doubt = w.end.unread
	case w.groups && !w.transit:
		p.groups = w.end.doc.groups()
	}
	t.groupsPass(src, true, p)
	for _, step := range w.steps {
		step(t)
	}
	switch {
	case w.end.doc != nil:
		var groups []string
		if w.groups {
			groups = src.doc.groups()
		}
		doubt := w.acrossDoubt
		if src.unread != nil {
			doubt = src.unread
		}
		return t.arrive(w.end, peer{addrs: t.client, groups: groups, doubt: doubt})
	case w.internet && w.from.IsValid() && reach.Internet.Contains(dst):
		// It may be a public address of the estate itself.
		at := t.e.publicInterfaces(dst)
		if len(at) == 0 {
			return t
		}
		t.translate(reach.Addresses(w.from), t.q.sports, nil)
		t.network = ""
		return t.fromInternet(at[0])
	}
	return t
}

// origin adds the hop of the source.
func (t *trace) origin(src point) {
	if src.doc.instance != "" {
		t.hop("instance", src.doc.instance, src.evidence(src.text()))
		return
	}
	t.hop("network-interface", src.doc.ID, src.evidence(src.text()))
}

// arrive passes the security groups of the interface and hands over to what is behind it.
func (t *trace) arrive(at point, p peer) *trace {
	if at.unread != nil {
		t.gate(triad.Hop{Type: "network-interface", ID: at.doc.ID, Evidence: at.evidence("")}, false, at.unread)
	}
	t.groupsPass(at, false, p)
	n := at.doc
	if t.network != "" && n.VPC != t.network {
		t.gate(triad.Hop{Type: "no-such-address", ID: at.text(), Evidence: at.evidence("in " + n.VPC), Reason: "packets to " + at.text() + " end in " + n.VPC + ", not in " + t.network}, false, nil)
	}
	switch {
	case n.Type == "nat_gateway":
		id := n.ID
		if f := first[natGateway](t.e, keyNATOf(n.ID)); f.doc != nil {
			id = f.doc.ID
		} else if list := splitLast(n.Description); hasPrefix(list, "nat-") {
			id = list
		}
		t.gate(triad.Hop{Type: "nat-gateway", ID: id, Evidence: at.evidence(n.Description), Reason: "a NAT gateway takes in answers only"}, false, nil)
	case n.balancer != "":
		return t.balance(at)
	case slices.Contains([]string{"transit_gateway", "lambda", "global_accelerator_managed", "quicksight", "gateway_load_balancer_endpoint"}, n.Type):
		t.gate(triad.Hop{Type: "network-interface", ID: n.ID, Evidence: at.evidence(n.Description), Reason: "an interface of type " + n.Type + " takes in answers only"}, false, nil)
	case n.instance != "":
		h := triad.Hop{Type: "instance", ID: n.instance, Evidence: at.evidence(at.text())}
		open := true
		if i := first[instance](t.e, n.instance); i.doc != nil {
			switch i.doc.State.Name {
			case "terminated", "shutting-down":
				open, h.Reason = false, "the instance is "+i.doc.State.Name
			case "stopped", "stopping":
				h.Evidence = i.evidence(at.text() + ", the instance is " + i.doc.State.Name + " and could be started")
			}
		}
		t.gate(h, open, nil)
	default:
		t.hop("network-interface", n.ID, at.evidence(at.text()+" "+n.Description))
	}
	return t
}

// splitLast is the last word of a text.
func splitLast(s string) string {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == ' ' {
			return s[i+1:]
		}
	}
	return s
}

// publicInterfaces returns the points that hold a public address: by association, or an IPv6
// address of their own.
func (e *engine) publicInterfaces(a netip.Addr) (out []point) {
	if a.Is6() {
		for _, n := range e.interfacesAt("", a) {
			out = append(out, newPoint(n, a))
		}
		return out
	}
	for _, n := range e.interfaces(keyPublic(a), func(n *networkInterface) bool { return true }) {
		for _, private := range n.doc.private {
			if n.doc.public[private] == a {
				out = append(out, newPoint(n, private))
			}
		}
	}
	return out
}

// fromInternet follows packets from the internet to an interface: its gateway, the route of
// its subnet, without which no answer gets out, then the subnet's network ACL and the groups.
// The hop "internet" is the caller's.
func (t *trace) fromInternet(at point) *trace {
	n := at.doc
	table := t.e.tableOf(at.scope, n.VPC, n.Subnet)
	h := triad.Hop{Type: "route", Evidence: table.evidence("")}
	_, public := at.publicAddr()
	public = public || at.assumed
	if table.doc == nil {
		t.gate(h, false, orUnread(table.unread, at.scope, sectionRouteTables, "no route table of subnet "+n.Subnet+" is among those that were read"))
	} else {
		t.gatewayRoute(at, table, public)
	}
	if !public {
		t.gate(triad.Hop{Type: "private-address", ID: at.text(), Evidence: at.evidence(""), Reason: at.text() + " has no public address"}, false, at.unread)
	}
	t.aclPass(entering(at.scope, n.VPC, n.Subnet))
	return t.arrive(at, peer{addrs: t.client})
}

// gatewayRoute adds the internet gateway and the route to it.
func (t *trace) gatewayRoute(at point, table found[routeTable], public bool) {
	n := at.doc
	lead, r, prefix := t.e.leadingTo(table, t.client, func(r *route) bool {
		return hasPrefix(r.Gateway, "igw-") && !r.blackhole()
	})
	h := triad.Hop{Type: "route", ID: table.doc.ID}
	if r == nil {
		h.Reason, h.Evidence = t.noGatewayRoute(table, at)
		t.gate(h, false, table.unread)
		return
	}
	if public {
		t.gatewayHop(at.scope, n.VPC, r.Gateway, at.addr)
	}
	h.Evidence = table.evidence(prefix.String() + " to " + r.Gateway)
	h.Reason = "no route to the internet gateway leads back to " + t.client.String()
	pass := reach.NewTraffic(reach.AllPorts, lead)
	sure := pass
	if table.unread != nil {
		sure, pass = reach.Traffic{}, reach.AllTraffic
	}
	t.filter(h, sure, pass, table.unread)
}

func (t *trace) noGatewayRoute(table found[routeTable], at point) (string, *triad.Evidence) {
	reason := "subnet " + at.doc.Subnet + " has no route to an internet gateway"
	for i := range table.doc.Routes {
		r := &table.doc.Routes[i]
		if r.prefix.IsValid() && r.prefix.Bits() == 0 && r.prefix.Addr().Is6() == at.addr.Is6() {
			reason += ": " + r.prefix.String() + " goes to " + r.target()
			if r.blackhole() {
				reason += ", which is gone"
			}
			return reason, table.evidence(r.prefix.String() + " to " + r.target())
		}
	}
	return reason, table.evidence("no default route")
}

// gatewayHop is the internet gateway on the way in, with its own route table where it has one.
func (t *trace) gatewayHop(scope, vpcID, id string, dst netip.Addr) {
	f := find[internetGateway](t.e, id, scope, sectionGateways)
	h := triad.Hop{Type: "internet-gateway", ID: id, Evidence: f.evidence("attached to " + vpcID)}
	open := f.doc != nil && f.doc.attachedTo(vpcID)
	h.Reason = id + " is not attached to " + vpcID
	if f.doc == nil && f.unread == nil {
		open = t.e.v.Section(scope, sectionGateways).Status == triad.SectionAbsent
		h.Reason = "there is no gateway " + id
	}
	t.gate(h, open, f.unread)
	edge := first[routeTable](t.e, keyGatewayTable(id))
	if edge.doc == nil || !dst.IsValid() {
		return
	}
	if r := t.e.lookup(edge, dst); r.route != nil && r.route.Gateway != "local" {
		u := &triad.Unread{Scope: scope, Section: sectionRouteTables, Reason: "the way in leads through " + r.route.target() + ", whose own rules decide"}
		t.gate(triad.Hop{Type: "route", ID: edge.doc.ID, Evidence: edge.evidence(r.detail())}, false, u)
	}
}
