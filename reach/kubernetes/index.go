package kubernetes

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/triad-security/triad"
)

// Keys of this adapter, each within one cluster.
func keyServices(cluster, ns, pair string) string {
	return "kubernetes/services/" + cluster + "|" + ns + "|" + pair
}

func keyPolicies(cluster, ns, pair string) string {
	return "kubernetes/policies/" + cluster + "|" + ns + "|" + pair
}

func keyPods(cluster, ns, pair string) string {
	return "kubernetes/pods/" + cluster + "|" + ns + "|" + pair
}

func keyPodAt(cluster, ip string) string { return "kubernetes/pod-at/" + cluster + "|" + ip }

func keyPodsOn(cluster, node string) string { return "kubernetes/pods-on/" + cluster + "|" + node }

func keyNodes(cluster string) string { return "kubernetes/nodes/" + cluster }

func keyControllerPods(cluster, controller string) string {
	return "kubernetes/controller-pods/" + cluster + "|" + controller
}

func keyBackends(cluster, ns, service string) string {
	return "kubernetes/ingresses/" + cluster + "|" + ns + "|" + service
}

func keyDefaultClass(cluster string) string { return "kubernetes/default-ingress-class/" + cluster }

func keyServiceAt(cluster, front string) string {
	return "kubernetes/service-at/" + cluster + "|" + front
}

func keySlices(cluster, ns, service string) string {
	return "kubernetes/slices/" + cluster + "|" + ns + "|" + service
}

func keySlicesOf(cluster, ip string) string { return "kubernetes/slices-of/" + cluster + "|" + ip }

func keyBindings(targetGroup string) string { return "kubernetes/bindings/" + targetGroup }

func keyClusterNamed(name string) string { return "kubernetes/eks-cluster/" + name }

// Bounds of one object. What is longer is foreign nonsense, not a cluster's object: the API
// server refuses objects over 1.5 MiB (etcd's request limit).
const (
	maxDoc       = 4 << 20
	maxLabels    = 256
	maxEndpoints = 5000 // the API allows 1000 in one slice
	maxBackends  = 5000
)

// Index is the reach.Index of Kubernetes objects.
func Index(scope string, a *triad.Asset) (decoded any, keys []string, err error) {
	switch { // an EKS cluster, which its nodes name by tag, and its add-ons
	case a.Kind == "Cluster" && strings.HasPrefix(a.ID, "arn:"):
		return nil, []string{keyClusterNamed(a.ID[strings.LastIndexByte(a.ID, '/')+1:])}, nil
	case a.Kind == "Addon":
		return indexAddon(scope, a)
	}
	if !strings.HasPrefix(a.ID, "k8s:") || len(a.Doc) == 0 {
		return nil, nil, nil
	}
	if len(a.Doc) > maxDoc {
		return nil, nil, fmt.Errorf("reading %s: its document is %d bytes long, over the bound of %d", a.ID, len(a.Doc), maxDoc)
	}
	o := newObject(a.Kind)
	if o == nil {
		return nil, nil, nil
	}
	if err := json.Unmarshal(a.Doc, o); err != nil {
		return nil, brokenKeys(a), fmt.Errorf("decoding %s: %w", a.ID, err)
	}
	m := o.metadata()
	suffix := "/" + a.Kind + "/" + m.path()
	if m.Name == "" || !strings.HasSuffix(a.ID, suffix) {
		return nil, nil, fmt.Errorf("decoding %s: its document is that of %s %q", a.ID, a.Kind, m.path())
	}
	r := ref{Cluster: strings.TrimSuffix(strings.TrimPrefix(a.ID, "k8s:"), suffix), Scope: scope, ID: a.ID}
	return o, o.keys(r), nil
}

// brokenKeys are the keys under which those who look for an object of its kind find that its
// document could not be decoded.
func brokenKeys(a *triad.Asset) []string {
	parts := strings.Split(strings.TrimPrefix(a.ID, "k8s:"), "/")
	if len(parts) < 4 {
		return nil
	}
	cluster, ns := strings.Join(parts[:len(parts)-3], "/"), parts[len(parts)-2]
	switch a.Kind {
	case "Service":
		return []string{keyServices(cluster, ns, "")}
	case "NetworkPolicy":
		return []string{keyPolicies(cluster, ns, "")}
	}
	return nil
}

type object interface {
	metadata() *meta
	// keys notes where the object stands and names its look-up keys.
	keys(r ref) []string
}

