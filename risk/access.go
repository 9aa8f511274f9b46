package risk

import (
	"slices"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/risk/graph"
)

// dataStore is what risk knows of a data store.
type dataStore struct {
	ID             string
	Name           string
	Label          string // "S3 bucket shop-media"
	Classification string
	Public         bool
	PublicUnknown  string
	Port           int
}

// reached is a data store that a workload can read, write or connect to.
type reached struct {
	dataStore
	Via     []string // identities and actions, or the network
	Role    string   // the name of the role, empty over the network
	How     string
	Unknown string // what could not be evaluated; the access then counts, and says so
}

// store reads a data store; ok is false when no row says what it is.
func (e *Engine) store(c *graph.Context, id string) (d dataStore) {
	return graph.Get(c, graph.ID{Kind: "data-store", Of: id}, func(c *graph.Context) dataStore {
		d := dataStore{ID: id}
		for _, r := range c.Rows(id) {
			if r.Asset == nil || r.Asset.Type != triad.TypeDataStore {
				continue
			}
			p := props[triad.DataStoreProps](r.Asset)
			name := lastSegment(r.Asset.ID)
			if r.Asset.Name != "" {
				name = lastSegment(r.Asset.Name)
			}
			d = dataStore{
				ID: r.Asset.ID, Name: name, Label: storeLabel(p.Engine, name), Classification: strings.ToLower(p.Classification),
				Public: p.Public, PublicUnknown: p.PublicUnknown, Port: p.Port,
			}
		}
		return d
	})
}

func storeLabel(engine, name string) string {
	switch strings.ToLower(engine) {
	case "s3":
		return "S3 bucket " + name
	case "redshift":
		return "Redshift " + name
	case "":
		return "data store " + name
	}
	return engine + " database " + name
}

// roleStores returns the data stores that a role reaches, by itself or as another role that
// it may become.
func (e *Engine) roleStores(c *graph.Context, role string) []reached {
	return graph.Get(c, graph.ID{Kind: "role", Of: role}, func(c *graph.Context) []reached {
		type step struct {
			id, unknown string
			chain       []string
		}
		queue, known := []step{{id: role, chain: []string{"role " + role}}}, map[string]bool{role: true}
		var all []reached
		for len(queue) > 0 {
			s := queue[0]
			queue = queue[1:]
			for _, r := range c.Rows(reach.RelationsFrom(s.id, triad.RelCanAccess)) {
				a := relationProps[triad.Access](r.Relation)
				d := e.store(c, r.Relation.To)
				if d.Public || !a.Read && !a.Write && a.Unknown == "" {
					continue
				}
				all = append(all, reached{dataStore: d, Via: slices.Concat(s.chain, a.Actions), Unknown: join("; ", s.unknown, a.Unknown)})
			}
			for _, r := range c.Rows(reach.RelationsFrom(s.id, triad.RelAssumes)) {
				next := r.Relation.To
				if known[next] || len(s.chain) > maxChain {
					continue
				}
				i, sure := e.assume(c, next, trustsPrincipal(s.id))
				if sure == no {
					continue
				}
				known[next] = true
				queue = append(queue, step{next, join("; ", s.unknown, i.Unknown), slices.Concat(s.chain, []string{"role " + next})})
			}
		}
		return merge(all)
	})
}

// trustsPrincipal matches a trust that names a role, its account or everybody.
func trustsPrincipal(arn string) func(triad.Trust) certainty {
	parts := strings.SplitN(arn, ":", 6)
	account := ""
	if len(parts) == 6 {
		account = parts[4]
	}
	return func(t triad.Trust) certainty {
		if t.Type != "principal" {
			return no
		}
		if t.Principal == "*" || t.Principal == arn || account != "" &&
			(t.Principal == account || strings.HasSuffix(t.Principal, "::"+account+":root")) {
			return yes
		}
		return no
	}
}

// networkStores returns the data stores to which the network lets an asset connect.
func (e *Engine) networkStores(c *graph.Context, from, vpc string) []reached {
	if e.options.Ways.Connect == nil {
		return nil
	}
	return graph.Get(c, graph.ID{Kind: "connect", Of: from + "|" + vpc}, func(c *graph.Context) []reached {
		var all []reached
		for _, id := range e.nearStores(c, vpc) {
			d := e.store(c, id)
			if d.Public {
				continue
			}
			way := e.options.Ways.Connect(c, from, id)
			if way.Verdict == reach.Blocked {
				continue
			}
			x := reached{dataStore: d, Via: []string{"network tcp " + itoa(d.Port)}, How: "network"}
			if way.Verdict == reach.Unknown {
				x.Unknown = "whether the network lets it connect: " + unreadText(way.Unread)
			}
			all = append(all, x)
		}
		return merge(all)
	})
}

// merge sorts by data store and keeps the surest way to each.
func merge(all []reached) []reached {
	slices.SortStableFunc(all, func(a, b reached) int {
		if c := strings.Compare(a.ID, b.ID); c != 0 {
			return c
		}
		return min(len(a.Unknown), 1) - min(len(b.Unknown), 1)
	})
	return slices.CompactFunc(all, func(a, b reached) bool { return a.ID == b.ID })
}

func join(separator string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), separator)
}

func unreadText(list []triad.Unread) string {
	if len(list) == 0 {
		return "something on the way was not read"
	}
	text := list[0].Section + ": " + list[0].Reason
	if len(list) > 1 {
		text += " and " + itoa(len(list)-1) + " more"
	}
	return text
}
