package exposure

import (
	"net/netip"
	"slices"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/reach/aws"
	"github.com/triad-security/triad/reach/kubernetes"
)

// podQuestion asks for one port of one pod.
type podQuestion struct {
	v     reach.View
	pod   *kubernetes.Pod
	name  string // of the container, for its hop
	proto string
	port  int
	// seen are the pods whose ingresses led here, so that a circle of controllers ends.
	seen []string

	machines map[string]machine
	lets     *reach.AddrSet // the addresses that the pod's policies let in
	network  string         // the VPC of the pod's node, or of its EKS cluster
	enforced bool
	engine   string
	doubt    *triad.Unread // whether policies are enforced
}

// maxChain bounds how many ingress controllers may stand behind each other.
const maxChain = 4

// manyEntrances is from how many on nodes are compared before each is asked.
const manyEntrances = 8

// podResult is the best way to a port of a pod.
func podResult(v reach.View, p *kubernetes.Pod, name, proto string, port int, seen []string) reach.Result {
	q := &podQuestion{v: v, pod: p, name: name, proto: proto, port: port, seen: seen, machines: map[string]machine{}}
	q.cluster()
	entrances, stops, unread := kubernetes.Entrances(v, p, proto, port)
	var ways []way
	asked := map[string]bool{}
	for _, e := range entrances {
		if e.Forwards() && len(entrances) > manyEntrances {
			// Of nodes that the network cannot tell apart one answers for all.
			if like := q.machine(e.Node).like(v); like != "" {
				if like += "|" + string(e.Way) + itoa(e.Port) + q.policed(e); asked[like] {
					continue
				}
				asked[like] = true
			}
		}
		ways = append(ways, q.enter(e)...)
		if open(ways) && e.Way != kubernetes.WayAddress {
			break // other nodes only lead in as well
		}
	}
	if port == 0 {
		w, doubt := q.anyPort()
		ways, unread = append(ways, w...), append(unread, doubt...)
	}
	if !open(ways) {
		more, hops, doubts := q.controllers()
		ways, stops, unread = append(ways, more...), append(stops, hops...), append(unread, doubts...)
	}
	if !open(ways) {
		ways = append(ways, q.fronts()...)
	}
	if q.enforced && q.doubt == nil && port != 0 && len(stops) > 0 {
		stops = append(stops, kubernetes.PolicyStops(v, p, proto, port)...)
	}
	if s := v.Section(p.Scope, "pods"); s.Status == triad.SectionUnread {
		unread = append(unread, triad.Unread{Scope: p.Scope, Section: "pods", Reason: s.Reason})
	}
	return certain(v, best(ways, stops, unread))
}

// policed tells nodes apart whose addresses the pod's policies treat differently.
func (q *podQuestion) policed(e kubernetes.Entrance) string {
	if !e.Masquerades() {
		return ""
	}
	if q.lets == nil { // the same for all nodes
		d := kubernetes.PolicyIngress(q.v, q.pod, kubernetes.Peer{Addresses: reach.AllAddresses}, q.proto, q.port)
		q.lets = &d.Allowed
	}
	for _, ip := range e.Node.Internal() {
		if q.lets.Contains(ip) {
			return "|allowed"
		}
	}
	return "|denied"
}

func open(ways []way) bool {
	return slices.ContainsFunc(ways, func(w way) bool {
		return w.Verdict == reach.Reachable && len(w.Sources) == 0 && w.Exposure != triad.ExposureControlled
	})
}

// cluster finds out where the pod's network is and whether its policies have any effect.
func (q *podQuestion) cluster() {
	eks := ""
	if n := kubernetes.NodeOf(q.v, q.pod); n != nil {
		m := q.machine(n)
		q.network, eks = m.network, kubernetes.EKSName(m.tags)
	}
	if eks == "" && len(kubernetes.Clusters(q.v, q.pod.Cluster)) > 0 {
		eks = q.pod.Cluster
	}
	if q.network == "" && eks != "" { // on Fargate no instance stands behind the node
		q.network = clusterNetwork(q.v, eks)
	}
	q.enforced, q.engine, q.doubt = kubernetes.Enforcement(q.v, q.pod, eks)
}

