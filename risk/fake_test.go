package risk_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/risk"
)

// fakeWays stands for reach/exposure: a container's or host's way is what the security
// groups that its allows relations name say in tag open: "PORT" or "PORT from CIDR".
func fakeWays() risk.Ways {
	way := func(v reach.View, id, protocol string, port int) reach.Result {
		var path []triad.Hop
		stop := triad.Hop{Type: "container-port", Reason: "it listens on nothing"}
		for _, r := range v.Rows(reach.RelationsFrom(id, triad.RelAllows)) {
			for _, g := range v.Rows(r.Relation.To) {
				path = []triad.Hop{{Type: "internet"}, {Type: "security-group", ID: g.Asset.ID}}
				if g.Asset.Tags["unread"] != "" {
					return reach.Result{Verdict: reach.Unknown, Unread: []triad.Unread{{Section: "sg", Reason: "denied"}}}
				}
				for _, open := range strings.Split(g.Asset.Tags["open"], ",") {
					p, from, _ := strings.Cut(open, " from ")
					if p != fmt.Sprint(port) {
						continue
					}
					res := reach.Result{Verdict: reach.Reachable, Path: path, Port: port}
					if from != "" {
						res.Sources = []string{from}
					}
					return res
				}
				stop = triad.Hop{Type: "security-group", ID: g.Asset.ID, Reason: fmt.Sprintf("no rule for %s %d", protocol, port)}
			}
		}
		return reach.Result{Verdict: reach.Blocked, BlockedBy: &stop}
	}
	return risk.Ways{
		Container: way, Host: way,
		Function: func(v reach.View, id string) reach.Result { return way(v, id, "tcp", 443) },
		Connect: func(v reach.View, from, store string) reach.Result {
			for _, r := range v.Rows(reach.RelationsFrom(from, triad.RelRoutes)) {
				if r.Relation.To == store {
					return reach.Result{Verdict: reach.Reachable}
				}
			}
			return reach.Result{Verdict: reach.Blocked}
		},
	}
}

// fakeMatcher stands for build/match: an advisory is a name and version of a package.
type fakeMatcher struct {
	revision   string
	changed    map[string]triad.AdvisoryChange // by the revision before; nil is not known
	advisories map[string]triad.Vulnerability  // by package@version
}

func (m *fakeMatcher) Revision() string { return m.revision }

func (m *fakeMatcher) Changed(since string) (triad.AdvisoryChange, bool) {
	return m.changed[since], m.changed != nil
}

func (m *fakeMatcher) Match(_ context.Context, packages []triad.Package) (found []triad.Vulnerability, err error) {
	for _, p := range packages {
		if v, ok := m.advisories[p.Name+"@"+p.Version]; ok {
			v.Package, v.Version, v.PURL, v.Path, v.Asset = p.Name, p.Version, p.PURL, p.Path, p.Asset
			found = append(found, v)
		}
	}
	return found, nil
}

func advisories() *fakeMatcher {
	return &fakeMatcher{revision: "1", advisories: map[string]triad.Vulnerability{
		"log4j@2.14": {ID: "CVE-2021-44228", Fixed: "2.15.0", Exploitation: "active", ExploitationBasis: "in CISA KEV", KEV: true, Automatable: "yes", CVSS: 10, EPSS: 0.97},
		"expat@2.5":  {ID: "CVE-2024-45492", Fixed: "2.5.1", Exploitation: "none", Automatable: "yes", CVSS: 9.8},
	}}
}

// world writes the change log of an estate.
type world struct {
	seq  int64
	rows map[string]triad.Change
	log  []triad.Change
}

func newWorld() *world { return &world{rows: map[string]triad.Change{}} }

func (w *world) put(scope string, kind triad.RowKind, key string, v any) {
	doc, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	k := scope + "|" + string(kind) + "|" + key
	c := triad.Change{Scope: scope, Kind: kind, Key: key, Before: w.rows[k].After, After: doc}
	if string(c.Before) == string(doc) {
		return
	}
	w.add(k, c)
}

func (w *world) remove(scope string, kind triad.RowKind, key string) {
	k := scope + "|" + string(kind) + "|" + key
	if old, ok := w.rows[k]; ok {
		w.add(k, triad.Change{Scope: scope, Kind: kind, Key: key, Before: old.After})
	}
}

func (w *world) add(k string, c triad.Change) {
	w.seq++
	c.Seq, c.At = w.seq, time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC).Add(time.Duration(w.seq)*time.Second)
	w.log = append(w.log, c)
	if c.After == nil {
		delete(w.rows, k)
	} else {
		w.rows[k] = c
	}
}

func (w *world) asset(scope string, a triad.Asset) { w.put(scope, triad.RowAsset, a.ID, a) }

