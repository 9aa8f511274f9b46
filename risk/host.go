package risk

import (
	"cmp"
	"slices"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/risk/graph"
)

// maxAliases bounds how many IDs one thing may have.
const maxAliases = 256

// closure returns every row of one thing: those under id, under their aliases, and so on.
// Rows are ordered as found; ids are sorted and always hold id.
func closure(v reach.View, id string) (ids []string, rows []*reach.Row) {
	queue, known := []string{id}, map[string]bool{id: true}
	seen := map[*reach.Row]bool{}
	for len(queue) > 0 {
		next := queue[0]
		queue = queue[1:]
		for _, r := range v.Rows(next) {
			if r.Asset == nil || seen[r] {
				continue
			}
			seen[r] = true
			rows = append(rows, r)
			for _, alias := range append([]string{r.Asset.ID}, r.Asset.Aliases...) {
				if known[alias] || !joins(alias) || len(known) >= maxAliases {
					continue
				}
				known[alias] = true
				queue = append(queue, alias)
			}
		}
	}
	for k := range known {
		ids = append(ids, k)
	}
	slices.Sort(ids)
	return ids, rows
}

// joins reports whether two rows with this alias are one thing. A tag moves from image to
// image, and one code package may be several functions.
func joins(alias string) bool {
	return !strings.HasPrefix(alias, "imageref:") && !strings.HasPrefix(alias, "CodeSha256:")
}

// machine is one host with everything its rows say.
type machine struct {
	ID       string // the ID it is known by: the provider's, else the node's, else the machine's
	IDs      []string
	Instance string // i-…, empty when no cloud is known to run it
	Name     string
	Tier     string
	VPC      string
	Known    bool // somebody read the metadata settings
	Off      bool
	Tokens   string
	Hops     int
}

// answers reports whether the machine's metadata service answers a container on it, and why.
// An answer without a token (version 1) travels any distance; one with a token travels
// HopLimit hops, and a container with a network of its own is one hop further than its host.
func (m machine) answers(hostNetwork bool) (yes bool, why string) {
	switch {
	case !m.Known:
		return false, "the metadata settings of its machine were not read"
	case m.Off:
		return false, "the metadata service is off"
	case hostNetwork:
		return true, "metadata service answers: it shares its host's network"
	case m.Tokens == "optional":
		return true, "metadata service answers containers: tokens optional" + hops(m.Hops)
	case m.Hops >= 2:
		return true, "metadata service answers containers" + strings.Replace(hops(m.Hops), ",", ":", 1)
	}
	return false, "the metadata service does not answer containers: tokens required" + hops(m.Hops)
}

func hops(n int) string {
	if n == 0 {
		return ""
	}
	return ", hop limit " + itoa(n)
}

// host returns the machine that an ID of it names.
func (e *Engine) host(c *graph.Context, id string) machine {
	if id == "" {
		return machine{}
	}
	return graph.Get(c, graph.ID{Kind: "machine", Of: id}, func(c *graph.Context) machine { return readMachine(c, id) })
}

func readMachine(v reach.View, id string) machine {
	ids, rows := closure(v, id)
	m := machine{IDs: ids}
	rows = slices.DeleteFunc(rows, func(r *reach.Row) bool { return r.Asset.Type != triad.TypeHost })
	slices.SortStableFunc(rows, func(a, b *reach.Row) int {
		return cmp.Or(cmp.Compare(hostOrder(a.Asset), hostOrder(b.Asset)), cmp.Compare(a.Asset.ID, b.Asset.ID))
	})
	for _, alias := range ids {
		if i, ok := strings.CutPrefix(alias, "aws-instance:"); ok && m.Instance == "" {
			m.Instance = i
		}
	}
	tiers := []string{}
	for _, r := range rows {
		if m.ID == "" {
			m.ID, m.Name = r.Asset.ID, r.Asset.Name
		}
		p := props[triad.HostProps](r.Asset)
		if p.MetadataTokens != "" || p.MetadataHopLimit > 0 || p.MetadataOff {
			m.Known, m.Off, m.Tokens, m.Hops = true, p.MetadataOff, p.MetadataTokens, p.MetadataHopLimit
		}
		if p.Hostname != "" && m.Name == "" {
			m.Name = p.Hostname
		}
		if r.Asset.Kind == "Instance" {
			if m.Instance == "" {
				m.Instance = r.Asset.ID
			}
			m.VPC = vpcOf(r.Asset)
		}
		if t := r.Asset.Tags["tier"]; t != "" {
			tiers = append(tiers, t)
		}
	}
	if len(tiers) > 0 {
		m.Tier = tiers[0]
	}
	if m.ID == "" {
		m.ID = id
	}
	if m.Instance != "" {
		m.Name = m.Instance
	}
	if m.Name == "" {
		m.Name = m.ID
	}
	return m
}

// hostOrder puts the row that names a machine best first.
func hostOrder(a *triad.Asset) int {
	switch a.Kind {
	case "Instance":
		return 0
	case "Node":
		return 1
	}
	return 2
}

// cluster returns the name that people know a cluster by: the one on its machines' tags,
// else what the collector calls it.
func (e *Engine) cluster(c *graph.Context, cluster string) string {
	return graph.Get(c, graph.ID{Kind: "cluster", Of: cluster}, func(c *graph.Context) string {
		for _, node := range c.Rows(keyClusterNodes + cluster) {
			for _, alias := range node.Asset.Aliases {
				if !strings.HasPrefix(alias, "aws-instance:") {
					continue
				}
				for _, r := range c.Rows(alias) {
					if name := clusterTag(r.Asset.Tags); name != "" && r.Asset.Kind == "Instance" {
						return name
					}
				}
			}
		}
		return ""
	})
}

func clusterTag(tags map[string]string) string {
	if name := cmp.Or(tags["eks:cluster-name"], tags["aws:eks:cluster-name"]); name != "" {
		return name
	}
	var names []string
	for k := range tags {
		if name, ok := strings.CutPrefix(k, "kubernetes.io/cluster/"); ok && name != "" {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return slices.Min(names)
}
