package kubernetes

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/deploy/manifest"
)

// Options of a collection.
type Options struct {
	Tenant string
	// Cluster names the cluster for people, and identifies it where the UID of its
	// kube-system namespace is not known.
	Cluster string
	// Collector is the name and version that reports carry.
	Collector string
	// Trusted are the registries from which images may come; zero reports none as untrusted.
	Trusted manifest.Registries
	// Record is a folder into which Live writes what it read, in the form that Dir reads.
	Record string
	// Now is when the collection began; zero is now.
	Now time.Time
}

// rows builds a report's rows from a dump.
type rows struct {
	*dump
	report  *triad.Report
	cluster string // identifies it in asset IDs
	name    string // for people
	have    map[string]bool
	images  map[string]map[string]bool // digest → references

	parsed    map[objectKey]*workloadObject
	workloads map[objectKey]*workload
}

// workload is the top of a pod's owners, with what is to be said of it.
type workload struct {
	asset    triad.Asset
	manifest manifest.Workload
	props    triad.WorkloadProps
	pods     int
}

func (d *dump) report(o Options) *triad.Report {
	now := o.Now
	if now.IsZero() {
		now = time.Now()
	}
	id := identify(d, o.Cluster)
	b := &rows{
		dump: d, cluster: id.id, name: id.name,
		have: map[string]bool{}, images: map[string]map[string]bool{},
		parsed: map[objectKey]*workloadObject{}, workloads: map[objectKey]*workload{},
		report: &triad.Report{
			Tenant: o.Tenant, Scope: "kubernetes/" + id.id, Collector: o.Collector,
			Taken: now.UTC(), Revision: now.UnixMicro(),
			Notes: append(id.notes, d.notes...),
		},
	}
	b.clusterRows()
	b.parse()
	for _, key := range slices.SortedFunc(maps.Keys(d.objects), compareKeys) {
		b.object(d.objects[key])
	}
	b.podRows()
	b.assumedListeners()
	b.workloadRows(o.Trusted)
	b.imageRows()
	for _, name := range slices.Sorted(maps.Keys(d.sections)) {
		b.report.Sections = append(b.report.Sections, d.sections[name])
	}
	return b.report
}

func compareKeys(a, b objectKey) int {
	for _, c := range []int{strings.Compare(a.kind, b.kind), strings.Compare(a.namespace, b.namespace)} {
		if c != 0 {
			return c
		}
	}
	return strings.Compare(a.name, b.name)
}

func (b *rows) id(kindName, namespace, name string) string {
	return triad.KubernetesID(b.cluster, kindName, namespace, name)
}

// title is the name for people: cluster/namespace/name.
func (b *rows) title(parts ...string) string {
	return strings.Join(slices.DeleteFunc(append([]string{b.name}, parts...), func(s string) bool { return s == "" }), "/")
}

func (b *rows) relate(r triad.Relation) {
	if !b.have[r.Key()] {
		b.have[r.Key()] = true
		b.report.Relations = append(b.report.Relations, r)
	}
}

// clusterID is the asset ID of the cluster itself.
func clusterID(cluster string) string { return triad.KubernetesID(cluster, "Cluster", "", cluster) }

func (b *rows) clusterRows() {
	b.report.Assets = append(b.report.Assets, triad.Asset{
		ID: clusterID(b.cluster), Type: triad.TypeCluster, Kind: "Cluster", Name: b.name, Section: "namespaces",
	})
}

// parse decodes the objects that hold pods or templates. One that does not decode makes its
// section unread.
func (b *rows) parse() {
	for key, o := range b.objects {
		k, _ := kindNamed(key.kind)
		if k.Type != triad.TypeWorkload && k.Type != triad.TypePod {
			continue
		}
		w := new(workloadObject)
		if err := json.Unmarshal(o.Doc, w); err != nil {
			b.unread(k.Plural, fmt.Sprintf("%s %s/%s: %v", key.kind, key.namespace, key.name, err))
			continue
		}
		b.parsed[key] = w
	}
}

