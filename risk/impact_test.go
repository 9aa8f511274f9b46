package risk_test

import (
	"strings"
	"testing"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/risk"
)

// host adds an instance with a role that reaches a store, and a node on it.
func (w *world) host(p triad.HostProps) {
	w.asset(aws, triad.Asset{ID: "i-1", Type: triad.TypeHost, Kind: "Instance", Aliases: []string{"aws-instance:i-1"}, Tags: map[string]string{"tier": "production", "eks:cluster-name": "prod"}, Props: raw(p)})
	w.asset(k8s, triad.Asset{ID: triad.KubernetesID("c", "Node", "", "n1"), Type: triad.TypeHost, Kind: "Node", Aliases: []string{"aws-instance:i-1"}})
	w.asset(aws, triad.Asset{ID: "arn:aws:iam::1:role/node", Type: triad.TypeIdentity, Kind: "Role", Props: raw(triad.IdentityProps{Trusts: []triad.Trust{{Type: "service", Principal: "ec2.amazonaws.com"}}})})
	w.relate(aws, "i-1", triad.RelAssumes, "arn:aws:iam::1:role/node", nil)
	w.store("media", "s3", "internal")
	w.relate(aws, "arn:aws:iam::1:role/node", triad.RelCanAccess, "media", triad.Access{Read: true, Actions: []string{"s3:GetObject"}})
}

