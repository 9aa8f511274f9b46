package aws

import (
	"net/netip"
	"slices"
	"strconv"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// Target is where packets are to arrive. Set Instance, or Address with Network where several
// VPCs use the same range, or Function for a Lambda function behind a load balancer.
type Target struct {
	Instance string     // i-…
	Address  netip.Addr // private, or IPv6
	Network  string     // vpc-…; empty: any VPC
	Function string     // ARN
}

func (t Target) end() End {
	if t.Instance != "" {
		return End{Kind: "instance", ID: t.Instance, Network: t.Network}
	}
	return End{Kind: "ip", IP: t.Address.String(), Network: t.Network}
}

// maxSources bounds the list of Sources of a result.
const maxSources = 1000

// FromInternet returns every way from the internet to a target's port: directly to its
// interface, and through each load balancer that has it, with that port, as a target. The
// best comes first: open, controlled, unknown, blocked, and of the blocked ones that which
// gets furthest. There is always at least one result: where no load balancer has the target,
// the direct one.
//
// Exposure is open when the addresses that get through are so many that AddrSet.Open, and
// controlled when they are fewer, then listed in Sources, or when a login stands before the
// target. Port is the port at the entrance.
func FromInternet(v reach.View, to Target, protocol string, port int) []reach.Result {
	number, err := parseProtocol(protocol)
	switch {
	case err != nil:
		return []reach.Result{exposed(cannot("query", err.Error()))}
	case port < 0 || port > 1<<16-1:
		return []reach.Result{exposed(cannot("query", strconv.Itoa(port)+" is not a port"))}
	case to.Instance == "" && to.Function == "" && !to.Address.IsValid():
		return []reach.Result{exposed(cannot("query", "the target has neither instance, address nor function"))}
	}
	e := &engine{v: v}
	a := asked{protocol: number, ports: portRange(port, port), sports: reach.Ports(1, 1<<16-1), every: true}
	if number != tcp && number != udp {
		a.ports, a.sports = reach.AllPorts, reach.AllPorts
		if number == icmp {
			a.ports = reach.ICMP(8, 0)
		}
	}
	var ways []*trace
	if to.Function == "" {
		ways = e.direct(to, a)
	}
	ways = append(ways, e.throughBalancers(to, a, port)...)
	if len(ways) == 0 {
		t := newTrace(e, a, reach.Internet)
		t.hop("internet", "", nil)
		t.gate(triad.Hop{Type: "load-balancer", Reason: "no load balancer has " + to.Function + " as a target"}, false, nil)
		ways = append(ways, t)
	}
	out := make([]reach.Result, len(ways))
	for i, t := range ways {
		out[i] = t.exposure(port)
	}
	slices.SortStableFunc(out, func(x, y reach.Result) int {
		if d := exposureRank(x) - exposureRank(y); d != 0 || x.Verdict != reach.Blocked {
			return d
		}
		return len(y.Path) - len(x.Path)
	})
	return out
}

// direct returns the ways to the target's own addresses.
func (e *engine) direct(to Target, a asked) (out []*trace) {
	end := to.end()
	points, problem := e.points(end)
	if len(points) == 0 {
		return []*trace{e.lost(a, end, problem)}
	}
	for _, p := range e.withPublic(end, points, reach.Internet) {
		out = append(out, e.inward(p, reach.Internet, a))
	}
	if len(out) > 1 {
		// Of an instance's private addresses one says enough.
		slices.SortStableFunc(out, func(x, y *trace) int { return rank(y.verdict()) - rank(x.verdict()) })
		if i := slices.IndexFunc(out, func(t *trace) bool { return t.verdict() == reach.Blocked }); i >= 0 {
			out = out[:max(i, 1)]
		}
	}
	return out
}

// exposure is result with the grade of a way from the internet.
func (t *trace) exposure(port int) reach.Result {
	r := t.result()
	if r.Port == 0 {
		r.Port = port
	}
	if r.Verdict != reach.Reachable {
		return exposed(r)
	}
	from, _ := t.addresses()
	if t.sources != nil {
		from = *t.sources
	}
	switch {
	case from.Open() && !t.login:
		r.Exposure = triad.ExposureOpen
	case from.Open():
		r.Exposure = triad.ExposureControlled
	default:
		r.Exposure = triad.ExposureControlled
		for _, p := range from.CIDRs(maxSources) {
			r.Sources = append(r.Sources, p.String())
		}
	}
	return r
}

func exposed(r reach.Result) reach.Result {
	switch r.Verdict {
	case reach.Blocked:
		r.Exposure = triad.ExposureSmall
	case reach.Unknown:
		r.Exposure = triad.ExposureUnknown
	}
	return r
}

func exposureRank(r reach.Result) int {
	return slices.Index([]triad.Exposure{
		triad.ExposureOpen, triad.ExposureControlled, triad.ExposureUnknown, triad.ExposureSmall,
	}, r.Exposure)
}

// throughBalancers returns the ways through load balancers, one for each listener and target.
func (e *engine) throughBalancers(to Target, a asked, port int) (out []*trace) {
	scope := ""
	var ends []registered
	if to.Function != "" {
		ends = append(ends, registered{id: to.Function})
	} else {
		points, _ := e.points(to.end())
		vpcID := to.Network
		for _, p := range points {
			ends = append(ends, registered{id: p.addr.String(), vpc: p.doc.VPC, addr: p.addr})
			vpcID, scope = p.doc.VPC, p.scope
		}
		if to.Instance != "" {
			// Secondary addresses without a public one are not the instance's own business: on a
			// Kubernetes node they belong to pods.
			ends = append(ends, registered{id: to.Instance, vpc: vpcID})
		}
	}
	for _, end := range ends {
		chains, unread := e.chains(end, port, a.protocol, 0)
		for _, c := range chains {
			out = append(out, e.through(c, a))
		}
		for _, u := range unread {
			out = append(out, e.unreadWay(a, u))
		}
	}
	if len(out) == 0 {
		scopes := []string{scope}
		if scope == "" {
			scopes = e.scopes()
		}
		for _, s := range scopes {
			for _, section := range []string{sectionTargetGroups, sectionTargetHealth, sectionListeners, sectionBalancers} {
				if u := e.absent(s, section); u != nil {
					return append(out, e.unreadWay(a, *u))
				}
			}
		}
	}
	return out
}

// unreadWay is a way of which something was not read.
func (e *engine) unreadWay(a asked, u triad.Unread) *trace {
	t := newTrace(e, a, reach.Internet)
	t.hop("internet", "", nil)
	t.gate(triad.Hop{Type: "load-balancer"}, false, &u)
	return t
}

// registered is a thing as target groups name it: an instance, a function, a load balancer,
// or an address in a VPC.
type registered struct {
	id, vpc string
	addr    netip.Addr // valid when id is an address
}

// groupsOf returns the target groups that may have a thing as a target.
func (e *engine) groupsOf(r registered) []found[targetGroup] {
	var out []found[targetGroup]
	if r.addr.IsValid() {
		out = all[targetGroup](e, keyTargetIn(r.vpc, r.id))
	}
	for _, g := range all[targetGroup](e, keyTarget(r.id)) {
		switch {
		case r.vpc == "" || g.doc.VPC == "":
		case g.doc.VPC == r.vpc:
			if r.addr.IsValid() && g.doc.TargetType == "ip" {
				continue // found in its VPC
			}
		case g.doc.TargetType == "instance":
			continue
		case r.addr.IsValid():
			// What a VPC holds itself is never elsewhere.
			if v := first[vpc](e, g.doc.VPC); v.doc != nil && v.unread == nil && v.doc.contains(r.addr) {
				continue
			}
		}
		out = append(out, g)
	}
	return out
}

// chains finds the load balancers, listeners and target groups that lead to a target, from
// the entrance on, and what may lead to it but was not read.
func (e *engine) chains(to registered, port, protocol, depth int) (out [][]balancerStep, unread []triad.Unread) {
	if depth > 2 {
		return nil, nil
	}
	id := to.id
	for _, g := range e.groupsOf(to) {
		if g.doc.TargetType != "lambda" && !speaks(g.doc.Protocol, protocol) {
			continue
		}
		target, ok := g.doc.targetPort(id, port)
		if !ok {
			continue
		}
		listeners := all[listener](e, keyForwards(g.doc.ARN))
		if len(listeners) == 0 && len(g.doc.Balancers) > 0 {
			// It belongs to a load balancer, so a rule that was not read forwards to it.
			if u := e.unread(g.row.Scope, sectionRules); u != nil {
				unread = append(unread, *u)
			} else if u := e.absent(g.row.Scope, sectionListeners); u != nil {
				unread = append(unread, *u)
			}
		}
		for _, l := range listeners {
			step := balancerStep{l.doc.Balancer, l.doc.ARN, g.doc.ARN, id, target}
			out = append(out, []balancerStep{step})
			before, _ := e.chains(registered{id: l.doc.Balancer}, l.doc.Port, protocol, depth+1)
			for _, c := range before {
				out = append(out, append(c[:len(c):len(c)], step))
			}
		}
	}
	return out, unread
}

// targetPort is the port of a registered target, if it is the one asked for.
func (g *targetGroup) targetPort(id string, port int) (int, bool) {
	for _, h := range *g.Health {
		p := h.Target.Port
		if p == 0 {
			p = g.Port
		}
		if h.Target.ID == id && (p == port || g.TargetType == "lambda") {
			return p, true
		}
	}
	return 0, false
}

// through follows packets from the internet through the load balancers of a chain, by the
// best of the entrance's nodes.
func (e *engine) through(chain []balancerStep, a asked) *trace {
	lb := first[loadBalancer](e, chain[0].balancer)
	l := first[listener](e, chain[0].listener)
	if lb.doc == nil || l.doc == nil {
		scopes := e.scopes()
		scope := ""
		if len(scopes) > 0 {
			scope = scopes[0]
		}
		return e.unreadWay(a, *orUnread(e.absent(scope, sectionBalancers), scope, sectionBalancers, chain[0].balancer+" is not among the load balancers that were read"))
	}
	a.ports = portRange(l.doc.Port, l.doc.Port)
	if lb.doc.Scheme == "internal" {
		t := newTrace(e, a, reach.Internet)
		t.hop("internet", "", nil)
		t.gate(triad.Hop{Type: "load-balancer", ID: lb.doc.ARN, Evidence: lb.evidence("scheme internal"), Reason: "the load balancer is internal: it has no public address"}, false, lb.unread)
		t.entrance = l.doc.Port
		return t
	}
	var best *trace
	for _, n := range e.nodes(lb) {
		t := e.inbound(a, reach.Internet, n.addr)
		t.chain = slices.Clone(chain)
		t = t.fromInternet(n)
		if best == nil || better(t, best) {
			best = t
		}
	}
	if best == nil {
		return e.unreadWay(a, triad.Unread{Scope: lb.row.Scope, Section: sectionInterfaces, Reason: "no interface or subnet of " + lb.doc.ARN + " is known"})
	}
	if best.entrance == 0 {
		best.entrance = l.doc.Port
	}
	return best
}

// Connect asks whether one thing in a VPC can connect to an address of a VPC, its own or
// another, within the estate. The source is an instance or an address.
func Connect(v reach.View, from, to Target, protocol string, port int) reach.Result {
	return Query(v, Question{
		From: from.end(), To: to.end(), Protocol: protocol,
		Port: PortRange{uint16(min(max(port, 0), 1<<16-1)), uint16(min(max(port, 0), 1<<16-1))},
	})
}