// object makes the row of one API object. Pods and workloads at the top get theirs later.
func (b *rows) object(o *object) {
	k, known := kindNamed(o.Kind)
	a := triad.Asset{
		ID: b.id(o.Kind, o.Namespace, o.Name), Type: triad.TypeConfig, Kind: o.Kind,
		Name: b.title(o.Namespace, o.Name), Section: plural(o.Kind), Tags: o.Labels, Doc: o.Doc,
	}
	if known {
		a.Type = k.Type
	}
	switch o.Kind {
	case "Namespace":
		b.relate(triad.Relation{From: clusterID(b.cluster), Type: triad.RelContains, To: a.ID, Section: a.Section})
	case "Node":
		b.node(&a, o)
	case "ServiceAccount":
		b.serviceAccount(&a, o)
	}
	switch a.Type {
	case triad.TypePod:
		return
	case triad.TypeWorkload:
		if key := b.top(o.key()); key != o.key() {
			a.Type = triad.TypeConfig // it belongs to a workload and is none itself
			b.relate(triad.Relation{From: a.ID, Type: triad.RelOwnedBy, To: b.id(key.kind, key.namespace, key.name), Section: a.Section})
			break
		}
		b.workload(o.key(), "")
		return
	}
	b.report.Assets = append(b.report.Assets, a)
}

func (b *rows) node(a *triad.Asset, o *object) {
	var n struct {
		Spec struct {
			ProviderID string `json:"providerID"`
		} `json:"spec"`
		Status struct {
			Addresses []struct {
				Type    string `json:"type"`
				Address string `json:"address"`
			} `json:"addresses"`
			NodeInfo struct {
				MachineID string `json:"machineID"`
				OSImage   string `json:"osImage"`
			} `json:"nodeInfo"`
		} `json:"status"`
	}
	if err := json.Unmarshal(o.Doc, &n); err != nil {
		b.unread("nodes", fmt.Sprintf("Node %s: %v", o.Name, err))
		return
	}
	props := triad.HostProps{Hostname: o.Name, OS: n.Status.NodeInfo.OSImage}
	for _, address := range n.Status.Addresses {
		if strings.HasSuffix(address.Type, "IP") {
			props.Addresses = append(props.Addresses, address.Address)
		}
	}
	a.Schema, a.Props = "host/1", raw(props)
	a.Aliases = nodeAliases(n.Spec.ProviderID, n.Status.NodeInfo.MachineID)
	b.relate(triad.Relation{From: clusterID(b.cluster), Type: triad.RelContains, To: a.ID, Section: a.Section})
}

// nodeAliases are the machine's other names. A provider ID is aws:///ZONE/i-… on EC2,
// azure:///subscriptions/…, gce://PROJECT/ZONE/NAME.
func nodeAliases(providerID, machineID string) []string {
	var aliases []string
	if rest, ok := strings.CutPrefix(providerID, "aws://"); ok {
		if instance := rest[strings.LastIndexByte(rest, '/')+1:]; strings.HasPrefix(instance, "i-") {
			aliases = append(aliases, "aws-instance:"+instance)
		}
	} else if providerID != "" {
		aliases = append(aliases, strings.ToLower(providerID))
	}
	// All zeros on machines without one.
	if strings.Trim(machineID, "0-") != "" {
		aliases = append(aliases, "machine:"+machineID)
	}
	return aliases
}

func (b *rows) serviceAccount(a *triad.Asset, o *object) {
	a.Schema, a.Props = "identity/1", raw(triad.IdentityProps{Provider: "kubernetes"})
	// The annotations of IAM roles for service accounts, Microsoft Entra Workload ID and
	// Workload Identity Federation for GKE.
	for _, annotation := range []string{"eks.amazonaws.com/role-arn", "azure.workload.identity/client-id", "iam.gke.io/gcp-service-account"} {
		if role := strings.TrimSpace(o.Annotations[annotation]); role != "" {
			b.relate(triad.Relation{
				From: a.ID, Type: triad.RelAssumes, To: role, Section: a.Section,
				Evidence: []triad.Evidence{{Source: a.Section, Detail: "annotation " + annotation + "=" + role}},
			})
		}
	}
}

func (b *rows) imageRows() {
	for _, digest := range slices.Sorted(maps.Keys(b.images)) {
		refs := slices.Sorted(maps.Keys(b.images[digest]))
		a := triad.Asset{
			ID: digest, Type: triad.TypeImage, Kind: "Image", Section: "pods",
			Schema: "image/1", Props: raw(triad.ImageProps{Refs: refs}),
		}
		if len(refs) > 0 {
			a.Name = refs[0]
		}
		b.report.Assets = append(b.report.Assets, a)
	}
}

func raw(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil { // the types here always marshal
		panic(err)
	}
	return data
}
