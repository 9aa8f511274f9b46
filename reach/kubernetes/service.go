package kubernetes

import (
	"cmp"
	"slices"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// backing is a Service port that stands for a pod's port.
type backing struct {
	Service *Service
	Port    servicePort
	// ready reports whether the Service sends to the pod now.
	ready bool
}

// Path is the service's hop id, namespace/name.
func (s *Service) Path() string { return s.Meta.path() }

// services finds the Services that have the pod as an endpoint: by selector, or by an
// EndpointSlice that somebody else wrote. Ordered by name.
func services(v reach.View, p *Pod) (selecting []*Service, manual []*EndpointSlice, unread []triad.Unread) {
	if u := unreadSection(v, p.Scope, "services"); u != nil {
		unread = append(unread, *u)
	}
	for pair := range pairs(p.Meta.Labels) {
		for _, s := range rowsAs[Service](v, keyServices(p.Cluster, p.Meta.Namespace, pair)) {
			if subset(s.Spec.Selector, p.Meta.Labels) && s.Spec.Type != "ExternalName" {
				selecting = append(selecting, s)
			}
		}
	}
	// Services without a selector, and those whose document could not be decoded.
	handmade := false
	for _, row := range v.Rows(keyServices(p.Cluster, p.Meta.Namespace, "")) {
		if _, ok := row.Decoded.(*Service); !ok {
			unread = append(unread, undecoded(row, "services"))
			continue
		}
		handmade = true
	}
	if u := unreadSection(v, p.Scope, "endpointslices"); u != nil && handmade {
		unread = append(unread, *u)
	}
	for _, ip := range p.addresses {
		for _, slice := range rowsAs[EndpointSlice](v, keySlicesOf(p.Cluster, ip.String())) {
			if slice.service() != "" {
				manual = append(manual, slice)
			}
		}
	}
	slices.SortFunc(selecting, func(a, b *Service) int { return cmp.Compare(a.Meta.Name, b.Meta.Name) })
	return selecting, manual, unread
}

// backings are the Service ports that deliver to one port of a pod.
func backings(v reach.View, p *Pod, proto string, port int) (found []backing, others []*Service, unread []triad.Unread) {
	selecting, manual, unread := services(v, p)
	for _, s := range selecting {
		hit := false
		for _, sp := range s.Spec.Ports {
			if protocol(sp.Protocol) != proto {
				continue
			}
			target := sp.TargetPort
			if target.zero() {
				target.Int = sp.Port
			}
			if p.resolve(target, proto) == port {
				hit = true
				found = append(found, backing{s, sp, p.ready() || s.Spec.PublishNotReady})
			}
		}
		if !hit {
			others = append(others, s)
		}
	}
	for _, slice := range manual {
		s := rowAs[Service](v, triad.KubernetesID(p.Cluster, "Service", slice.Meta.Namespace, slice.service()))
		if s == nil || len(s.Spec.Selector) > 0 {
			continue
		}
		for _, ep := range slice.Ports {
			if protocol(ep.Protocol) != proto || ep.Port != port {
				continue
			}
			for _, sp := range s.Spec.Ports {
				if sp.Name == ep.Name && protocol(sp.Protocol) == proto {
					found = append(found, backing{s, sp, slice.ready(p)})
				}
			}
		}
	}
	return found, others, unread
}

// ready reports whether the slice has an address of the pod as a ready endpoint; a missing
// condition means ready (discovery/v1).
func (s *EndpointSlice) ready(p *Pod) bool {
	for _, e := range s.Endpoints {
		for _, ip := range p.addresses {
			if slices.Contains(e.Addresses, ip.String()) && (e.Conditions.Ready == nil || *e.Conditions.Ready) {
				return true
			}
		}
	}
	return false
}

// Ports are the ports at which a pod is known to be served: those that its containers
// declare (container by name, or all when it is empty) and those that Services of it target.
func Ports(v reach.View, p *Pod, containerName string) []triad.Listen {
	var all []triad.Listen
	add := func(proto string, port int, name string) {
		if !valid(port) || slices.ContainsFunc(all, func(l triad.Listen) bool { return l.Protocol == proto && l.Port == port }) {
			return
		}
		all = append(all, triad.Listen{Protocol: proto, Port: port, Name: name, Basis: triad.BasisDeclared})
	}
	elsewhere := map[string]bool{}
	containers := 0
	for c := range p.containers {
		containers++
		for _, cp := range c.Ports {
			if containerName == "" || c.Name == containerName {
				add(protocol(cp.Protocol), cp.ContainerPort, cp.Name)
			} else {
				elsewhere[key(protocol(cp.Protocol), cp.ContainerPort)] = true
			}
		}
	}
	selecting, manual, _ := services(v, p)
	for _, s := range selecting {
		for _, sp := range s.Spec.Ports {
			target := sp.TargetPort
			if target.zero() {
				target.Int = sp.Port
			}
			proto := protocol(sp.Protocol)
			if n := p.resolve(target, proto); !elsewhere[key(proto, n)] {
				add(proto, n, sp.Name)
			}
		}
	}
	for _, slice := range manual {
		for _, ep := range slice.Ports {
			if proto := protocol(ep.Protocol); !elsewhere[key(proto, ep.Port)] {
				add(proto, ep.Port, ep.Name)
			}
		}
	}
	return all
}

func key(proto string, port int) string {
	return proto + "/" + IntOrString{Int: port}.String()
}

// declares reports whether a container of the pod declares the port.
func (p *Pod) declares(proto string, port int) bool {
	for c := range p.containers {
		for _, cp := range c.Ports {
			if cp.ContainerPort == port && protocol(cp.Protocol) == proto {
				return true
			}
		}
	}
	return false
}

// local reports whether outside traffic to a node port stays on the node it came to, which
// keeps the client's address.
func (s *Service) local() bool { return s.Spec.ExternalTrafficPolicy == "Local" }

// why says in a sentence why a Service that is served lets nobody in from outside.
func (b backing) why(to []*Ingress) string {
	s := b.Service
	switch {
	case !b.ready:
		return "the pod is not ready, so the service sends nothing to it"
	case len(to) > 0:
		return "type " + serviceType(s) + ", to which ingress " + to[0].Path() + " leads and nothing else outside"
	case s.Spec.ClusterIP == "None":
		return "headless: no load balancer, no node port, no Ingress leads to it"
	case s.Spec.Type == "LoadBalancer" && len(s.Status.LoadBalancer.Ingress) == 0:
		return "its load balancer was not made yet, and it has no node port"
	case s.Spec.Type == "" || strings.EqualFold(s.Spec.Type, "ClusterIP"):
		return "ClusterIP only: no Ingress, no load balancer, no node port"
	}
	return "type " + s.Spec.Type + " without a node port: only what has the pod as a target gets through"
}
