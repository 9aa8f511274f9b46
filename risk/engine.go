package risk

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/risk/decision"
	"github.com/triad-security/triad/risk/graph"
)

// Options are what an Engine needs of others.
type Options struct {
	Tenant string
	// Indexes are the adapters'; the engine adds its own.
	Indexes []reach.Index
	Ways    Ways
	Matcher triad.Matcher
	// Importance is what the user said about an asset: a Human Impact value that replaces the
	// computed one, and the reason; "" when nothing was said. It must depend on the asset alone.
	Importance func(triad.AssetRef) (impact, reason string)
	// Affected is told, before decisions are made again, whose vulnerabilities a change of
	// the advisories is about: making thousands of decisions takes longer than listing them.
	Affected func(revision string, workloads []triad.AssetRef)
}

// Engine holds a tenant's estate and its decisions. Its methods may be called at once; they
// take turns.
type Engine struct {
	mu      sync.Mutex
	options Options
	estate  *reach.Estate
	graph   *graph.Graph

	packages func(ctx context.Context, asset string, fn func(triad.Package) error) error
	named    func(ctx context.Context, name string, fn func(triad.Package) error) error // of any asset
	table    packageTable                                                               // of an engine without a store

	matched  map[string]*matched // by asset; an entry for every asset with packages
	findings map[string]map[findingKey]triad.Finding
	states   map[string]*state // by subject's asset ID
	known    map[string]known  // by decision ID
	revision string            // of the advisories
	position int64
	stale    bool // the store may not hold what the engine believes it saved
}

// known is what outlives a decision's recomputation.
type known struct {
	since    time.Time // when the outcome last changed
	subjects int       // how many subjects have it; two when two assets share kind and name
}

type findingKey struct{ scope, key string }

// NewEngine returns an engine of an empty estate.
func NewEngine(o Options) *Engine {
	if o.Tenant == "" {
		o.Tenant = triad.DefaultTenant
	}
	e := &Engine{options: o, table: packageTable{}}
	e.packages, e.named = e.table.read, e.table.named
	e.reset()
	return e
}

func (e *Engine) reset() {
	e.estate = reach.NewEstate(append(slices.Clone(e.options.Indexes), Index)...)
	e.graph = graph.New(e.estate)
	e.matched = map[string]*matched{}
	e.findings = map[string]map[findingKey]triad.Finding{}
	e.states = map[string]*state{}
	e.known = map[string]known{}
	e.revision, e.position, e.stale = "", 0, false
}

// Update is what a step of the engine changed.
type Update struct {
	// Put are new and changed decisions, Removed the IDs of those that are no more.
	Put     []triad.Decision
	Removed []string
	// Cause says for each changed decision which changes led to it.
	Cause map[string]string
	// Recomputed counts the assets whose decisions were computed again; Subjects is how many
	// there are in all.
	Recomputed int
	Subjects   int
	// Computed counts computations by kind: machine, way, impact …
	Computed map[string]int
	Position int64
	Took     time.Duration
	// Unread says what the engine itself could not do: packages that could not be matched.
	Unread []triad.Unread
}

// Position is the change log position that the engine has taken in.
func (e *Engine) Position() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.position
}

// Read calls fn with the estate, which stands still meanwhile.
func (e *Engine) Read(fn func(reach.View)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fn(e.estate)
}

// Decisions returns all decisions, ranked.
func (e *Engine) Decisions() []triad.Decision {
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []triad.Decision
	for _, st := range e.states {
		for i := range st.Judged {
			d := st.decision(&st.Judged[i])
			d.Changed = e.known[d.ID].since
			list = append(list, d)
		}
	}
	decision.Rank(list)
	return list
}

// Unscanned says of which running images and functions nobody listed the packages: that no
// vulnerability is known of them does not make them clean.
func (e *Engine) Unscanned() []triad.Unread {
	e.mu.Lock()
	defer e.mu.Unlock()
	by := map[string][]string{}
	for _, st := range e.states {
		for _, image := range st.Unscanned {
			by[image] = append(by[image], st.Subject.Ref.Name)
		}
	}
	var list []triad.Unread
	for _, image := range slices.Sorted(maps.Keys(by)) {
		names := sorted(by[image])
		reason := "its packages were not listed; it runs in " + names[0]
		if len(names) > 1 {
			reason += " and " + itoa(len(names)-1) + " more"
		}
		list = append(list, triad.Unread{Scope: image, Section: "packages", Reason: reason})
	}
	return list
}

// subjectID is the graph's name of a subject.
func subjectID(asset string) graph.ID { return graph.ID{Kind: "subject", Of: asset} }

// settle recomputes what was touched. roots are further assets to look at, with the causes
// that brought them up. It calls replace for each subject whose state became another.
func (e *Engine) settle(roots map[string][]int, replace func(id string, st *state, by []int)) *Update {
	before := e.computed()
	for id, list := range e.graph.Settle() {
		if id.Kind == "subject" {
			roots[id.Of] = append(roots[id.Of], list...)
		}
	}
	ids := make([]string, 0, len(roots))
	for id := range roots {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		st, changed := graph.Root(e.graph, subjectID(id), func(c *graph.Context) *state { return e.judge(c, id) })
		if changed {
			replace(id, st, roots[id])
			if st == nil {
				delete(e.states, id)
			} else {
				e.states[id] = st
			}
		}
		if st == nil && !e.wanted(id) {
			e.graph.Drop(subjectID(id))
		}
	}
	u := &Update{Computed: e.computed(), Subjects: len(e.states), Position: e.position}
	for k, n := range before {
		if u.Computed[k] -= n; u.Computed[k] == 0 {
			delete(u.Computed, k)
		}
	}
	u.Recomputed = u.Computed["subject"]
	return u
}

func (e *Engine) computed() map[string]int { return maps.Clone(e.graph.Computed) }

// wanted reports whether an asset may be a subject.
func (e *Engine) wanted(id string) bool {
	return len(e.findings[id]) > 0 ||
		slices.ContainsFunc(e.estate.Rows(id), func(r *reach.Row) bool { return r.Asset != nil && candidate(r.Asset) })
}
