package kubernetes

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// meta is the part of an object's metadata that decides something here.
type meta struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace"`
	UID         string            `json:"uid"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	Owners      []struct {
		Kind       string `json:"kind"`
		Name       string `json:"name"`
		Controller bool   `json:"controller"`
	} `json:"ownerReferences"`
}

// ref is what every decoded object knows of itself.
type ref struct {
	Cluster string
	Scope   string
	ID      string
}

// path is the object's hop id: namespace/name, or the name alone of a cluster-scoped object.
func (m *meta) path() string {
	if m.Namespace == "" {
		return m.Name
	}
	return m.Namespace + "/" + m.Name
}

// IntOrString is the API's type for ports that may be named.
type IntOrString struct {
	Int int
	Str string
}

// UnmarshalJSON accepts a number or a string. A string of digits stays a string, as in the API.
func (p *IntOrString) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &p.Str)
	}
	return json.Unmarshal(b, &p.Int)
}

func (p IntOrString) zero() bool { return p.Int == 0 && p.Str == "" }

func (p IntOrString) String() string {
	if p.Str != "" {
		return p.Str
	}
	return strconv.Itoa(p.Int)
}

// Node is a v1 Node.
type Node struct {
	ref  `json:"-"`
	Meta meta `json:"metadata"`
	Spec struct {
		ProviderID string `json:"providerID"`
	} `json:"spec"`
	Status struct {
		Addresses []struct {
			Type    string `json:"type"`
			Address string `json:"address"`
		} `json:"addresses"`
	} `json:"status"`
}

// Name is the node's name.
func (n *Node) Name() string { return n.Meta.Name }

// Provider is the cloud that runs the node after its providerID: aws, gce, azure, kind…;
// empty when it tells none.
func (n *Node) Provider() string {
	provider, _, found := strings.Cut(n.Spec.ProviderID, "://")
	if !found {
		return ""
	}
	return provider
}

// Instance is the EC2 instance that is the node (aws:///zone/i-…); empty elsewhere.
func (n *Node) Instance() string {
	if n.Provider() != "aws" {
		return ""
	}
	id := n.Spec.ProviderID[strings.LastIndexByte(n.Spec.ProviderID, '/')+1:]
	if !strings.HasPrefix(id, "i-") {
		return "" // Fargate: aws:///zone/…/fargate-ip-…
	}
	return id
}

// Addresses are the node's internal and external addresses.
func (n *Node) Addresses() []netip.Addr { return n.addresses("InternalIP", "ExternalIP") }

// Internal are the addresses from which the node sends to pods.
func (n *Node) Internal() []netip.Addr { return n.addresses("InternalIP") }

func (n *Node) addresses(types ...string) []netip.Addr {
	var all []netip.Addr
	for _, a := range n.Status.Addresses {
		if slices.Contains(types, a.Type) {
			if ip, err := netip.ParseAddr(a.Address); err == nil {
				all = append(all, ip.Unmap())
			}
		}
	}
	return all
}

// Service is a v1 Service.
type Service struct {
	ref  `json:"-"`
	Meta meta `json:"metadata"`
	Spec struct {
		Type                  string            `json:"type"`
		ClusterIP             string            `json:"clusterIP"`
		Selector              map[string]string `json:"selector"`
		Ports                 []servicePort     `json:"ports"`
		ExternalIPs           []string          `json:"externalIPs"`
		IPFamilies            []string          `json:"ipFamilies"`
		ExternalTrafficPolicy string            `json:"externalTrafficPolicy"`
		SourceRanges          []string          `json:"loadBalancerSourceRanges"`
		LoadBalancerClass     string            `json:"loadBalancerClass"`
		PublishNotReady       bool              `json:"publishNotReadyAddresses"`
	} `json:"spec"`
	Status struct {
		LoadBalancer loadBalancerStatus `json:"loadBalancer"`
	} `json:"status"`
}

type servicePort struct {
	Name       string      `json:"name"`
	Protocol   string      `json:"protocol"`
	Port       int         `json:"port"`
	TargetPort IntOrString `json:"targetPort"`
	NodePort   int         `json:"nodePort"`
}

type loadBalancerStatus struct {
	Ingress []struct {
		IP       string `json:"ip"`
		Hostname string `json:"hostname"`
	} `json:"ingress"`
}

// fronts are the addresses and host names under which the outside finds it.
func (s *loadBalancerStatus) fronts() []string {
	var all []string
	for _, i := range s.Ingress {
		if i.Hostname != "" {
			all = append(all, strings.ToLower(i.Hostname))
		}
		if i.IP != "" {
			all = append(all, i.IP)
		}
	}
	return all
}

// EndpointSlice is a discovery.k8s.io/v1 EndpointSlice.
type EndpointSlice struct {
	ref   `json:"-"`
	Meta  meta `json:"metadata"`
	Ports []struct {
		Name     string `json:"name"`
		Port     int    `json:"port"`
		Protocol string `json:"protocol"`
	} `json:"ports"`
	Endpoints []struct {
		Addresses  []string `json:"addresses"`
		Conditions struct {
			Ready *bool `json:"ready"`
		} `json:"conditions"`
	} `json:"endpoints"`
}

func (s *EndpointSlice) service() string { return s.Meta.Labels["kubernetes.io/service-name"] }

// Ingress is a networking.k8s.io/v1 Ingress.
type Ingress struct {
	ref  `json:"-"`
	Meta meta `json:"metadata"`
	Spec struct {
		Class          *string         `json:"ingressClassName"`
		DefaultBackend *ingressBackend `json:"defaultBackend"`
		Rules          []struct {
			Host string `json:"host"`
			HTTP struct {
				Paths []struct {
					Path    string         `json:"path"`
					Backend ingressBackend `json:"backend"`
				} `json:"paths"`
			} `json:"http"`
		} `json:"rules"`
	} `json:"spec"`
	Status struct {
		LoadBalancer loadBalancerStatus `json:"loadBalancer"`
	} `json:"status"`
}

type ingressBackend struct {
	Service *struct {
		Name string `json:"name"`
		Port struct {
			Name   string `json:"name"`
			Number int    `json:"number"`
		} `json:"port"`
	} `json:"service"`
}

// IngressClass is a networking.k8s.io/v1 IngressClass.
type IngressClass struct {
	ref  `json:"-"`
	Meta meta `json:"metadata"`
	Spec struct {
		Controller string `json:"controller"`
	} `json:"spec"`
}

// Namespace is a v1 Namespace.
type Namespace struct {
	ref  `json:"-"`
	Meta meta `json:"metadata"`
}

// TargetGroupBinding is an elbv2.k8s.aws/v1beta1 TargetGroupBinding of the AWS Load
// Balancer Controller: it fills a target group with a Service's pods or node ports.
type TargetGroupBinding struct {
	ref  `json:"-"`
	Meta meta `json:"metadata"`
	Spec struct {
		ServiceRef struct {
			Name string      `json:"name"`
			Port IntOrString `json:"port"`
		} `json:"serviceRef"`
		TargetGroupARN string `json:"targetGroupARN"`
		TargetType     string `json:"targetType"`
	} `json:"spec"`
}

// protocol is a port's protocol in lower case; the API's default is TCP.
func protocol(p string) string {
	if p == "" {
		return "tcp"
	}
	return strings.ToLower(p)
}
