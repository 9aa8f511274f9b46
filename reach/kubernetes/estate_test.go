package kubernetes

import (
	"encoding/json"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// cluster makes an estate from YAML documents as a collector would: one asset per object.
func cluster(t testing.TB, documents string) *reach.Estate {
	t.Helper()
	e := reach.NewEstate(Index)
	add(t, e, documents)
	return e
}

func add(t testing.TB, e *reach.Estate, documents string) {
	t.Helper()
	for doc := range strings.SplitSeq(documents, "\n---\n") {
		if strings.TrimSpace(doc) == "" {
			continue
		}
		raw, err := yaml.YAMLToJSON([]byte(doc))
		if err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		var o struct {
			Kind     string `json:"kind"`
			Metadata struct{ Name, Namespace string }
		}
		if err := json.Unmarshal(raw, &o); err != nil {
			t.Fatal(err)
		}
		a := &triad.Asset{ID: triad.KubernetesID("c", o.Kind, o.Metadata.Namespace, o.Metadata.Name), Kind: o.Kind, Section: "any", Doc: raw}
		e.PutAsset("kubernetes/c", a)
		for _, row := range e.Rows(a.ID) {
			if row.Err != nil {
				t.Fatal(row.Err)
			}
		}
	}
}

func pod(t testing.TB, v reach.View, path string) *Pod {
	t.Helper()
	p, _ := PodOf(v, "k8s:c/Pod/"+path)
	if p == nil {
		t.Fatalf("no pod %s", path)
	}
	return p
}

const twoNodes = `
kind: Node
metadata: {name: a}
spec: {providerID: "aws:///zone/i-a"}
status: {addresses: [{type: InternalIP, address: 10.0.0.1}]}
---
kind: Node
metadata: {name: b}
spec: {providerID: "aws:///zone/i-b"}
status: {addresses: [{type: InternalIP, address: 10.0.0.2}]}
---
`

const webPod = `
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web, tier: front}}
spec:
  nodeName: a
  containers: [{name: web, ports: [{name: http, containerPort: 8080}]}]
status: {phase: Running, podIP: 10.0.0.10, conditions: [{type: Ready, status: "True"}]}
---
`
