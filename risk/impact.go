package risk

import (
	"fmt"
	"slices"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/risk/decision"
	"github.com/triad-security/triad/risk/graph"
)

// impact is SSVC's Human Impact of a workload with what it stands on.
type impact struct {
	Value    string
	Reason   string
	Change   string
	Stores   []reached
	Takeover []string
	Unread   []triad.Unread
}

// can is what one container, function or host can do to others.
type can struct {
	Stores   []reached
	Takeover []string // ways to take over its machine
	Machine  string
	Notes    []string // why something close at hand does not count
	Unread   []triad.Unread
}

// memberCan finds what a container of a pod or of Docker can reach.
func (e *Engine) memberCan(c *graph.Context, m member) can {
	// All that the computation takes from m names it.
	of := fmt.Sprintf("%s|%s|%t|%q|%q", m.ID, m.Host, m.HostNetwork, m.Takeover, m.Accounts)
	return graph.Get(c, graph.ID{Kind: "impact", Of: of}, func(c *graph.Context) can {
		x := can{Takeover: m.Takeover}
		for _, account := range m.Accounts {
			x.add(e, c, e.serviceAccountRoles(c, account), "")
		}
		vpc := ""
		if m.Host != "" {
			host := e.host(c, m.Host)
			vpc = host.VPC
			x.Machine = host.Name
			if roles := e.machineRoles(c, host); len(roles) > 0 {
				if answers, why := host.answers(m.HostNetwork); answers {
					x.add(e, c, roles, why)
				} else {
					x.Notes = append(x.Notes, "role "+roles[0].Name+" of its machine is out of reach: "+why)
					if !host.Known {
						x.Unread = append(x.Unread, triad.Unread{Section: "metadata options of " + host.Name, Reason: why})
					}
				}
			}
		}
		x.Stores = merge(append(x.Stores, e.networkStores(c, m.ID, vpc)...))
		return x
	})
}

// add counts what identities reach.
func (x *can) add(e *Engine, c *graph.Context, roles []identity, why string) {
	for _, role := range roles {
		if role.Missing {
			x.Unread = append(x.Unread, triad.Unread{Section: "role " + role.ID, Reason: "nobody read the role, so what it reaches is not known"})
		}
		for _, s := range e.roleStores(c, role.ID) {
			s.Role, s.How, s.Unknown = role.Name, role.How, join("; ", role.Unknown, s.Unknown)
			if why != "" {
				s.How += ", " + why
			}
			x.Stores = append(x.Stores, s)
		}
	}
	x.Stores = merge(x.Stores)
}

// functionCan finds what a function can reach.
func (e *Engine) functionCan(c *graph.Context, id string, p triad.FunctionProps) can {
	return graph.Get(c, graph.ID{Kind: "impact", Of: id + "|" + p.Role}, func(c *graph.Context) can {
		var x can
		x.add(e, c, e.functionRoles(c, id, p), "")
		vpc := ""
		for _, r := range c.Rows(id) {
			if r.Asset != nil && len(r.Asset.Doc) > 0 && vpc == "" {
				vpc = vpcOf(r.Asset)
			}
		}
		x.Stores = merge(append(x.Stores, e.networkStores(c, id, vpc)...))
		return x
	})
}

// hostCan finds what somebody on a machine can reach.
func (e *Engine) hostCan(c *graph.Context, id string) can {
	return graph.Get(c, graph.ID{Kind: "impact", Of: id}, func(c *graph.Context) can {
		m := e.host(c, id)
		x := can{Machine: m.Name}
		if !m.Off {
			x.add(e, c, e.machineRoles(c, m), "")
		}
		x.Stores = merge(append(x.Stores, e.networkStores(c, m.ID, m.VPC)...))
		for _, id := range m.IDs {
			if n := len(c.Rows(reach.RelationsTo(id, triad.RelRunsOn))); n > 0 {
				x.Takeover = []string{"the machine under running containers"}
				break
			}
		}
		return x
	})
}

// human decides Human Impact by the rules of docs/risk.md.
func human(all []can, tier, tierOf string) impact {
	var i impact
	var notes, machines []string
	for _, x := range all {
		i.Stores = append(i.Stores, x.Stores...)
		i.Takeover = append(i.Takeover, x.Takeover...)
		i.Unread = append(i.Unread, x.Unread...)
		notes = append(notes, x.Notes...)
		if len(x.Takeover) > 0 && x.Machine != "" {
			machines = append(machines, x.Machine)
		}
	}
	i.Stores = merge(i.Stores)
	i.Takeover, machines, notes = sorted(i.Takeover), sorted(machines), sorted(notes)
	i.Unread = slices.Compact(i.Unread)

	base, why := "low", tierOf+" is not tier production"
	if tier != "" {
		why = tierOf + " tier " + tier
	}
	if production(tier) {
		base = "medium"
	}
	without := base
	i.Value = base
	if len(i.Takeover) > 0 {
		i.Value, without = "high", "high"
	}
	// The most sensitive first.
	slices.SortStableFunc(i.Stores, func(a, b reached) int { return rankStore(a) - rankStore(b) })
	for _, s := range i.Stores {
		if s.Classification == "restricted" {
			i.Value = "very-high"
		} else {
			i.Value = decision.HigherImpact(i.Value, "high")
		}
	}
	var reasons []string
	if len(i.Stores) > 0 {
		reasons = append(reasons, storesText(i.Stores))
	}
	if len(i.Takeover) > 0 {
		text := strings.Join(i.Takeover, ", ")
		if len(machines) > 0 && i.Takeover[0] != "the machine under running containers" {
			text += ": takes over node " + strings.Join(machines, ", ")
		}
		reasons = append(reasons, text)
	}
	if len(reasons) == 0 {
		reasons = append(reasons, why+", reaches no data store")
	}
	reasons = append(reasons, notes...)
	if len(i.Unread) > 0 {
		reasons = append(reasons, "not read: "+unreadText(i.Unread))
	}
	i.Reason = strings.Join(reasons, "; ")
	switch {
	case len(i.Stores) > 0:
		i.Change = "without access to data stores it would be " + without
	case len(i.Takeover) > 0:
		i.Change = "without the way to take over its machine it would be " + base
	case base == "medium":
		i.Change = "access to a data store would make it high, to a restricted one very-high; outside production it would be low"
	default:
		i.Change = "access to a data store would make it high, to a restricted one very-high; tier production medium"
	}
	return i
}

// storesText says which data stores are reached, and how.
func storesText(stores []reached) string {
	var b strings.Builder
	last := ""
	for n, s := range stores {
		how := s.How
		if s.Role != "" {
			how = "role " + s.Role + " (" + s.How + ")"
		}
		switch {
		case n == 0:
			b.WriteString(how + " reaches ")
		case how == last:
			b.WriteString(", also ")
		default:
			b.WriteString("; " + how + " reaches ")
		}
		last = how
		b.WriteString(s.Label)
		if s.Classification != "" {
			b.WriteString(" (data-classification " + s.Classification + ")")
		}
		if s.Unknown != "" {
			b.WriteString(" (not certain, counted: " + s.Unknown + ")")
		}
		if n == 7 && len(stores) > 8 {
			b.WriteString(" and " + itoa(len(stores)-8) + " more")
			break
		}
	}
	return b.String()
}

func rankStore(s reached) int {
	r := 0
	if s.Classification != "restricted" {
		r = 2
	}
	if s.Unknown != "" {
		r++
	}
	return r
}

func production(tier string) bool {
	t := strings.ToLower(tier)
	return t == "production" || t == "prod"
}

func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
