package estate

import (
	"fmt"

	"github.com/triad-security/triad"
)

func (c *cell) add(t triad.AssetType, kind, section, namespace, name string, labels map[string]string, doc object) *triad.Asset {
	meta := object{"name": name}
	if namespace != "" {
		meta["namespace"] = namespace
	}
	if labels != nil {
		meta["labels"] = labels
	}
	doc["kind"], doc["metadata"] = kind, meta
	a := asset(t, kind, section, triad.KubernetesID(c.cluster, kind, namespace, name), doc)
	a.Name, a.Tags = c.cluster+"/"+name, labels
	if namespace != "" {
		a.Name = c.cluster + "/" + namespace + "/" + name
	}
	c.k8s.Assets = append(c.k8s.Assets, a)
	return &c.k8s.Assets[len(c.k8s.Assets)-1]
}

func (c *cell) relate(from string, t triad.RelationType, to, section string, props any) {
	r := triad.Relation{From: from, Type: t, To: to, Section: section}
	if props != nil {
		r.Props = encode(props)
	}
	c.k8s.Relations = append(c.k8s.Relations, r)
}

func (c *cell) kubernetes() {
	for i := range namespaces {
		tier := "internal"
		if i == 0 {
			tier = "production"
		}
		c.add(triad.TypeNamespace, "Namespace", "namespaces", "", fmt.Sprintf("ns-%d", i), map[string]string{"tier": tier}, object{})
	}
	for i := range c.Nodes {
		instance := id("i", c.n, i)
		a := c.add(triad.TypeHost, "Node", "nodes", "", nodeName(i), nil, object{
			"spec":   object{"providerID": "aws:///" + region + "a/" + instance},
			"status": object{"addresses": []object{{"type": "InternalIP", "address": nodeAddress(i)}}, "conditions": []object{{"type": "Ready", "status": "True"}}},
		})
		a.Aliases = []string{"aws-instance:" + instance}
	}
	for d := range c.Deployments {
		c.deployment(d)
	}
}

func nodeName(i int) string { return fmt.Sprintf("node-%d", i) }

// deployment adds a Deployment with two pods and its service: behind a load balancer, on a
// node port, or inside only.
func (c *cell) deployment(d int) {
	namespace, name := fmt.Sprintf("ns-%d", d%namespaces), fmt.Sprintf("app-%d", d)
	labels := map[string]string{"app": name}
	digest := Digest((c.n*c.Deployments + d) % c.Images)
	c.add(triad.TypeWorkload, "Deployment", "deployments", namespace, name, labels, object{"spec": object{"replicas": 2}})
	c.add(triad.TypeIdentity, "ServiceAccount", "serviceaccounts", namespace, name, nil, object{})
	account := triad.KubernetesID(c.cluster, "ServiceAccount", namespace, name)
	if d%10 == 0 {
		c.relate(account, triad.RelAssumes, c.role(), "serviceaccounts", nil)
	}
	var addresses []string
	for i := range 2 {
		pod, ip := fmt.Sprintf("%s-%d", name, i), podAddress(2*d+i)
		addresses = append(addresses, ip)
		c.pod(namespace, name, pod, ip, digest, account, c.node(2*d+i))
	}
	port := object{"name": "http", "protocol": "TCP", "port": 443, "targetPort": 8080}
	spec := object{"type": "ClusterIP", "selector": labels, "ports": []object{port}}
	status := object{}
	switch {
	case d%balancerEach == 0:
		hostname, target := c.balancer(d, addresses)
		spec["type"], spec["loadBalancerClass"], spec["allocateLoadBalancerNodePorts"] = "LoadBalancer", "service.k8s.aws/nlb", false
		status = object{"loadBalancer": object{"ingress": []object{{"hostname": hostname}}}}
		c.add(triad.TypeConfig, "TargetGroupBinding", "targetgroupbindings", namespace, name, nil, object{
			"spec": object{"serviceRef": object{"name": name, "port": 443}, "targetGroupARN": target, "targetType": "ip"},
		})
	case d%balancerEach == 1:
		spec["type"], port["nodePort"] = "NodePort", 30000+d
	}
	c.add(triad.TypeService, "Service", "services", namespace, name, nil, object{"spec": spec, "status": status})
}

func (c *cell) pod(namespace, app, pod, ip, digest, account string, node int) {
	container := triad.PodContainerID(c.cluster, namespace, pod, app)
	c.add(triad.TypePod, "Pod", "pods", namespace, pod, map[string]string{"app": app}, object{
		"spec": object{
			"nodeName": nodeName(node), "serviceAccountName": app,
			"containers": []object{{"name": app, "image": "registry.example.com/" + app, "ports": []object{{"name": "http", "containerPort": 8080, "protocol": "TCP"}}}},
		},
		"status": object{
			"phase": "Running", "podIP": ip, "podIPs": []object{{"ip": ip}}, "hostIP": nodeAddress(node),
			"conditions":        []object{{"type": "Ready", "status": "True"}},
			"containerStatuses": []object{{"name": app, "ready": true, "state": object{"running": object{}}}},
		},
	})
	podID := triad.KubernetesID(c.cluster, "Pod", namespace, pod)
	c.k8s.Assets = append(c.k8s.Assets, triad.Asset{
		ID: container, Type: triad.TypeContainer, Kind: "PodContainer", Section: "pods", Schema: "container/1",
		Props: encode(triad.ContainerProps{Name: app, Digest: digest, Running: true}),
	})
	c.relate(podID, triad.RelOwnedBy, triad.KubernetesID(c.cluster, "Deployment", namespace, app), "pods", nil)
	c.relate(podID, triad.RelContains, container, "pods", nil)
	c.relate(podID, triad.RelRunsOn, triad.KubernetesID(c.cluster, "Node", "", nodeName(node)), "pods", nil)
	c.relate(podID, triad.RelAssumes, account, "pods", nil)
	c.relate(container, triad.RelRuns, digest, "pods", nil)
	c.relate(container, triad.RelListens, triad.EndpointID(container, "tcp", "8080"), "pods", triad.Listen{Protocol: "tcp", Port: 8080, Basis: triad.BasisDeclared, Name: "http"})
}
