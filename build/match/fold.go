package match

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/triad-security/triad/build/advisory"
)

// group is what the records say of one vulnerability of one package.
type group struct {
	ids  []string // all its ids, the one that it is shown by first
	hits []*hit
	// bundled are hits of errata that fix several vulnerabilities: what such a record says of
	// severity holds for the worst of them, not for each.
	bundled map[*hit]bool
}

// part is one vulnerability of one record.
type part struct {
	keys    []string // ids by which it is the same as others
	hit     *hit
	bundled bool
}

// fold joins records of one vulnerability: those that share an id among their own ids,
// aliases and, where only one stands there, what they stand downstream of. `related` never
// joins. Groups of which no record holds the version, and none is in doubt, are left out:
// of a source package with hundreds of old records they are most. The result does not depend
// on the order of hits.
func fold(hits []*hit) []*group {
	parts := make([]part, 0, len(hits))
	for _, h := range hits {
		parts = append(parts, split(h)...)
	}
	if len(parts) == 0 {
		return nil
	}
	parent := make([]int, len(parts))
	for i := range parent {
		parent[i] = i
	}
	root := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	first := make(map[string]int, 2*len(parts))
	for i, p := range parts {
		for _, k := range p.keys {
			if j, ok := first[k]; ok {
				parent[root(i)] = root(j)
			} else {
				first[k] = i
			}
		}
	}
	wanted := make([]bool, len(parts)) // by root
	for i, p := range parts {
		if p.hit.affected || p.hit.problem != nil {
			wanted[root(i)] = true
		}
	}
	byRoot := make([]*group, len(parts))
	var groups []*group
	for i, p := range parts {
		if !wanted[root(i)] {
			continue
		}
		g := byRoot[root(i)]
		if g == nil {
			g = &group{}
			byRoot[root(i)] = g
			groups = append(groups, g)
		}
		g.ids = append(g.ids, p.keys...)
		g.ids = append(g.ids, p.hit.rec.ID)
		g.hits = append(g.hits, p.hit)
		if p.bundled {
			if g.bundled == nil {
				g.bundled = map[*hit]bool{}
			}
			g.bundled[p.hit] = true
		}
	}
	for _, g := range groups {
		slices.SortFunc(g.ids, compareIDs)
		g.ids = slices.Compact(g.ids)
	}
	slices.SortFunc(groups, func(a, b *group) int { return compareIDs(a.ids[0], b.ids[0]) })
	return groups
}

// split says which vulnerabilities a record speaks of. One that goes by CVEs of its own is
// one vulnerability. A distribution's advisory that stands downstream of several CVEs fixes
// several. AlmaLinux writes the CVEs of an erratum in `related`, and nowhere else; for such
// errata, and only there, they are read as what the erratum fixes.
func split(h *hit) []part {
	r := h.rec
	keys := append(make([]string, 0, 4+len(r.Aliases)+len(r.Upstream)), r.ID)
	keys = append(keys, r.Aliases...)
	own := (&advisory.Record{ID: r.ID, Aliases: r.Aliases}).CVEs()
	up := (&advisory.Record{Upstream: r.Upstream}).CVEs()
	switch {
	case len(own) == 0 && len(up) == 0 && len(r.Related) > 0 && namesCVEsAsRelated(r.ID):
		up = (&advisory.Record{Upstream: r.Related}).CVEs()
		if len(up) == 1 {
			return []part{{keys: append(keys, up[0]), hit: h}}
		}
	case len(own) > 0:
		keys = append(keys, own...)
		if len(up) <= 1 {
			keys = append(append(keys, r.Upstream...), up...)
		}
		return []part{{keys: keys, hit: h}}
	}
	if len(up) <= 1 {
		return []part{{keys: append(append(keys, r.Upstream...), up...), hit: h}}
	}
	parts := make([]part, len(up))
	for i, cve := range up {
		parts[i] = part{keys: []string{cve}, hit: h, bundled: true}
	}
	return parts
}

// namesCVEsAsRelated: AlmaLinux security errata.
func namesCVEsAsRelated(id string) bool { return strings.HasPrefix(id, "ALSA-") }

// compareIDs puts CVEs first, the oldest of them foremost, then GHSA, then the others.
func compareIDs(a, b string) int {
	class := func(id string) int {
		switch {
		case advisory.IsCVE(id):
			return 0
		case strings.HasPrefix(id, "GHSA-"):
			return 1
		}
		return 2
	}
	if n := cmp.Compare(class(a), class(b)); n != 0 {
		return n
	}
	if class(a) == 0 {
		ya, na := cveNumber(a)
		yb, nb := cveNumber(b)
		if n := cmp.Or(cmp.Compare(ya, yb), cmp.Compare(na, nb)); n != 0 {
			return n
		}
	}
	return cmp.Compare(a, b)
}

func cveNumber(id string) (year, number uint64) {
	year, _ = strconv.ParseUint(id[4:8], 10, 64)
	number, _ = strconv.ParseUint(id[9:], 10, 64)
	return year, number
}