func (q *podQuestion) machine(n *kubernetes.Node) machine {
	m, ok := q.machines[n.ID]
	if !ok {
		m = machineOf(q.v, n.ID)
		if m.provider == "" {
			m.provider = n.Provider()
		}
		if len(m.addresses) == 0 {
			m.addresses = n.Addresses()
		}
		q.machines[n.ID] = m
	}
	return m
}

// enter finds the ways through one entrance.
func (q *podQuestion) enter(e kubernetes.Entrance) []way {
	var m machine
	at := place{e.Address, e.Family, e.Protocol, e.Port}
	if e.Node != nil {
		m = q.machine(e.Node)
	} else {
		m = machine{name: q.pod.Node(), found: q.network != "", network: q.network, scope: q.pod.Scope}
		if e.Address.IsValid() {
			m.addresses = []netip.Addr{e.Address}
		}
	}
	if e.Way == kubernetes.WayAddress {
		m.found, m.network = q.network != "", q.network
		if !m.found && !reach.Internet.Contains(e.Address) {
			return nil // only a cloud's network leads to a pod's own address
		}
		if !m.found {
			m.instance, m.addresses = "", []netip.Addr{e.Address}
		}
	}
	var ways []way
	for _, r := range m.ways(q.v, at) {
		if e.Way == kubernetes.WayAddress && stoppedBy(r, "no-such-address") {
			continue // an overlay's address, of which the cloud knows nothing
		}
		ways = append(ways, q.finish(e, r))
	}
	return ways
}

// finish follows a way through the cloud on to the pod.
func (q *podQuestion) finish(e kubernetes.Entrance, r reach.Result) way {
	w := way{Result: r, rank: 2}
	if r.Verdict == reach.Blocked {
		w.aside = e.Way == kubernetes.WayAddress && stoppedBy(r, "private-address") && !passed(r, "load-balancer")
		return w
	}
	a := arrivalOf(q.v, r)
	arrival := kubernetes.Arrival{Sources: a.sources, TargetGroup: a.group, Front: a.front, Enforced: q.enforced, Engine: q.engine}
	d := kubernetes.Deliver(q.v, e, arrival, q.name)
	if a.doubt != nil && !e.Masquerades() {
		// The pod sees the client or the load balancer, and it is not known which.
		arrival.Sources = a.other
		if other := kubernetes.Deliver(q.v, e, arrival, q.name); (other.Stop == nil) != (d.Stop == nil) {
			d.Unread = append(d.Unread, *a.doubt)
		}
	}
	if a.group != "" {
		w.rank = 1
	}
	if slices.ContainsFunc(d.Hops, func(h triad.Hop) bool { return h.Type == "ingress" }) {
		w.rank = 0
	}
	w.Path = join(toNode(r.Path), d.Hops...)
	if d.Stop != nil && a.sources.Empty() {
		d.Unread = append(d.Unread, triad.Unread{Scope: q.pod.Scope, Section: "ec2-describe-network-interfaces", Reason: "the addresses from which the load balancer sends are not known"})
	}
	q.deliver(&w, d)
	if w.Verdict == reach.Blocked {
		return w
	}
	if a.client && !e.Masquerades() && !d.Allowed.Empty() {
		restrict(&w.Result, d.Allowed)
	}
	if e.Forwards() {
		q.forward(&w, e)
	}
	return w
}

