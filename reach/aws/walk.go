package aws

import (
	"net/netip"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// natPorts are the source ports of a NAT gateway and of load balancer nodes.
// https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html
var natPorts = reach.Ports(1024, 1<<16-1)

// maxDepth bounds the tables, gateways and load balancers that one packet may meet.
const maxDepth = 12

// way is what lies between an interface and a destination: the steps in the packet's order,
// found before any of them is taken, because the source's own security group may name the
// destination's groups.
type way struct {
	steps []func(t *trace)
	end   point // the interface at the end; doc nil when there is none
	// groups: references to security groups hold between the two ends; across a transit
	// gateway (transit) in inbound rules only.
	groups, transit bool
	// besideTransit: the source stands in the subnet of a transit gateway attachment, so that
	// its answers meet no network ACL.
	besideTransit bool
	// unsure: where the way ends is not known; acrossDoubt: whether references hold is not.
	unsure, acrossDoubt *triad.Unread
	// internet: it ends on the internet; from is the address that the other side sees then.
	internet bool
	from     netip.Addr
}

func (w *way) then(f func(t *trace)) { w.steps = append(w.steps, f) }

// doubt notes that where the way ends depends on something unread.
func (w *way) doubt(u *triad.Unread) {
	if w.unsure == nil {
		w.unsure = u
	}
}

// place is where a packet is: in a VPC, about to be routed by a subnet's table.
type place struct {
	scope  string
	vpc    string
	subnet found[subnet]
	source point // the interface that sent, or last translated, the packet
}

// wayTo finds the way of a packet from an interface to an address.
func (e *engine) wayTo(src point, dst netip.Addr) *way {
	w := &way{groups: true}
	s := find[subnet](e, src.doc.Subnet, src.scope, sectionSubnets)
	if s.doc == nil {
		w.stop("route", "", "", orUnread(s.unread, src.scope, sectionSubnets, "subnet "+src.doc.Subnet+" is not among those that were read"))
		return w
	}
	if s.unread != nil {
		w.stop("route", "local", "", s.unread)
	}
	if within(s.doc.prefixes, dst) {
		e.arrive(w, src.scope, src.doc.VPC, dst)
		return w
	}
	w.then(func(t *trace) {
		b := leaving(src.scope, src.doc.VPC, s.doc.ID, dst)
		b.back = !w.besideTransit
		t.aclPass(b)
	})
	e.onward(w, place{src.scope, src.doc.VPC, s, src}, dst, 0)
	return w
}

func orUnread(u *triad.Unread, scope, section, reason string) *triad.Unread {
	if u != nil {
		return u
	}
	return &triad.Unread{Scope: scope, Section: section, Reason: reason}
}

// arrive finds the interface at the end of the way.
func (e *engine) arrive(w *way, scope, vpcID string, dst netip.Addr) {
	at := e.interfacesAt(vpcID, dst)
	if len(at) > 0 {
		w.end = newPoint(at[0], dst)
		return
	}
	unread := e.absent(scope, sectionInterfaces)
	w.doubt(unread)
	w.then(func(t *trace) {
		t.gate(triad.Hop{Type: "no-such-address", ID: dst.String(), Reason: "no interface in " + vpcID + " has the address " + dst.String()}, false, unread)
	})
}

// enter finds the way from the border of a VPC into the subnet that holds the address.
// From is the subnet from whose side the packet comes; empty from outside the VPC.
func (e *engine) enter(w *way, scope, vpcID string, dst netip.Addr, from string) (found[subnet], bool) {
	d := e.subnetOf(scope, vpcID, dst)
	w.doubt(d.unread)
	if d.doc == nil {
		w.then(func(t *trace) {
			t.gate(triad.Hop{Type: "no-such-address", ID: dst.String(), Reason: "no subnet of " + vpcID + " holds " + dst.String()}, false, d.unread)
		})
		return d, false
	}
	if d.unread != nil {
		w.stop("route", "local", "", d.unread)
	}
	if d.doc.ID != from {
		w.then(func(t *trace) { t.aclPass(entering(scope, vpcID, d.doc.ID)) })
	}
	return d, true
}

// onward routes a packet by the table of the subnet in which it is.
func (e *engine) onward(w *way, at place, dst netip.Addr, depth int) {
	table := e.tableOf(at.scope, at.vpc, at.subnet.doc.ID)
	if depth > maxDepth {
		w.stop("route", "", "the routes go in a circle", nil)
		return
	}
	if table.doc == nil {
		w.stop("route", "", "", orUnread(table.unread, at.scope, sectionRouteTables, "no route table of subnet "+at.subnet.doc.ID+" is among those that were read"))
		return
	}
	h := e.lookup(table, dst)
	w.doubt(h.unread)
	hop := triad.Hop{Type: "route", ID: table.doc.ID, Evidence: table.evidence(h.detail())}
	switch {
	case h.route == nil:
		hop.Reason = "no route of " + table.doc.ID + " leads to " + dst.String()
		w.then(func(t *trace) { t.gate(hop, false, h.unread) })
		return
	case h.route.blackhole():
		hop.Reason = "the route " + h.detail() + " is a blackhole: its target is gone"
		w.then(func(t *trace) { t.gate(hop, false, h.unread) })
		return
	}
	r := h.route
	step := func(open bool, reason string, unread *triad.Unread) {
		hop.Reason = reason
		if h.unread != nil {
			unread = h.unread
		}
		w.doubt(unread)
		x := hop
		w.then(func(t *trace) { t.gate(x, open, unread) })
	}
	switch {
	case r.Gateway == "local":
		if h.unread != nil {
			step(true, "", nil)
		}
		if _, ok := e.enter(w, at.scope, at.vpc, dst, at.subnet.doc.ID); ok {
			e.arrive(w, at.scope, at.vpc, dst)
		}
	case isEndpoint(r.Gateway):
		step(true, "", nil)
		e.endpoint(w, at, r.Gateway)
	case hasPrefix(r.Gateway, "igw-"):
		step(true, "", nil)
		e.outByGateway(w, at, r.Gateway)
	case r.EgressOnly != "":
		step(true, "", nil)
		e.outEgressOnly(w, at, r.EgressOnly)
	case r.NAT != "":
		step(true, "", nil)
		e.nat(w, at, r.NAT, dst, depth)
	case r.Peering != "":
		e.peering(w, at, r.Peering, dst, step)
	case r.Transit != "":
		e.transit(w, at, r.Transit, dst, depth, step)
	case r.Instance != "" || r.Interface != "":
		e.appliance(w, at, r, step)
	default:
		step(false, "", &triad.Unread{Scope: at.scope, Section: sectionRouteTables, Reason: "the way on through " + r.target() + " is not modelled"})
	}
}

func hasPrefix(s, prefix string) bool { return len(s) > len(prefix) && s[:len(prefix)] == prefix }

func (w *way) stop(typ, id, reason string, unread *triad.Unread) {
	w.doubt(unread)
	w.then(func(t *trace) { t.gate(triad.Hop{Type: typ, ID: id, Reason: reason}, false, unread) })
}

// appliance is a route to an instance or interface that is to forward packets.
func (e *engine) appliance(w *way, at place, r *route, step func(bool, string, *triad.Unread)) {
	f := found[networkInterface]{}
	if r.Interface != "" {
		f = first[networkInterface](e, r.Interface)
	} else if list := e.instanceInterfaces(r.Instance); len(list) > 0 {
		f = list[0]
	}
	if f.doc != nil && f.unread == nil && f.doc.SourceDestCheck != nil && *f.doc.SourceDestCheck {
		step(false, "the route leads to "+r.target()+", which drops what is not its own (source/destination check)", nil)
		return
	}
	step(false, "", &triad.Unread{Scope: at.scope, Section: sectionRouteTables, Reason: "the way on through " + r.target() + " is decided by its own software"})
}

// endpoint is a gateway endpoint: the way to S3 or DynamoDB.
func (e *engine) endpoint(w *way, at place, id string) {
	f := find[vpcEndpoint](e, id, at.scope, sectionEndpoints)
	h := triad.Hop{Type: "vpc-endpoint", ID: id, Evidence: f.evidence("")}
	w.internet = true // beyond lies the service's public address
	switch {
	case f.doc == nil && f.unread == nil:
		h.Reason = "there is no endpoint " + id
		w.then(func(t *trace) { t.gate(h, false, nil) })
	case f.doc == nil:
		w.then(func(t *trace) { t.gate(h, false, f.unread) })
	case f.doc.Type == "GatewayLoadBalancer":
		u := &triad.Unread{Scope: at.scope, Section: sectionEndpoints, Reason: "the appliance behind " + id + " decides by its own rules"}
		w.then(func(t *trace) { t.gate(h, false, u) })
	default:
		h.Evidence = f.evidence(f.doc.Service)
		h.Reason = "the endpoint is " + f.doc.State
		state := f.doc.State
		w.then(func(t *trace) { t.gate(h, state == "available" || state == "", f.unread) })
	}
}

// outByGateway leaves through an internet gateway, which needs a public address.
func (e *engine) outByGateway(w *way, at place, id string) {
	src := at.source
	public, ok := src.publicAddr()
	if !ok {
		h := triad.Hop{Type: "private-address", ID: src.addr.String(), Reason: src.addr.String() + " has no public address, which the internet gateway needs"}
		w.then(func(t *trace) { t.gate(h, false, src.unread) })
	}
	w.internet, w.from = true, public
	e.gatewayStep(w, at.scope, at.vpc, id)
}

// gatewayStep adds the hop of an internet gateway.
func (e *engine) gatewayStep(w *way, scope, vpcID, id string) {
	f := find[internetGateway](e, id, scope, sectionGateways)
	h := triad.Hop{Type: "internet-gateway", ID: id, Evidence: f.evidence("attached to " + vpcID)}
	open := f.doc == nil || f.doc.attachedTo(vpcID)
	switch {
	case f.doc == nil && f.unread == nil:
		// Not collected on purpose: an active route shows that it is attached.
		open = e.v.Section(scope, sectionGateways).Status == triad.SectionAbsent
		h.Reason = "there is no gateway " + id
	case !open:
		h.Reason = id + " is not attached to " + vpcID
	}
	w.then(func(t *trace) {
		t.gate(h, open, f.unread)
		t.hop("internet", "", nil)
	})
}

// publicAddr is the address under which the internet sees the point.
func (p point) publicAddr() (netip.Addr, bool) {
	if p.addr.Is6() {
		return p.addr, reach.Internet.Contains(p.addr)
	}
	a, ok := p.doc.public[p.addr]
	return a, ok
}

// outEgressOnly leaves through an egress-only internet gateway: IPv6, answers only come in.
func (e *engine) outEgressOnly(w *way, at place, id string) {
	f := find[egressOnlyGateway](e, id, at.scope, sectionEgressOnly)
	h := triad.Hop{Type: "egress-only-internet-gateway", ID: id, Evidence: f.evidence("")}
	h.Reason = "there is no gateway " + id
	w.internet, w.from = true, at.source.addr
	w.then(func(t *trace) {
		t.gate(h, f.doc != nil, f.unread)
		t.hop("internet", "", nil)
	})
}

// nat goes through a NAT gateway and on by the table of the gateway's subnet.
func (e *engine) nat(w *way, at place, id string, dst netip.Addr, depth int) {
	f := find[natGateway](e, id, at.scope, sectionNATs)
	h := triad.Hop{Type: "nat-gateway", ID: id, Evidence: f.evidence("")}
	if f.doc == nil {
		h.Reason = "there is no gateway " + id
		w.doubt(f.unread)
		w.then(func(t *trace) { t.gate(h, false, f.unread) })
		return
	}
	n := f.doc
	if n.Subnet != at.subnet.doc.ID {
		w.then(func(t *trace) { t.aclPass(entering(at.scope, n.VPC, n.Subnet)) })
	}
	open := n.State == "available" || n.State == ""
	w.then(func(t *trace) {
		switch {
		case !open:
			h.Reason = "the gateway is " + n.State
		case t.q.protocol != tcp && t.q.protocol != udp && t.q.protocol != icmp:
			// https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html
			h.Reason = "a NAT gateway forwards tcp, udp and icmp only, not " + protocolName(t.q.protocol)
			open = false
		}
		t.e.named[tcp], t.e.named[udp], t.e.named[icmp] = true, true, true
		t.gate(h, open, f.unread)
	})
	src, s := e.natPoint(f)
	if src.doc == nil || s.doc == nil {
		w.stop("nat-gateway", id, "", orUnread(s.unread, at.scope, sectionInterfaces, "the interface or subnet of "+id+" is not among those that were read"))
		return
	}
	w.then(func(t *trace) { t.translate(src.addrs, natPorts, nil) })
	if within(s.doc.prefixes, dst) {
		e.arrive(w, at.scope, n.VPC, dst)
		return
	}
	w.then(func(t *trace) { t.aclPass(leaving(at.scope, n.VPC, n.Subnet, dst)) })
	w.groups = false
	e.onward(w, place{at.scope, n.VPC, s, src}, dst, depth+1)
}

// natPoint is the interface of a NAT gateway, as far as needed made from the gateway itself.
func (e *engine) natPoint(f found[natGateway]) (point, found[subnet]) {
	n := f.doc
	s := find[subnet](e, n.Subnet, f.row.Scope, sectionSubnets)
	for _, a := range n.Addresses {
		private, err := netip.ParseAddr(a.PrivateIP)
		if err != nil {
			continue
		}
		ni := &networkInterface{ID: a.Interface, VPC: n.VPC, Subnet: n.Subnet, Type: "nat_gateway", PrivateIPAddress: a.PrivateIP}
		if a.PublicIP != "" {
			ni.Association = &publicIP{a.PublicIP}
		}
		ni.decode()
		return newPoint(found[networkInterface]{ni, f.row, f.unread}, private), s
	}
	return point{}, s
}
