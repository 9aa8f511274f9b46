package kubernetes

import (
	"strings"

	"github.com/triad-security/triad/reach"
)

// Route is an object of another kind than Ingress that leads from a gateway to Services:
// the Gateway API's routes, OpenShift's Route, Traefik's IngressRoute, Contour's HTTPProxy,
// Istio's VirtualService. Their gateways are not followed: that there is such a way is all
// that is known of it.
type Route struct {
	ref  `json:"-"`
	Kind string `json:"-"`
	Meta meta   `json:"metadata"`
	Spec struct {
		Rules []struct { // Gateway API
			BackendRefs []backendRef `json:"backendRefs"`
		} `json:"rules"`
		To     backendRef `json:"to"` // OpenShift
		Routes []struct { // Traefik, Contour
			Services []backendRef `json:"services"`
		} `json:"routes"`
		HTTP []virtualRoute `json:"http"` // Istio
		TCP  []virtualRoute `json:"tcp"`
		TLS  []virtualRoute `json:"tls"`
	} `json:"spec"`
}

type backendRef struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

type virtualRoute struct {
	Route []struct {
		Destination struct {
			Host string `json:"host"`
		} `json:"destination"`
	} `json:"route"`
}

func (r *Route) metadata() *meta { return &r.Meta }

// Path is the route's hop id, namespace/name.
func (r *Route) Path() string { return r.Meta.path() }

func (r *Route) keys(own ref) []string {
	r.ref = own
	var keys []string
	add := func(b backendRef) {
		ns := b.Namespace
		if ns == "" {
			ns = r.Meta.Namespace
		}
		if b.Name != "" && len(keys) < maxBackends {
			keys = append(keys, keyRoutes(own.Cluster, ns, b.Name))
		}
	}
	for _, rule := range r.Spec.Rules {
		for _, b := range rule.BackendRefs {
			add(b)
		}
	}
	add(r.Spec.To)
	for _, route := range r.Spec.Routes {
		for _, b := range route.Services {
			add(b)
		}
	}
	for _, list := range [][]virtualRoute{r.Spec.HTTP, r.Spec.TCP, r.Spec.TLS} {
		for _, v := range list {
			for _, d := range v.Route {
				// name, name.namespace or name.namespace.svc.cluster.local
				parts := strings.Split(d.Destination.Host, ".")
				b := backendRef{Name: parts[0]}
				if len(parts) > 1 {
					b.Namespace = parts[1]
				}
				add(b)
			}
		}
	}
	return keys
}

func keyRoutes(cluster, ns, service string) string {
	return "kubernetes/routes/" + cluster + "|" + ns + "|" + service
}

// Routes are the routes of other kinds than Ingress to the Services that deliver to a pod's port.
func Routes(v reach.View, p *Pod, proto string, port int) []*Route {
	found, _, _ := backings(v, p, proto, port)
	var all []*Route
	for _, b := range found {
		if b.ready {
			all = append(all, rowsAs[Route](v, keyRoutes(p.Cluster, b.Service.Meta.Namespace, b.Service.Meta.Name))...)
		}
	}
	return all
}
