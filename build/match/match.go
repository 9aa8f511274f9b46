package match

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/advisory"
)

// Matcher finds the vulnerabilities of packages. It is safe for concurrent use and sees new
// advisories as soon as they are imported.
type Matcher struct{ db *advisory.DB }

var _ triad.Matcher = (*Matcher)(nil)

// New makes a Matcher on an open database.
func New(db *advisory.DB) *Matcher { return &Matcher{db} }

// Revision changes with the advisories.
func (m *Matcher) Revision() string { return m.db.Revision() }

// Changed implements triad.Matcher.
func (m *Matcher) Changed(since string) (triad.AdvisoryChange, bool) { return m.db.Changed(since) }

// Match finds the vulnerabilities of packages. What could not be compared is left out; Check
// returns it too.
func (m *Matcher) Match(ctx context.Context, packages []triad.Package) ([]triad.Vulnerability, error) {
	r, err := m.Check(ctx, packages)
	return r.Vulnerabilities, err
}

// Result is what Check found and what it could not compare.
type Result struct {
	Vulnerabilities []triad.Vulnerability
	Uncompared      []Uncompared
	// Revision of the advisories that were used.
	Revision string
}

// Uncompared is a package, or one advisory of it, that could not be held against the advisories.
type Uncompared struct {
	Package  triad.Package
	Advisory string // the record; empty when it is the whole package
	Reason   string
}

// Unread sums up what could not be compared, by reason: a package that nobody compared is not
// clean. The sections are named advisories/ECOSYSTEM.
func (r *Result) Unread() []triad.Unread {
	counts := map[triad.Unread][]string{}
	for _, u := range r.Uncompared {
		eco := cmp.Or(advisory.Family(u.Package.Ecosystem), purlType(u.Package.PURL), "unknown")
		k := triad.Unread{Section: "advisories/" + eco, Reason: u.Reason}
		counts[k] = append(counts[k], u.Package.Name)
	}
	out := make([]triad.Unread, 0, len(counts))
	for k, names := range counts {
		slices.Sort(names)
		names = slices.Compact(names)
		shown := strings.Join(names[:min(3, len(names))], ", ")
		if len(names) > 3 {
			shown += fmt.Sprintf(" and %d more", len(names)-3)
		}
		k.Reason = shown + ": " + k.Reason
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b triad.Unread) int {
		return cmp.Or(cmp.Compare(a.Section, b.Section), cmp.Compare(a.Reason, b.Reason))
	})
	return out
}

func purlType(purl string) string {
	rest, ok := strings.CutPrefix(purl, "pkg:")
	if !ok {
		return ""
	}
	kind, _, _ := strings.Cut(rest, "/")
	return kind
}

// answer is what a query gives; many packages of an image can share one (binary packages of
// one source).
type answer struct {
	found      []triad.Vulnerability
	uncompared []Uncompared
	err        error
}

