package kubernetes

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// Addon is an EKS add-on as eks describe-addon prints it.
type Addon struct {
	Name    string `json:"addonName"`
	Cluster string `json:"clusterName"`
	// Values are what the user configured, as JSON or YAML text; the add-on's defaults hold otherwise.
	Values string `json:"configurationValues"`

	scope  string
	policy bool // vpc-cni: enableNetworkPolicy
}

func keyAddon(cluster, name string) string { return "kubernetes/eks-addon/" + cluster + "|" + name }

func keyEngines(cluster string) string { return "kubernetes/policy-engines/" + cluster }

func indexAddon(scope string, a *triad.Asset) (decoded any, keys []string, err error) {
	if len(a.Doc) > maxDoc {
		return nil, nil, fmt.Errorf("reading %s: its document is over the bound of %d bytes", a.ID, maxDoc)
	}
	d := &Addon{scope: scope}
	if err := json.Unmarshal(a.Doc, d); err != nil {
		return nil, nil, fmt.Errorf("decoding %s: %w", a.ID, err)
	}
	keys = []string{keyAddon(d.Cluster, d.Name)}
	if d.Name == "vpc-cni" && d.Values != "" {
		if len(d.Values) > 64<<10 {
			return nil, keys, fmt.Errorf("decoding %s: its configurationValues are over 64 KiB", a.ID)
		}
		var values struct {
			EnableNetworkPolicy any `json:"enableNetworkPolicy"` // "true" or true
		}
		if err := yaml.Unmarshal([]byte(d.Values), &values); err != nil {
			return nil, keys, fmt.Errorf("decoding configurationValues of %s: %w", a.ID, err)
		}
		d.policy = fmt.Sprint(values.EnableNetworkPolicy) == "true"
	}
	return d, keys, nil
}

// Pods of network plugins that enforce NetworkPolicy, by label k8s-app, app or
// app.kubernetes.io/name as each project's manifests set it.
var engines = []string{"calico-node", "canal", "cilium", "antrea", "kube-router", "weave-net", "ovnkube-node", "romana-agent"}

// engine is the network plugin that the pod is; empty for other pods.
func (p *Pod) engine() string {
	for _, k := range []string{"k8s-app", "app", "app.kubernetes.io/name", "name"} {
		if l := p.Meta.Labels[k]; slices.Contains(engines, l) {
			return l
		}
	}
	return ""
}

// Enforcement says whether NetworkPolicies have any effect in a pod's cluster. Only of an
// EKS cluster (by name; empty for others) can it be known that they have none: its VPC CNI
// enforces them only when told to, and no pod of another engine is there. Otherwise they are
// taken at their word.
func Enforcement(v reach.View, p *Pod, eksName string) (enforced bool, engine string, unread *triad.Unread) {
	if eksName == "" {
		return true, "", nil
	}
	rows := v.Rows(keyAddon(eksName, "vpc-cni"))
	for _, row := range rows {
		d, ok := row.Decoded.(*Addon)
		if !ok {
			u := undecoded(row, "eks-describe-addon")
			return true, "", &u
		}
		if d.policy {
			return true, "the VPC CNI add-on enforces them (enableNetworkPolicy)", nil
		}
	}
	if len(rows) == 0 {
		for _, row := range Clusters(v, eksName) {
			if u := unreadSection(v, row.Scope, "eks-describe-addon"); u != nil {
				return true, "", u
			}
		}
		return true, "", nil // another network plugin, or the CNI is managed by hand
	}
	for _, e := range rowsAs[Pod](v, keyEngines(p.Cluster)) {
		return true, e.engine() + " enforces them", nil
	}
	return false, "the VPC CNI add-on of cluster " + eksName + " has no enableNetworkPolicy and no other engine runs", nil
}

// EKSName is the name of the EKS cluster that an instance's tags say it is a node of.
func EKSName(tags map[string]string) string {
	for _, k := range []string{"eks:cluster-name", "aws:eks:cluster-name"} {
		if tags[k] != "" {
			return tags[k]
		}
	}
	for k, value := range tags {
		if name, ok := strings.CutPrefix(k, "kubernetes.io/cluster/"); ok && (value == "owned" || value == "shared") {
			return name
		}
	}
	return ""
}
