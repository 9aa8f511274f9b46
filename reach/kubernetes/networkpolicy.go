package kubernetes

import (
	"net/netip"
	"slices"

	"github.com/triad-security/triad/reach"
)

// NetworkPolicy is a networking.k8s.io/v1 NetworkPolicy.
type NetworkPolicy struct {
	ref  `json:"-"`
	Meta meta `json:"metadata"`
	Spec struct {
		PodSelector labelSelector `json:"podSelector"`
		PolicyTypes []string      `json:"policyTypes"`
		Ingress     []policyRule  `json:"ingress"`
		Egress      []policyRule  `json:"egress"`
	} `json:"spec"`
}

// policyRule is an ingress rule (From) or an egress rule (To).
type policyRule struct {
	From  []policyPeer `json:"from"`
	To    []policyPeer `json:"to"`
	Ports []policyPort `json:"ports"`
}

type policyPeer struct {
	PodSelector       *labelSelector `json:"podSelector"`
	NamespaceSelector *labelSelector `json:"namespaceSelector"`
	IPBlock           *struct {
		CIDR   string   `json:"cidr"`
		Except []string `json:"except"`
	} `json:"ipBlock"`
}

type policyPort struct {
	Protocol string       `json:"protocol"`
	Port     *IntOrString `json:"port"`
	EndPort  int          `json:"endPort"`
}

// Path is the policy's hop id, namespace/name.
func (n *NetworkPolicy) Path() string { return n.Meta.path() }

// direction of traffic as its pod sees it; the values are the API's policy types.
type direction string

const (
	ingress direction = "Ingress"
	egress  direction = "Egress"
)

// isolates reports whether the policy restricts a direction at all. A policy that tells no
// types restricts ingress, and egress when it has egress rules (the API's default).
func (n *NetworkPolicy) isolates(d direction) bool {
	if len(n.Spec.PolicyTypes) == 0 {
		return d == ingress || len(n.Spec.Egress) > 0
	}
	return slices.Contains(n.Spec.PolicyTypes, string(d))
}

// allowed is what the policy lets through in a direction for a protocol: pairs of
// destination port and peer address. owner is the pod that it selects; peer, when not nil,
// is the pod at the other end, whose labels and addresses pod selectors match. Named ports
// are those of the receiving pod.
func (n *NetworkPolicy) allowed(d direction, proto string, owner, peer *Pod, namespaces namespaceLabels) (reach.Traffic, error) {
	rules, receiver := n.Spec.Ingress, owner
	if d == egress {
		rules, receiver = n.Spec.Egress, peer
	}
	var all reach.Traffic
	var unknown error
	for i := range rules {
		peers := rules[i].From
		if d == egress {
			peers = rules[i].To
		}
		ports := rules[i].ports(proto, receiver)
		if ports.Empty() {
			continue
		}
		from := reach.AddrSet{}
		if len(peers) == 0 {
			from = reach.AllAddresses
		}
		for j := range peers {
			set, err := peers[j].addresses(n.Meta.Namespace, peer, namespaces)
			if err != nil {
				unknown = err
			}
			from = from.Union(set)
		}
		all = all.Union(reach.NewTraffic(ports, from))
	}
	return all, unknown
}

// ports are the destination ports that a rule names for a protocol; a rule without ports
// names all of every protocol.
func (r *policyRule) ports(proto string, receiver *Pod) reach.PortSet {
	if len(r.Ports) == 0 {
		return reach.AllPorts
	}
	var set reach.PortSet
	for _, p := range r.Ports {
		if protocol(p.Protocol) != proto {
			continue
		}
		switch {
		case p.Port == nil:
			return reach.AllPorts
		case p.Port.Str != "": // endPort needs a number
			if receiver == nil {
				continue // an address outside the cluster has no named ports
			}
			for c := range receiver.containers { // the name may stand for several numbers in one pod
				for _, cp := range c.Ports {
					if cp.Name == p.Port.Str && protocol(cp.Protocol) == proto && valid(cp.ContainerPort) {
						set = set.Union(reach.Port(uint16(cp.ContainerPort)))
					}
				}
			}
		case valid(p.Port.Int):
			last := max(p.EndPort, p.Port.Int)
			set = set.Union(reach.Ports(uint16(p.Port.Int), uint16(min(last, 65535))))
		}
	}
	return set
}

func valid(port int) bool { return port > 0 && port < 1<<16 }

// addresses are those of a rule's peer. A pod selector stands for the addresses of the peer
// pod, when it matches; pods that use their node's network have no identity of their own.
func (p *policyPeer) addresses(policyNamespace string, peer *Pod, namespaces namespaceLabels) (reach.AddrSet, error) {
	if p.IPBlock != nil {
		cidr, err := netip.ParsePrefix(p.IPBlock.CIDR)
		if err != nil {
			return reach.AddrSet{}, err
		}
		var except []netip.Prefix
		for _, e := range p.IPBlock.Except {
			x, err := netip.ParsePrefix(e)
			if err != nil {
				return reach.AddrSet{}, err
			}
			except = append(except, x)
		}
		return reach.Prefixes(cidr).Subtract(reach.Prefixes(except...)), nil
	}
	if peer == nil || peer.Spec.HostNetwork {
		return reach.AddrSet{}, nil
	}
	if p.NamespaceSelector == nil && peer.Meta.Namespace != policyNamespace {
		return reach.AddrSet{}, nil
	}
	if p.PodSelector != nil {
		if match, known := p.PodSelector.matches(peer.Meta.Labels); !match || !known {
			return reach.AddrSet{}, unknownSelector(known)
		}
	}
	if p.NamespaceSelector != nil {
		match, err := namespaces.match(p.NamespaceSelector, peer)
		if !match {
			return reach.AddrSet{}, err
		}
	}
	if p.NamespaceSelector == nil && p.PodSelector == nil {
		return reach.AddrSet{}, nil // a peer that names nothing; the API refuses it
	}
	return reach.Addresses(peer.addresses...), nil
}
