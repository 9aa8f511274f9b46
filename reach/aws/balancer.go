package aws

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// balancerStep narrows a way through a load balancer to one listener and one target.
type balancerStep struct {
	balancer, listener, group, target string
	port                              int // the target's
}

// balance hands packets that reached a node of a load balancer to its listeners.
func (t *trace) balance(node point) *trace {
	if t.depth++; t.depth > maxDepth {
		t.gate(triad.Hop{Type: "load-balancer", Reason: "load balancers forward in a circle"}, false, nil)
		return t
	}
	lb := find[loadBalancer](t.e, keyBalancer(node.doc.balancer), node.scope, sectionBalancers)
	h := triad.Hop{Type: "load-balancer", Evidence: lb.evidence("")}
	if lb.doc == nil {
		u := lb.unread
		if u == nil {
			u = &triad.Unread{Scope: node.scope, Section: sectionBalancers, Reason: "load balancer " + node.doc.balancer + " is not among those that were read"}
			if !strings.Contains(node.doc.balancer, "/") { // a Classic Load Balancer
				u.Section, u.Reason = "elb-describe-load-balancers", "the listeners of Classic Load Balancer "+node.doc.balancer+" were not collected"
			}
		}
		t.gate(h, false, u)
		return t
	}
	h.ID, h.Evidence = lb.doc.ARN, lb.evidence(lb.doc.Type+" load balancer "+lb.doc.DNS)
	h.Reason = "the load balancer is " + lb.doc.State.Code
	t.gate(h, lb.doc.State.Code != "failed", lb.unread)
	if lb.doc.Type == "gateway" {
		t.gate(triad.Hop{Type: "load-balancer", ID: lb.doc.ARN}, false,
			&triad.Unread{Scope: lb.row.Scope, Section: sectionBalancers, Reason: "a gateway load balancer's appliances decide by their own rules"})
		return t
	}
	var step *balancerStep
	if len(t.chain) > 0 && t.chain[0].balancer == lb.doc.ARN {
		step = &t.chain[0]
		t.chain = t.chain[1:]
	}
	return t.listeners(node, lb, step)
}

// listeners passes the traffic to the listeners on its ports.
func (t *trace) listeners(node point, lb found[loadBalancer], step *balancerStep) *trace {
	var open reach.PortSet
	var hit []found[listener]
	var doubt *triad.Unread
	for _, l := range all[listener](t.e, keyListeners(lb.doc.ARN)) {
		if step != nil && l.doc.ARN != step.listener || !l.doc.speaks(t.q.protocol) {
			continue
		}
		port := portRange(l.doc.Port, l.doc.Port)
		if t.q.ports.Intersect(port).Empty() {
			continue
		}
		if l.unread != nil {
			doubt = l.unread
		}
		open = open.Union(port)
		hit = append(hit, l)
	}
	if u := t.e.absent(lb.row.Scope, sectionListeners); u != nil && len(hit) == 0 {
		doubt = u
	}
	h := triad.Hop{Type: "listener", ID: lb.doc.ARN, Evidence: lb.evidence(""), Reason: "no listener on " + t.what()}
	if len(hit) > 0 {
		l := hit[0]
		h.ID = l.doc.ARN
		h.Evidence = l.evidence(l.doc.Protocol + " " + strconv.Itoa(l.doc.Port))
		h.Reason = "listeners on ports " + open.String() + " only"
	}
	pass := reach.NewTraffic(open, reach.AllAddresses)
	switch {
	case doubt != nil && len(hit) == 0:
		t.filter(h, reach.Traffic{}, reach.AllTraffic, doubt)
		return t
	case doubt != nil:
		t.filter(h, reach.Traffic{}, pass, doubt)
	default:
		t.filter(h, pass, pass, nil)
	}
	var out *trace
	for _, l := range hit {
		c := t.fork()
		if len(hit) > 1 && !c.stopped() {
			c.path = append(c.path[:len(c.path)-1:len(c.path)-1], triad.Hop{Type: "listener", ID: l.doc.ARN, Evidence: l.evidence(l.doc.Protocol + " " + strconv.Itoa(l.doc.Port))})
		}
		c.narrow(portRange(l.doc.Port, l.doc.Port))
		if c.entrance == 0 {
			c.entrance = l.doc.Port
		}
		c = c.rules(node, lb, l, step)
		// Every port must get through, or one is enough.
		if out == nil || t.q.every && better(out, c) || !t.q.every && better(c, out) {
			out = c
		}
	}
	if out == nil {
		return t
	}
	return out
}