func TestHumanImpact(t *testing.T) {
	required1 := triad.HostProps{MetadataTokens: "required", MetadataHopLimit: 1}
	const web, role = "c/shop/web", "arn:aws:iam::1:role/web"
	container := triad.PodContainerID("c", "shop", "web-1", "web")
	on := func(w *world) {
		w.relate(k8s, triad.KubernetesID("c", "Pod", "shop", "web-1"), triad.RelRunsOn, triad.KubernetesID("c", "Node", "", "n1"), nil)
	}
	for name, c := range map[string]struct {
		change func(w *world)
		impact string
		says   string
		name   string
	}{
		"production that reaches nothing is medium": {func(*world) {}, "medium", "namespace shop tier production, reaches no data store", ""},
		"a role that reads a restricted store is very high": {func(w *world) {
			w.role(role, "shop", "web")
			w.store("sales", "redshift", "restricted")
			w.relate(aws, role, triad.RelCanAccess, "sales", triad.Access{Read: true})
		}, "very-high", "Redshift sales", ""},
		"a role that reads another store is high": {func(w *world) {
			w.role(role, "shop", "web")
			w.store("b", "s3", "internal")
			w.relate(aws, role, triad.RelCanAccess, "b", triad.Access{Read: true})
		}, "high", "S3 bucket b", ""},
		"a role for another service account counts for nothing": {func(w *world) {
			w.role(role, "shop", "other")
			w.relate(k8s, triad.KubernetesID("c", "ServiceAccount", "shop", "web"), triad.RelAssumes, role, nil)
			w.store("b", "s3", "")
			w.relate(aws, role, triad.RelCanAccess, "b", triad.Access{Read: true})
		}, "medium", "reaches no data store", ""},
		"a public store raises nobody's impact": {func(w *world) {
			w.role(role, "shop", "web")
			w.asset(aws, triad.Asset{ID: "b", Type: triad.TypeDataStore, Props: raw(triad.DataStoreProps{Engine: "s3", Public: true})})
			w.relate(aws, role, triad.RelCanAccess, "b", triad.Access{Read: true})
		}, "medium", "", ""},
		"an access that could not be evaluated counts and says so": {func(w *world) {
			w.role(role, "shop", "web")
			w.store("b", "s3", "restricted")
			w.relate(aws, role, triad.RelCanAccess, "b", triad.Access{Unknown: "condition aws:SourceVpc"})
		}, "very-high", "not certain, counted: condition aws:SourceVpc", ""},
		"an access that neither reads nor writes is none": {func(w *world) {
			w.role(role, "shop", "web")
			w.store("b", "s3", "restricted")
			w.relate(aws, role, triad.RelCanAccess, "b", triad.Access{})
		}, "medium", "", ""},
		"a role that may become another reaches what that one does": {func(w *world) {
			w.role(role, "shop", "web")
			w.store("b", "s3", "restricted")
			w.asset(aws, triad.Asset{ID: "arn:aws:iam::1:role/deep", Type: triad.TypeIdentity, Props: raw(triad.IdentityProps{Trusts: []triad.Trust{{Type: "principal", Principal: "arn:aws:iam::1:root"}}})})
			w.relate(aws, role, triad.RelAssumes, "arn:aws:iam::1:role/deep", nil)
			w.relate(aws, "arn:aws:iam::1:role/deep", triad.RelCanAccess, "b", triad.Access{Write: true})
		}, "very-high", "S3 bucket b", ""},
		"a way on the network to a store counts": {func(w *world) {
			w.asset(aws, triad.Asset{ID: "db", Type: triad.TypeDataStore, Name: "db", Props: raw(triad.DataStoreProps{Engine: "postgres", Port: 5432})})
			w.relate(aws, container, triad.RelRoutes, "db", nil)
		}, "high", "network reaches postgres database db", ""},
		"a container that takes over its host is high": {func(w *world) {
			w.asset(k8s, triad.Asset{ID: container, Type: triad.TypeContainer, Props: raw(triad.ContainerProps{Name: "web", Running: true, Takeover: []string{"privileged"}})})
			w.host(required1)
			on(w)
		}, "high", "privileged: takes over node i-1", "prod/shop/web"},
		"metadata with tokens and one hop does not answer a pod": {func(w *world) { w.host(required1); on(w) }, "medium", "out of reach", "prod/shop/web"},
		"metadata with two hops answers a pod":                   {func(w *world) { w.host(triad.HostProps{MetadataTokens: "required", MetadataHopLimit: 2}); on(w) }, "high", "metadata service answers containers: hop limit 2", "prod/shop/web"},
		"metadata without tokens answers a pod at any distance":  {func(w *world) { w.host(triad.HostProps{MetadataTokens: "optional", MetadataHopLimit: 1}); on(w) }, "high", "tokens optional, hop limit 1", "prod/shop/web"},
		"metadata that is off answers nobody": {func(w *world) {
			w.host(triad.HostProps{MetadataTokens: "optional", MetadataHopLimit: 2, MetadataOff: true})
			on(w)
		}, "medium", "off", "prod/shop/web"},
		"metadata answers a container on its host's network": {func(w *world) {
			w.asset(k8s, triad.Asset{ID: container, Type: triad.TypeContainer, Props: raw(triad.ContainerProps{Name: "web", Running: true, HostNetwork: true})})
			w.host(required1)
			on(w)
		}, "high", "shares its host's network", "prod/shop/web"},
		"a role of another cluster's provider counts for nothing": {func(w *world) {
			w.host(required1)
			w.role(role, "shop", "web")
			w.store("b", "s3", "restricted")
			w.relate(aws, role, triad.RelCanAccess, "b", triad.Access{Read: true})
			w.asset(aws, triad.Asset{ID: "arn:aws:eks:eu:1:cluster/prod", Type: triad.TypeCluster, Kind: "Cluster", Doc: raw(map[string]any{"name": "prod", "identity": map[string]any{"oidc": map[string]any{"issuer": "https://oidc.eks/id/2"}}})})
		}, "medium", "reaches no data store", "prod/shop/web"},
		"a role that nobody read is said": {func(w *world) {
			w.relate(k8s, triad.KubernetesID("c", "ServiceAccount", "shop", "web"), triad.RelAssumes, "arn:aws:iam::1:role/x", nil)
		}, "medium", "nobody read the role", ""},
		"a namespace that is not production is low": {func(w *world) {
			w.asset(k8s, triad.Asset{ID: triad.KubernetesID("c", "Namespace", "", "shop"), Type: triad.TypeNamespace, Tags: map[string]string{"tier": "internal"}})
		}, "low", "tier internal", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.image("image/aa", digest, "log4j@2.14")
			w.deployment("shop", "web", digest, 80)
			c.change(w)
			e := risk.NewEngine(risk.Options{Ways: fakeWays(), Matcher: advisories()})
			apply(t, e, w)
			if c.name == "" {
				c.name = web
			}
			d := only(t, e, "CVE-2021-44228", c.name)
			reason := ""
			for _, in := range d.Inputs {
				if in.Name == "impact" {
					reason = in.Reason
				}
			}
			if d.Impact != c.impact || !strings.Contains(reason, c.says) {
				t.Errorf("impact %s (%s); want %s with %q", d.Impact, reason, c.impact, c.says)
			}
		})
	}
}
