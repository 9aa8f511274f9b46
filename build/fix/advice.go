package fix

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/match"
)

// Plan is what would remove vulnerabilities, the best first.
type Plan struct {
	Bases    []BaseBump `json:"bases"`
	Packages []Bump     `json:"packages"`
	// Unfixed are the vulnerabilities for which no version without them is known.
	Unfixed []string `json:"unfixed"`
}

// Bump is a package with the lowest version that clears all of its vulnerabilities, or as
// many as any does.
type Bump struct {
	Package   string       `json:"package"`
	Ecosystem string       `json:"ecosystem"`
	PURL      string       `json:"purl"`
	Path      string       `json:"path,omitempty"`
	Version   string       `json:"version"`
	To        string       `json:"to"`
	Removes   []string     `json:"removes"`
	Leaves    []string     `json:"leaves"` // those of before that stay
	Brings    []string     `json:"brings"` // those that only the new version has
	Severity  string       `json:"severity"`
	Origin    triad.Origin `json:"origin,omitempty"`
	// Dockerfile is the line that brought it, where that is known.
	Dockerfile string `json:"dockerfile,omitempty"`
	Layer      string `json:"layer,omitempty"`
	// Source is set where To is the version of that source package, and the installed one's
	// is numbered otherwise: it cannot be pinned to To.
	Source string `json:"source,omitempty"`
}

// Bounds: versions tried of one package, and in all.
const (
	maxCandidates = 32
	maxTried      = 20_000
)

// place names a package of an artifact.
type place struct{ purl, path string }

// matcher looks packages up in advisories.
type matcher interface {
	Match(ctx context.Context, packages []triad.Package) ([]triad.Vulnerability, error)
}

// Advise says for each package with vulnerabilities which version to go to. m is asked again
// for every version that would be gone to: what it is affected by itself counts.
func Advise(ctx context.Context, packages []triad.Package, found []triad.Vulnerability, m matcher) (*Plan, error) {
	plan := &Plan{Bases: []BaseBump{}, Packages: []Bump{}, Unfixed: []string{}}
	byPlace := map[place][]triad.Vulnerability{}
	for _, v := range found {
		k := place{v.PURL, v.Path}
		byPlace[k] = append(byPlace[k], v)
	}
	type candidates struct {
		p        triad.Package
		found    []triad.Vulnerability
		versions []string
	}
	var all []candidates
	var tried []triad.Package
	unfixed := map[string]bool{}
	done := map[place]bool{}
	for _, p := range packages {
		k := place{p.PURL, p.Path}
		mine := byPlace[k]
		if len(mine) == 0 || done[k] {
			continue
		}
		done[k] = true
		c := candidates{p: p, found: mine, versions: versions(p.Ecosystem, mine)}
		for _, v := range mine {
			if v.Fixed == "" {
				unfixed[v.ID] = true
			}
		}
		if len(c.versions) == 0 || len(tried)+len(c.versions) > maxTried {
			continue
		}
		for n, version := range c.versions {
			tried = append(tried, at(p, version, len(all), n))
		}
		all = append(all, c)
	}
	left := map[string][]triad.Vulnerability{}
	if len(tried) > 0 {
		again, err := m.Match(ctx, tried)
		if err != nil {
			return nil, fmt.Errorf("looking up the versions to go to: %w", err)
		}
		for _, v := range again {
			left[v.Path] = append(left[v.Path], v)
		}
	}
	for i, c := range all {
		var best *Bump
		for n, version := range c.versions {
			b := bump(c.p, version, c.found, left[key(i, n)])
			if len(b.Removes) > 0 && (best == nil || len(b.Leaves)+len(b.Brings) < len(best.Leaves)+len(best.Brings)) {
				best = &b
			}
		}
		if best != nil && len(best.Removes) > len(best.Brings) {
			plan.Packages = append(plan.Packages, *best)
		}
	}
	slices.SortStableFunc(plan.Packages, func(a, b Bump) int {
		return cmp.Or(cmp.Compare(triad.SeverityRank(a.Severity), triad.SeverityRank(b.Severity)), cmp.Compare(len(b.Removes), len(a.Removes)), cmp.Compare(distance(a.Version, a.To), distance(b.Version, b.To)), cmp.Compare(a.Package, b.Package), cmp.Compare(a.Path, b.Path))
	})
	for id := range unfixed {
		plan.Unfixed = append(plan.Unfixed, id)
	}
	slices.Sort(plan.Unfixed)
	return plan, nil
}

