package risk

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/triad-security/triad"
)

// fewAssets are matched whole when advisories change; of more only the packages that the
// change is about.
var fewAssets = 16

// packagesAtOnce bounds what is held while packages are matched again.
const packagesAtOnce = 20_000

// rematch finds the vulnerabilities of assets whose packages changed, and of those whose
// packages a change of the advisories is about; it touches what differs from before.
func (e *Engine) rematch(ctx context.Context, s *step) error {
	if e.options.Matcher != nil {
		if r := e.options.Matcher.Revision(); r != e.revision {
			n := len(s.causes)
			s.causes = append(s.causes, cause{"advisories " + r, time.Now().UTC()})
			s.advice = len(s.causes)
			change, known := triad.AdvisoryChange{}, false
			if e.revision != "" {
				change, known = e.options.Matcher.Changed(e.revision)
			}
			switch {
			case !known:
				for asset := range e.matched {
					s.packages[asset] = append(s.packages[asset], n)
				}
			default:
				if err := e.advised(ctx, s, change, n); err != nil {
					return err
				}
			}
			e.revision = r
		}
	}
	for asset, by := range s.packages {
		m, err := e.match(ctx, asset)
		if err != nil {
			return fmt.Errorf("matching the packages of %s: %w", asset, err)
		}
		e.setMatched(asset, m, by)
	}
	return nil
}

// setMatched puts an asset's vulnerabilities in place of those before.
func (e *Engine) setMatched(asset string, m *matched, by []int) {
	was, had := e.matched[asset]
	if m == nil {
		delete(e.matched, asset)
	} else {
		e.matched[asset] = m
	}
	if had == (m != nil) && reflect.DeepEqual(was, m) {
		return
	}
	for _, n := range by {
		e.graph.Touch([]string{packagesKey(asset)}, n)
	}
}

// tellAffected lists the workloads that a change of the advisories touched.
func (e *Engine) tellAffected(s *step) {
	if s.advice == 0 || e.options.Affected == nil {
		return
	}
	var list []triad.AssetRef
	for id, causes := range e.graph.Touched() {
		if st := e.states[id.Of]; id.Kind == "subject" && st != nil && slices.Contains(causes, s.advice-1) {
			list = append(list, st.Subject.Ref)
		}
	}
	slices.SortFunc(list, func(a, b triad.AssetRef) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	e.options.Affected(e.revision, list)
}

// advised looks up again the packages that a change of the advisories is about.
func (e *Engine) advised(ctx context.Context, s *step, change triad.AdvisoryChange, n int) error {
	names := map[string]bool{}
	for _, name := range change.Packages {
		names[triad.LookupName(name)] = true
	}
	ids := make(map[string]bool, len(change.IDs))
	for _, id := range change.IDs {
		ids[id] = true
	}
	if len(ids) > 0 {
		for _, m := range e.matched {
			for i := range m.vulns {
				v := m.vulns[i].Vulnerability
				if ids[v.ID] || slices.ContainsFunc(v.Aliases, func(id string) bool { return ids[id] }) {
					names[triad.LookupName(v.Package)] = true
				}
			}
		}
	}
	again := map[string][]triad.Package{} // by asset
	held := 0
	flush := func() error {
		err := e.rematchSome(ctx, s, again, n)
		clear(again)
		held = 0
		return err
	}
	for name := range names {
		err := e.named(ctx, name, func(p triad.Package) error {
			if _, whole := s.packages[p.Asset]; !whole {
				again[p.Asset] = append(again[p.Asset], p)
				held++
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("reading the packages of changed advisories: %w", err)
		}
		if held >= packagesAtOnce {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// rematchSome matches some packages of several assets.
func (e *Engine) rematchSome(ctx context.Context, s *step, again map[string][]triad.Package, n int) error {
	if len(again) <= fewAssets {
		for asset := range again {
			s.packages[asset] = append(s.packages[asset], n)
		}
		return nil
	}
	var all []triad.Package
	for _, list := range again {
		all = append(all, list...)
	}
	found, err := e.options.Matcher.Match(ctx, all)
	if err != nil {
		return fmt.Errorf("matching packages of %d assets: %w", len(again), err)
	}
	byAsset := map[string][]triad.Vulnerability{}
	for _, v := range found {
		byAsset[v.Asset] = append(byAsset[v.Asset], v)
	}
	for asset, list := range again {
		files := make(map[string][]uint64, len(list))
		for i := range list {
			files[list[i].PURL+"|"+list[i].Path] = packageFiles(&list[i])
		}
		m := &matched{asset: asset}
		if was := e.matched[asset]; was != nil {
			for _, v := range was.vulns {
				if _, asked := files[v.PURL+"|"+v.Path]; !asked {
					m.vulns = append(m.vulns, v)
				}
			}
		}
		for i := range byAsset[asset] {
			v := &byAsset[asset][i]
			m.vulns = append(m.vulns, vulnerable{v, files[v.PURL+"|"+v.Path]})
		}
		slices.SortFunc(m.vulns, func(a, b vulnerable) int { return compareVulnerabilities(a.Vulnerability, b.Vulnerability) })
		e.setMatched(asset, m, []int{n})
	}
	return nil
}
