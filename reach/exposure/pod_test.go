package exposure

import (
	"strings"
	"testing"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

const nodes = `
kind: Node
metadata: {name: a}
spec: {providerID: "aws:///zone/i-a"}
status: {addresses: [{type: InternalIP, address: 10.0.1.10}]}
---
kind: Node
metadata: {name: b}
spec: {providerID: "aws:///zone/i-b"}
status: {addresses: [{type: InternalIP, address: 10.0.2.10}]}
---
`

// pod on the public node a, or with another address on the private node b.
func podOn(node, ip string) string {
	return `
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  nodeName: ` + node + `
  containers: [{name: web, ports: [{name: http, containerPort: 8080}]}]
status: {phase: Running, podIP: ` + ip + `, conditions: [{type: Ready, status: "True"}]}
---
`
}

func service(spec string) string {
	return `
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ` + spec + `}
---
`
}

func policy(spec string) string {
	return `
kind: NetworkPolicy
metadata: {name: p, namespace: shop}
spec: {podSelector: {}, ` + spec + `}
---
`
}

const (
	vpcPodA  = "10.0.1.31"
	vpcPodB  = "10.0.2.21"
	overlay  = "192.168.7.7"
	nodePort = `type: NodePort, ports: [{port: 80, targetPort: http, nodePort: 30080}]`
	local    = `externalTrafficPolicy: Local, ` + nodePort
	openNode = "tcp 30000-32767 0.0.0.0/0"
)

func TestWaysIntoAPod(t *testing.T) {
	ingressALB := `
kind: Ingress
metadata: {name: web, namespace: shop}
spec: {ingressClassName: alb, rules: [{http: {paths: [{path: /, backend: {service: {name: web, port: {number: 80}}}}]}}]}
status: {loadBalancer: {ingress: [{hostname: lb.elb.amazonaws.com}]}}
---
kind: IngressClass
metadata: {name: alb}
spec: {controller: ingress.k8s.aws/alb}
---
`
	nginx := `
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
---
kind: Pod
metadata: {name: proxy, namespace: edge, labels: {app.kubernetes.io/name: ingress-nginx, app.kubernetes.io/component: controller}}
spec:
  nodeName: a
  containers: [{name: controller, ports: [{name: http, containerPort: 80}, {name: https, containerPort: 443}, {name: metrics, containerPort: 10254}]}]
status: {phase: Running, podIP: 10.0.1.40}
---
kind: Service
metadata: {name: proxy, namespace: edge}
spec: {type: NodePort, selector: {app.kubernetes.io/name: ingress-nginx}, ports: [{name: https, port: 443, targetPort: https, nodePort: 30443}]}
---
kind: Ingress
metadata: {name: web, namespace: shop}
spec: {ingressClassName: nginx, defaultBackend: {service: {name: web, port: {number: 80}}}}
---
`
	clusterIP := service("ports: [{port: 80, targetPort: http}]")
	tests := []struct {
		name    string
		objects string
		node    []string // inbound rules of the nodes' group
		more    func(w *world)
		port    int // 8080 unless given
		want    triad.Exposure
		stop    string
		hops    string
		sources []string
	}{
		{name: "a node port that the group opens leads in", objects: podOn("a", vpcPodA) + service(nodePort), node: []string{openNode}, want: "open", hops: "internet, security-group sg-node, node i-a, service shop/web, pod shop/web, container-port web"},
		{name: "a node port that the group closes is stopped there", objects: podOn("a", vpcPodA) + service(nodePort), want: "small", stop: "security-group sg-node", hops: "internet, internet-gateway igw-1, route rtb-public, network-acl acl-1"},
		{name: "a node port that the group opens to some is controlled", objects: podOn("a", vpcPodA) + service(nodePort), node: []string{"tcp 30080 198.51.100.0/24"}, want: "controlled", hops: "node i-a", sources: []string{"198.51.100.0/24"}},
		{name: "any node takes a node port and sends on to the pod's", objects: podOn("b", vpcPodB) + service(nodePort), node: []string{openNode, "all sg-node"}, want: "open", hops: "node i-a, node i-b, service shop/web"},
		{name: "sending on needs the group between the nodes", objects: podOn("b", vpcPodB) + service(nodePort), node: []string{openNode}, want: "small", stop: "security-group sg-node", hops: "node i-a"},
		{name: "an overlay's packets travel between nodes wrapped", objects: podOn("b", overlay) + service(nodePort), node: []string{openNode}, want: "open", hops: "node i-a, node i-b, pod shop/web"},
		{name: "traffic policy Local takes packets on the pod's node only", objects: podOn("b", vpcPodB) + service(local), node: []string{openNode, "all sg-node"}, want: "small", stop: "route rtb-private"},
		{name: "with traffic policy Cluster the policy sees the node", objects: podOn("a", vpcPodA) + service(nodePort) + policy(`ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/16}}]}]`), node: []string{openNode}, want: "open", hops: "service shop/web, network-policy shop/p, pod shop/web"},
		{name: "with traffic policy Local the policy sees the client", objects: podOn("a", vpcPodA) + service(local) + policy(`ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/16}}]}]`), node: []string{openNode}, want: "small", stop: "network-policy shop/p", hops: "node i-a, service shop/web"},
		{name: "with traffic policy Local the policy lists the clients", objects: podOn("a", vpcPodA) + service(local) + policy(`ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]`), node: []string{openNode}, want: "controlled", hops: "network-policy shop/p", sources: []string{"203.0.113.0/24"}},
		{name: "a policy that lets in all but private ranges leaves it open", objects: podOn("a", vpcPodA) + service(local) + policy(`ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]}]`), node: []string{openNode}, want: "open", hops: "network-policy shop/p"},
		{name: "with traffic policy Cluster a client's address is not seen", objects: podOn("a", vpcPodA) + service(nodePort) + policy(`ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]`), node: []string{openNode}, want: "small", stop: "network-policy shop/p"},
		{name: "a ClusterIP service lets nobody in", objects: podOn("a", vpcPodA) + clusterIP, node: []string{openNode}, want: "small", stop: "service shop/web"},
		{name: "a headless service lets nobody in", objects: podOn("a", vpcPodA) + service("clusterIP: None, ports: [{port: 8080}]"), node: []string{openNode}, want: "small", stop: "service shop/web"},
		{name: "a pod that no service selects", objects: podOn("a", vpcPodA), node: []string{openNode}, want: "small", stop: "pod shop/web"},
		{name: "a service of another port", objects: podOn("a", vpcPodA) + service("type: NodePort, ports: [{port: 80, targetPort: 9999, nodePort: 30080}]"), node: []string{openNode}, want: "small", stop: "pod shop/web"},
		{name: "a service's port without a target is the pod's", objects: podOn("a", vpcPodA) + service("type: NodePort, ports: [{port: 8080, nodePort: 30080}]"), node: []string{openNode}, want: "open", hops: "service shop/web"},
		{name: "a pod that is not ready gets nothing", objects: strings.Replace(podOn("a", vpcPodA), `"True"`, `"False"`, 1) + service(nodePort), node: []string{openNode}, want: "small", stop: "service shop/web"},
		{name: "unless its service publishes pods that are not ready", objects: strings.Replace(podOn("a", vpcPodA), `"True"`, `"False"`, 1) + service("publishNotReadyAddresses: true, "+nodePort), node: []string{openNode}, want: "open"},
		{name: "a pod that is done", objects: strings.Replace(podOn("a", vpcPodA), "Running", "Succeeded", 1) + service(nodePort), node: []string{openNode}, want: "small", stop: "pod shop/web"},
		{name: "a host port is the node's", objects: strings.Replace(podOn("a", overlay), "containerPort: 8080", "containerPort: 8080, hostPort: 80", 1), node: []string{"tcp 80 0.0.0.0/0"}, want: "open", hops: "node i-a, host-port shop/web, pod shop/web, container-port web"},
		{name: "a host port on loopback is nobody's", objects: strings.Replace(podOn("a", overlay), "containerPort: 8080", "containerPort: 8080, hostPort: 80, hostIP: 127.0.0.1", 1), node: []string{"tcp 80 0.0.0.0/0"}, want: "small", stop: "host-port shop/web"},
		{name: "a policy sees the clients of a host port", objects: strings.Replace(podOn("a", overlay), "containerPort: 8080", "containerPort: 8080, hostPort: 80", 1) + policy(`ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]`), node: []string{"tcp 80 0.0.0.0/0"}, want: "controlled", hops: "host-port, network-policy shop/p", sources: []string{"203.0.113.0/24"}},
		{name: "on its node's network a pod is its node", objects: strings.Replace(podOn("a", "10.0.1.10"), "nodeName", "hostNetwork: true\n  nodeName", 1) + policy("policyTypes: [Ingress]"), node: []string{"tcp 8080 0.0.0.0/0"}, want: "open", hops: "node i-a, host-network shop/web, pod shop/web"},
		{name: "and is stopped where its node is", objects: strings.Replace(podOn("a", "10.0.1.10"), "nodeName", "hostNetwork: true\n  nodeName", 1), want: "small", stop: "security-group sg-node"},
		{name: "an external IP that is the node's own address", objects: podOn("a", vpcPodA) + service("externalIPs: [10.0.1.10], ports: [{port: 80, targetPort: http}]"), node: []string{"tcp 80 0.0.0.0/0"}, want: "open", hops: "node i-a, service shop/web"},
		{name: "endpoints written by hand", objects: podOn("a", vpcPodA) + `
kind: Service
metadata: {name: hand, namespace: shop}
spec: {type: NodePort, ports: [{name: x, port: 80, nodePort: 30080}]}
---
kind: EndpointSlice
metadata: {name: hand-1, namespace: shop, labels: {kubernetes.io/service-name: hand}}
ports: [{name: x, port: 8080}]
endpoints: [{addresses: [10.0.1.31]}]
---
`, node: []string{openNode}, want: "open", hops: "service shop/hand"},

		{name: "an application load balancer with the pod's address", objects: podOn("b", vpcPodB) + clusterIP + ingressALB, node: []string{"tcp 8080 sg-lb"}, more: func(w *world) {
			w.group("sg-lb", "tcp 443 0.0.0.0/0")
			w.balancer("application", "internet-facing", "sg-lb", "ip", []doc{}, vpcPodB+"|8080")
		}, want: "open", hops: "security-group sg-lb, load-balancer, listener, target-group, security-group sg-node, node i-b, ingress shop/web, service shop/web, pod shop/web"},
		{name: "the policy behind an application load balancer sees the load balancer", objects: podOn("b", vpcPodB) + clusterIP + ingressALB + policy(`ingress: [{from: [{ipBlock: {cidr: 10.0.1.0/24}}]}]`), node: []string{"tcp 8080 sg-lb"}, more: func(w *world) {
			w.group("sg-lb", "tcp 443 0.0.0.0/0")
			w.balancer("application", "internet-facing", "sg-lb", "ip", []doc{}, vpcPodB+"|8080")
		}, want: "open", hops: "ingress shop/web, service shop/web, network-policy shop/p, pod shop/web"},
		{name: "and stops it when it lets in the clients only", objects: podOn("b", vpcPodB) + clusterIP + ingressALB + policy(`ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]`), node: []string{"tcp 8080 sg-lb"}, more: func(w *world) {
			w.group("sg-lb", "tcp 443 0.0.0.0/0")
			w.balancer("application", "internet-facing", "sg-lb", "ip", []doc{}, vpcPodB+"|8080")
		}, want: "small", stop: "network-policy shop/p", hops: "load-balancer, service shop/web"},
		{name: "an internal load balancer", objects: podOn("b", vpcPodB) + clusterIP + ingressALB, node: []string{"tcp 8080 sg-lb"}, more: func(w *world) {
			w.group("sg-lb", "tcp 443 0.0.0.0/0")
			w.balancer("application", "internal", "sg-lb", "ip", []doc{}, vpcPodB+"|8080")
		}, want: "small", stop: "load-balancer " + lbARN},
		{name: "a load balancer whose group is shut", objects: podOn("b", vpcPodB) + clusterIP + ingressALB, node: []string{"tcp 8080 sg-lb"}, more: func(w *world) {
			w.group("sg-lb")
			w.balancer("application", "internet-facing", "sg-lb", "ip", []doc{}, vpcPodB+"|8080")
		}, want: "small", stop: "security-group sg-lb"},
		{name: "a load balancer with node ports as targets", objects: podOn("b", overlay) + service(nodePort) + ingressALB, node: []string{"tcp 30080 sg-lb"}, more: func(w *world) {
			w.group("sg-lb", "tcp 443 0.0.0.0/0")
			w.balancer("application", "internet-facing", "sg-lb", "instance", []doc{}, "i-b|30080")
		}, want: "open", hops: "load-balancer, target-group, node i-b, ingress shop/web, service shop/web, pod shop/web"},
		{name: "a network load balancer that keeps the client's address", objects: podOn("b", vpcPodB) + service("type: LoadBalancer, ports: [{port: 443, targetPort: http}]}\nstatus: {loadBalancer: {ingress: [{hostname: LB.elb.amazonaws.com}]}") + policy(`ingress: [{from: [{ipBlock: {cidr: 198.51.100.0/24}}]}]`), node: []string{"tcp 8080 0.0.0.0/0"}, more: func(w *world) {
			w.group("sg-lb", "tcp 443 0.0.0.0/0")
			w.balancer("network", "internet-facing", "sg-lb", "ip", []doc{{"Key": "preserve_client_ip.enabled", "Value": "true"}}, vpcPodB+"|8080")
		}, want: "controlled", hops: "load-balancer, service shop/web", sources: []string{"198.51.100.0/24"}},

		{name: "an ingress whose controller stands in the cluster", objects: podOn("b", vpcPodB) + clusterIP + nginx, node: []string{openNode, "all sg-node"}, want: "open", hops: "node i-a, service edge/proxy, pod edge/proxy, node i-b, ingress shop/web, service shop/web, pod shop/web, container-port web"},
		{name: "is as shut as its controller", objects: podOn("b", vpcPodB) + clusterIP + nginx, want: "small", stop: "security-group sg-node", hops: "internet, network-acl acl-1"},
		{name: "the policy behind it sees the controller's pod", objects: podOn("b", vpcPodB) + clusterIP + nginx + policy(`ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: edge}}}]}]`), node: []string{openNode}, want: "open", hops: "pod edge/proxy, ingress shop/web, service shop/web, network-policy shop/p, pod shop/web"},
		{name: "and stops it where it does not name it", objects: podOn("b", vpcPodB) + clusterIP + nginx + policy(`ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]`), node: []string{openNode}, want: "small", stop: "network-policy shop/p", hops: "pod edge/proxy, ingress shop/web"},
		{name: "an ingress with an allow list is controlled", objects: podOn("b", vpcPodB) + clusterIP + strings.Replace(nginx, "{name: web, namespace: shop}", `{name: web, namespace: shop, annotations: {nginx.ingress.kubernetes.io/whitelist-source-range: "198.51.100.0/24"}}`, 1), node: []string{openNode}, want: "controlled", hops: "ingress shop/web", sources: []string{"198.51.100.0/24"}},
		{name: "an ingress that nothing serves", objects: podOn("b", vpcPodB) + clusterIP + strings.ReplaceAll(strings.ReplaceAll(nginx, "ingress-nginx", "gone"), "k8s.io/gone", "k8s.io/ingress-nginx"), node: []string{openNode}, want: "small", stop: "service shop/web"},
		{name: "an ingress that is served by what was not collected", objects: podOn("b", vpcPodB) + clusterIP + `
kind: Ingress
metadata: {name: web, namespace: shop}
spec: {ingressClassName: other, defaultBackend: {service: {name: web, port: {number: 80}}}}
status: {loadBalancer: {ingress: [{ip: 203.0.113.5}]}}
---
`, want: "unknown"},
		{name: "a load balancer of an account that was not collected", objects: podOn("b", vpcPodB) + service("type: LoadBalancer, ports: [{port: 80, targetPort: http}]}\nstatus: {loadBalancer: {ingress: [{hostname: other.elb.amazonaws.com}]}"), want: "unknown", hops: "load-balancer other.elb.amazonaws.com, service shop/web"},
		{name: "an internal one of which only the name is known", objects: podOn("b", vpcPodB) + service("type: LoadBalancer, ports: [{port: 80, targetPort: http}]}\nstatus: {loadBalancer: {ingress: [{hostname: internal-other.elb.amazonaws.com}]}"), want: "small", stop: "load-balancer internal-other.elb.amazonaws.com"},
		{name: "a route of the Gateway API leads from who knows where", objects: podOn("b", vpcPodB) + clusterIP + `
kind: HTTPRoute
metadata: {name: r, namespace: shop}
spec: {rules: [{backendRefs: [{name: web, port: 80}]}]}
---
`, want: "unknown"},
		{name: "a virtual service too", objects: podOn("b", vpcPodB) + clusterIP + `
kind: VirtualService
metadata: {name: r, namespace: mesh}
spec: {http: [{route: [{destination: {host: web.shop.svc.cluster.local}}]}]}
---
`, want: "unknown"},
		{name: "a load balancer of the AWS controller is internal unless it says otherwise", objects: podOn("b", vpcPodB) + service("type: LoadBalancer, loadBalancerClass: service.k8s.aws/nlb, ports: [{port: 80, targetPort: http}]}\nstatus: {loadBalancer: {ingress: [{hostname: other.elb.amazonaws.com}]}"), want: "small", stop: "load-balancer other.elb.amazonaws.com"},
		{name: "an IPv6 service takes nothing by the node's IPv4 address", objects: podOn("a", vpcPodA) + service("ipFamilies: [IPv6], "+nodePort), node: []string{openNode}, want: "small", stop: "instance i-a"},
		{name: "without services nothing is sure", objects: podOn("a", vpcPodA), more: func(w *world) {
			w.PutSection(cluster, triad.Section{Name: "services", Status: triad.SectionUnread, Reason: "forbidden"})
		}, want: "unknown"},
		{name: "an open way through a service that was last seen long ago", objects: podOn("a", vpcPodA) + service(nodePort), node: []string{openNode}, more: func(w *world) {
			w.PutSection(cluster, triad.Section{Name: "services", Status: triad.SectionUnread, Reason: "forbidden"})
		}, want: "unknown", hops: "node i-a, service shop/web"},
		{name: "nodes that were not read matter to node ports", objects: podOn("a", vpcPodA) + service(nodePort), more: func(w *world) {
			w.PutSection(cluster, triad.Section{Name: "nodes", Status: triad.SectionUnread, Reason: "forbidden"})
		}, want: "unknown"},
		{name: "and not to a ClusterIP", objects: podOn("a", vpcPodA) + clusterIP, more: func(w *world) {
			w.PutSection(cluster, triad.Section{Name: "nodes", Status: triad.SectionUnread, Reason: "forbidden"})
		}, want: "small", stop: "service shop/web"},
		{name: "a pod that was last seen long ago", objects: podOn("a", vpcPodA) + clusterIP, more: func(w *world) {
			w.PutSection(cluster, triad.Section{Name: "pods", Status: triad.SectionUnread, Reason: "forbidden"})
		}, want: "unknown"},
		{name: "without policies an open way is not sure", objects: podOn("a", vpcPodA) + service(nodePort), node: []string{openNode}, more: func(w *world) {
			w.PutSection(cluster, triad.Section{Name: "networkpolicies", Status: triad.SectionUnread, Reason: "forbidden"})
		}, want: "unknown", hops: "node i-a"},
		{name: "without policies a closed way stays closed", objects: podOn("a", vpcPodA) + service(nodePort), more: func(w *world) {
			w.PutSection(cluster, triad.Section{Name: "networkpolicies", Status: triad.SectionUnread, Reason: "forbidden"})
		}, want: "small", stop: "security-group sg-node"},
		{name: "without a further kind that is not on the way nothing changes", objects: podOn("a", vpcPodA) + service(nodePort), node: []string{openNode}, more: func(w *world) {
			w.PutSection(cluster, triad.Section{Name: "ingresses", Status: triad.SectionUnread, Reason: "forbidden"})
		}, want: "open"},
		{name: "a port of zero asks for all that are known", objects: podOn("a", vpcPodA) + service(nodePort), node: []string{openNode}, port: -1, want: "open"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.group("sg-node", tt.node...)
			if strings.Contains(tt.objects, "10.0.1.40") {
				w.instance("i-a", "sg-node", "subnet-public", "54.0.0.10", "10.0.1.10", "10.0.1.31", "10.0.1.40")
			}
			if tt.more != nil {
				tt.more(w)
			}
			w.objects(nodes + tt.objects)
			port := 8080
			if tt.port != 0 {
				port = max(tt.port, 0)
			}
			expect(t, Of(w, "k8s:c/Pod/shop/web#web", "TCP", port), tt.want, tt.stop, tt.hops, tt.sources...)
		})
	}
}

