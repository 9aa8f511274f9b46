package storetest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/triad-security/triad"
)

// model is what the store promises, said in the simplest way: the set of reports that were
// accepted, from which the estate is worked out anew each time. A set has no order.
type model struct {
	scopes map[string]map[int64]*triad.Report // whole reports, by scope and revision
	parts  map[string]map[int]*triad.Report   // by scope@revision and part
}

func newModel() *model {
	return &model{scopes: map[string]map[int64]*triad.Report{}, parts: map[string]map[int]*triad.Report{}}
}

func (m *model) revision(scope string) int64 {
	var newest int64
	for revision := range m.scopes[scope] {
		newest = max(newest, revision)
	}
	return newest
}

// apply says whether a report is refused for its base.
func (m *model) apply(r *triad.Report) (refused bool) {
	if m.scopes[r.Scope] == nil {
		m.scopes[r.Scope] = map[int64]*triad.Report{}
	}
	accepted := m.scopes[r.Scope]
	if accepted[r.Revision] != nil {
		return false
	}
	whole := *r
	name := fmt.Sprintf("%s@%d", r.Scope, r.Revision)
	if r.Base != 0 && m.revision(r.Scope) > r.Base {
		delete(m.parts, name)
		return true
	}
	if r.Parts > 1 {
		if m.parts[name] == nil {
			m.parts[name] = map[int]*triad.Report{}
		}
		parts := m.parts[name]
		if parts[r.Part] = r; len(parts) < r.Parts {
			return false
		}
		whole.Assets, whole.Removed = nil, nil
		for part := 1; part <= r.Parts; part++ {
			whole.Assets = append(whole.Assets, parts[part].Assets...)
			whole.Removed = append(whole.Removed, parts[part].Removed...)
		}
		delete(m.parts, name)
	}
	if r.Base != 0 {
		if m.revision(r.Scope) != r.Base {
			return true
		}
		for _, section := range r.Sections {
			if status, _ := m.section(r.Scope, section.Name); status.Status != triad.SectionComplete {
				return true
			}
		}
		whole.Assets = m.patched(&whole)
		whole.Base, whole.Removed = 0, nil
	}
	accepted[r.Revision] = &whole
	return false
}

// patched is what a delta makes of its sections: as rows of a full report.
func (m *model) patched(r *triad.Report) []triad.Asset {
	var all []triad.Asset
	for _, section := range r.Sections {
		_, content := m.section(r.Scope, section.Name)
		for _, gone := range r.Removed {
			if gone.Section == section.Name {
				delete(content, gone.Key)
			}
		}
		written := map[string]bool{}
		for _, a := range r.Assets {
			if a.Section == section.Name && !written[a.ID] {
				written[a.ID] = true
				content[a.ID] = said{a, r.Revision}
			}
		}
		for _, s := range content {
			all = append(all, s.Asset)
		}
	}
	return all
}

// said is an asset and the newest report that confirms it.
type said struct {
	triad.Asset
	revision int64
}

// section works out a section's state and rows from the set of reports.
func (m *model) section(scope, name string) (triad.Section, map[string]said) {
	var (
		state    triad.Section
		complete int64
		content  = map[string]said{}
	)
	revisions := slices.Sorted(maps.Keys(m.scopes[scope]))
	for _, revision := range revisions {
		for _, s := range m.scopes[scope][revision].Sections {
			if s.Name == name {
				if state = s; s.Status == triad.SectionComplete {
					complete = revision
				}
			}
		}
	}
	for _, revision := range revisions {
		if revision < complete {
			continue
		}
		first := map[string]bool{}
		for _, a := range m.scopes[scope][revision].Assets {
			if a.Section == name && !first[a.ID] {
				first[a.ID] = true
				content[a.ID] = said{a, revision}
			}
		}
	}
	for id, s := range content {
		content[id] = said{s.Asset, max(s.revision, complete)}
	}
	return state, content
}

func (m *model) rows() rows {
	all := rows{}
	for scope, reports := range m.scopes {
		sections := map[string]bool{}
		for _, r := range reports {
			for _, s := range r.Sections {
				sections[s.Name] = true
			}
		}
		shown := map[string]said{}
		for _, name := range slices.Sorted(maps.Keys(sections)) {
			state, content := m.section(scope, name)
			all[rowName(scope, triad.RowSection, name)] = encode(state)
			for id, s := range content {
				if other, ok := shown[id]; !ok || s.revision > other.revision {
					shown[id] = s
				}
			}
		}
		for id, s := range shown {
			all[rowName(scope, triad.RowAsset, id)] = encode(s.Asset)
		}
	}
	return all
}

