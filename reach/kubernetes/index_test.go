package kubernetes

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

func FuzzIndex(f *testing.F) {
	for doc := range strings.SplitSeq(twoNodes+webPod+otherPods, "\n---\n") {
		if raw, err := yaml.YAMLToJSON([]byte(doc)); err == nil {
			for _, kind := range []string{"Pod", "Node", "Namespace"} {
				f.Add(kind, raw)
			}
		}
	}
	for kind, text := range map[string]string{
		"Service":            `{"metadata":{"name":"s","namespace":"n"},"spec":{"type":"NodePort","selector":{"a":"b"},"ports":[{"port":80,"targetPort":"http","nodePort":30080}]},"status":{"loadBalancer":{"ingress":[{"hostname":"X"}]}}}`,
		"EndpointSlice":      `{"metadata":{"name":"s","namespace":"n","labels":{"kubernetes.io/service-name":"s"}},"ports":[{"port":80}],"endpoints":[{"addresses":["10.0.0.1"],"conditions":{"ready":null}}]}`,
		"Ingress":            `{"metadata":{"name":"s","namespace":"n"},"spec":{"ingressClassName":"alb","rules":[{"http":{"paths":[{"backend":{"service":{"name":"s","port":{"number":80}}}}]}}]}}`,
		"IngressClass":       `{"metadata":{"name":"s","annotations":{"ingressclass.kubernetes.io/is-default-class":"true"}},"spec":{"controller":"x"}}`,
		"NetworkPolicy":      `{"metadata":{"name":"s","namespace":"n"},"spec":{"podSelector":{"matchExpressions":[{"key":"a","operator":"In","values":["b"]}]},"ingress":[{"from":[{"ipBlock":{"cidr":"10.0.0.0/33","except":["x"]}}],"ports":[{"port":99999,"endPort":-1}]}]}}`,
		"TargetGroupBinding": `{"metadata":{"name":"s","namespace":"n"},"spec":{"serviceRef":{"name":"s","port":80},"targetGroupARN":"arn"}}`,
		"Addon":              `{"addonName":"vpc-cni","clusterName":"c","configurationValues":"a: [b"}`,
	} {
		f.Add(kind, []byte(text))
	}
	f.Fuzz(func(t *testing.T, kind string, raw []byte) {
		// Whatever an object says, it is refused or answers every question without harm.
		e := cluster(t, twoNodes+webPod+otherPods)
		for _, id := range []string{"k8s:c/" + kind + "/n/s", "k8s:c/" + kind + "/shop/web", "k8s:c/" + kind + "/s", "k8s:" + kind, "arn:x"} {
			e.PutAsset("kubernetes/c", &triad.Asset{ID: id, Kind: kind, Doc: raw})
		}
		for _, id := range []string{"k8s:c/Pod/shop/web", "k8s:c/Pod/n/s"} {
			p, name := PodOf(e, id)
			if p == nil {
				continue
			}
			for _, l := range append(Ports(e, p, name), triad.Listen{Protocol: "tcp", Port: 8080}, triad.Listen{Protocol: "tcp"}) {
				entrances, _, _ := Entrances(e, p, l.Protocol, l.Port)
				for _, x := range entrances {
					Deliver(e, x, Arrival{Sources: reach.Internet, TargetGroup: "arn", Front: "x", Enforced: true}, name)
				}
				Controllers(e, p, l.Protocol, l.Port)
				Fronts(e, p, l.Protocol, l.Port)
				PolicyStops(e, p, l.Protocol, l.Port)
			}
			Enforcement(e, p, "c")
		}
	})
}

func TestDocumentsThatAreNotTheirRows(t *testing.T) {
	for name, a := range map[string]triad.Asset{
		"another object's document": {ID: "k8s:c/Pod/shop/web", Kind: "Pod", Doc: []byte(`{"metadata":{"name":"other","namespace":"shop"}}`)},
		"a document without a name": {ID: "k8s:c/Pod/shop/web", Kind: "Pod", Doc: []byte(`{}`)},
		"a list":                    {ID: "k8s:c/Pod/shop/web", Kind: "Pod", Doc: []byte(`[]`)},
		"one that is far too long":  {ID: "k8s:c/Pod/shop/web", Kind: "Pod", Doc: make([]byte, maxDoc+1)},
	} {
		if decoded, _, err := Index("kubernetes/c", &a); decoded != nil || err == nil {
			t.Errorf("%s: %v, %v", name, decoded, err)
		}
	}
	if decoded, keys, err := Index("kubernetes/c", &triad.Asset{ID: "k8s:c/Secret/shop/x", Kind: "Secret", Doc: []byte(`{}`)}); decoded != nil || keys != nil || err != nil {
		t.Errorf("a kind that decides nothing: %v %v %v", decoded, keys, err)
	}
}

func TestAClusterWhoseNameHasSlashes(t *testing.T) {
	const name = "arn:aws:eks:us-east-1:1:cluster/shop"
	a := &triad.Asset{ID: triad.KubernetesID(name, "Pod", "n", "p"), Kind: "Pod", Doc: []byte(`{"metadata":{"name":"p","namespace":"n"}}`)}
	decoded, _, err := Index("kubernetes/x", a)
	if p, ok := decoded.(*Pod); err != nil || !ok || p.Cluster != name {
		t.Errorf("%+v, %v", decoded, err)
	}
}