func TestPoliciesThatNobodyEnforcesStopNothing(t *testing.T) {
	for values, want := range map[string]triad.Exposure{
		`{"enableNetworkPolicy":"true"}`: triad.ExposureSmall,
		`enableNetworkPolicy: true`:      triad.ExposureSmall,
		`{}`:                             triad.ExposureOpen,
		`{"enableNetworkPolicy":"false"`: triad.ExposureUnknown,
	} {
		w := newWorld(t)
		w.group("sg-node", openNode)
		w.objects(nodes + podOn("a", vpcPodA) + service(nodePort) + policy("policyTypes: [Ingress]"))
		w.put("Cluster", triad.TypeCluster, "arn:aws:eks:us-east-1:111122223333:cluster/c", doc{"name": "c"})
		w.put("Addon", triad.TypeConfig, "arn:aws:eks:us-east-1:111122223333:addon/c/vpc-cni/1", doc{"addonName": "vpc-cni", "clusterName": "c", "configurationValues": values})
		if r := Of(w, "k8s:c/Pod/shop/web#web", "tcp", 8080); r.Exposure != want {
			t.Errorf("%s: %s, want %s: %+v", values, r.Exposure, want, r)
		}
	}
}

func TestAListenerOnLoopbackIsNobodys(t *testing.T) {
	w := newWorld(t)
	w.group("sg-node", openNode)
	w.objects(nodes + podOn("a", vpcPodA) + service(nodePort))
	id := "k8s:c/Pod/shop/web#web"
	w.PutRelation(cluster, &triad.Relation{From: id, Type: triad.RelListens, To: triad.EndpointID(id, "tcp", "8080"), Section: "processes", Props: []byte(`{"protocol":"tcp","port":8080,"address":"127.0.0.1","basis":"observed"}`)})
	expect(t, Of(w, id, "tcp", 8080), "small", "container-port 8080", "node i-a, service shop/web, pod shop/web")
}

