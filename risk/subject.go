package risk

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/risk/graph"
)

// subject is what decisions are about: a workload with its containers, a function, a host,
// or another asset that has findings.
type subject struct {
	Ref      triad.AssetRef
	Members  []member
	Function *triad.FunctionProps
	Host     *machine
	Store    *dataStore
	Tier     string
	TierOf   string   // "namespace shop"
	Findings []string // asset IDs whose findings are this subject's
}

// member is one running container of a workload.
type member struct {
	ID          string
	Name        string
	Image       string // what it runs
	Reference   string
	Host        string
	Accounts    []string // service accounts
	HostNetwork bool
	Takeover    []string
}

// candidate reports whether an asset can be a subject.
func candidate(a *triad.Asset) bool {
	switch a.Type {
	case triad.TypeWorkload, triad.TypePod, triad.TypeFunction, triad.TypeHost:
		return true
	case triad.TypeContainer:
		return a.Kind == "DockerContainer"
	}
	return false
}

// subject reads what an asset is to risk; ok is false when it is a part of another subject.
func (e *Engine) subject(c *graph.Context, id string) (s subject, ok bool) {
	row := best(c.Rows(id), id)
	if row == nil {
		return e.bare(c, id)
	}
	a := row.Asset
	switch a.Type {
	case triad.TypeFunction:
		return e.functionSubject(c, a), true
	case triad.TypeHost:
		m := e.host(c, id)
		s = subject{Ref: triad.AssetRef{ID: m.ID, Type: a.Type, Kind: "Host", Name: m.Name}, Host: &m}
		s.Tier, s.TierOf, s.Findings = m.Tier, "instance "+m.Name, m.IDs
		return s, m.ID == id
	case triad.TypeDataStore:
		d := e.store(c, id)
		s = subject{Ref: triad.AssetRef{ID: id, Type: a.Type, Kind: a.Kind, Name: cmp.Or(a.Name, d.Name)}, Store: &d}
		s.Findings = []string{id}
		return s, true
	case triad.TypeWorkload, triad.TypePod:
		return e.workload(c, a)
	case triad.TypeImage:
		return subject{}, false // its findings are those of what runs it
	case triad.TypeContainer:
		if o := owner(c, id); o != "" || a.Kind != "DockerContainer" {
			return subject{}, false
		}
		return e.docker(c, a, []string{id}), true
	}
	s = subject{Ref: triad.AssetRef{ID: id, Type: a.Type, Kind: a.Kind, Name: cmp.Or(a.Name, id)}, Findings: []string{id}}
	s.Tier, s.TierOf = a.Tags["tier"], a.Kind+" "+cmp.Or(a.Name, id)
	return s, true
}

// bare is a subject that nobody reported as an asset, but that has findings.
func (e *Engine) bare(c *graph.Context, id string) (subject, bool) {
	if len(e.findingsOf(c, id)) == 0 {
		return subject{}, false
	}
	return subject{Ref: triad.AssetRef{ID: id, Type: triad.TypeConfig, Name: id}, Findings: []string{id}}, true
}

// best returns the row that describes an asset: the one of this ID with properties, else any.
func best(rows []*reach.Row, id string) *reach.Row {
	var found *reach.Row
	for _, r := range rows {
		if r.Asset == nil || r.Asset.ID != id {
			continue
		}
		if found == nil || len(found.Asset.Props) == 0 && len(r.Asset.Props) > 0 {
			found = r
		}
	}
	return found
}

// owner returns the asset at the top of an asset's owners, or nothing.
func owner(v reach.View, id string) string {
	for _, r := range v.Rows(reach.RelationsFrom(id, triad.RelOwnedBy)) {
		if r.Relation.To != id {
			return r.Relation.To
		}
	}
	return ""
}

func (e *Engine) functionSubject(c *graph.Context, a *triad.Asset) subject {
	p := props[triad.FunctionProps](a)
	tags := a.Tags
	for _, r := range c.Rows(a.ID) {
		if r.Asset == nil || r.Asset.Type != triad.TypeFunction {
			continue
		}
		// A scan of its code and the account that runs it each say a part.
		q := props[triad.FunctionProps](r.Asset)
		p.Role, p.CodeDigest = cmp.Or(p.Role, q.Role), cmp.Or(p.CodeDigest, q.CodeDigest)
		p.ImageRef, p.Runtime = cmp.Or(p.ImageRef, q.ImageRef), cmp.Or(p.Runtime, q.Runtime)
		if len(tags) == 0 {
			tags = r.Asset.Tags
		}
	}
	name := a.Name
	// arn:aws:lambda:REGION:ACCOUNT:function:NAME
	if f := strings.Split(a.ID, ":"); len(f) >= 7 && f[0] == "arn" && f[5] == "function" {
		name = f[4] + "/" + f[3] + "/" + f[6]
	}
	return subject{
		Ref:      triad.AssetRef{ID: a.ID, Type: triad.TypeFunction, Kind: "LambdaFunction", Name: cmp.Or(name, a.ID)},
		Function: &p, Tier: tags["tier"], TierOf: "function " + lastSegment(a.ID), Findings: []string{a.ID},
	}
}

