package kubernetes

import (
	"net/netip"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// Way is how a packet that comes to a node or to a pod's address gets into the pod.
type Way string

// The ways.
const (
	WayAddress     Way = "address"      // straight to the pod's own address
	WayNodePort    Way = "node-port"    // to a Service's port on a node
	WayExternalIP  Way = "external-ip"  // to an address that a Service claims on the nodes
	WayHostPort    Way = "host-port"    // to a port that the container takes from its node
	WayHostNetwork Way = "host-network" // the pod listens on its node itself
)

// Entrance is a place at which the cluster takes packets for a pod's port: what must be
// reachable from outside is Port at Node, or at Address where that is valid.
type Entrance struct {
	Way Way
	// Node that takes the packet; nil when it comes straight to the pod's address or the
	// node's object is not known.
	Node *Node
	// Address that takes the packet; invalid when every address of Node does.
	Address netip.Addr
	// Family 4 or 6 when only addresses of that family take it.
	Family   int
	Protocol string
	Port     int
	Service  *Service
	port     servicePort
	pod      *Pod
	target   int
}

// Forwards reports whether the node that takes the packet sends it on to another node.
func (e Entrance) Forwards() bool {
	return e.Node != nil && e.pod.Spec.NodeName != "" && e.Node.Meta.Name != e.pod.Spec.NodeName
}

// Masquerades reports whether the pod sees the node's address instead of the client's: what
// kube-proxy does unless externalTrafficPolicy is Local.
func (e Entrance) Masquerades() bool {
	return (e.Way == WayNodePort || e.Way == WayExternalIP) && !e.Service.local()
}

// Entrances lists the places at which the cluster takes packets from outside for a pod's
// port, the pod's own node first; and the stops at its side: Services that lead nowhere
// outside, host ports on loopback, or that nothing leads to it at all.
func Entrances(v reach.View, p *Pod, proto string, port int) (all []Entrance, stops []triad.Hop, unread []triad.Unread) {
	if !p.running() {
		return nil, []triad.Hop{{Type: "pod", ID: p.Path(), Reason: "the pod does not run: phase " + p.Status.Phase}}, nil
	}
	if port == 0 {
		others, _, more := services(v, p)
		return nil, p.unserved(others, proto, 0), more
	}
	own := NodeOf(v, p)
	entrance := func(w Way, n *Node) Entrance {
		return Entrance{Way: w, Node: n, Protocol: proto, Port: port, pod: p, target: port}
	}
	if p.Spec.HostNetwork {
		e := entrance(WayHostNetwork, own)
		if own == nil {
			e.Address, _ = netip.ParseAddr(p.Status.HostIP)
		}
		all = append(all, e)
	} else {
		for _, ip := range p.addresses {
			e := entrance(WayAddress, own)
			e.Address = ip
			all = append(all, e)
		}
		for c := range p.containers {
			for _, cp := range c.Ports {
				if cp.HostPort == 0 || cp.ContainerPort != port || protocol(cp.Protocol) != proto {
					continue
				}
				e := entrance(WayHostPort, own)
				e.Port = cp.HostPort
				bound, _ := netip.ParseAddr(cp.HostIP)
				switch {
				case bound.IsLoopback():
					stops = append(stops, triad.Hop{Type: "host-port", ID: p.Path(), Reason: "host port " + portText(cp.HostPort) + " is bound to the loopback address " + cp.HostIP + " only"})
					continue
				case bound.IsValid() && bound.IsUnspecified():
					e.Family = 4
					if bound.Is6() {
						e.Family = 0 // :: takes both on Linux
					}
				case bound.IsValid():
					e.Address = bound
				}
				all = append(all, e)
			}
		}
	}
	found, others, more := backings(v, p, proto, port)
	unread = append(unread, more...)
	for _, b := range found {
		es := b.entrances(v, p, own, entrance)
		all = append(all, es...)
		if len(es) == 0 {
			stops = append(stops, triad.Hop{Type: "service", ID: b.Service.Path(), Reason: b.why(routing(v, b)), Evidence: b.evidence()})
		}
	}
	if u := unreadSection(v, p.Scope, "nodes"); u != nil && (p.Spec.HostNetwork || p.onNodes(found, proto, port)) {
		unread = append(unread, *u)
	}
	if len(found) == 0 && !p.Spec.HostNetwork {
		stops = append(stops, p.unserved(others, proto, port)...)
	}
	return all, stops, unread
}

// onNodes reports whether nodes take packets for the pod's port at ports of their own.
func (p *Pod) onNodes(found []backing, proto string, port int) bool {
	for _, b := range found {
		if b.Port.NodePort != 0 || len(b.Service.Spec.ExternalIPs) > 0 {
			return true
		}
	}
	for c := range p.containers {
		for _, cp := range c.Ports {
			if cp.HostPort != 0 && cp.ContainerPort == port && protocol(cp.Protocol) == proto {
				return true
			}
		}
	}
	return false
}

// entrances are those of one Service port on the nodes.
func (b backing) entrances(v reach.View, p *Pod, own *Node, entrance func(Way, *Node) Entrance) []Entrance {
	s := b.Service
	if !b.ready || b.Port.NodePort == 0 && len(s.Spec.ExternalIPs) == 0 || s.Spec.ClusterIP == "None" {
		return nil
	}
	nodes := []*Node{own}
	if !s.local() {
		for _, n := range Nodes(v, p.Cluster) {
			if own == nil || n.ID != own.ID {
				nodes = append(nodes, n)
			}
		}
	}
	var all []Entrance
	for _, n := range nodes {
		if n == nil {
			continue
		}
		e := entrance(WayNodePort, n)
		e.Service, e.port, e.Port, e.Family = s, b.Port, b.Port.NodePort, s.family()
		if b.Port.NodePort != 0 {
			all = append(all, e)
		}
		e.Way, e.Port = WayExternalIP, b.Port.Port
		for _, ip := range s.Spec.ExternalIPs {
			if e.Address, _ = netip.ParseAddr(ip); e.Address.IsValid() {
				all = append(all, e)
			}
		}
	}
	return all
}

// family is 4 or 6 when the service takes packets of one family only, else 0.
func (s *Service) family() int {
	switch {
	case len(s.Spec.IPFamilies) != 1:
		return 0
	case s.Spec.IPFamilies[0] == "IPv6":
		return 6
	}
	return 4
}

func (b backing) evidence() *triad.Evidence {
	return &triad.Evidence{Source: "services", Scope: b.Service.Scope, Detail: strings.TrimSpace(serviceType(b.Service) + " port " + portText(b.Port.Port) + " to " + targetText(b.Port))}
}

func serviceType(s *Service) string {
	if s.Spec.Type == "" {
		return "ClusterIP"
	}
	return s.Spec.Type
}

func targetText(p servicePort) string {
	if p.TargetPort.zero() {
		return portText(p.Port)
	}
	return p.TargetPort.String()
}

func portText(port int) string { return IntOrString{Int: port}.String() }

// unserved are the stops at a pod to whose port no Service leads.
func (p *Pod) unserved(others []*Service, proto string, port int) []triad.Hop {
	reason := "no service selects it"
	if p.Spec.HostNetwork {
		reason = "it listens on its node's own network, at no port that is known"
	}
	if len(others) > 0 {
		reason = "no service sends to its port " + portText(port) + "/" + proto
	}
	undeclared := !p.declares(proto, port)
	if undeclared && port == 0 {
		reason += " and it declares no port"
	}
	stops := []triad.Hop{{Type: "pod", ID: p.Path(), Reason: reason}}
	for _, s := range others {
		stops = append(stops, triad.Hop{Type: "service", ID: s.Path(), Reason: "selects the pod but sends nothing to its port " + portText(port)})
	}
	if len(others) == 0 {
		stops = append(stops, triad.Hop{Type: "service", Reason: "none selects the pod"})
	}
	if undeclared {
		stops = append(stops, triad.Hop{Type: "container-port", Reason: "none declared"})
	}
	return stops
}
