package kubernetes

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/deploy/manifest"
)

// passing kinds belong, when they are owned at all, to something that people know by name.
var passing = map[string]bool{"Pod": true, "ReplicaSet": true, "Job": true, "ReplicationController": true}

// top follows the owners of an object to the workload at their top. An owner that is not in
// the dump is taken from the reference; a ReplicaSet that is not, from its Deployment's naming.
func (b *rows) top(key objectKey) objectKey {
	for range 8 {
		if !passing[key.kind] {
			return key
		}
		w := b.parsed[key]
		if w == nil {
			return key
		}
		o, ok := controller(w.Metadata.OwnerReferences)
		if !ok || o.Kind == "Node" { // a static pod: the kubelet made it from a file
			return key
		}
		next := objectKey{o.Kind, key.namespace, o.Name}
		if o.Kind == "ReplicaSet" && b.objects[next] == nil {
			hash := w.Metadata.Labels["pod-template-hash"]
			if name, ok := strings.CutSuffix(o.Name, "-"+hash); ok && hash != "" && name != "" {
				next = objectKey{"Deployment", key.namespace, name}
			}
		}
		key = next
	}
	return key
}

func controller(owners []owner) (owner, bool) {
	for _, o := range owners {
		if o.Controller {
			return o, true
		}
	}
	return owner{}, false
}

// workload returns the workload of a key, made from its object or, where that is not in the
// dump, from what its pods say; section is then theirs.
func (b *rows) workload(key objectKey, section string) *workload {
	if w := b.workloads[key]; w != nil {
		return w
	}
	w := &workload{asset: triad.Asset{
		ID: b.id(key.kind, key.namespace, key.name), Type: triad.TypeWorkload, Kind: key.kind,
		Name: b.title(key.namespace, key.name), Section: section,
	}}
	w.props = triad.WorkloadProps{Cluster: b.name, Namespace: key.namespace, Name: key.name}
	w.manifest = manifest.Workload{Asset: w.asset.ID, Kind: key.kind, Name: w.asset.Name}
	if o := b.objects[key]; o != nil {
		w.asset.Section, w.asset.Tags, w.asset.Doc = plural(key.kind), o.Labels, o.Doc
	}
	if p := b.parsed[key]; p != nil {
		if p.Spec.Replicas != nil {
			w.props.Replicas = *p.Spec.Replicas
		}
		if template := p.template(); template != nil {
			template.addTo(&w.manifest, fmt.Sprintf("%s %s/%s", plural(key.kind), key.namespace, key.name))
		}
	}
	b.workloads[key] = w
	return w
}

func (b *rows) workloadRows(trusted manifest.Registries) {
	images := map[string][]string{}
	for _, w := range b.workloads {
		images[w.asset.ID] = w.manifest.Images()
	}
	trusted = trusted.Resolve(images)
	if hosts := trusted.Inferred(); len(hosts) > 0 {
		b.report.Notes = append(b.report.Notes, "trusted registries inferred from what runs: "+strings.Join(hosts, ", ")+"; name them with --trusted-registry")
	}
	for _, key := range slices.SortedFunc(maps.Keys(b.workloads), compareKeys) {
		w := b.workloads[key]
		if p := b.parsed[key]; p == nil || p.Spec.Replicas == nil {
			w.props.Replicas = w.pods
		}
		w.asset.Schema, w.asset.Props = "workload/1", raw(w.props)
		b.report.Assets = append(b.report.Assets, w.asset)
		b.report.Findings = append(b.report.Findings, manifest.Check(&w.manifest, w.asset.Section, trusted)...)
	}
}

// podRows makes the rows of pods and their containers.
func (b *rows) podRows() {
	for _, o := range b.of("Pod") {
		p := b.parsed[o.key()]
		if p == nil {
			b.report.Assets = append(b.report.Assets, triad.Asset{
				ID: b.id("Pod", o.Namespace, o.Name), Type: triad.TypePod, Kind: "Pod",
				Name: b.title(o.Namespace, o.Name), Section: "pods", Tags: o.Labels, Doc: o.Doc,
			})
			continue
		}
		b.pod(o, p)
	}
}

