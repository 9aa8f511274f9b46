package aws

import (
	"net/netip"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// Query answers a question whose ends are the internet, instances or addresses.
func Query(v reach.View, q Question) reach.Result {
	if err := q.check(); err != nil {
		return cannot("query", err.Error())
	}
	protocol, _ := parseProtocol(q.Protocol)
	e := &engine{v: v}
	if protocol != every {
		return e.ask(q, protocol).result()
	}
	return e.askAny(q)
}

// askAny asks about any protocol. All of them means tcp, udp and icmp (ping), the protocols
// that networks carry; one of them may be any IP protocol number.
func (e *engine) askAny(q Question) reach.Result {
	var worst, best *trace
	common := reach.AllAddresses
	for _, p := range []int{tcp, udp, icmp} {
		t := e.ask(q, p)
		if best == nil || better(t, best) {
			best = t
		}
		if worst == nil || better(worst, t) {
			worst = t
		}
		if t.sources == nil {
			sure, _ := t.addresses()
			common = common.Intersect(sure)
		} else {
			common = common.Intersect(*t.sources)
		}
	}
	if q.Match != "some" {
		r := worst.result()
		switch {
		case r.Verdict == reach.Blocked && rank(best.verdict()) > 0:
			r.BlockedBy.Reason += "; " + protocolName(best.q.protocol) + " gets through"
		case r.Verdict == reach.Reachable && common.Empty():
			h := r.Path[len(r.Path)-1]
			h.Reason = "no address gets through with tcp, udp and icmp alike"
			r.Verdict, r.BlockedBy = reach.Blocked, &h
		}
		return r
	}
	if best.verdict() != reach.Reachable {
		// Other protocols: those that some filter treats apart, and one that none does.
		other := 253 // for experiments, RFC 3692
		for p, named := range e.named {
			if !named && p != other || p == tcp || p == udp || p == icmp {
				continue
			}
			if t := e.ask(q, p); better(t, best) {
				best = t
			}
			if best.verdict() == reach.Reachable {
				break
			}
		}
	}
	return best.result()
}

// ask follows a question's packets of one protocol.
func (e *engine) ask(q Question, protocol int) *trace {
	a := asked{protocol: protocol, ports: reach.AllPorts, sports: reach.AllPorts, every: q.Match != "some"}
	switch protocol {
	case tcp, udp:
		a.ports, a.sports = q.Port.Set(), q.SourcePort.Set()
	case icmp, icmpv6:
		if a.every { // ping
			a.ports = reach.ICMP(8, 0)
		}
	}
	if q.From.Kind == "internet" {
		return e.askFromInternet(q, a)
	}
	sources, problem := e.points(q.From)
	if problem != nil {
		if ip, err := netip.ParseAddr(q.From.IP); q.From.Kind == "ip" && err == nil && reach.Internet.Contains(ip) {
			q.From = End{Kind: "internet", IP: q.From.IP}
			return e.askFromInternet(q, a)
		}
		return e.lost(a, q.From, problem)
	}
	var best *trace
	for _, src := range sources {
		for _, dst := range e.destinations(q.To, src) {
			b := family(a, dst)
			if src.addr.Is6() != dst.Is6() {
				continue
			}
			t := newTrace(e, b, src.addrs)
			t.network = q.To.Network
			t = t.send(src, dst, false)
			if best == nil || better(t, best) {
				best = t
			}
		}
		if best != nil && best.verdict() == reach.Reachable {
			break
		}
	}
	if best == nil {
		if q.To.Kind == "internet" {
			t := newTrace(e, a, reach.AllAddresses)
			t.gate(triad.Hop{Type: "internet", Reason: "the source has no address of that family"}, false, nil)
			return t
		}
		_, problem := e.points(q.To)
		return e.lost(a, q.To, problem)
	}
	return best
}

// family turns ICMP into the family's own protocol.
func family(a asked, dst netip.Addr) asked {
	if a.protocol == icmp && dst.Is6() {
		a.protocol = icmpv6
		if a.every {
			a.ports = reach.ICMP(128, 0)
		}
	}
	return a
}

// lost is the outcome when an end is not in the estate.
func (e *engine) lost(a asked, end End, unread *triad.Unread) *trace {
	t := newTrace(e, a, reach.AllAddresses)
	id := end.ID
	if id == "" {
		id = end.IP
	}
	h := triad.Hop{Type: end.Kind, ID: id, Reason: id + " is not in the estate"}
	if end.Kind == "ip" {
		h.Type = "no-such-address"
	}
	if unread == nil {
		section := sectionInterfaces
		unread = &triad.Unread{Section: section, Reason: id + " has no interface among those that were read"}
		if end.Kind == "ip" {
			unread = nil
		}
	}
	t.gate(h, false, unread)
	return t
}

// points returns the interfaces of an end, and why there may be others when there is none.
func (e *engine) points(end End) (out []point, unread *triad.Unread) {
	switch end.Kind {
	case "instance":
		for _, n := range e.instanceInterfaces(end.ID) {
			for i, a := range n.doc.private {
				// An interface speaks from its primary address and from its IPv6 addresses.
				if end.IP == "" && (i == 0 || a.Is6()) || a.String() == end.IP {
					out = append(out, newPoint(n, a))
				}
			}
		}
		if len(out) == 0 {
			if unread = e.nowhere(sectionInterfaces); unread == nil {
				unread = e.nowhere(sectionInstances)
			}
		}
	case "ip":
		a, err := netip.ParseAddr(end.IP)
		if err != nil {
			return nil, nil
		}
		for _, n := range e.interfacesAt(end.Network, a) {
			out = append(out, newPoint(n, a))
		}
		if len(out) == 0 {
			out = e.publicInterfaces(a)
		}
		if len(out) == 0 {
			unread = e.nowhere(sectionInterfaces)
		}
	default:
		unread = &triad.Unread{Section: end.Kind, Reason: "an end of kind " + end.Kind + " is not part of the AWS network"}
	}
	return out, unread
}

// destinations returns the addresses to try for the far end of a question from src. For the
// internet they are one that no rule names and the first of each range that the source's
// groups name, so that a way to any part of the internet is found.
func (e *engine) destinations(end End, src point) (out []netip.Addr) {
	if end.Kind == "internet" && end.IP == "" {
		ranges := []netip.Prefix{netip.MustParsePrefix("192.0.2.77/32"), netip.MustParsePrefix("2001:db8::77/128")}
		for _, id := range src.doc.groups() {
			if g := first[securityGroup](e, id); g.doc != nil {
				for i := range g.doc.Egress {
					ranges = append(ranges, g.doc.Egress[i].ranges...)
				}
			}
		}
		const most = 64
		for _, p := range ranges {
			in := reach.Prefixes(p).Intersect(reach.Internet).CIDRs(1)
			if len(in) > 0 && len(out) < most {
				out = append(out, in[0].Addr())
			}
		}
		return out
	}
	if end.IP != "" {
		if a, err := netip.ParseAddr(end.IP); err == nil {
			return []netip.Addr{a}
		}
	}
	to, _ := e.points(end)
	for _, p := range to {
		out = append(out, p.addr)
	}
	return out
}

// askFromInternet follows packets from an internet address, or from any.
func (e *engine) askFromInternet(q Question, a asked) *trace {
	client := reach.Internet
	if ip, err := netip.ParseAddr(q.From.IP); err == nil {
		client = reach.Addresses(ip)
		if !reach.Internet.Contains(ip) {
			t := newTrace(e, a, client)
			t.gate(triad.Hop{Type: "internet", ID: q.From.IP, Reason: q.From.IP + " is not an address of the internet"}, false, nil)
			return t
		}
	}
	if ip, err := netip.ParseAddr(q.To.IP); err == nil {
		return e.fromInternetTo(ip, q.To, client, a)
	}
	points, problem := e.points(q.To)
	if len(points) == 0 {
		return e.lost(a, q.To, problem)
	}
	var best *trace
	for _, p := range e.withPublic(q.To, points, client) {
		t := e.inward(p, client, a)
		if best == nil || better(t, best) {
			best = t
		}
	}
	return best
}

// withPublic returns the points at which clients may come in: those with a public address,
// among an instance's secondary ones too, and all when there is none. Points of a family
// that no client has are left out as long as others are there.
func (e *engine) withPublic(end End, points []point, client reach.AddrSet) []point {
	if end.Kind == "instance" {
		points = nil
		for _, n := range e.instanceInterfaces(end.ID) {
			for i, a := range n.doc.private {
				// Of those without a public address the primary one speaks for all: the filters
				// look at the interface. On a Kubernetes node the others are its pods'.
				if _, public := n.doc.public[a]; i == 0 || a.Is6() || public {
					points = append(points, newPoint(n, a))
				}
			}
		}
	}
	var same, public []point
	for _, p := range points {
		if (p.addr.Is6() && client.V6().Empty()) || (!p.addr.Is6() && client.V4().Empty()) {
			continue
		}
		same = append(same, p)
		if _, ok := p.publicAddr(); ok {
			public = append(public, p)
		}
	}
	switch {
	case len(public) > 0:
		return public
	case len(same) > 0:
		return same
	}
	return points
}

// inbound begins a trace from the internet to an address.
func (e *engine) inbound(a asked, client reach.AddrSet, to netip.Addr) *trace {
	own := client.V4()
	if to.Is6() {
		own = client.V6()
	}
	if to.IsValid() {
		a = family(a, to)
	}
	t := newTrace(e, a, own)
	if own.Empty() {
		t = newTrace(e, a, client)
		t.gate(triad.Hop{Type: "internet", ID: client.String(), Reason: "the client and " + to.String() + " are of different address families"}, false, nil)
	}
	t.hop("internet", "", nil)
	return t
}

// inward follows packets from the internet to a point.
func (e *engine) inward(p point, client reach.AddrSet, a asked) *trace {
	t := e.inbound(a, client, p.addr)
	if t.stopped() {
		return t
	}
	return t.fromInternet(p)
}

// fromInternetTo follows packets from the internet to an address.
func (e *engine) fromInternetTo(ip netip.Addr, end End, client reach.AddrSet, a asked) *trace {
	t := e.inbound(a, client, ip)
	if t.stopped() {
		return t
	}
	if !reach.Internet.Contains(ip) {
		t.gate(triad.Hop{Type: "private-address", ID: ip.String(), Reason: "the internet does not route " + ip.String()}, false, nil)
		for _, n := range e.interfacesAt(end.Network, ip) {
			return t.fromInternet(newPoint(n, ip))
		}
		return t
	}
	at := e.publicInterfaces(ip)
	if len(at) == 0 {
		h := triad.Hop{Type: "no-such-address", ID: ip.String(), Reason: "no interface of the estate has the address " + ip.String()}
		if x := first[elasticIP](e, keyElastic(ip)); x.doc != nil && x.doc.Interface == "" {
			h.Evidence = x.evidence("elastic IP " + x.doc.Allocation)
			h.Reason = ip.String() + " is allocated but not associated with any interface"
		}
		t.gate(h, false, e.nowhere(sectionInterfaces))
		return t
	}
	return t.fromInternet(at[0])
}

// cannot is the result of a question that is not one.
func cannot(what, reason string) reach.Result {
	return reach.Result{
		Verdict: reach.Unknown, Path: []triad.Hop{},
		Unread: []triad.Unread{{Section: what, Reason: reason}},
	}
}