func TestAPodWithoutAnyPort(t *testing.T) {
	w := newWorld(t)
	w.objects(nodes + strings.Replace(podOn("a", vpcPodA), ", ports: [{name: http, containerPort: 8080}]", "", 1))
	r := Of(w, "k8s:c/Pod/shop/web#web", "tcp", 0)
	expect(t, r, "small", "pod shop/web", "")
	if !stoppedBy(r, "service") || !stoppedBy(r, "container-port") || !stoppedBy(r, "security-group") {
		t.Errorf("%+v", r.AlsoBlockedBy)
	}
}

func TestACircleOfControllersEnds(t *testing.T) {
	w := newWorld(t)
	w.objects(nodes + `
kind: Pod
metadata: {name: proxy, namespace: edge, labels: {app.kubernetes.io/name: ingress-nginx, app.kubernetes.io/component: controller}}
spec: {nodeName: a, containers: [{name: c, ports: [{name: http, containerPort: 80}]}]}
status: {phase: Running, podIP: 10.0.1.31}
---
kind: Service
metadata: {name: proxy, namespace: edge}
spec: {selector: {app.kubernetes.io/name: ingress-nginx}, ports: [{port: 80, targetPort: http}]}
---
kind: Ingress
metadata: {name: self, namespace: edge}
spec: {ingressClassName: nginx, defaultBackend: {service: {name: proxy, port: {number: 80}}}}
---
`)
	expect(t, Of(w, "k8s:c/Pod/edge/proxy#c", "tcp", 80), "small", "", "")
}

