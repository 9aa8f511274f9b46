package kubernetes

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// identity of a cluster: what its scope and asset IDs are made of, and what people call it.
type identity struct {
	id, name string
	notes    []string
}

// identify finds both. The UID of kube-system lives as long as the cluster and is nobody
// else's; the name is the one given, else what the cluster's own objects say, else where the
// dump was found.
func identify(d *dump, given string) identity {
	var i identity
	name, from := given, ""
	if name == "" {
		name, from = inferName(d)
	}
	if o := d.objects[objectKey{"Namespace", "", "kube-system"}]; o != nil {
		i.id = cleanID(o.UID)
	}
	i.name = cleanID(name)
	if i.id == "" {
		i.id = i.name
		if i.id == "" {
			i.id, i.name = "cluster", "cluster"
			from = "nothing at all: give --cluster"
		}
		i.notes = append(i.notes, "the dump lacks namespace kube-system, so the cluster is identified by its name "+i.name)
	}
	if i.name == "" {
		i.name = i.id
		i.notes = append(i.notes, "nothing in the cluster says its name, so it is called by its ID; give --cluster to name it")
	} else if from != "" {
		i.notes = append(i.notes, fmt.Sprintf("cluster name %s inferred from %s", i.name, from))
	}
	return i
}

var unclean = regexp.MustCompile(`[^A-Za-z0-9._:@-]+`)

// cleanID keeps what is safe between the slashes of a scope.
func cleanID(s string) string {
	if len(s) > 200 {
		s = s[:200]
	}
	return strings.Trim(unclean.ReplaceAllString(s, "-"), "-")
}

// nodeClusterLabels are labels (or annotations) that name the cluster: eksctl, Cluster API, kops, Rancher.
var nodeClusterLabels = []string{
	"alpha.eksctl.io/cluster-name", "cluster.x-k8s.io/cluster-name", "kops.k8s.io/cluster", "eks.amazonaws.com/cluster-name",
	"karpenter.k8s.aws/cluster", "kubernetes.azure.com/cluster",
}

// inferName looks for the cluster's name in its objects, surest first.
func inferName(d *dump) (name, from string) {
	for _, o := range d.of("Node") {
		for _, name := range nodeClusterLabels {
			if v := cmp.Or(o.Labels[name], o.Annotations[name]); v != "" {
				return v, name + " of node " + o.Name
			}
		}
	}
	if name := kubeadmName(d); name != "" {
		return name, "ConfigMap kube-system/kubeadm-config"
	}
	if name, from := addonName(d); name != "" {
		return name, from
	}
	for _, o := range d.of("Node") {
		// GKE names nodes gke-CLUSTER-POOL-HASH-ID.
		pool := o.Labels["cloud.google.com/gke-nodepool"]
		if rest, ok := strings.CutPrefix(o.Name, "gke-"); ok && pool != "" {
			if i := strings.Index(rest, "-"+pool+"-"); i > 0 {
				return rest[:i], "the name of node " + o.Name
			}
		}
	}
	if d.base != "" {
		return d.base, "where it was read (" + d.source + ")"
	}
	return "", ""
}

// clusterName matches the name in a kubeadm ClusterConfiguration, whose default says nothing.
var clusterName = regexp.MustCompile(`(?m)^\s*clusterName:\s*["']?([A-Za-z0-9._-]+)`)

func kubeadmName(d *dump) string {
	if m := clusterName.FindStringSubmatch(d.kubeadm); m != nil && m[1] != "kubernetes" {
		return m[1]
	}
	return ""
}

// addons are programs that are told the cluster's name by an argument or variable.
var addonArgument = regexp.MustCompile(`^--cluster-name=([A-Za-z0-9._-]+)$|k8s\.io/cluster-autoscaler/([A-Za-z0-9._-]+)$`)

func addonName(d *dump) (name, from string) {
	for _, kindName := range []string{"DaemonSet", "Deployment", "Pod"} {
		for _, o := range d.of(kindName) {
			if o.Namespace != "kube-system" && o.Namespace != "karpenter" && !strings.Contains(o.Name, "load-balancer-controller") {
				continue
			}
			w := new(workloadObject)
			if json.Unmarshal(o.Doc, w) != nil {
				continue
			}
			spec := w.template()
			if spec == nil {
				spec = &w.Spec.podSpec
			}
			for _, c := range spec.all() {
				where := fmt.Sprintf("%s %s/%s", kindName, o.Namespace, o.Name)
				for _, e := range c.Env {
					if (e.Name == "CLUSTER_NAME" || e.Name == "EKS_CLUSTER_NAME") && e.Value != "" {
						return e.Value, "variable " + e.Name + " of " + where
					}
				}
				for _, arg := range append(c.Command, c.Args...) {
					if m := addonArgument.FindStringSubmatch(arg); m != nil && m[1]+m[2] != "enabled" && m[1] != "kubernetes" {
						return m[1] + m[2], "argument " + arg + " of " + where
					}
				}
			}
		}
	}
	return "", ""
}