// versions are those that fix something, lowest first.
func versions(ecosystem string, found []triad.Vulnerability) []string {
	var all []string
	for _, v := range found {
		if v.Fixed != "" && !slices.Contains(all, v.Fixed) {
			all = append(all, v.Fixed)
		}
	}
	sound := true
	slices.SortStableFunc(all, func(a, b string) int {
		n, err := match.Compare(ecosystem, a, b)
		sound = sound && err == nil
		return n
	})
	if !sound { // versions that have no order: as they come
		slices.Sort(all)
	}
	if len(all) > maxCandidates { // the highest clear most
		all = all[len(all)-maxCandidates:]
	}
	return all
}

func key(i, n int) string { return strconv.Itoa(i) + ":" + strconv.Itoa(n) }

// at is the package in another version. Its path carries which one it is through the matcher.
func at(p triad.Package, version string, i, n int) triad.Package {
	p.Version, p.Path, p.Files = version, key(i, n), nil
	if p.Source != "" {
		p.SourceVersion = version
	}
	p.PURL = withVersion(p.PURL, version)
	return p
}

// withVersion replaces the version of a package URL; an epoch is part of the version here.
func withVersion(purl, version string) string {
	head, qualifiers, _ := strings.Cut(purl, "?")
	name, _, ok := cutLast(head, "@")
	if !ok {
		name = head
	}
	var kept []string
	for q := range strings.SplitSeq(qualifiers, "&") {
		if q != "" && !strings.HasPrefix(q, "epoch=") && !strings.HasPrefix(q, "upstream=") {
			kept = append(kept, q)
		}
	}
	out := name + "@" + strings.NewReplacer("%", "%25", " ", "%20", "+", "%2B", "?", "%3F", "#", "%23", "@", "%40").Replace(version)
	if len(kept) > 0 {
		out += "?" + strings.Join(kept, "&")
	}
	return out
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func bump(p triad.Package, to string, before, after []triad.Vulnerability) Bump {
	b := Bump{
		Package: p.Name, Ecosystem: p.Ecosystem, PURL: p.PURL, Path: p.Path, Version: p.Version, To: to, Layer: p.Layer, Origin: p.Origin, Dockerfile: p.Dockerfile,
		Removes: []string{}, Leaves: []string{}, Brings: []string{}, Severity: "unknown",
	}
	if p.Source != "" && p.SourceVersion != "" && p.SourceVersion != p.Version {
		b.Source = p.Source
	}
	for _, v := range before {
		if slices.ContainsFunc(after, func(o triad.Vulnerability) bool { return same(v, o) }) {
			b.Leaves = append(b.Leaves, v.ID)
			continue
		}
		b.Removes = append(b.Removes, v.ID)
		if triad.SeverityRank(v.Severity) < triad.SeverityRank(b.Severity) {
			b.Severity = v.Severity
		}
	}
	for _, v := range after {
		if !slices.ContainsFunc(before, func(o triad.Vulnerability) bool { return same(v, o) }) {
			b.Brings = append(b.Brings, v.ID)
		}
	}
	for _, list := range []*[]string{&b.Removes, &b.Leaves, &b.Brings} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return b
}

// same: one vulnerability under whichever of its names.
func same(a, b triad.Vulnerability) bool {
	return a.ID == b.ID || slices.Contains(a.Aliases, b.ID) || slices.Contains(b.Aliases, a.ID)
}

// distance says how far a version is: 3 another first number, 2 another second, 1 less.
func distance(from, to string) int {
	a, b := numbers(from), numbers(to)
	for n := range 2 {
		if n >= len(a) || n >= len(b) || a[n] != b[n] {
			return 3 - n
		}
	}
	return 1
}

func numbers(version string) []string {
	if _, rest, ok := strings.Cut(version, ":"); ok {
		version = rest
	}
	return strings.FieldsFunc(strings.TrimLeft(version, "vV"), func(r rune) bool { return r < '0' || r > '9' })
}