func TestOneOfManyNodes(t *testing.T) {
	build := func(more string) *world {
		w := newWorld(t)
		var text strings.Builder
		text.WriteString(nodes)
		for i := range 30 {
			n := itoa(i)
			w.instance("i-n"+n, "sg-node", "subnet-public", "54.2.0."+n, "10.0.1."+itoa(100+i))
			text.WriteString("\nkind: Node\nmetadata: {name: n" + n + "}\nspec: {providerID: \"aws:///zone/i-n" + n + "\"}\nstatus: {addresses: [{type: InternalIP, address: 10.0.1." + itoa(100+i) + "}]}\n---\n")
		}
		w.objects(text.String() + podOn("b", overlay) + service(nodePort) + more)
		return w
	}
	ask := func(w *world) string {
		return string(Of(w, "k8s:c/Pod/shop/web#web", "tcp", 8080).Exposure)
	}
	w := build("")
	w.group("sg-node")
	if got := ask(w); got != "small" {
		t.Errorf("all shut: %s", got)
	}
	w.group("sg-other", openNode)
	w.instance("i-n17", "sg-other", "subnet-public", "54.2.0.17", "10.0.1.117")
	if got := ask(w); got != "open" {
		t.Errorf("one open: %s", got)
	}
	w = build(policy(`ingress: [{from: [{ipBlock: {cidr: 10.0.1.117/32}}]}]`))
	w.group("sg-node", openNode)
	if got := ask(w); got != "open" {
		t.Errorf("one that the policy knows: %s", got)
	}
	w = build("")
	w.group("sg-node", "tcp 30080 sg-lb")
	w.group("sg-lb", "tcp 443 0.0.0.0/0")
	w.balancer("application", "internet-facing", "sg-lb", "instance", []doc{}, "i-n23|30080")
	if got := ask(w); got != "open" {
		t.Errorf("one behind a load balancer: %s", got)
	}
}

