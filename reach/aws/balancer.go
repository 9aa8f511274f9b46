package aws

import (
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
