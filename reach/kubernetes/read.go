package kubernetes

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// PodOf finds the pod of a container by the container's asset ID (or of a pod by its own),
// and the container's name. It returns nil where the estate has no such pod.
func PodOf(v reach.View, id string) (p *Pod, containerName string) {
	podID, name, _ := strings.Cut(id, "#")
	return rowAs[Pod](v, podID), name
}

// NodeOf finds the node that a pod runs on; nil where the estate has no such node.
func NodeOf(v reach.View, p *Pod) *Node {
	if p.Spec.NodeName == "" {
		return nil
	}
	return rowAs[Node](v, triad.KubernetesID(p.Cluster, "Node", "", p.Spec.NodeName))
}

// NodeAt finds a Node by asset ID or alias; nil where none is known by it.
func NodeAt(v reach.View, id string) *Node { return rowAs[Node](v, id) }

// Nodes are the nodes of a cluster, by name.
func Nodes(v reach.View, cluster string) []*Node {
	nodes := rowsAs[Node](v, keyNodes(cluster))
	slices.SortFunc(nodes, func(a, b *Node) int { return cmp.Compare(a.Meta.Name, b.Meta.Name) })
	return nodes
}

// PodAt finds the pod that has an address of its own in a cluster; nil where none has.
func PodAt(v reach.View, cluster string, ip netip.Addr) *Pod {
	for _, p := range rowsAs[Pod](v, keyPodAt(cluster, ip.String())) {
		if p.running() {
			return p
		}
	}
	return nil
}

// Clusters are the EKS clusters of a name, as rows of their cloud accounts.
func Clusters(v reach.View, name string) []*reach.Row { return v.Rows(keyClusterNamed(name)) }

// rowAs is the first row of a key that is a T.
func rowAs[T any](v reach.View, key string) *T {
	for _, row := range v.Rows(key) {
		if t, ok := row.Decoded.(*T); ok {
			return t
		}
	}
	return nil
}

// rowsAs are the rows of a key that are a T. What several scopes report is given once.
func rowsAs[T any](v reach.View, key string) []*T {
	var all []*T
	seen := map[string]bool{}
	for _, row := range v.Rows(key) {
		if t, ok := row.Decoded.(*T); ok && !seen[row.Asset.ID] {
			seen[row.Asset.ID] = true
			all = append(all, t)
		}
	}
	return all
}
