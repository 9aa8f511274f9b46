package risk

import (
	"slices"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/risk/graph"
)

// certainty of a statement that may not have been read whole.
type certainty uint8

const (
	no certainty = iota
	unsure
	yes
)

// identity is one that a workload can act as.
type identity struct {
	ID      string
	Name    string
	How     string // "IRSA of service account shop/storefront"
	Unknown string // why it is not sure that the workload can act as it
	Missing bool   // nobody read it
}

// maxChain bounds a chain of roles that assume one another.
const maxChain = 8

// serviceAccountRoles returns the cloud roles that pods of a service account may assume.
func (e *Engine) serviceAccountRoles(c *graph.Context, account string) []identity {
	return graph.Get(c, graph.ID{Kind: "service-account", Of: account}, func(c *graph.Context) []identity {
		o := objectOf(account, "ServiceAccount")
		subject := "system:serviceaccount:" + o.namespace + ":" + o.name
		var roles []identity
		for _, r := range c.Rows(reach.RelationsFrom(account, triad.RelAssumes)) {
			i, sure := e.assume(c, r.Relation.To, func(t triad.Trust) certainty {
				switch {
				case t.Type == "service" && t.Principal == "pods.eks.amazonaws.com":
					return yes
				case t.Type != "oidc" || !matchesAny(t.Subjects, subject):
					return no
				}
				return e.issues(c, o.cluster, t.Principal)
			})
			if sure == no {
				continue
			}
			i.How = "IRSA of service account " + o.namespace + "/" + o.name
			roles = append(roles, i)
		}
		return distinct(roles)
	})
}

// issues reports whether an OIDC provider is the cluster's own. Where the cluster's issuer
// was not read, the subject alone has to do.
func (e *Engine) issues(c *graph.Context, cluster, provider string) certainty {
	issuers := e.issuers(c, cluster)
	if len(issuers) == 0 {
		return yes
	}
	if _, after, ok := strings.Cut(provider, ":oidc-provider/"); ok {
		provider = after
	}
	if slices.Contains(issuers, strings.TrimPrefix(provider, "https://")) {
		return yes
	}
	return no
}

// issuers are the OIDC issuers of the managed clusters that may be a cluster, as read.
func (e *Engine) issuers(c *graph.Context, cluster string) []string {
	return graph.Get(c, graph.ID{Kind: "issuers", Of: cluster}, func(c *graph.Context) []string {
		name := e.cluster(c, cluster)
		var issuers []string
		for _, r := range append(slices.Clip(c.Rows(keyManagedCluster+name)), c.Rows(cluster)...) {
			if r.Asset == nil || r.Asset.Type != triad.TypeCluster {
				continue
			}
			d := managedCluster(r.Asset)
			if d.Name != name && r.Asset.ID != cluster {
				continue
			}
			if issuer := strings.TrimPrefix(d.Identity.OIDC.Issuer, "https://"); issuer != "" {
				issuers = append(issuers, issuer)
			}
		}
		return sorted(issuers)
	})
}

// machineRoles returns the roles that the machine's metadata service hands out.
func (e *Engine) machineRoles(c *graph.Context, m machine) []identity {
	var roles []identity
	for _, id := range m.IDs {
		for _, r := range c.Rows(reach.RelationsFrom(id, triad.RelAssumes)) {
			i, sure := e.assume(c, r.Relation.To, trustsService("ec2.amazonaws.com"))
			if sure != no {
				i.How = "instance role"
				roles = append(roles, i)
			}
		}
	}
	return distinct(roles)
}

// functionRoles returns the roles that a function runs with.
func (e *Engine) functionRoles(c *graph.Context, id string, p triad.FunctionProps) []identity {
	targets := []string{}
	for _, r := range c.Rows(reach.RelationsFrom(id, triad.RelAssumes)) {
		targets = append(targets, r.Relation.To)
	}
	if len(targets) == 0 && p.Role != "" {
		targets = append(targets, p.Role)
	}
	var roles []identity
	for _, role := range targets {
		i, sure := e.assume(c, role, trustsService("lambda.amazonaws.com"))
		if sure != no {
			i.How = "the function's role"
			roles = append(roles, i)
		}
	}
	return distinct(roles)
}

func trustsService(service string) func(triad.Trust) certainty {
	return func(t triad.Trust) certainty {
		// Other partitions append theirs: ec2.amazonaws.com.cn.
		if t.Type == "service" && (t.Principal == "*" || strings.HasPrefix(t.Principal, service)) {
			return yes
		}
		return no
	}
}

// assume asks a role's trust whether somebody may become it.
func (e *Engine) assume(v reach.View, role string, trusts func(triad.Trust) certainty) (identity, certainty) {
	i := identity{ID: role, Name: lastSegment(role)}
	sure := no
	rows := v.Rows(role)
	for _, r := range rows {
		if r.Asset == nil {
			continue
		}
		if r.Asset.ID != role {
			i.ID = r.Asset.ID
		}
		if len(r.Asset.Props) == 0 || r.Err != nil {
			i.Unknown, sure = "its trust policy was not read", max(sure, unsure)
			continue
		}
		for _, t := range props[triad.IdentityProps](r.Asset).Trusts {
			s := trusts(t)
			if s == yes && t.Unknown != "" {
				s, i.Unknown = unsure, "its trust depends on "+t.Unknown
			}
			sure = max(sure, s)
		}
	}
	if len(rows) == 0 {
		i.Unknown, i.Missing = "the role was not read", true
		return i, unsure
	}
	if sure == yes {
		i.Unknown = ""
	}
	return i, sure
}

// distinct sorts identities by ID and keeps the surest of each.
func distinct(list []identity) []identity {
	slices.SortFunc(list, func(a, b identity) int {
		if c := strings.Compare(a.ID, b.ID); c != 0 {
			return c
		}
		return len(a.Unknown) - len(b.Unknown)
	})
	return slices.CompactFunc(list, func(a, b identity) bool { return a.ID == b.ID })
}

// matchesAny reports whether s matches one of the patterns; no patterns match everything.
func matchesAny(patterns []string, s string) bool {
	if patterns == nil {
		return true
	}
	return slices.ContainsFunc(patterns, func(p string) bool { return triad.MatchPattern(p, s) })
}

func lastSegment(id string) string {
	if i := strings.LastIndexAny(id, "/:"); i >= 0 {
		return id[i+1:]
	}
	return id
}