func (w *world) relate(scope, from string, t triad.RelationType, to string, props any) {
	r := triad.Relation{From: from, Type: t, To: to}
	if props != nil {
		r.Props = raw(props)
	}
	w.put(scope, triad.RowRelation, r.Key(), r)
}

func (w *world) pack(scope string, p triad.Package) { w.put(scope, triad.RowPackage, p.Key(), p) }

func (w *world) finding(scope string, f triad.Finding) { w.put(scope, triad.RowFinding, f.Key(), f) }

// take returns the changes written since the last take.
func (w *world) take() []triad.Change {
	list := w.log
	w.log = nil
	return list
}

// all returns the present rows as one log, in another order than they were written.
func (w *world) all() []triad.Change {
	list := make([]triad.Change, 0, len(w.rows))
	for _, c := range w.rows {
		c.Before = nil
		list = append(list, c)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Scope+list[i].Key > list[j].Scope+list[j].Key })
	return list
}

func raw(v any) json.RawMessage {
	doc, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return doc
}

const (
	aws    = "aws/1/eu"
	k8s    = "kubernetes/shop"
	digest = "sha256:aa"
)

// deployment adds a Deployment of one pod with one container on a node.
func (w *world) deployment(namespace, name, image string, port int) (container string) {
	id := triad.KubernetesID("c", "Deployment", namespace, name)
	pod := triad.KubernetesID("c", "Pod", namespace, name+"-1")
	container = triad.PodContainerID("c", namespace, name+"-1", name)
	w.asset(k8s, triad.Asset{ID: triad.KubernetesID("c", "Namespace", "", namespace), Type: triad.TypeNamespace, Kind: "Namespace", Tags: map[string]string{"tier": "production"}})
	w.asset(k8s, triad.Asset{ID: id, Type: triad.TypeWorkload, Kind: "Deployment", Name: "c/" + namespace + "/" + name})
	w.asset(k8s, triad.Asset{ID: pod, Type: triad.TypePod, Kind: "Pod", Name: "c/" + namespace + "/" + name + "-1"})
	w.asset(k8s, triad.Asset{ID: container, Type: triad.TypeContainer, Kind: "PodContainer", Props: raw(triad.ContainerProps{Name: name, Running: true})})
	w.relate(k8s, pod, triad.RelOwnedBy, id, nil)
	w.relate(k8s, pod, triad.RelContains, container, nil)
	w.relate(k8s, pod, triad.RelAssumes, triad.KubernetesID("c", "ServiceAccount", namespace, name), nil)
	w.relate(k8s, container, triad.RelRuns, image, nil)
	if port > 0 {
		w.relate(k8s, container, triad.RelListens, triad.EndpointID(container, "tcp", fmt.Sprint(port)), triad.Listen{Protocol: "tcp", Port: port, Basis: triad.BasisDeclared})
	}
	return container
}

func (w *world) group(id, open string) {
	w.asset(aws, triad.Asset{ID: id, Type: triad.TypeSecurityGroup, Kind: "SecurityGroup", Tags: map[string]string{"open": open}})
}

func (w *world) image(scope, digest string, names ...string) {
	w.asset(scope, triad.Asset{ID: digest, Type: triad.TypeImage, Kind: "Image"})
	for _, n := range names {
		name, version, _ := strings.Cut(n, "@")
		w.pack(scope, triad.Package{Asset: digest, Name: name, Version: version, PURL: "pkg:generic/" + n})
	}
}

// role adds a role that a service account of namespace may assume, and what it reaches.
func (w *world) role(arn, namespace, account string) {
	w.asset(aws, triad.Asset{ID: arn, Type: triad.TypeIdentity, Kind: "Role", Props: raw(triad.IdentityProps{Trusts: []triad.Trust{{
		Type: "oidc", Principal: "oidc.eks/id/1", Subjects: []string{"system:serviceaccount:" + namespace + ":" + account},
	}}})})
	w.relate(k8s, triad.KubernetesID("c", "ServiceAccount", namespace, account), triad.RelAssumes, arn, nil)
}

func (w *world) store(id, engine, classification string) {
	w.asset(aws, triad.Asset{ID: id, Type: triad.TypeDataStore, Kind: "Bucket", Name: id, Props: raw(triad.DataStoreProps{Engine: engine, Classification: classification})})
}

func apply(t *testing.T, e *risk.Engine, w *world) *risk.Update {
	t.Helper()
	u, err := e.Apply(t.Context(), w.take())
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func only(t *testing.T, e *risk.Engine, finding, asset string) triad.Decision {
	t.Helper()
	for _, d := range e.Decisions() {
		if d.Finding.ID == finding && d.Asset.Name == asset {
			return d
		}
	}
	t.Fatalf("no decision for %s on %s", finding, asset)
	return triad.Decision{}
}