// deliver applies what the policies said to a way.
func (q *podQuestion) deliver(w *way, d kubernetes.Delivery) {
	if d.Stop != nil && q.doubt != nil {
		d.Unread = append(d.Unread, *q.doubt)
	}
	switch {
	case len(d.Unread) > 0:
		w.Verdict, w.Unread, w.Exposure = reach.Unknown, append(w.Unread, d.Unread...), ""
	case d.Stop != nil:
		w.Result = blocked(w.Path, *d.Stop, d.Also...)
	}
}

// forward asks whether the node that takes a packet can send it on to the pod's node. Where
// pods have addresses of the VPC it goes to the pod's own; an overlay wraps it in traffic
// between nodes without which the cluster would not work at all.
func (q *podQuestion) forward(w *way, e kubernetes.Entrance) {
	m := q.machine(e.Node)
	if !m.found {
		return
	}
	for _, ip := range q.pod.Addresses() {
		r := aws.Connect(q.v, aws.Target{Instance: m.instance}, aws.Target{Address: ip, Network: q.network}, q.proto, q.port)
		switch {
		case stoppedBy(r, "no-such-address"):
			return
		case r.Verdict == reach.Reachable:
			return
		case r.Verdict == reach.Unknown:
			w.Verdict, w.Exposure, w.Unread = reach.Unknown, "", append(w.Unread, r.Unread...)
			return
		}
		if r.BlockedBy != nil {
			stop := *r.BlockedBy
			stop.Reason = "from node " + e.Node.Name() + " on to the pod: " + stop.Reason
			cut := slices.IndexFunc(w.Path, func(h triad.Hop) bool { return h.Type == "node" })
			w.Result = blocked(w.Path[:cut+1], stop, r.AlsoBlockedBy...)
			return
		}
	}
}

// anyPort asks, for a pod of which no port is known, whether the network lets the internet
// to any port of it at all.
func (q *podQuestion) anyPort() (ways []way, unread []triad.Unread) {
	n := kubernetes.NodeOf(q.v, q.pod)
	if q.network == "" || n == nil {
		return nil, nil
	}
	to := aws.End{Kind: "instance", ID: q.machine(n).instance}
	if !q.pod.HostNetwork() {
		if len(q.pod.Addresses()) == 0 {
			return nil, nil
		}
		to = aws.End{Kind: "ip", IP: q.pod.Addresses()[0].String(), Network: q.network}
	}
	return anyPort(q.v, to, q.proto, q.pod.HostNetwork(), q.pod.Scope)
}

// anyPort asks whether the internet reaches any port of a host or address directly. Where it
// does, and the target listens on the host's own network, what it listens on decides.
func anyPort(v reach.View, to aws.End, proto string, onHost bool, scope string) (ways []way, unread []triad.Unread) {
	r := aws.Query(v, aws.Question{From: aws.End{Kind: "internet"}, To: to, Protocol: proto, Port: aws.PortRange{Lo: 1, Hi: 65535}, Match: "some"})
	switch {
	case stoppedBy(r, "no-such-address"):
	case r.Verdict == reach.Blocked:
		ways = append(ways, way{Result: r, aside: true})
	case onHost:
		unread = append(unread, triad.Unread{Scope: scope, Section: "listeners", Reason: "it listens on its host's network at ports that are not known, and the internet reaches some port of the host"})
	}
	return ways, unread
}

// toNode cuts the target's own hop from a path through the cloud: the node's hop follows.
func toNode(path []triad.Hop) []triad.Hop {
	if n := len(path); n > 0 && (path[n-1].Type == "instance" || path[n-1].Type == "network-interface" || path[n-1].Type == "host") {
		return path[:n-1]
	}
	return path
}

func stoppedBy(r reach.Result, kind string) bool {
	return r.BlockedBy != nil && r.BlockedBy.Type == kind ||
		slices.ContainsFunc(r.AlsoBlockedBy, func(h triad.Hop) bool { return h.Type == kind })
}

func passed(r reach.Result, kind string) bool {
	return slices.ContainsFunc(r.Path, func(h triad.Hop) bool { return h.Type == kind })
}