// drawReport draws a small report: few sections, keys and values, so that they meet.
func drawReport(t *rapid.T, tenant string, m *model) *triad.Report {
	r := &triad.Report{
		Tenant: tenant, Scope: rapid.SampledFrom([]string{"s/1", "s/2"}).Draw(t, "scope"), Collector: "c",
		Revision: int64(rapid.IntRange(1, 30).Draw(t, "revision")),
	}
	if rapid.IntRange(0, 3).Draw(t, "delta") == 0 {
		r.Base = m.revision(r.Scope)
		if r.Base == 0 || rapid.IntRange(0, 4).Draw(t, "wrong base") == 0 {
			r.Base = int64(rapid.IntRange(1, 30).Draw(t, "base"))
		}
		r.Revision = max(r.Revision, r.Base+1)
	}
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 3, rapid.ID).Draw(t, "sections") {
		s := triad.Section{Name: name, Status: triad.SectionComplete}
		if rapid.IntRange(0, 3).Draw(t, "unread") == 0 && r.Base == 0 {
			s.Status, s.Reason = triad.SectionUnread, rapid.SampledFrom([]string{"denied", "throttled"}).Draw(t, "reason")
		}
		r.Sections = append(r.Sections, s)
	}
	section := rapid.SampledFrom(r.Sections)
	key := rapid.SampledFrom([]string{"w", "x", "y", "z"})
	for range rapid.IntRange(0, 6).Draw(t, "rows") {
		r.Assets = append(r.Assets, triad.Asset{
			ID: key.Draw(t, "id"), Type: triad.TypeHost, Section: section.Draw(t, "of section").Name,
			Name: rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "value"),
		})
	}
	if r.Base != 0 {
		for range rapid.IntRange(0, 2).Draw(t, "removed") {
			r.Removed = append(r.Removed, triad.RowRef{Kind: triad.RowAsset, Key: key.Draw(t, "gone"), Section: section.Draw(t, "from section").Name})
		}
	}
	return r
}

// split deals a report's rows into parts, each with the whole header.
func split(r *triad.Report, parts int) []*triad.Report {
	var all []*triad.Report
	for n := range parts {
		p := *r
		p.Part, p.Parts = n+1, parts
		p.Assets = r.Assets[len(r.Assets)*n/parts : len(r.Assets)*(n+1)/parts]
		p.Removed = r.Removed[len(r.Removed)*n/parts : len(r.Removed)*(n+1)/parts]
		all = append(all, &p)
	}
	return all
}

// Random reports, deltas, parts, repeats and late arrivals give what the model says, step
// by step, and the log tells the same.
func testModel(t *testing.T, open Open) {
	s := open(t)
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		tenant := fmt.Sprintf("t%d", run)
		m := newModel()
		var waiting, sent []*triad.Report
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			var r *triad.Report
			switch n := rapid.IntRange(0, 9).Draw(t, "step"); {
			case n <= 2 && len(waiting) > 0:
				i := rapid.IntRange(0, len(waiting)-1).Draw(t, "part")
				r = waiting[i]
				waiting = slices.Delete(waiting, i, i+1)
			case n == 3 && len(sent) > 0:
				r = rapid.SampledFrom(sent).Draw(t, "again")
			default:
				r = drawReport(t, tenant, m)
				for _, w := range slices.Concat(waiting, sent) {
					if w.Scope == r.Scope && w.Revision == r.Revision {
						r = w // one revision is one report
						break
					}
				}
				if parts := rapid.IntRange(1, 3).Draw(t, "parts"); r.Parts == 0 && parts > 1 && !slices.Contains(sent, r) {
					pieces := split(r, parts)
					waiting = append(waiting, pieces[1:]...)
					r = pieces[0]
				}
			}
			sent = append(sent, r)
			refused := m.apply(r)
			_, err := s.Apply(t.Context(), r)
			if refused != errors.Is(err, triad.ErrWrongBase) || err != nil && !refused {
				t.Fatalf("applying %s: %v, refused should be %v", encode(r), err, refused)
			}
			want := m.rows()
			same(t, "estate", estate(t, s, tenant), want)
			same(t, "change log", replay(t, s, tenant), want)
		}
	})
}

// The same full reports in any order, each once or more, give the same rows, sections and scopes.
func testOrder(t *testing.T, open Open) {
	s := open(t)
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		var reports []*triad.Report
		known := map[string]bool{}
		for range rapid.IntRange(2, 5).Draw(t, "reports") {
			r := drawReport(t, "", newModel())
			r.Base, r.Removed = 0, nil
			if name := fmt.Sprintf("%s@%d", r.Scope, r.Revision); !known[name] {
				known[name] = true
				reports = append(reports, split(r, rapid.IntRange(1, 2).Draw(t, "parts"))...)
			}
		}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		var first rows
		var firstScopes string
		for order := range 3 {
			tenant := fmt.Sprintf("o%d-%d", run, order)
			arrivals := slices.Concat(reports, reports[:rng.IntN(len(reports)+1)])
			rng.Shuffle(len(arrivals), func(i, j int) { arrivals[i], arrivals[j] = arrivals[j], arrivals[i] })
			for _, r := range arrivals {
				mine := *r
				mine.Tenant = tenant
				if mine.Parts == 1 {
					mine.Part, mine.Parts = 0, 0
				}
				if _, err := s.Apply(t.Context(), &mine); err != nil {
					t.Fatal(err)
				}
			}
			got := estate(t, s, tenant)
			same(t, "change log", replay(t, s, tenant), got)
			scopes, err := s.Scopes(t.Context(), tenant)
			if err != nil {
				t.Fatal(err)
			}
			if order == 0 {
				first, firstScopes = got, encode(scopes)
				continue
			}
			same(t, "another order", got, first)
			if encode(scopes) != firstScopes {
				t.Fatalf("scopes are %s, in another order %s", encode(scopes), firstScopes)
			}
		}
	})
}
