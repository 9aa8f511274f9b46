package main

import (
	"cmp"
	"context"
	"slices"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/advisory"
	"github.com/triad-security/triad/build/fix"
	"github.com/triad-security/triad/build/match"
	"github.com/triad-security/triad/policy"
	"github.com/triad-security/triad/server/datadir"
)

// gateFix is a change and what it would remove.
type gateFix struct {
	Change string `json:"change"`
	// Removes are the findings that refuse or warn now and would be gone.
	Removes []string `json:"removes"`
	Path    string   `json:"path,omitempty"`
}

// gateFixes are the changes that would remove what refuses or warns, those that remove most
// first. A package needs one version for all of its findings: the advisories say which.
// Without them, and for what is no vulnerability, the rules' own words stand.
func (a *app) gateFixes(ctx context.Context, r *scanned, e *policy.Evaluation) []gateFix {
	out := []gateFix{}
	bumped := map[string]bool{}
	if plan := a.gatePlan(ctx, r, e); plan != nil {
		for _, b := range plan.Packages {
			if b.To == "" || len(b.Removes) == 0 {
				continue
			}
			out = append(out, gateFix{Change: "upgrade " + b.Package + " " + b.Version + " to " + b.To, Removes: b.Removes, Path: b.Path})
			for _, id := range b.Removes {
				bumped[id+"|"+b.PURL+"|"+b.Path] = true
			}
		}
	}
	index := map[[2]string]int{}
	for _, g := range e.Guardrails {
		for _, reason := range g.Reasons {
			f := reason.Finding
			if !stopping(g.Effect) || reason.Fix == "" || f != nil && bumped[f.ID+"|"+f.PURL+"|"+f.Path] {
				continue
			}
			id, path := g.Guardrail, ""
			if f != nil {
				id, path = f.ID, f.Path
			}
			key := [2]string{reason.Fix, path}
			i, seen := index[key]
			if !seen {
				i = len(out)
				index[key] = i
				out = append(out, gateFix{Change: reason.Fix, Removes: []string{}, Path: path})
			}
			if !slices.Contains(out[i].Removes, id) {
				out[i].Removes = append(out[i].Removes, id)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b gateFix) int { return cmp.Compare(len(b.Removes), len(a.Removes)) })
	return out
}

// stopping says whether an effect is one that people are to do something about.
func stopping(e policy.Effect) bool { return e == policy.EffectRefuse || e == policy.EffectWarn }

// gatePlan asks the advisories for the versions without what refuses; nil where they cannot say.
func (a *app) gatePlan(ctx context.Context, r *scanned, e *policy.Evaluation) *fix.Plan {
	stops := map[[3]string]bool{}
	for _, g := range e.Guardrails {
		for _, reason := range g.Reasons {
			if f := reason.Finding; f != nil && f.Kind == "vulnerability" && stopping(g.Effect) {
				stops[[3]string{f.ID, f.PURL, f.Path}] = true
			}
		}
	}
	var found []triad.Vulnerability
	for _, v := range r.Found() {
		if stops[[3]string{v.ID, v.PURL, v.Path}] {
			found = append(found, v)
		}
	}
	if len(found) == 0 {
		return nil
	}
	db, err := advisory.Open(datadir.Dir(a.data).Advisories())
	if err != nil {
		return nil // the rules' own words stand
	}
	defer func() { _ = db.Close() }()
	var packages []triad.Package
	for _, p := range r.Packages {
		packages = append(packages, p.Package)
	}
	plan, err := fix.Advise(ctx, packages, found, match.New(db))
	if err != nil {
		a.say("the smallest fix is not known: %v", err)
		return nil
	}
	return plan
}