// Check finds the vulnerabilities of packages, in the order of the packages, CVEs first and
// oldest first, and says what could not be compared. A package with an Owner is left out: the
// distribution ships it and fixes it, and its advisories on the owner say so.
func (m *Matcher) Check(ctx context.Context, packages []triad.Package) (Result, error) {
	g, done, err := m.db.Use()
	if err != nil {
		return Result{}, err
	}
	defer done()
	res := Result{Revision: g.Revision}
	if slices.ContainsFunc(packages, owned) {
		packages = slices.DeleteFunc(slices.Clone(packages), owned)
	}
	queries := make([]query, len(packages))
	problems := make([]string, len(packages))
	answers := map[query]*answer{}
	var todo []query
	for i, p := range packages {
		if queries[i], problems[i] = newQuery(p); problems[i] != "" {
			continue
		}
		if answers[queries[i]] == nil {
			answers[queries[i]] = &answer{}
			todo = append(todo, queries[i])
		}
	}
	next := make(chan query)
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(todo)) {
		workers.Go(func() {
			for q := range next {
				*answers[q] = ask(g, q)
			}
		})
	}
	for _, q := range todo {
		if ctx.Err() != nil {
			break
		}
		next <- q
	}
	close(next)
	workers.Wait()
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	total := 0
	for i := range packages {
		if problems[i] == "" {
			total += len(answers[queries[i]].found)
		}
	}
	res.Vulnerabilities = slices.Grow(res.Vulnerabilities, total)
	for i, p := range packages {
		if problems[i] != "" {
			res.Uncompared = append(res.Uncompared, Uncompared{Package: p, Reason: problems[i]})
			continue
		}
		a := answers[queries[i]]
		if a.err != nil {
			return Result{}, fmt.Errorf("matching %s %s: %w", p.Name, p.Version, a.err)
		}
		for _, u := range a.uncompared {
			u.Package = p
			res.Uncompared = append(res.Uncompared, u)
		}
		for _, v := range a.found {
			v.Package, v.Version, v.PURL, v.Path, v.Layer, v.Step, v.Asset = p.Name, cmp.Or(p.Version, queries[i].version), p.PURL, p.Path, p.Layer, p.Step, p.Asset
			v.Fixed = likeInstalled(queries[i], v.Version, v.Fixed)
			res.Vulnerabilities = append(res.Vulnerabilities, v)
		}
	}
	return res, nil
}

func owned(p triad.Package) bool { return p.Owner != "" }

// likeInstalled writes a fixed version as the installed one is written: Go modules with the v
// that their advisories leave out.
func likeInstalled(q query, installed, fixed string) string {
	if q.family == "Go" && fixed != "" && strings.HasPrefix(installed, "v") && !strings.HasPrefix(fixed, "v") {
		return "v" + fixed
	}
	return fixed
}

// ask answers one query.
func ask(g *advisory.Generation, q query) (a answer) {
	known, knownRelease := g.Has(q.family, q.release)
	switch {
	case !known:
		a.uncompared = []Uncompared{{Reason: "the database holds no advisories of " + q.family + ": run `triad db update`"}}
		return a
	case advisory.NeedsRelease(q.family) && !knownRelease:
		a.uncompared = []Uncompared{{Reason: "the database holds no advisories of " + q.family + " " + q.release}}
		return a
	}
	v, err := newOrder(q.family).installed(q.version)
	if err != nil {
		// Where no record names the package, every version of it is as good: a program's own
		// main module has no version, and nobody wrote an advisory about it.
		var is bool
		if is, a.err = named(g, q); is && a.err == nil {
			a.uncompared = []Uncompared{{Reason: "its version " + err.Error()}}
		}
		return a
	}
	hits, err := find(g, q, &v)
	if err != nil {
		a.err = err
		return a
	}
	groups := fold(hits)
	a.found = slices.Grow(a.found, len(groups))
	for _, gr := range groups {
		if !slices.ContainsFunc(gr.hits, func(h *hit) bool { return h.affected }) {
			for _, h := range gr.hits {
				if h.problem != nil {
					a.uncompared = append(a.uncompared, Uncompared{Advisory: h.rec.ID, Reason: "advisory " + h.rec.ID + " cannot be compared: " + h.problem.Error()})
				}
			}
			continue
		}
		found, err := describe(g, q, &v, gr)
		if err != nil {
			a.err = err
			return a
		}
		a.found = append(a.found, found)
	}
	return a
}

// extra is what programs may want to know beyond the fields of triad.Vulnerability.
type extra struct {
	Percentile      float64  `json:"epss_percentile,omitempty"`
	Ransomware      bool     `json:"ransomware,omitempty"`
	TechnicalImpact string   `json:"technical_impact,omitempty"`
	CVSSVersion     string   `json:"cvss_version,omitempty"`
	CVSSSource      string   `json:"cvss_source,omitempty"`
	Advisories      []string `json:"advisories,omitempty"` // every record that holds the version
}

