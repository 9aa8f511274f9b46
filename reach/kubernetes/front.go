package kubernetes

import (
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// Front is a load balancer that a Service, or an Ingress to it, names in its status.
type Front struct {
	// Name is its DNS name or address, in lower case and without "dualstack.".
	Name string
	// Internal reports that it was asked for without a public address.
	Internal bool
	// Ranges are the only clients that it lets in; empty when it lets in all.
	Ranges reach.AddrSet
	// Hops are the ingress, when there is one, and the service.
	Hops []triad.Hop
}

// Annotations that ask for a load balancer without a public address, with their values.
var internalAnnotations = map[string]string{
	"service.beta.kubernetes.io/aws-load-balancer-internal":             "true",
	"service.beta.kubernetes.io/aws-load-balancer-scheme":               "internal",
	"alb.ingress.kubernetes.io/scheme":                                  "internal",
	"service.beta.kubernetes.io/azure-load-balancer-internal":           "true",
	"networking.gke.io/load-balancer-type":                              "Internal",
	"cloud.google.com/load-balancer-type":                               "Internal",
	"service.beta.kubernetes.io/openstack-internal-load-balancer":       "true",
	"service.beta.kubernetes.io/oci-load-balancer-internal":             "true",
	"service.kubernetes.io/ibm-load-balancer-cloud-provider-ip-type":    "private",
	"service.beta.kubernetes.io/ibm-load-balancer-cloud-provider-scope": "private",
}

// internalService reports whether a Service asked for a load balancer without a public
// address, as the AWS Load Balancer Controller understands the lack of a scheme too.
// https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/service/annotations/#lb-scheme
func (s *Service) internalService() bool {
	const prefix = "service.beta.kubernetes.io/aws-load-balancer-"
	byController := s.Spec.LoadBalancerClass == "service.k8s.aws/nlb" || s.Spec.LoadBalancerClass == "eks.amazonaws.com/nlb" ||
		s.Meta.Annotations[prefix+"type"] == "external" || s.Meta.Annotations[prefix+"type"] == "nlb-ip"
	return internal(&s.Meta) || byController && s.Meta.Annotations[prefix+"scheme"] == "" && s.Meta.Annotations[prefix+"internal"] == ""
}

// internalIngress is internalService for an Ingress: an ALB is internal unless told otherwise.
func (i *Ingress) internalIngress(controller string) bool {
	return internal(&i.Meta) || cloudControllers[controller] == "aws" && i.Meta.Annotations["alb.ingress.kubernetes.io/scheme"] == ""
}

func internal(m *meta) bool {
	for k, value := range internalAnnotations {
		if m.Annotations[k] == value {
			return true
		}
	}
	return false
}

// Fronts are the load balancers that are to lead to a pod's port: those of the Services that
// deliver to it, and of the Ingresses to these that a controller in the cloud serves.
func Fronts(v reach.View, p *Pod, proto string, port int) []Front {
	found, _, _ := backings(v, p, proto, port)
	var all []Front
	for _, b := range found {
		if !b.ready {
			continue
		}
		service := triad.Hop{Type: "service", ID: b.Service.Path(), Evidence: b.evidence()}
		if b.Service.Spec.Type == "LoadBalancer" {
			for _, name := range b.Service.Status.LoadBalancer.fronts() {
				all = append(all, Front{
					Name: trimFront(name), Internal: b.Service.internalService(),
					Ranges: parseRanges(b.Service.Spec.SourceRanges), Hops: []triad.Hop{service},
				})
			}
		}
		for _, i := range routing(v, b) {
			controller := i.controller(v)
			if cloudControllers[controller] == "" {
				continue
			}
			for _, name := range i.Status.LoadBalancer.fronts() {
				f := Front{Name: trimFront(name), Internal: i.internalIngress(controller), Hops: []triad.Hop{ingressHop(i, b), service}}
				if list := i.Meta.Annotations["alb.ingress.kubernetes.io/inbound-cidrs"]; list != "" {
					f.Ranges = parseRanges(strings.Split(list, ","))
				}
				all = append(all, f)
			}
		}
	}
	return all
}

func trimFront(name string) string { return strings.TrimPrefix(name, "dualstack.") }

// Served reports whether something serves the ingress: its status has an address.
func (i *Ingress) Served() bool { return len(i.Status.LoadBalancer.Ingress) > 0 }
