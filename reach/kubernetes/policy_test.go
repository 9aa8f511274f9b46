package kubernetes

import (
	"net/netip"
	"testing"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

const otherPods = `
kind: Pod
metadata: {name: proxy, namespace: ingress, labels: {app: proxy}}
spec: {nodeName: b, containers: [{name: proxy}]}
status: {phase: Running, podIP: 10.0.0.20}
---
kind: Pod
metadata: {name: peer, namespace: shop, labels: {app: peer}}
spec: {nodeName: b, containers: [{name: peer}]}
status: {phase: Running, podIP: 10.0.0.21}
---
kind: Namespace
metadata: {name: ingress, labels: {team: edge}}
---
`

func TestNetworkPolicy(t *testing.T) {
	internet, node, balancer := "203.0.113.9", "10.0.0.2", "10.0.5.5"
	tests := []struct {
		name    string
		policy  string // spec of one or more policies, separated by ---
		from    string // an address, or a pod as namespace/name
		port    int
		allowed bool
	}{
		{"a pod that no policy selects takes everything", `podSelector: {matchLabels: {app: other}}`, internet, 8080, true},
		{"a policy without rules and types denies ingress", `podSelector: {}`, internet, 8080, false},
		{"a policy of type Egress alone leaves ingress open", `{podSelector: {}, policyTypes: [Egress]}`, internet, 8080, true},
		{"a policy with egress rules and no types restricts ingress too", `{podSelector: {}, egress: [{}]}`, internet, 8080, false},
		{"an empty rule lets everything in", `{podSelector: {}, ingress: [{}]}`, internet, 8080, true},
		{"an empty from list lets everybody in", `{podSelector: {}, ingress: [{from: []}]}`, internet, 8080, true},
		{"an IP block lets in its addresses", `{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/16}}]}]}`, balancer, 8080, true},
		{"an IP block does not let in others", `{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/16}}]}]}`, internet, 8080, false},
		{"an exception is not let in", `{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [203.0.113.0/24]}}]}]}`, internet, 8080, false},
		{"beside the exception the block holds", `{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.9.0.0/16]}}]}]}`, internet, 8080, true},
		{"an IPv4 block says nothing of IPv6", `{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}`, "2001:db8::7", 8080, false},
		{"an IPv6 block lets in IPv6", `{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: "::/0"}}]}]}`, "2001:db8::7", 8080, true},
		{"a port number is the pod's", `{podSelector: {}, ingress: [{ports: [{port: 8080}]}]}`, internet, 8080, true},
		{"another port stays shut", `{podSelector: {}, ingress: [{ports: [{port: 80}]}]}`, internet, 8080, false},
		{"a named port is resolved in the pod", `{podSelector: {}, ingress: [{ports: [{port: http}]}]}`, internet, 8080, true},
		{"a name that the pod lacks opens nothing", `{podSelector: {}, ingress: [{ports: [{port: https}]}]}`, internet, 8080, false},
		{"endPort makes a range", `{podSelector: {}, ingress: [{ports: [{port: 8000, endPort: 9000}]}]}`, internet, 8080, true},
		{"beyond endPort nothing is open", `{podSelector: {}, ingress: [{ports: [{port: 8000, endPort: 8079}]}]}`, internet, 8080, false},
		{"another protocol's port is not this one's", `{podSelector: {}, ingress: [{ports: [{protocol: UDP, port: 8080}]}]}`, internet, 8080, false},
		{"a protocol without a port is all its ports", `{podSelector: {}, ingress: [{ports: [{protocol: TCP}]}]}`, internet, 8080, true},
		{"a pod selector lets in a pod of the same namespace", `{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: peer}}}]}]}`, "shop/peer", 8080, true},
		{"a pod selector does not reach into another namespace", `{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}`, "ingress/proxy", 8080, false},
		{"a pod selector lets in no address from outside", `{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}`, internet, 8080, false},
		{"a namespace selector lets in its pods", `{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: edge}}}]}]}`, "ingress/proxy", 8080, true},
		{"a namespace is known by its name label", `{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress}}}]}]}`, "ingress/proxy", 8080, true},
		{"namespace and pod selector in one peer must both match", `{podSelector: {}, ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: peer}}}]}]}`, "ingress/proxy", 8080, false},
		{"two peers are alternatives", `{podSelector: {}, ingress: [{from: [{namespaceSelector: {}}, {podSelector: {matchLabels: {app: peer}}}]}]}`, "ingress/proxy", 8080, true},
		{"matchExpressions In", `{podSelector: {matchExpressions: [{key: app, operator: In, values: [web, api]}]}}`, internet, 8080, false},
		{"matchExpressions NotIn misses the pod", `{podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [web]}]}}`, internet, 8080, true},
		{"matchExpressions NotIn holds where the label is missing", `{podSelector: {matchExpressions: [{key: zone, operator: NotIn, values: [x]}]}}`, internet, 8080, false},
		{"matchExpressions Exists", `{podSelector: {matchExpressions: [{key: tier, operator: Exists}]}}`, internet, 8080, false},
		{"matchExpressions DoesNotExist", `{podSelector: {matchExpressions: [{key: tier, operator: DoesNotExist}]}}`, internet, 8080, true},
		{"two labels must both match", `podSelector: {matchLabels: {app: web, tier: back}}`, internet, 8080, true},
		{"policies add up", "podSelector: {}\n---\n{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]}", internet, 8080, true},
		{"a node's address is an address", `{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/24}}]}]}`, node, 8080, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := cluster(t, twoNodes+webPod+otherPods)
			for i, spec := range splitDocs(tt.policy) {
				add(t, e, "kind: NetworkPolicy\nmetadata: {name: p"+string(rune('0'+i))+", namespace: shop}\nspec:\n"+indent(spec))
			}
			peer := Peer{}
			if ip, err := netip.ParseAddr(tt.from); err == nil {
				peer.Addresses = reach.Addresses(ip)
			} else {
				peer.Pod = pod(t, e, tt.from)
			}
			d := PolicyIngress(e, pod(t, e, "shop/web"), peer, "tcp", tt.port)
			if got := !d.Allowed.Empty(); got != tt.allowed {
				t.Errorf("allowed %v, want %v (policies %d)", got, tt.allowed, len(d.Select))
			}
			if len(d.Unread) > 0 {
				t.Errorf("unread %v", d.Unread)
			}
		})
	}
}

