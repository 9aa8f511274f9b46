package risk_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/risk"
)

// randomChange changes one thing of a small estate, so that the same things change often.
func randomChange(t *rapid.T, w *world, m *fakeMatcher) {
	names := rapid.SampledFrom([]string{"web", "api", "db"})
	name := names.Draw(t, "name")
	namespace := rapid.SampledFrom([]string{"shop", "ops"}).Draw(t, "namespace")
	container := triad.PodContainerID("c", namespace, name+"-1", name)
	pod := triad.KubernetesID("c", "Pod", namespace, name+"-1")
	account := triad.KubernetesID("c", "ServiceAccount", namespace, name)
	image := rapid.SampledFrom([]string{"sha256:aa", "sha256:bb"}).Draw(t, "image")
	group := rapid.SampledFrom([]string{"sg-1", "sg-2"}).Draw(t, "group")
	role := rapid.SampledFrom([]string{"arn:aws:iam::1:role/a", "arn:aws:iam::1:role/b"}).Draw(t, "role")
	store := rapid.SampledFrom([]string{"s1", "s2"}).Draw(t, "store")
	pack := rapid.SampledFrom([]string{"log4j@2.14", "expat@2.5", "fine@1"}).Draw(t, "package")
	remove := rapid.Bool().Draw(t, "remove")
	relate := func(scope, from string, typ triad.RelationType, to string, props any) {
		if remove {
			w.remove(scope, triad.RowRelation, triad.Relation{From: from, Type: typ, To: to}.Key())
		} else {
			w.relate(scope, from, typ, to, props)
		}
	}
	asset := func(scope string, a triad.Asset) {
		if remove {
			w.remove(scope, triad.RowAsset, a.ID)
		} else {
			w.asset(scope, a)
		}
	}
	switch rapid.IntRange(0, 17).Draw(t, "kind") {
	case 0, 1:
		w.deployment(namespace, name, image, rapid.SampledFrom([]int{0, 80, 8080}).Draw(t, "port"))
	case 2:
		w.group(group, rapid.SampledFrom([]string{"", "80", "8080 from 192.0.2.0/24", "80,8080"}).Draw(t, "open"))
	case 3:
		relate(k8s, container, triad.RelAllows, group, nil)
	case 4:
		p := triad.Package{Asset: image, Name: pack[:len(pack)-5], PURL: pack}
		p.Name, p.Version = splitAt(pack)
		p.Files = []string{"/lib/" + p.Name + ".so"}
		if remove {
			w.remove("image/"+image, triad.RowPackage, p.Key())
		} else {
			w.pack("image/"+image, p)
		}
	case 5:
		w.role(role, namespace, name)
	case 6:
		relate(aws, role, triad.RelCanAccess, store, triad.Access{Read: true, Unknown: rapid.SampledFrom([]string{"", "a condition"}).Draw(t, "unknown")})
	case 7:
		asset(aws, triad.Asset{ID: store, Type: triad.TypeDataStore, Props: raw(triad.DataStoreProps{
			Engine: "s3", Port: rapid.SampledFrom([]int{0, 5432}).Draw(t, "storePort"), Public: rapid.Bool().Draw(t, "public"),
			Classification: rapid.SampledFrom([]string{"", "restricted"}).Draw(t, "class"),
		})})
	case 8:
		relate(k8s, container, triad.RelRoutes, store, nil)
	case 9:
		w.host(triad.HostProps{MetadataTokens: "required", MetadataHopLimit: rapid.IntRange(1, 2).Draw(t, "hops")})
	case 10:
		relate(k8s, pod, triad.RelRunsOn, triad.KubernetesID("c", "Node", "", "n1"), nil)
	case 11:
		asset(k8s, triad.Asset{ID: triad.KubernetesID("c", "Node", "", "n1"), Type: triad.TypeHost, Kind: "Node", Aliases: []string{"aws-instance:i-1"}})
	case 12:
		f := triad.Finding{Kind: triad.FindingMisconfiguration, ID: "rule", Severity: "high", Asset: rapid.SampledFrom([]string{container, pod, group, store, "i-1", image}).Draw(t, "of")}
		if remove {
			w.remove(k8s, triad.RowFinding, f.Key())
		} else {
			w.finding(k8s, f)
		}
	case 13:
		exe := rapid.SampledFrom([]string{"/bin/a", "/bin/b"}).Draw(t, "exe")
		id := triad.ProcessID(container, exe)
		asset("run/"+name, triad.Asset{ID: id, Type: triad.TypeProcess, Section: "processes", Props: raw(triad.ProcessProps{Exe: exe, Loads: []string{"/usr/lib/log4j.so"}})})
		relate("run/"+name, container, triad.RelContains, id, nil)
		relate("run/"+name, id, triad.RelListens, triad.EndpointID(container, "tcp", "80"), triad.Listen{Protocol: "tcp", Port: 80, Basis: triad.BasisObserved, Process: id})
	case 14:
		w.remove(k8s, triad.RowAsset, rapid.SampledFrom([]string{container, pod, triad.KubernetesID("c", "Deployment", namespace, name), account}).Draw(t, "gone"))
	case 15:
		relate(k8s, pod, triad.RelOwnedBy, triad.KubernetesID("c", "Deployment", namespace, name), nil)
	case 16:
		asset("image/"+image, triad.Asset{ID: image, Type: triad.TypeImage, Aliases: []string{rapid.SampledFrom([]string{"sha256:aa", "sha256:bb"}).Draw(t, "alias")}})
	case 17:
		if m.changed == nil {
			m.changed = map[string]triad.AdvisoryChange{}
		}
		// A revision always names the same package; how it is named and by whom differs.
		m.changed[m.revision] = rapid.SampledFrom([]triad.AdvisoryChange{{Packages: []string{"Fine", "other"}}, {IDs: []string{"CVE-2026-1"}, Packages: []string{"fine"}}}).Draw(t, "delta")
		m.revision += "x"
		m.advisories["fine@1"] = triad.Vulnerability{ID: "CVE-2026-1", Exploitation: rapid.SampledFrom([]string{"none", "active"}).Draw(t, "exploitation"), Automatable: "no"}
	}
}

