package kubernetes

import (
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// Arrival says how a packet comes to an entrance.
type Arrival struct {
	// Sources are the addresses that it carries there: clients', or a load balancer's own.
	Sources reach.AddrSet
	// TargetGroup (ARN) and Front (DNS name of its load balancer), when it came through one.
	TargetGroup string
	Front       string
	// Enforced is false where the cluster is known not to enforce NetworkPolicies; Engine
	// says how that is known.
	Enforced bool
	Engine   string
}

// Delivery is the way from an entrance to the process's port.
type Delivery struct {
	// Hops from the node to the container's port; those before the stop when Stop is set.
	Hops []triad.Hop
	// Stop is where the way ends, and Also further policies that stop it just as truly.
	Stop *triad.Hop
	Also []triad.Hop
	// Allowed are the arrival's sources that get through; meaningful when the pod sees them
	// (Masquerades is false).
	Allowed reach.AddrSet
	Unread  []triad.Unread
}

// Deliver follows a packet from an entrance to the container's port.
func Deliver(v reach.View, e Entrance, a Arrival, containerName string) Delivery {
	d := Delivery{}
	d.Hops = append(d.Hops, nodeHops(v, e)...)
	switch e.Way {
	case WayAddress:
		d.Hops = append(d.Hops, e.fronted(v, a)...)
	case WayNodePort, WayExternalIP:
		b := backing{Service: e.Service, Port: e.port}
		d.Hops = append(d.Hops, ingressHops(v, b, a)...)
		hop := triad.Hop{Type: "service", ID: e.Service.Path(), Evidence: b.evidence()}
		hop.Evidence.Detail = serviceType(e.Service) + " node port " + portText(e.Port) + " to " + targetText(e.port)
		if e.Way == WayExternalIP {
			hop.Evidence.Detail = "external IP " + e.Address.String() + " port " + portText(e.Port) + " to " + targetText(e.port)
		}
		d.Hops = append(d.Hops, hop)
	case WayHostPort:
		d.Hops = append(d.Hops, triad.Hop{Type: "host-port", ID: e.pod.Path(), Evidence: &triad.Evidence{Source: "pods", Scope: e.pod.Scope, Detail: "host port " + portText(e.Port) + " to " + portText(e.target)}})
	case WayHostNetwork:
		d.Hops = append(d.Hops, triad.Hop{Type: "host-network", ID: e.pod.Path(), Evidence: &triad.Evidence{Source: "pods", Scope: e.pod.Scope, Detail: "hostNetwork: listens on the node's own addresses; network policies do not filter it"}})
	}
	sources := a.Sources
	if e.Masquerades() && e.Node != nil {
		sources = reach.Addresses(e.Node.Internal()...)
	}
	finish(v, e.pod, Peer{Addresses: sources}, e.Protocol, e.target, a, containerName, &d)
	if e.Masquerades() {
		d.Allowed = a.Sources // the policy judged the node's address, not theirs
	}
	return d
}

// DeliverFrom follows a packet that a controller's pod sends to the pod behind an ingress.
func DeliverFrom(v reach.View, w ControllerWay, proxy, p *Pod, proto string, port int, a Arrival, containerName string) Delivery {
	d := Delivery{}
	if n := NodeOf(v, p); n != nil {
		d.Hops = append(d.Hops, nodeHop(n, ""))
	}
	d.Hops = append(d.Hops, ingressHop(w.Ingress, w.backing), triad.Hop{Type: "service", ID: w.Service.Path(), Evidence: w.evidence()})
	finish(v, p, Peer{Pod: proxy}, proto, port, a, containerName, &d)
	return d
}

// finish adds the policies, the pod and its port.
func finish(v reach.View, p *Pod, peer Peer, proto string, port int, a Arrival, containerName string, d *Delivery) {
	verdict := PolicyIngress(v, p, peer, proto, port)
	wanted := peer.Addresses
	if peer.Pod != nil {
		wanted = reach.Addresses(peer.Pod.addresses...)
	}
	d.Allowed = verdict.Allowed
	if !verdict.Allowed.Covers(wanted) || len(verdict.Select) == 0 {
		d.Unread = append(d.Unread, verdict.Unread...)
	}
	if !a.Enforced && len(verdict.Select) > 0 {
		d.Allowed = wanted
		for _, n := range verdict.Select {
			d.Hops = append(d.Hops, n.hop("not enforced: "+a.Engine, ""))
		}
	} else {
		for _, n := range verdict.Allow {
			d.Hops = append(d.Hops, n.hop("lets in "+proto+" "+portText(port)+" from "+people(verdict.Allowed), ""))
		}
		if d.Allowed.Empty() && len(verdict.Select) > 0 {
			from := people(wanted)
			if peer.Pod != nil {
				from = "pod " + peer.Pod.Path()
			}
			for i, n := range verdict.Select {
				stop := n.hop("", "no rule lets in "+proto+" "+portText(port)+" from "+from)
				if i == 0 {
					d.Stop = &stop
				} else {
					d.Also = append(d.Also, stop)
				}
			}
			return
		}
	}
	d.Hops = append(d.Hops, podHop(p), portHop(p, containerName, proto, port))
}

// people writes addresses for people: most of the internet is not worth listing.
func people(a reach.AddrSet) string {
	if a.Open() {
		return "the internet"
	}
	return a.String()
}

// PolicyStops are the policies that let nobody but listed addresses into a pod's port, when
// no internet address is among them: further reasons why a pod to which no way leads is safe.
func PolicyStops(v reach.View, p *Pod, proto string, port int) []triad.Hop {
	verdict := PolicyIngress(v, p, Peer{Addresses: reach.Internet}, proto, port)
	if !verdict.Allowed.Empty() {
		return nil
	}
	var stops []triad.Hop
	for _, n := range verdict.Select {
		stops = append(stops, n.hop("", "no rule lets in "+proto+" "+portText(port)+" from the internet"))
	}
	return stops
}

func (n *NetworkPolicy) hop(detail, reason string) triad.Hop {
	return triad.Hop{Type: "network-policy", ID: n.Path(), Reason: reason, Evidence: &triad.Evidence{Source: "networkpolicies", Scope: n.Scope, Detail: detail}}
}

func podHop(p *Pod) triad.Hop {
	return triad.Hop{Type: "pod", ID: p.Path(), Evidence: &triad.Evidence{Source: "pods", Scope: p.Scope}}
}

func portHop(p *Pod, containerName, proto string, port int) triad.Hop {
	if containerName == "" {
		containerName = portText(port)
	}
	return triad.Hop{Type: "container-port", ID: containerName, Evidence: &triad.Evidence{Source: "pods", Scope: p.Scope, Detail: proto + " " + portText(port)}}
}

// nodeHops are the node that takes the packet and the one that the pod runs on.
func nodeHops(v reach.View, e Entrance) []triad.Hop {
	var hops []triad.Hop
	if e.Node != nil {
		hops = append(hops, nodeHop(e.Node, ""))
	}
	if e.Forwards() {
		if n := NodeOf(v, e.pod); n != nil {
			hops = append(hops, nodeHop(n, "kube-proxy of "+e.Node.Meta.Name+" sends on to the pod here"))
		}
	}
	return hops
}

// HopID is the EC2 instance that a node is, else the node's name.
func (n *Node) HopID() string {
	if id := n.Instance(); id != "" {
		return id
	}
	return n.Meta.Name
}

func nodeHop(n *Node, detail string) triad.Hop {
	if detail == "" {
		detail = n.Meta.Name
	}
	return triad.Hop{Type: "node", ID: n.HopID(), Evidence: &triad.Evidence{Source: "nodes", Scope: n.Scope, Detail: detail}}
}

// fronted names the Ingress and Service for which a load balancer sends straight to the
// pod's address: after the TargetGroupBinding of its target group, else the Service that has
// the pod and the load balancer's name in its status or its Ingress's.
func (e Entrance) fronted(v reach.View, a Arrival) []triad.Hop {
	if a.TargetGroup == "" {
		return nil
	}
	found, _, _ := backings(v, e.pod, e.Protocol, e.target)
	var bound *backing
	for _, t := range rowsAs[TargetGroupBinding](v, keyBindings(a.TargetGroup)) {
		for i, b := range found {
			port := t.Spec.ServiceRef.Port
			if t.Meta.Namespace == b.Service.Meta.Namespace && t.Spec.ServiceRef.Name == b.Service.Meta.Name &&
				(port.Int == b.Port.Port || port.Str != "" && port.Str == b.Port.Name) {
				bound = &found[i]
			}
		}
	}
	for i, b := range found {
		if bound == nil && b.fronts(v, a.Front) {
			bound = &found[i]
		}
	}
	if bound == nil {
		return nil
	}
	return append(ingressHops(v, *bound, a), triad.Hop{Type: "service", ID: bound.Service.Path(), Evidence: bound.evidence()})
}

// fronts reports whether the Service, or an Ingress to it, names a load balancer as its own.
func (b backing) fronts(v reach.View, front string) bool {
	if hasFront(b.Service.Status.LoadBalancer, front) {
		return true
	}
	for _, i := range routing(v, b) {
		if hasFront(i.Status.LoadBalancer, front) {
			return true
		}
	}
	return false
}

func hasFront(s loadBalancerStatus, front string) bool {
	if front == "" {
		return false
	}
	for _, f := range s.fronts() {
		// dualstack.NAME is the same load balancer's name for both families.
		if strings.TrimPrefix(f, "dualstack.") == strings.ToLower(front) {
			return true
		}
	}
	return false
}

// ingressHops names the Ingress whose cloud load balancer the packet came through.
func ingressHops(v reach.View, b backing, a Arrival) []triad.Hop {
	if a.TargetGroup == "" {
		return nil
	}
	var fallback *Ingress
	for _, i := range routing(v, b) {
		if cloudControllers[i.controller(v)] == "" {
			continue
		}
		if hasFront(i.Status.LoadBalancer, a.Front) {
			return []triad.Hop{ingressHop(i, b)}
		}
		if len(i.Status.LoadBalancer.Ingress) == 0 || a.Front == "" {
			fallback = i
		}
	}
	if fallback != nil && !hasFront(b.Service.Status.LoadBalancer, a.Front) {
		return []triad.Hop{ingressHop(fallback, b)}
	}
	return nil
}

func ingressHop(i *Ingress, b backing) triad.Hop {
	detail := "to service " + b.Service.Path() + " port " + portText(b.Port.Port)
	for r := range i.Spec.Rules {
		for _, p := range i.Spec.Rules[r].HTTP.Paths {
			if p.Backend.Service != nil && p.Backend.Service.Name == b.Service.Meta.Name {
				detail = "host " + i.Spec.Rules[r].Host + " path " + p.Path + " " + detail
				return triad.Hop{Type: "ingress", ID: i.Path(), Evidence: &triad.Evidence{Source: "ingresses", Scope: i.Scope, Detail: detail}}
			}
		}
	}
	return triad.Hop{Type: "ingress", ID: i.Path(), Evidence: &triad.Evidence{Source: "ingresses", Scope: i.Scope, Detail: detail}}
}