// workload reads a Kubernetes workload or pod, or what Docker reports as a workload.
func (e *Engine) workload(c *graph.Context, a *triad.Asset) (subject, bool) {
	if owner(c, a.ID) != "" {
		return subject{}, false
	}
	pods := []string{a.ID} // a pod that nothing owns is its own workload
	if a.Type == triad.TypeWorkload {
		for _, r := range c.Rows(reach.RelationsTo(a.ID, triad.RelOwnedBy)) {
			pods = append(pods, r.Relation.From)
		}
	}
	o := objectOf(a.ID, a.Kind)
	if o.name == "" {
		parts := sorted(append(pods[1:], contained(c, a.ID)...))
		if len(parts) == 0 {
			parts = []string{a.ID}
		}
		return e.docker(c, a, parts), true
	}
	s := subject{Ref: triad.AssetRef{ID: a.ID, Type: a.Type, Kind: a.Kind}}
	cluster := cmp.Or(e.cluster(c, o.cluster), collectorsName(a.Name, o), o.cluster)
	s.Ref.Name = cluster + "/" + join("/", o.namespace, o.name)
	s.TierOf = "namespace " + o.namespace
	s.Tier = e.namespaceTier(c, triad.KubernetesID(o.cluster, "Namespace", "", o.namespace))
	s.Findings = []string{a.ID}
	for _, pod := range sorted(pods) {
		s.Findings = append(s.Findings, pod)
		if pod != a.ID && owner(c, pod) != a.ID {
			continue
		}
		s.Members = append(s.Members, e.podMembers(c, pod)...)
	}
	for _, m := range s.Members {
		s.Findings = append(s.Findings, m.ID)
	}
	s.Findings = sorted(s.Findings)
	return s, true
}

// collectorsName is what the collector calls the cluster: the head of CLUSTER/NAMESPACE/NAME.
func collectorsName(name string, o object) string {
	head, ok := strings.CutSuffix(name, "/"+o.namespace+"/"+o.name)
	if !ok {
		return ""
	}
	return head
}

func (e *Engine) namespaceTier(c *graph.Context, namespace string) string {
	return graph.Get(c, graph.ID{Kind: "tier", Of: namespace}, func(c *graph.Context) string {
		for _, r := range c.Rows(namespace) {
			if r.Asset != nil && r.Asset.Tags["tier"] != "" {
				return r.Asset.Tags["tier"]
			}
		}
		return ""
	})
}

func contained(v reach.View, id string) []string {
	var ids []string
	for _, r := range v.Rows(reach.RelationsFrom(id, triad.RelContains)) {
		ids = append(ids, r.Relation.To)
	}
	return ids
}

// podMembers reads the containers of a pod that run or will run again.
func (e *Engine) podMembers(c *graph.Context, pod string) []member {
	return graph.Get(c, graph.ID{Kind: "pod", Of: pod}, func(c *graph.Context) []member {
		row := best(c.Rows(pod), pod)
		if row == nil || finished(row.Asset) {
			return nil
		}
		accounts, host := targets(c, pod, triad.RelAssumes), first(targets(c, pod, triad.RelRunsOn))
		var members []member
		for _, id := range sorted(contained(c, pod)) {
			m, p, ok := readMember(c, id)
			if !ok || p.Init && !p.Running {
				continue
			}
			m.Accounts, m.Host = accounts, cmp.Or(m.Host, host)
			members = append(members, m)
		}
		return members
	})
}

// finished reports whether a pod has run to its end.
func finished(pod *triad.Asset) bool {
	var doc struct {
		Status struct {
			Phase string `json:"phase"`
		} `json:"status"`
	}
	if len(pod.Doc) > 0 {
		_ = json.Unmarshal(pod.Doc, &doc) // unread: it counts as running
	}
	return doc.Status.Phase == "Succeeded" || doc.Status.Phase == "Failed"
}

// docker reads a container of Docker or of another engine outside a cluster.
func (e *Engine) docker(c *graph.Context, a *triad.Asset, containers []string) subject {
	s := subject{Ref: triad.AssetRef{ID: a.ID, Type: a.Type, Kind: a.Kind, Name: a.Name}, Findings: append([]string{a.ID}, containers...)}
	for _, id := range containers {
		m, p, ok := readMember(c, id)
		if !ok || !p.Running && len(p.Name) > 0 {
			continue
		}
		m.Host = cmp.Or(m.Host, first(targets(c, a.ID, triad.RelRunsOn)), props[triad.WorkloadProps](a).Host)
		m.Accounts = nil
		s.Members = append(s.Members, m)
		if s.Host == nil && m.Host != "" {
			host := e.host(c, m.Host)
			s.Tier, s.TierOf = host.Tier, "instance "+host.Name
			s.Ref.Name = host.Name + "/" + cmp.Or(m.Name, lastSegment(a.Name))
		}
	}
	s.Findings = sorted(s.Findings)
	return s
}

// readMember reads a container's own row and relations.
func readMember(c *graph.Context, id string) (m member, p triad.ContainerProps, ok bool) {
	row := best(c.Rows(id), id)
	if row == nil || row.Asset.Type != triad.TypeContainer && row.Asset.Type != triad.TypeWorkload {
		return member{}, p, false
	}
	p = props[triad.ContainerProps](row.Asset)
	m = member{
		ID: id, Name: strings.TrimPrefix(p.Name, "/"), Reference: p.ImageRef, HostNetwork: p.HostNetwork, Takeover: p.Takeover,
		Image: cmp.Or(first(targets(c, id, triad.RelRuns)), p.Digest), Host: first(targets(c, id, triad.RelRunsOn)),
	}
	if p.Privileged && len(m.Takeover) == 0 {
		m.Takeover = []string{"privileged"}
	}
	return m, p, true
}

func targets(v reach.View, id string, t triad.RelationType) []string {
	var ids []string
	for _, r := range v.Rows(reach.RelationsFrom(id, t)) {
		ids = append(ids, r.Relation.To)
	}
	return sorted(ids)
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