func TestEgressPolicy(t *testing.T) {
	db := Peer{Addresses: reach.Addresses(netip.MustParseAddr("10.0.9.9"))}
	tests := []struct {
		name    string
		policy  string
		to      Peer
		allowed bool
	}{
		{"a policy of ingress alone leaves egress open", `{podSelector: {}, policyTypes: [Ingress]}`, db, true},
		{"egress without rules is shut", `{podSelector: {}, policyTypes: [Egress]}`, db, false},
		{"an IP block opens the store", `{podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.0.9.0/24}}], ports: [{port: 5432}]}]}`, db, true},
		{"another port stays shut", `{podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.0.9.0/24}}], ports: [{port: 443}]}]}`, db, false},
		{"a named port does not match an address outside", `{podSelector: {}, egress: [{ports: [{port: postgres}]}]}`, db, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := cluster(t, webPod+"kind: NetworkPolicy\nmetadata: {name: p, namespace: shop}\nspec:\n"+indent(tt.policy))
			d := PolicyEgress(e, pod(t, e, "shop/web"), tt.to, "tcp", 5432)
			if got := !d.Allowed.Empty(); got != tt.allowed {
				t.Errorf("allowed %v, want %v", got, tt.allowed)
			}
		})
	}
}

func TestPolicyUnknowns(t *testing.T) {
	from := Peer{Addresses: reach.Addresses(netip.MustParseAddr("203.0.113.9"))}
	t.Run("an unread section is said", func(t *testing.T) {
		e := cluster(t, webPod)
		e.PutSection("kubernetes/c", triad.Section{Name: "networkpolicies", Status: triad.SectionUnread, Reason: "forbidden"})
		d := PolicyIngress(e, pod(t, e, "shop/web"), from, "tcp", 8080)
		if len(d.Unread) != 1 || d.Unread[0].Section != "networkpolicies" {
			t.Errorf("unread %v", d.Unread)
		}
	})
	t.Run("a policy that does not decode is said", func(t *testing.T) {
		e := cluster(t, webPod)
		e.PutAsset("kubernetes/c", &triad.Asset{ID: "k8s:c/NetworkPolicy/shop/bad", Kind: "NetworkPolicy", Doc: []byte(`{"spec":7}`)})
		d := PolicyIngress(e, pod(t, e, "shop/web"), from, "tcp", 8080)
		if len(d.Unread) != 1 {
			t.Errorf("unread %v", d.Unread)
		}
	})
	t.Run("labels of a namespace that is not there are unknown", func(t *testing.T) {
		e := cluster(t, webPod+`
kind: Pod
metadata: {name: p, namespace: gone}
status: {phase: Running, podIP: 10.0.0.30}
---
kind: NetworkPolicy
metadata: {name: p, namespace: shop}
spec: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: edge}}}]}]}`)
		d := PolicyIngress(e, pod(t, e, "shop/web"), Peer{Pod: pod(t, e, "gone/p")}, "tcp", 8080)
		if len(d.Unread) != 1 || d.Unread[0].Section != "namespaces" {
			t.Errorf("unread %v", d.Unread)
		}
	})
	t.Run("a pod on its node's network is not filtered", func(t *testing.T) {
		e := cluster(t, `
kind: Pod
metadata: {name: p, namespace: shop}
spec: {hostNetwork: true}
status: {phase: Running, podIP: 10.0.0.1}
---
kind: NetworkPolicy
metadata: {name: p, namespace: shop}
spec: {podSelector: {}}`)
		if d := PolicyIngress(e, pod(t, e, "shop/p"), from, "tcp", 80); d.Allowed.Empty() {
			t.Error("filtered")
		}
	})
}