func newObject(kind string) object {
	switch kind {
	case "Pod":
		return new(Pod)
	case "Node":
		return new(Node)
	case "Service":
		return new(Service)
	case "EndpointSlice":
		return new(EndpointSlice)
	case "Ingress":
		return new(Ingress)
	case "IngressClass":
		return new(IngressClass)
	case "NetworkPolicy":
		return new(NetworkPolicy)
	case "Namespace":
		return new(Namespace)
	case "TargetGroupBinding":
		return new(TargetGroupBinding)
	case "HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute", "UDPRoute", "Route", "IngressRoute", "IngressRouteTCP", "HTTPProxy", "VirtualService":
		return &Route{Kind: kind}
	}
	return nil
}

func (p *Pod) metadata() *meta                { return &p.Meta }
func (n *Node) metadata() *meta               { return &n.Meta }
func (s *Service) metadata() *meta            { return &s.Meta }
func (s *EndpointSlice) metadata() *meta      { return &s.Meta }
func (i *Ingress) metadata() *meta            { return &i.Meta }
func (c *IngressClass) metadata() *meta       { return &c.Meta }
func (n *NetworkPolicy) metadata() *meta      { return &n.Meta }
func (n *Namespace) metadata() *meta          { return &n.Meta }
func (t *TargetGroupBinding) metadata() *meta { return &t.Meta }

func (p *Pod) keys(r ref) []string {
	p.ref = r
	ips := make([]string, 0, 2)
	for _, ip := range p.Status.PodIPs {
		ips = append(ips, ip.IP)
	}
	if len(ips) == 0 && p.Status.PodIP != "" {
		ips = append(ips, p.Status.PodIP)
	}
	var keys []string
	for _, ip := range ips {
		addr, err := netip.ParseAddr(ip)
		if err != nil {
			continue
		}
		p.addresses = append(p.addresses, addr.Unmap())
		if !p.Spec.HostNetwork {
			keys = append(keys, keyPodAt(r.Cluster, addr.Unmap().String()))
		}
	}
	if p.Spec.NodeName != "" {
		keys = append(keys, keyPodsOn(r.Cluster, p.Spec.NodeName))
	}
	for pair := range pairs(p.Meta.Labels) {
		keys = append(keys, keyPods(r.Cluster, p.Meta.Namespace, pair))
	}
	if p.engine() != "" {
		keys = append(keys, keyEngines(r.Cluster))
	}
	for _, c := range p.controllers() {
		keys = append(keys, keyControllerPods(r.Cluster, c))
	}
	return keys
}

func (n *Node) keys(r ref) []string {
	n.ref = r
	return []string{keyNodes(r.Cluster)}
}

func (s *Service) keys(r ref) []string {
	s.ref = r
	keys := []string{keyServices(r.Cluster, s.Meta.Namespace, firstPair(s.Spec.Selector))}
	for _, front := range s.Status.LoadBalancer.fronts() {
		keys = append(keys, keyServiceAt(r.Cluster, front))
	}
	return keys
}

func (s *EndpointSlice) keys(r ref) []string {
	s.ref = r
	keys := []string{keySlices(r.Cluster, s.Meta.Namespace, s.service())}
	for _, e := range s.Endpoints[:min(len(s.Endpoints), maxEndpoints)] {
		for _, ip := range e.Addresses[:min(len(e.Addresses), 100)] {
			keys = append(keys, keySlicesOf(r.Cluster, ip))
		}
	}
	return keys
}

func (i *Ingress) keys(r ref) []string {
	i.ref = r
	var keys []string
	for b := range i.backends {
		if b.Service != nil && len(keys) < maxBackends {
			keys = append(keys, keyBackends(r.Cluster, i.Meta.Namespace, b.Service.Name))
		}
	}
	return keys
}

func (c *IngressClass) keys(r ref) []string {
	c.ref = r
	if c.Meta.Annotations["ingressclass.kubernetes.io/is-default-class"] == "true" {
		return []string{keyDefaultClass(r.Cluster)}
	}
	return nil
}

func (n *NetworkPolicy) keys(r ref) []string {
	n.ref = r
	return []string{keyPolicies(r.Cluster, n.Meta.Namespace, firstPair(n.Spec.PodSelector.MatchLabels))}
}

func (n *Namespace) keys(r ref) []string { n.ref = r; return nil }

func (t *TargetGroupBinding) keys(r ref) []string {
	t.ref = r
	return []string{keyBindings(t.Spec.TargetGroupARN)}
}

// pairs yields the labels as key=value, a bounded number of them.
func pairs(labels map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		n := 0
		for k, v := range labels {
			if n++; n > maxLabels || !yield(k+"="+v) {
				return
			}
		}
	}
}