func splitAt(s string) (name, version string) {
	for i := range s {
		if s[i] == '@' {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

func TestTheIncrementalEngineEqualsARebuiltOne(t *testing.T) {
	t.Cleanup(risk.MatchOnlyWhatChanged())
	rapid.Check(t, func(t *rapid.T) {
		w, m := newWorld(), advisories()
		e := risk.NewEngine(risk.Options{Ways: fakeWays(), Matcher: m})
		mirror := map[string]triad.Decision{}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			for range rapid.IntRange(1, 6).Draw(t, "changes") {
				randomChange(t, w, m)
			}
			u, err := e.Apply(t.Context(), w.take())
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range u.Put {
				mirror[d.ID] = d
				if u.Cause[d.ID] == "" {
					t.Fatalf("%s of %s changed without a cause", d.Finding.ID, d.Asset.Name)
				}
			}
			for _, id := range u.Removed {
				delete(mirror, id)
			}
		}
		fresh := risk.NewEngine(risk.Options{Ways: fakeWays(), Matcher: m})
		if _, err := fresh.Apply(t.Context(), w.all()); err != nil {
			t.Fatal(err)
		}
		want, got := fresh.Decisions(), e.Decisions()
		if len(want) != len(got) || len(want) != len(mirror) {
			t.Fatalf("rebuilt has %d decisions, incremental %d, its updates add up to %d", len(want), len(got), len(mirror))
		}
		for i := range want {
			patched := mirror[got[i].ID]
			want[i].Changed, got[i].Changed, patched.Changed = time.Time{}, time.Time{}, time.Time{}
			if !reflect.DeepEqual(want[i], got[i]) {
				t.Fatalf("decision %d:\nrebuilt     %+v\nincremental %+v", i, want[i], got[i])
			}
			if !reflect.DeepEqual(patched, got[i]) {
				t.Fatalf("decision %d:\nits updates %+v\nincremental %+v", i, patched, got[i])
			}
		}
	})
}

func TestAGrowingEstateDoesNotMakeAChangeDearer(t *testing.T) {
	count := func(n int) int {
		w := newWorld()
		w.image("image/aa", digest, "log4j@2.14")
		for i := range n {
			g := fmt.Sprintf("sg-%d", i/5)
			w.group(g, "80")
			w.relate(k8s, w.deployment(fmt.Sprintf("ns%d", i/5), fmt.Sprintf("w%d", i), digest, 80), triad.RelAllows, g, nil)
		}
		e := risk.NewEngine(risk.Options{Ways: fakeWays(), Matcher: advisories()})
		apply(t, e, w)
		w.group("sg-3", "")
		u := apply(t, e, w)
		if len(u.Put) != 5 {
			t.Errorf("of %d workloads %d decisions changed, want 5", n, len(u.Put))
		}
		return u.Recomputed
	}
	if small, large := count(50), count(500); small != large || small != 5 {
		t.Errorf("%d assets recomputed of 50 workloads, %d of 500; want 5 both times", small, large)
	}
}
