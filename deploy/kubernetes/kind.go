package kubernetes

import (
	"strings"

	"github.com/triad-security/triad"
)

// kind describes one kind of API object that Triad knows.
type kind struct {
	Kind    string
	Plural  string // the section's name
	Group   string
	Version string
	Short   string // kubectl's short name
	Type    triad.AssetType
	// core kinds make verdicts: when a dump lacks one it is unread, not left out.
	core bool
	// family kinds are only asked for together: when none of them is there, nobody collected them.
	family string
	// custom kinds may be missing from a cluster altogether.
	custom bool
}

// kinds is in the order in which a live collection lists them.
var kinds = []kind{
	{Kind: "Namespace", Plural: "namespaces", Version: "v1", Short: "ns", Type: triad.TypeNamespace, core: true},
	{Kind: "Node", Plural: "nodes", Version: "v1", Short: "no", Type: triad.TypeHost, core: true},
	{Kind: "Pod", Plural: "pods", Version: "v1", Short: "po", Type: triad.TypePod, core: true},
	{Kind: "Service", Plural: "services", Version: "v1", Short: "svc", Type: triad.TypeService, core: true},
	{Kind: "EndpointSlice", Plural: "endpointslices", Group: "discovery.k8s.io", Version: "v1", Type: triad.TypeConfig, core: true},
	{Kind: "Ingress", Plural: "ingresses", Group: "networking.k8s.io", Version: "v1", Short: "ing", Type: triad.TypeIngress, core: true},
	{Kind: "IngressClass", Plural: "ingressclasses", Group: "networking.k8s.io", Version: "v1", Type: triad.TypeConfig},
	{Kind: "NetworkPolicy", Plural: "networkpolicies", Group: "networking.k8s.io", Version: "v1", Short: "netpol", Type: triad.TypeNetworkPolicy, core: true},
	{Kind: "ServiceAccount", Plural: "serviceaccounts", Version: "v1", Short: "sa", Type: triad.TypeIdentity, core: true},
	{Kind: "Deployment", Plural: "deployments", Group: "apps", Version: "v1", Short: "deploy", Type: triad.TypeWorkload, core: true},
	{Kind: "ReplicaSet", Plural: "replicasets", Group: "apps", Version: "v1", Short: "rs", Type: triad.TypeWorkload, core: true},
	{Kind: "DaemonSet", Plural: "daemonsets", Group: "apps", Version: "v1", Short: "ds", Type: triad.TypeWorkload},
	{Kind: "StatefulSet", Plural: "statefulsets", Group: "apps", Version: "v1", Short: "sts", Type: triad.TypeWorkload},
	{Kind: "Job", Plural: "jobs", Group: "batch", Version: "v1", Type: triad.TypeWorkload},
	{Kind: "CronJob", Plural: "cronjobs", Group: "batch", Version: "v1", Short: "cj", Type: triad.TypeWorkload},
	{Kind: "ReplicationController", Plural: "replicationcontrollers", Version: "v1", Short: "rc", Type: triad.TypeWorkload},
	{Kind: "Role", Plural: "roles", Group: "rbac.authorization.k8s.io", Version: "v1", Type: triad.TypePolicy, family: "rbac"},
	{Kind: "RoleBinding", Plural: "rolebindings", Group: "rbac.authorization.k8s.io", Version: "v1", Type: triad.TypePolicy, family: "rbac"},
	{Kind: "ClusterRole", Plural: "clusterroles", Group: "rbac.authorization.k8s.io", Version: "v1", Type: triad.TypePolicy, family: "rbac"},
	{Kind: "ClusterRoleBinding", Plural: "clusterrolebindings", Group: "rbac.authorization.k8s.io", Version: "v1", Type: triad.TypePolicy, family: "rbac"},
	{Kind: "TargetGroupBinding", Plural: "targetgroupbindings", Group: "elbv2.k8s.aws", Version: "v1beta1", Type: triad.TypeConfig, custom: true},
}

func kindNamed(name string) (kind, bool) {
	for _, k := range kinds {
		if k.Kind == name {
			return k, true
		}
	}
	return kind{}, false
}

// kindOfFile finds the kind that a file name such as pods.yaml, svc.json, network-policies.yaml
// or ingresses.networking.k8s.io.yaml stands for.
func kindOfFile(name string) (kind, bool) {
	name = strings.ToLower(name)
	name, group, _ := strings.Cut(name, ".")
	name = strings.NewReplacer("-", "", "_", "").Replace(name)
	for _, k := range kinds {
		if name == k.Plural || name == strings.ToLower(k.Kind) || name == k.Short {
			if g := strings.TrimSuffix(group, "."+k.Version); g == "" || g == k.Group || !strings.Contains(g, ".") {
				return k, true
			}
		}
	}
	return kind{}, false
}

// plural is the section of a kind: the API's plural where Triad knows it, else English's.
func plural(kindName string) string {
	if k, ok := kindNamed(kindName); ok {
		return k.Plural
	}
	p := strings.ToLower(kindName)
	switch {
	case strings.HasSuffix(p, "s"), strings.HasSuffix(p, "x"), strings.HasSuffix(p, "ch"), strings.HasSuffix(p, "sh"):
		return p + "es"
	case strings.HasSuffix(p, "y") && len(p) > 1 && !strings.ContainsRune("aeiou", rune(p[len(p)-2])):
		return p[:len(p)-1] + "ies"
	}
	return p + "s"
}

// header is what a List says of its items.
type header struct {
	Kind       string
	APIVersion string
	// Continue is set when the list is one page of several.
	Continue string
}

func headerOf(m map[string]any) header {
	h := header{Kind: str(m["kind"]), APIVersion: str(m["apiVersion"])}
	if meta, ok := m["metadata"].(map[string]any); ok {
		h.Continue = str(meta["continue"])
	}
	return h
}

func (h header) list() bool { return strings.HasSuffix(h.Kind, "List") }

// item is the kind of the items that carry none themselves, as in the API's PodList.
func (h header) item() string { return strings.TrimSuffix(h.Kind, "List") }

func str(v any) string {
	s, _ := v.(string)
	return s
}