// describe makes one finding of a group.
func describe(g *advisory.Generation, q query, v *installed, gr *group) (triad.Vulnerability, error) {
	in, err := intelOf(g, gr.ids)
	if err != nil {
		return triad.Vulnerability{}, err
	}
	out := triad.Vulnerability{ID: gr.ids[0], Aliases: gr.ids[1:], Fixed: lowestFix(v, gr.hits), EPSS: in.epss.Score, KEV: in.kev != nil}
	if out.Aliases == nil {
		out.Aliases = []string{}
	}
	x := extra{Percentile: in.epss.Percentile, Ransomware: in.kev != nil && in.kev.Ransomware}
	if in.enrichment != nil {
		x.TechnicalImpact = in.enrichment.TechnicalImpact
	}
	best := decisive(gr.hits, out.Fixed)
	out.Advisory, out.Summary = best.rec.ID, best.rec.Summary
	out.Rule = fmt.Sprintf("%s for %s %s: %s; %s", best.rec.ID, best.Ecosystem, best.Name, best.rule, v.compared(q, best.rule))
	word := ""
	var score advisory.CVSS
	scored := false
	take := func(vector, source string) {
		if c, ok := advisory.ParseCVSS(vector); ok && (!scored || c.Better(score) || c.Vector == score.Vector && source < x.CVSSSource) {
			score, scored, x.CVSSSource = c, true, source
		}
	}
	var exploits []string
	for _, h := range gr.hits {
		if h.affected && !slices.Contains(x.Advisories, h.rec.ID) {
			x.Advisories = append(x.Advisories, h.rec.ID)
		}
		word = worse(word, h.Word)
		if h.Word == "" {
			word = worse(word, h.rec.Word)
		}
		if out.Summary == "" {
			out.Summary = h.rec.Summary
		}
		if gr.bundled[h] {
			continue
		}
		exploits = append(exploits, h.rec.Exploits...)
		for _, list := range [][]advisory.Severity{h.rec.Severity, h.Severity} {
			for _, s := range list {
				take(s.Score, h.rec.ID)
			}
		}
	}
	if !scored && in.hint.Vector != "" {
		take(in.hint.Vector, in.hint.Source)
	}
	if !scored && in.enrichment != nil {
		take(in.enrichment.Vector, "vulnrichment")
	}
	out.Severity = cmp.Or(word, "unknown")
	if scored {
		out.CVSS, out.Vector, x.CVSSVersion = score.Score, score.Vector, score.Version
		if score.Score > 0 {
			out.Severity = score.Rating()
		}
	}
	slices.Sort(exploits)
	slices.Sort(x.Advisories)
	if out.Code, err = vulnerableCode(gr.hits); err != nil {
		return out, err
	}
	out.Exploitation, out.ExploitationBasis = in.exploitation(gr.ids, exploits)
	out.Automatable, out.AutomatableBasis = in.automatable(score, scored)
	out.Extra, err = json.Marshal(x)
	return out, err
}

// decisive is the entry to show: one that ends at the fixed version shown, a range rather
// than a list, the first by id.
func decisive(hits []*hit, fixed string) *hit {
	var best *hit
	rank := func(h *hit) int {
		n := 0
		if !h.affected {
			return -1
		}
		if fixed != "" && strings.HasSuffix(h.rule, " fixed "+fixed) {
			n += 2
		}
		if !strings.HasPrefix(h.rule, "versions") {
			n++
		}
		return n
	}
	for _, h := range hits {
		if best == nil || cmp.Or(-cmp.Compare(rank(h), rank(best)), compareIDs(h.rec.ID, best.rec.ID), cmp.Compare(h.rule, best.rule)) < 0 {
			best = h
		}
	}
	return best
}

// worse is the worse of two severities; "" is none.
func worse(a, b string) string {
	if triad.SeverityRank(b) < triad.SeverityRank(a) {
		return b
	}
	return a
}
