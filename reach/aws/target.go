package aws

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// targets passes the traffic to the targets of a group.
func (t *trace) targets(node point, lb found[loadBalancer], l found[listener], arn string, step *balancerStep) *trace {
	g := find[targetGroup](t.e, arn, l.row.Scope, sectionTargetGroups)
	h := triad.Hop{Type: "target-group", ID: arn, Evidence: g.evidence("")}
	if g.doc == nil {
		h.Reason = "there is no target group " + arn
		t.gate(h, false, g.unread)
		return t
	}
	if g.doc.Health == nil {
		t.gate(h, false, t.e.folded(g.row, sectionTargetHealth, "the targets of "+g.doc.Name))
		return t
	}
	var best *trace
	reason := "it has no target"
	for i := range *g.doc.Health {
		x := &(*g.doc.Health)[i]
		port := x.Target.Port
		if port == 0 {
			port = g.doc.Port
		}
		if step != nil && (x.Target.ID != step.target || port != step.port) {
			continue
		}
		if why := x.gone(); why != "" {
			reason = why
			continue
		}
		c := t.fork()
		c.gate(triad.Hop{Type: "target-group", ID: arn, Evidence: g.evidence(x.text(port))}, true, g.unread)
		c = c.target(node, lb, g, x, port)
		if best == nil || better(c, best) {
			best = c
		}
		if best.verdict() == reach.Reachable {
			break
		}
	}
	if best == nil {
		h.Reason = reason
		t.gate(h, false, g.unread)
		return t
	}
	return best
}

// gone says why a target gets no new connection whatever its health: it is being removed, or
// the load balancer cannot use it. An unhealthy target counts as reachable: its state changes
// by the minute, and where all are unhealthy the load balancer sends to all of them.
func (x *targetHealth) gone() string {
	switch x.Health.State {
	case "draining":
		return x.Target.ID + " is being deregistered"
	case "unused":
		return x.Target.ID + " is not used: " + x.Health.Reason
	}
	return ""
}

func (x *targetHealth) text(port int) string {
	s := x.Target.ID
	if strings.Contains(s, ":") && !strings.HasPrefix(s, "arn:") {
		s = "[" + s + "]"
	}
	if port > 0 {
		s += ":" + strconv.Itoa(port)
	}
	if x.Health.State != "" {
		s += " " + x.Health.State
	}
	return s
}

// target sends from a node to one target.
func (t *trace) target(node point, lb found[loadBalancer], g found[targetGroup], x *targetHealth, port int) *trace {
	group := triad.Hop{Type: "target-group", ID: g.doc.ARN, Evidence: g.evidence(x.text(port))}
	if g.doc.TargetType == "lambda" {
		t.settle()
		t.hop("function", x.Target.ID, g.evidence("invoked by the load balancer"))
		return t
	}
	if g.doc.TargetType == "alb" {
		return t.behind(node, lb, g, x, port)
	}
	end, zone, reason, unread := t.targetPoint(g, x)
	if !end.IsValid() {
		group.Reason = reason
		t.gate(group, false, unread)
		return t
	}
	if open, why, unread := t.e.crossesZones(lb, g, node, zone); !open {
		group.Reason = why
		t.gate(group, false, unread)
		if unread == nil {
			return t
		}
	}
	preserved, doubt := t.e.preserves(lb, g)
	c := t.forward(node, end, port, preserved)
	if doubt != nil {
		if other := t.forward(node, end, port, !preserved); other.verdict() != c.verdict() {
			t.gate(group, true, doubt)
			c = t.forward(node, end, port, preserved)
		}
	}
	return c
}

// forward sends to a target's address, as the node or, preserved, as the client.
func (t *trace) forward(node point, dst netip.Addr, port int, preserved bool) *trace {
	c := t.fork()
	c.network = ""
	ports := portRange(port, port)
	if dst.Is6() && c.client.V6().Empty() || dst.Is4() && c.client.V4().Empty() {
		preserved = false // the client's address is of the other family
	}
	if preserved {
		sure, maybe := c.addresses()
		before := c.sources
		c.translate(c.client, c.q.sports, &ports)
		c.sure, c.maybe = reach.NewTraffic(ports, sure), reach.NewTraffic(ports, maybe)
		c.sources = before // still the same addresses: go on counting them
	} else {
		c.translate(node.addrs, natPorts, &ports)
	}
	return c.send(node, dst, true)
}

// targetPoint finds a target's address and zone.
func (t *trace) targetPoint(g found[targetGroup], x *targetHealth) (a netip.Addr, zone, reason string, unread *triad.Unread) {
	scope := g.row.Scope
	if g.doc.TargetType == "ip" {
		a, err := netip.ParseAddr(x.Target.ID)
		if err != nil {
			return netip.Addr{}, "", "the target " + x.Target.ID + " is not an address", nil
		}
		return a, x.Target.Zone, "", nil
	}
	list := t.e.instanceInterfaces(x.Target.ID)
	if len(list) == 0 || len(list[0].doc.private) == 0 {
		return netip.Addr{}, "", "the instance " + x.Target.ID + " has no interface", t.e.absent(scope, sectionInterfaces)
	}
	n := list[0]
	if s := find[subnet](t.e, n.doc.Subnet, n.row.Scope, sectionSubnets); s.doc != nil {
		zone = s.doc.Zone
	}
	return n.doc.private[0], zone, "", nil
}