func (b *rows) pod(o *object, p *workloadObject) {
	const section = "pods"
	id := b.id("Pod", o.Namespace, o.Name)
	top := b.top(o.key())
	w := b.workload(top, section)
	w.pods++
	if top != o.key() {
		b.report.Assets = append(b.report.Assets, triad.Asset{
			ID: id, Type: triad.TypePod, Kind: "Pod", Name: b.title(o.Namespace, o.Name),
			Section: section, Tags: o.Labels, Doc: o.Doc,
		})
		b.relate(triad.Relation{
			From: id, Type: triad.RelOwnedBy, To: w.asset.ID, Section: section,
			Evidence: []triad.Evidence{{Source: section, Detail: "metadata.ownerReferences"}},
		})
	}
	spec := &p.Spec.podSpec
	spec.addTo(&w.manifest, fmt.Sprintf("pods %s/%s", o.Namespace, o.Name))
	if spec.NodeName != "" {
		b.relate(triad.Relation{From: id, Type: triad.RelRunsOn, To: b.id("Node", "", spec.NodeName), Section: section})
	}
	account := b.id("ServiceAccount", o.Namespace, spec.account())
	b.relate(triad.Relation{
		From: id, Type: triad.RelAssumes, To: account, Section: section,
		Evidence: []triad.Evidence{{Source: section, Detail: "spec.serviceAccountName " + spec.account()}},
	})
	statuses := map[string]containerStatus{}
	for _, list := range [][]containerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses, p.Status.EphemeralContainerStatuses} {
		for _, s := range list {
			statuses[s.Name] = s
		}
	}
	own := manifest.Workload{}
	spec.addTo(&own, "")
	for i, c := range spec.all() {
		b.container(o, id, spec, &c, statuses[c.Name], own.Takeover(&own.Containers[i]))
	}
}

func (b *rows) container(pod *object, podID string, spec *podSpec, c *container, status containerStatus, takeover []string) {
	const section = "pods"
	id := triad.PodContainerID(b.cluster, pod.Namespace, pod.Name, c.Name)
	digest := digestOf(status.ImageID, c.Image)
	b.report.Assets = append(b.report.Assets, triad.Asset{
		ID: id, Type: triad.TypeContainer, Kind: "PodContainer", Name: b.title(pod.Namespace, pod.Name, c.Name), Section: section,
		Schema: "container/1", Props: raw(triad.ContainerProps{
			Name: c.Name, ImageRef: c.Image, Digest: digest,
			Privileged: c.SecurityContext != nil && c.SecurityContext.Privileged,
			Takeover:   takeover, HostNetwork: spec.HostNetwork,
			Running: status.State.Running != nil, Init: c.init,
		}),
	})
	b.relate(triad.Relation{From: podID, Type: triad.RelContains, To: id, Section: section})
	if digest != "" {
		b.relate(triad.Relation{
			From: id, Type: triad.RelRuns, To: digest, Section: section,
			Evidence: []triad.Evidence{{Source: section, Detail: "imageID " + status.ImageID}},
		})
		if b.images[digest] == nil {
			b.images[digest] = map[string]bool{}
		}
		for _, ref := range []string{c.Image, status.Image} {
			if ref != "" && !strings.HasPrefix(ref, "sha256:") {
				b.images[digest][ref] = true
			}
		}
	}
	for _, port := range c.Ports {
		protocol := strings.ToLower(port.Protocol)
		if protocol == "" {
			protocol = "tcp"
		}
		b.listens(id, triad.Listen{Protocol: protocol, Port: port.ContainerPort, Name: port.Name, Basis: triad.BasisDeclared}, "containerPort")
	}
	for _, port := range c.probed() {
		b.listens(id, triad.Listen{Protocol: "tcp", Port: port, Basis: triad.BasisAssumed}, "a probe asks this port")
	}
}

// listens adds a listener unless the container has it already.
func (b *rows) listens(container string, l triad.Listen, why string) {
	if l.Port <= 0 || l.Port > 65535 {
		return
	}
	port := fmt.Sprint(l.Port)
	b.relate(triad.Relation{
		From: container, Type: triad.RelListens, To: triad.EndpointID(container, l.Protocol, port), Section: "pods",
		Props:    raw(l),
		Evidence: []triad.Evidence{{Source: "pods", Detail: fmt.Sprintf("%s %s %s", why, l.Protocol, port)}},
	})
}
