package kubernetes

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// Path is the ingress's hop id, namespace/name.
func (i *Ingress) Path() string { return i.Meta.path() }

// backends yields the default backend and those of the paths.
func (i *Ingress) backends(yield func(*ingressBackend) bool) {
	if i.Spec.DefaultBackend != nil && !yield(i.Spec.DefaultBackend) {
		return
	}
	for r := range i.Spec.Rules {
		for p := range i.Spec.Rules[r].HTTP.Paths {
			if !yield(&i.Spec.Rules[r].HTTP.Paths[p].Backend) {
				return
			}
		}
	}
}

// routes reports whether the ingress sends to a Service's port.
func (i *Ingress) routes(b backing) bool {
	if i.Meta.Namespace != b.Service.Meta.Namespace {
		return false
	}
	for back := range i.backends {
		if back.Service == nil || back.Service.Name != b.Service.Meta.Name {
			continue
		}
		if port := back.Service.Port; port.Number == b.Port.Port || port.Name != "" && port.Name == b.Port.Name {
			return true
		}
	}
	return false
}

// routing finds the ingresses that send to a Service's port, by name.
func routing(v reach.View, b backing) []*Ingress {
	var all []*Ingress
	for _, i := range rowsAs[Ingress](v, keyBackends(b.Service.Cluster, b.Service.Meta.Namespace, b.Service.Meta.Name)) {
		if i.routes(b) {
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(a, b *Ingress) int { return cmp.Compare(a.Meta.Name, b.Meta.Name) })
	return all
}

// controller is the name of the controller that serves the ingress: its class's
// spec.controller, else the class's own name where the class is not known.
func (i *Ingress) controller(v reach.View) string {
	class := i.Meta.Annotations["kubernetes.io/ingress.class"] // of old, before the field
	if i.Spec.Class != nil {
		class = *i.Spec.Class
	}
	if class == "" {
		for _, c := range rowsAs[IngressClass](v, keyDefaultClass(i.Cluster)) {
			return c.Spec.Controller
		}
		return ""
	}
	if c := rowAs[IngressClass](v, triad.KubernetesID(i.Cluster, "IngressClass", "", class)); c != nil {
		return c.Spec.Controller
	}
	return class
}

// Controllers that make a load balancer in their cloud instead of proxying themselves, by
// IngressClass controller or, where the class is not there, its usual name.
var cloudControllers = map[string]string{
	"ingress.k8s.aws/alb":          "aws",
	"eks.amazonaws.com/alb":        "aws", // EKS Auto Mode
	"alb":                          "aws",
	"ingress.gke.io/gce":           "gce",
	"k8s.io/ingress-gce":           "gce",
	"gce":                          "gce",
	"azure/application-gateway":    "azure",
	"azure-application-gateway":    "azure",
	"azure/application-gateway-v2": "azure",
}

// Controllers that proxy in pods of their own: how their pods are recognised. The name of
// app.kubernetes.io/name comes from each project's own chart or manifests.
var podControllers = []struct {
	controllers []string // of IngressClass, and the class's usual name
	apps        []string // label app.kubernetes.io/name, or app, or k8s-app
	component   string   // label app.kubernetes.io/component, where one chart has several
	image       string   // part of the image's path
}{
	{[]string{"k8s.io/ingress-nginx", "nginx"}, []string{"ingress-nginx", "nginx-ingress"}, "controller", "ingress-nginx/controller"},
	{[]string{"nginx.org/ingress-controller"}, []string{"nginx-ingress", "nginx-ingress-controller"}, "", "nginx/nginx-ingress"},
	{[]string{"traefik.io/ingress-controller", "traefik"}, []string{"traefik"}, "", "traefik"},
	{[]string{"haproxy.org/ingress-controller/haproxy", "haproxy.org/ingress-controller", "haproxy-ingress.github.io/controller", "haproxy"}, []string{"kubernetes-ingress", "haproxy-ingress"}, "", "kubernetes-ingress"},
	{[]string{"projectcontour.io/ingress-controller", "projectcontour.io/contour", "contour"}, []string{"contour"}, "envoy", "envoyproxy/envoy"},
	{[]string{"ingress-controllers.konghq.com/kong", "kong"}, []string{"kong"}, "app", "kong"},
	{[]string{"istio.io/ingress-controller", "istio"}, []string{"istio-ingressgateway"}, "", "istio/proxyv2"},
	{[]string{"cilium.io/ingress-controller", "cilium"}, []string{"cilium-envoy", "cilium"}, "", "cilium"},
}

// controllers are the ingress controllers for which this pod proxies, recognised when it is
// indexed: by --controller-class, or by its labels, else by its image.
func (p *Pod) controllers() []string {
	var found []string
	name := func(keys ...string) string {
		for _, k := range keys {
			if l := p.Meta.Labels[k]; l != "" {
				return l
			}
		}
		return ""
	}
	app, component := name("app.kubernetes.io/name", "app", "k8s-app", "istio"), name("app.kubernetes.io/component")
	for _, k := range podControllers {
		byLabel := slices.Contains(k.apps, app) && (k.component == "" || component == "" || component == k.component)
		byImage := false
		for c := range p.containers {
			image := "/" + c.Image
			byImage = byImage || strings.Contains(image, "/"+k.image+":") || strings.Contains(image, "/"+k.image+"@")
		}
		if byLabel || byImage && app == "" {
			found = append(found, k.controllers...)
		}
	}
	for c := range p.containers {
		for _, arg := range slices.Concat(c.Command, c.Args) {
			if class, ok := strings.CutPrefix(arg, "--controller-class="); ok && class != "" {
				return []string{class} // says it itself, and serves no other
			}
		}
	}
	return found
}

// ControllerWay is an Ingress that leads to a pod through a controller whose own pods stand
// in the cluster.
type ControllerWay struct {
	Ingress *Ingress
	// Pods of the controller; none when no pod of it is known.
	Pods []*Pod
	// Controller's name.
	Controller string
	// Sources are the only clients that the controller lets in; empty when it lets in all.
	Sources reach.AddrSet
	backing
}

// Controllers finds the ingresses that lead to a pod's port through controllers in the cluster.
func Controllers(v reach.View, p *Pod, proto string, port int) (ways []ControllerWay, unread []triad.Unread) {
	if p.Spec.HostNetwork && proto != "tcp" {
		return nil, nil
	}
	found, _, _ := backings(v, p, proto, port)
	if u := unreadSection(v, p.Scope, "ingresses"); u != nil && len(found) > 0 {
		unread = append(unread, *u)
	}
	for _, b := range found {
		if !b.ready {
			continue
		}
		for _, i := range routing(v, b) {
			name := i.controller(v)
			if cloudControllers[name] != "" {
				continue
			}
			ways = append(ways, ControllerWay{Ingress: i, Pods: i.proxies(v, name), Controller: name, Sources: i.clients(), backing: b})
		}
	}
	return ways, unread
}

// proxies are the pods through which an ingress is served: those behind the Service whose
// address the ingress carries in its status, else those that are known as the controller's.
func (i *Ingress) proxies(v reach.View, controller string) []*Pod {
	var all []*Pod
	add := func(p *Pod) {
		if p.running() && !slices.ContainsFunc(all, func(o *Pod) bool { return o.ID == p.ID }) {
			all = append(all, p)
		}
	}
	for _, front := range i.Status.LoadBalancer.fronts() {
		for _, s := range rowsAs[Service](v, keyServiceAt(i.Cluster, front)) {
			for _, p := range s.pods(v) {
				add(p)
			}
		}
	}
	if len(all) == 0 && controller != "" {
		for _, p := range rowsAs[Pod](v, keyControllerPods(i.Cluster, controller)) {
			add(p)
		}
	}
	slices.SortFunc(all, func(a, b *Pod) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// pods are those that a Service selects.
func (s *Service) pods(v reach.View) []*Pod {
	pair := firstPair(s.Spec.Selector)
	if pair == "" {
		return nil
	}
	var all []*Pod
	for _, p := range rowsAs[Pod](v, keyPods(s.Cluster, s.Meta.Namespace, pair)) {
		if subset(s.Spec.Selector, p.Meta.Labels) {
			all = append(all, p)
		}
	}
	return all
}

// clients are the addresses that an ingress-nginx or HAProxy allow list names; empty when
// there is no list.
func (i *Ingress) clients() reach.AddrSet {
	for _, name := range []string{
		"nginx.ingress.kubernetes.io/allowlist-source-range", "nginx.ingress.kubernetes.io/whitelist-source-range",
		"haproxy.org/allow-list", "haproxy.org/whitelist", "haproxy-ingress.github.io/allowlist-source-range",
	} {
		if list := i.Meta.Annotations[name]; list != "" {
			return parseRanges(strings.Split(list, ","))
		}
	}
	return reach.AddrSet{}
}

// parseRanges reads CIDRs and single addresses; what is neither is left out, as it lets in nobody.
func parseRanges(list []string) reach.AddrSet {
	var all []netip.Prefix
	for _, s := range list {
		s = strings.TrimSpace(s)
		if p, err := netip.ParsePrefix(s); err == nil {
			all = append(all, p)
		} else if a, err := netip.ParseAddr(s); err == nil {
			all = append(all, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
		}
	}
	return reach.Prefixes(all...)
}

// ProxyPorts are the ports at which a controller's pod takes HTTP from clients: those named
// so, else all that it declares but for metrics and webhooks, else 80 and 443.
func ProxyPorts(p *Pod) []int {
	var web, rest []int
	for c := range p.containers {
		for _, cp := range c.Ports {
			if protocol(cp.Protocol) != "tcp" {
				continue
			}
			switch cp.Name {
			case "http", "https", "web", "websecure", "http2", "proxy", "proxy-tls":
				web = append(web, cp.ContainerPort)
			case "metrics", "webhook", "healthz", "health", "prometheus", "admin", "stat", "stats", "status", "status-port", "http-envoy-prom", "cmetrics":
			default:
				rest = append(rest, cp.ContainerPort)
			}
		}
	}
	switch {
	case len(web) > 0:
		return web
	case len(rest) > 0:
		return rest
	}
	return []int{80, 443}
}