func TestARecordingHoldsWhatConnectionsDependOn(t *testing.T) {
	w := newWorld(t)
	w.group("sg-db", "tcp 5432 sg-node")
	w.database(triad.DataStoreProps{Subnets: []string{"subnet-private"}, SecurityGroups: []string{"sg-db"}})
	w.objects(nodes + podOn("b", vpcPodB) + policy(`policyTypes: [Egress], egress: [{}]`))
	rec := reach.NewRecorder(w)
	if r := Connect(rec, "k8s:c/Pod/shop/web#web", dbARN); r.Verdict != reach.Reachable {
		t.Fatalf("%+v", r)
	}
	for _, key := range []string{dbARN, "subnet-private", "sg-db", "k8s:c/Pod/shop/web", "k8s:c/Node/b", "i-b"} {
		if _, ok := rec.Read[key]; !ok {
			t.Errorf("%s was not recorded", key)
		}
	}
	// A policy that comes later is one that the answer depends on, though nothing was there.
	touched := w.PutAsset(cluster, &triad.Asset{ID: "k8s:c/NetworkPolicy/shop/q", Kind: "NetworkPolicy", Doc: []byte(`{"metadata":{"name":"q","namespace":"shop"},"spec":{"podSelector":{"matchLabels":{"app":"web"}}}}`)})
	hit := false
	for _, key := range touched {
		_, ok := rec.Read[key]
		hit = hit || ok
	}
	if !hit {
		t.Errorf("a new policy touches %v, of which nothing was recorded", touched)
	}
}
