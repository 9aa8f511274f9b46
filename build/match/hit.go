package match

import (
	"cmp"
	"slices"
	"strings"

	"github.com/triad-security/triad/build/advisory"
)

// hit is one entry of a record that names the package, held against the installed version.
type hit struct {
	advisory.Hit
	rec      *advisory.Record
	affected bool
	rule     string
	problem  error // it could not be compared
	list     []string
	read     bool
}

// evaluate says whether the entry holds the version: by a range, else by its list.
func (h *hit) evaluate(v *installed) (bool, string, error) {
	var problem error
	for _, g := range h.Ranges {
		ok, rule, err := v.in(g)
		if err != nil {
			problem = err
			continue
		}
		if !ok {
			continue
		}
		if len(h.Custom) > 0 && len(h.fixes()) == 0 {
			if ok, rule = h.numbered(v, rule); !ok {
				continue
			}
		}
		return true, rule, nil
	}
	if h.HasVersions() {
		if !h.read {
			list, err := h.List()
			if err != nil {
				return false, "", err
			}
			h.list, h.read = list, true
		}
		if v.listed(h.list) {
			return true, "versions lists " + v.text, nil
		}
	}
	return false, "", problem
}

// numbered holds a version against ranges in the project's own numbering, where the module
// system's have no end. A pseudo-version without a release below it (v0.0.0-…) has no place in
// that numbering and stays affected.
func (h *hit) numbered(v *installed, rule string) (bool, string) {
	if !h.inNumbering(v.text) {
		return true, rule + " (the project's own numbers give an end, which this version cannot be held against)"
	}
	for _, g := range h.Custom {
		ok, own, err := v.in(g)
		if err != nil {
			return true, rule
		}
		if ok {
			return true, "custom " + own
		}
	}
	return false, ""
}

func (h *hit) inNumbering(version string) bool {
	if !strings.HasPrefix(strings.TrimPrefix(version, "v"), "0.0.0-") {
		return true
	}
	for _, g := range h.Custom {
		for _, e := range g.Events {
			if e.Version != "0" && !strings.HasPrefix(e.Version, "0.0.0-") {
				return false
			}
		}
	}
	return true
}

// fixes are the versions at which the entry's ranges end.
func (h *hit) fixes() []string { return ends(h.Ranges) }

func ends(ranges []advisory.Range) []string {
	var out []string
	for _, g := range ranges {
		for _, e := range g.Events {
			if e.Kind == advisory.Fixed {
				out = append(out, e.Version)
			}
		}
	}
	return out
}

// lookup returns the records of the query's release that name a package.
func lookup(g *advisory.Generation, q query, name string) ([]advisory.Hit, error) {
	return g.Lookup(q.family, name, func(ecosystem string) bool {
		if !advisory.NeedsRelease(q.family) {
			return true
		}
		r := advisory.Release(ecosystem)
		return r == q.release || q.esm && r == "Pro:"+q.release
	})
}

// named reports whether any record names the query's package, whatever its version.
func named(g *advisory.Generation, q query) (bool, error) {
	for _, name := range []string{q.name, q.other} {
		if name == "" {
			continue
		}
		if found, err := lookup(g, q, name); err != nil || len(found) > 0 {
			return true, err
		}
	}
	return false, nil
}

// find reads the entries that name the package and holds each against the version. Nothing
// is returned when no entry holds it, so that records are decoded only where needed.
func find(g *advisory.Generation, q query, v *installed) ([]*hit, error) {
	var hits []*hit
	any := false
	for _, name := range []string{q.name, q.other} {
		if name == "" {
			continue
		}
		found, err := lookup(g, q, name)
		if err != nil {
			return nil, err
		}
		hits = slices.Grow(hits, len(found))
		made := make([]hit, len(found))
		for i := range found {
			h := &made[i]
			h.Hit = found[i]
			h.affected, h.rule, h.problem = h.evaluate(v)
			any = any || h.affected || h.problem != nil
			hits = append(hits, h)
		}
	}
	if !any {
		return nil, nil
	}
	for _, h := range hits {
		var err error
		if h.rec, err = h.Record(); err != nil {
			return nil, err
		}
	}
	hits = newest(hits)
	if q.esm {
		hits = extended(hits)
	}
	return slices.DeleteFunc(hits, func(h *hit) bool { return h.rec.Withdrawn || otherStream(q, h) }), nil
}

// extended keeps what Ubuntu Pro's extended maintenance says of a vulnerability where it says
// anything: the plain release has no fix then, and the build installed may have Pro's.
func extended(hits []*hit) []*hit {
	pro := map[string]bool{}
	for _, h := range hits {
		if strings.HasPrefix(advisory.Release(h.Ecosystem), "Pro:") {
			pro[h.rec.ID] = true
		}
	}
	return slices.DeleteFunc(hits, func(h *hit) bool { return pro[h.rec.ID] && !strings.HasPrefix(advisory.Release(h.Ecosystem), "Pro:") })
}

// newest drops entries of older copies of a record, where several folders held it.
func newest(hits []*hit) []*hit {
	dates := make(map[string]*advisory.Record, len(hits))
	for _, h := range hits {
		if r, ok := dates[h.rec.ID]; !ok || h.rec.Modified.After(r.Modified) {
			dates[h.rec.ID] = h.rec
		}
	}
	return slices.DeleteFunc(hits, func(h *hit) bool { return h.rec.Modified.Before(dates[h.rec.ID].Modified) })
}

// lowestFix is the lowest version above the installed one at which some entry's range ends
// and which no entry of the same vulnerability holds; "" when there is none.
func lowestFix(v *installed, hits []*hit) string {
	type candidate struct {
		installed
	}
	var candidates []candidate
	seen := map[string]bool{}
	for _, h := range hits {
		fixes := h.fixes()
		if len(fixes) == 0 && len(h.Custom) > 0 && h.inNumbering(v.text) {
			fixes = ends(h.Custom)
		}
		for _, fix := range fixes {
			if seen[fix] {
				continue
			}
			seen[fix] = true
			c, err := v.order.installed(fix)
			if err != nil {
				continue
			}
			if n, err := compare(&c.parsed, &v.parsed); err == nil && n > 0 {
				candidates = append(candidates, candidate{c})
			}
		}
	}
	slices.SortFunc(candidates, func(a, b candidate) int {
		n, _ := compare(&a.parsed, &b.parsed)
		return cmp.Or(n, cmp.Compare(a.text, b.text))
	})
	for i := range candidates {
		c := &candidates[i].installed
		held := slices.ContainsFunc(hits, func(h *hit) bool {
			ok, _, err := h.evaluate(c)
			return ok || err != nil
		})
		if !held {
			return c.text
		}
	}
	return ""
}