// crossesZones reports whether a node sends to targets of another zone than its own: an
// application load balancer does unless the target group says no, a network load balancer
// does not unless it or the target group says so.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/how-elastic-load-balancing-works.html
func (e *engine) crossesZones(lb found[loadBalancer], g found[targetGroup], node point, zone string) (bool, string, *triad.Unread) {
	s := find[subnet](e, node.doc.Subnet, node.scope, sectionSubnets)
	if zone == "" || zone == "all" || s.doc == nil || s.doc.Zone == zone {
		return true, "", nil
	}
	const key = "load_balancing.cross_zone.enabled"
	why := "the node in " + s.doc.Zone + " sends to its own zone only, the target is in " + zone
	switch g.doc.Attributes.get(key) {
	case "true":
		return true, "", nil
	case "false":
		return false, why, nil
	}
	if lb.doc.Type == "application" {
		return true, "", nil
	}
	switch lb.doc.Attributes.get(key) {
	case "true":
		return true, "", nil
	case "false":
		return false, why, nil
	}
	if lb.doc.Attributes == nil {
		return false, why, e.unread(lb.row.Scope, sectionBalancerAttrs)
	}
	return false, why, nil
}

// preserves reports whether targets see the client's address rather than the node's. Doubt
// is set when the attribute that decides was not read.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html#client-ip-preservation
func (e *engine) preserves(lb found[loadBalancer], g found[targetGroup]) (bool, *triad.Unread) {
	if lb.doc.Type != "network" {
		return false, nil
	}
	if g.doc.Protocol == "UDP" || g.doc.Protocol == "TCP_UDP" || g.doc.Protocol == "QUIC" || g.doc.Protocol == "TCP_QUIC" {
		return true, nil
	}
	switch g.doc.Attributes.get("preserve_client_ip.enabled") {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	var doubt *triad.Unread
	if g.doc.Attributes == nil {
		doubt = e.unread(g.row.Scope, sectionTargetAttrs)
	}
	return g.doc.TargetType == "instance", doubt
}

// behind goes on to an application load balancer that is the target of a network one, which
// sees the client's address.
func (t *trace) behind(node point, lb found[loadBalancer], g found[targetGroup], x *targetHealth, port int) *trace {
	f := find[loadBalancer](t.e, x.Target.ID, g.row.Scope, sectionBalancers)
	h := triad.Hop{Type: "target-group", ID: g.doc.ARN, Evidence: g.evidence(x.text(port))}
	if f.doc == nil {
		h.Reason = "there is no load balancer " + x.Target.ID
		t.gate(h, false, f.unread)
		return t
	}
	var best *trace
	for _, n := range t.e.nodes(f) {
		if !n.addr.IsValid() {
			continue
		}
		if c := t.forward(node, n.addr, port, true); best == nil || better(c, best) {
			best = c
		}
		if best.verdict() == reach.Reachable {
			break
		}
	}
	if best == nil {
		h.Reason = "no interface of " + x.Target.ID + " is known"
		t.gate(h, false, orUnread(t.e.absent(f.row.Scope, sectionInterfaces), f.row.Scope, sectionInterfaces, h.Reason))
		return t
	}
	return best
}

// nodes returns the interfaces of a load balancer; where none is known, one made up for each
// of its subnets, with the load balancer's groups and no address of its own.
func (e *engine) nodes(lb found[loadBalancer]) (out []point) {
	for _, n := range e.interfaces(keyBalancerInterfaces(lb.doc.suffix()), func(n *networkInterface) bool { return n.balancer == lb.doc.suffix() }) {
		for i, a := range n.doc.private {
			if _, public := n.doc.public[a]; i == 0 || public || a.Is6() {
				out = append(out, newPoint(n, a))
			}
		}
	}
	if len(out) > 0 {
		return out
	}
	for _, z := range lb.doc.Zones {
		n := &networkInterface{VPC: lb.doc.VPC, Subnet: z.Subnet, Type: "interface", balancer: lb.doc.suffix(), Description: "ELB " + lb.doc.suffix()}
		for _, g := range lb.doc.Groups {
			n.Groups = append(n.Groups, group{g})
		}
		p := point{found: found[networkInterface]{n, lb.row, lb.unread}, scope: lb.row.Scope, assumed: lb.doc.Scheme == "internet-facing"}
		if s := find[subnet](e, z.Subnet, lb.row.Scope, sectionSubnets); s.doc != nil {
			p.addrs = reach.Prefixes(s.doc.prefixes...).V4()
			if p.addrs.Empty() {
				p.addrs = reach.Prefixes(s.doc.prefixes...)
			}
		}
		out = append(out, p)
	}
	return out
}
