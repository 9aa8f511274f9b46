package exposure

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// estate10k has 100 instances as nodes and 10,000 pods with VPC addresses behind 500
// services: a tenth with node ports, the rest ClusterIP; a policy in every second namespace.
func estate10k(b testing.TB) *world {
	w := newWorld(b)
	w.group("sg-node", "all sg-node")
	var text strings.Builder
	for n := range 100 {
		id, subnet, public := fmt.Sprintf("i-n%d", n), "subnet-private", ""
		if n%10 == 0 {
			subnet, public = "subnet-public", fmt.Sprintf("54.1.0.%d", n)
		}
		addresses := []string{fmt.Sprintf("10.0.100.%d", n)}
		for p := range 100 {
			addresses = append(addresses, podAddress(n, p))
		}
		w.instance(id, "sg-node", subnet, public, addresses...)
		fmt.Fprintf(&text, "kind: Node\nmetadata: {name: n%d}\nspec: {providerID: \"aws:///zone/%s\"}\nstatus: {addresses: [{type: InternalIP, address: %s}]}\n---\n", n, id, addresses[0])
	}
	w.objects("\n" + text.String())
	for s := range 500 {
		ns, app := fmt.Sprintf("ns%d", s/10), fmt.Sprintf("app%d", s)
		spec := `"type":"ClusterIP","ports":[{"port":80,"targetPort":"http"}]`
		if s%10 == 0 {
			spec = fmt.Sprintf(`"type":"NodePort","ports":[{"port":80,"targetPort":"http","nodePort":%d}]`, 30000+s)
		}
		w.object("Service", ns, app, fmt.Sprintf(`{"metadata":{"name":%q,"namespace":%q},"spec":{"selector":{"app":%q},%s}}`, app, ns, app, spec))
	}
	for n := range 50 {
		if n%2 == 0 {
			ns := fmt.Sprintf("ns%d", n)
			w.object("NetworkPolicy", ns, "p", fmt.Sprintf(`{"metadata":{"name":"p","namespace":%q},"spec":{"podSelector":{},"ingress":[{"from":[{"ipBlock":{"cidr":"10.0.0.0/16"}}]}]}}`, ns))
		}
	}
	for p := range 10_000 {
		w.object("Pod", benchNamespace(p), "p"+strconv.Itoa(p), benchPod(p))
	}
	return w
}

func podAddress(node, pod int) string { return fmt.Sprintf("10.0.%d.%d", 120+node, pod+1) }

func benchNamespace(p int) string { return fmt.Sprintf("ns%d", p/20/10) }

func benchPod(p int) string {
	return fmt.Sprintf(`{"metadata":{"name":"p%d","namespace":%q,"labels":{"app":"app%d","pod-template-hash":"h%d"}},"spec":{"nodeName":"n%d","containers":[{"name":"web","ports":[{"name":"http","containerPort":8080}]}]},"status":{"phase":"Running","podIP":%q,"conditions":[{"type":"Ready","status":"True"}]}}`,
		p, benchNamespace(p), p/20, p/20, p%100, podAddress(p%100, p/100))
}

func (w *world) object(kind, ns, name, text string) {
	w.PutAsset(cluster, &triad.Asset{ID: triad.KubernetesID("c", kind, ns, name), Kind: kind, Section: "any", Doc: []byte(text)})
}

func BenchmarkPodOf10000(b *testing.B) {
	w := estate10k(b)
	for _, kind := range []struct {
		name    string
		service int // of which the pods are asked
	}{{"behind a node port", 0}, {"behind a ClusterIP", 1}} {
		b.Run(kind.name, func(b *testing.B) {
			b.ReportAllocs()
			reads := 0
			for i := range b.N {
				p := (kind.service + i*10%500) * 20
				rec := reach.NewRecorder(w)
				r := Of(rec, triad.PodContainerID("c", benchNamespace(p), "p"+strconv.Itoa(p), "web"), "tcp", 8080)
				if r.Exposure != triad.ExposureSmall {
					b.Fatalf("%+v", r)
				}
				reads += len(rec.Read)
			}
			b.ReportMetric(float64(reads)/float64(b.N), "keys/op")
		})
	}
}

func BenchmarkIndexPod(b *testing.B) {
	e := reach.NewEstate(Indexes()...)
	b.ReportAllocs()
	for i := range b.N {
		p := i % 10_000
		e.PutAsset(cluster, &triad.Asset{ID: triad.KubernetesID("c", "Pod", benchNamespace(p), "p"+strconv.Itoa(p)), Kind: "Pod", Doc: []byte(benchPod(p))})
	}
}

// The work for one pod must not grow with pods that have nothing to do with it.
func TestAPodIsDecidedFromItsOwnNeighbourhood(t *testing.T) {
	if testing.Short() {
		t.Skip("builds an estate of 10,000 pods")
	}
	w := estate10k(t)
	for service, most := range map[int]int{1: 80, 0: 900} {
		p := service * 20
		rec := reach.NewRecorder(w)
		Of(rec, triad.PodContainerID("c", benchNamespace(p), "p"+strconv.Itoa(p), "web"), "tcp", 8080)
		rows := 0
		for key := range rec.Read {
			rows += len(w.Rows(key))
		}
		if rows > most {
			t.Errorf("a pod of service %d reads %d rows in %d keys, over %d", service, rows, len(rec.Read), most)
		}
	}
}