// narrow goes on with a part of the destination ports.
func (t *trace) narrow(ports reach.PortSet) {
	t.q.ports = t.q.ports.Intersect(ports)
	part := reach.NewTraffic(t.q.ports, reach.AllAddresses)
	t.sure, t.maybe = t.sure.Intersect(part), t.maybe.Intersect(part)
}

// speaks reports whether a listener takes an IP protocol.
func (l *listener) speaks(protocol int) bool { return speaks(l.Protocol, protocol) }

func speaks(name string, protocol int) bool {
	switch strings.ToUpper(name) {
	case "UDP", "QUIC", "GENEVE":
		return protocol == udp
	case "TCP_UDP", "TCP_QUIC":
		return protocol == tcp || protocol == udp
	}
	return protocol == tcp // HTTP, HTTPS, TCP, TLS
}

// rules passes the traffic to the target groups to which a listener's rules forward it.
func (t *trace) rules(node point, lb found[loadBalancer], l found[listener], step *balancerStep) *trace {
	var best *trace
	rest := reach.AllAddresses
	answer := ""
	for i := range l.doc.rules {
		r := &l.doc.rules[i]
		from := rest.Intersect(r.from)
		if r.always {
			rest = rest.Subtract(r.from)
		}
		if from.Empty() {
			continue
		}
		if answer = r.answer; len(r.forward) == 0 {
			continue
		}
		for _, arn := range r.forward {
			if step != nil && arn != step.group {
				continue
			}
			c := t.fork()
			c.ruleHop(l, r, from)
			c = c.targets(node, lb, l, arn, step)
			if best == nil || better(c, best) {
				best = c
			}
			if best.verdict() == reach.Reachable {
				return best
			}
		}
	}
	var doubt *triad.Unread
	if l.doc.Rules == nil && lb.doc.Type == "application" {
		doubt = t.e.folded(l.row, sectionRules, "the rules of "+l.doc.ARN)
	}
	h := triad.Hop{Type: "listener", ID: l.doc.ARN, Evidence: l.evidence(""), Reason: "its rules forward to no target"}
	if answer != "" {
		h.Reason += ": they answer with " + answer
	}
	switch {
	case best == nil:
		t.gate(h, false, doubt)
		return t
	case doubt != nil && best.verdict() == reach.Blocked && !t.stopped():
		t.gate(h, false, doubt)
		return t
	}
	return best
}

// ruleHop adds what a rule says to the listener's hop and keeps out whom it does not take.
func (t *trace) ruleHop(l found[listener], r *decodedRule, from reach.AddrSet) {
	detail := l.doc.Protocol + " " + strconv.Itoa(l.doc.Port)
	if r.detail != "" {
		detail += ", " + r.detail
	}
	if r.login || l.doc.Mutual != nil && l.doc.Mutual.Mode == "verify" {
		t.login = true
		detail += ", after logging in"
	}
	if n := len(t.path) - 1; n >= 0 && !t.stopped() {
		t.path = append(t.path[:n:n], triad.Hop{Type: "listener", ID: l.doc.ARN, Evidence: l.evidence(detail)})
	}
	if !from.Covers(t.client) {
		pass := reach.NewTraffic(reach.AllPorts, from)
		h := triad.Hop{Type: "listener", ID: l.doc.ARN, Evidence: l.evidence(detail), Reason: "its rules take " + from.String() + " only"}
		t.filter(h, pass, pass, nil)
	}
}

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
