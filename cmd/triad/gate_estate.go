package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/policy"
	"github.com/triad-security/triad/risk/decision"
	"github.com/triad-security/triad/server/api"
)

// gatedLive is what runs of an image's repository now, and what the image would change.
type gatedLive struct {
	Repository string       `json:"repository"`
	Images     []gatedImage `json:"images"`
	// Added are the vulnerabilities that none of the running images has, Removed those that
	// they have and this one has not.
	Added   []string `json:"added"`
	Removed []string `json:"removed"`
}

// gatedImage is one image that runs.
type gatedImage struct {
	Reference string   `json:"reference"`
	Digest    string   `json:"digest,omitempty"`
	Same      bool     `json:"same"` // it is the one at the gate
	Scanned   bool     `json:"scanned"`
	Workloads []string `json:"workloads"` // those that decisions name
}

// asksEstate says whether there is an estate to ask: a server, or a data directory with a store.
func (a *app) asksEstate() bool {
	if a.server != "" || a.store != "" {
		return true
	}
	_, err := os.Stat(filepath.Join(a.data, "triad.db"))
	return err == nil
}

// live joins the subject's vulnerabilities with the decisions that the estate has on what runs
// of the image's repository. The reason says why nothing is known.
func (a *app) live(ctx context.Context, r *scanned, s *policy.Subject) (live *gatedLive, reason string) {
	if !a.asksEstate() || s.Image.Repository == "" {
		return nil, ""
	}
	e, err := a.estate(ctx)
	if err != nil {
		return nil, "asking the estate: " + err.Error()
	}
	images, byID, err := a.running(ctx, e, s.Image.Repository)
	if err = errors.Join(err, e.Close()); err != nil {
		return nil, "asking the estate: " + err.Error()
	}
	own := append([]string{r.Artifact.Digest, r.Artifact.ConfigDigest, r.Artifact.ManifestDigest, r.Artifact.IndexDigest}, r.Artifact.RepoDigests...)
	live = &gatedLive{Repository: s.Image.Repository, Images: []gatedImage{}, Added: []string{}, Removed: []string{}}
	var decisions []triad.Decision
	var unscanned []string
	for _, image := range images {
		g := gatedImage{
			Reference: image.Reference, Digest: image.Digest, Scanned: image.Scanned, Workloads: []string{},
			Same: slices.ContainsFunc(own, func(id string) bool { return id != "" && slices.Contains(image.IDs, id) }),
		}
		if !image.Scanned {
			unscanned = append(unscanned, image.Reference)
		}
		for _, id := range image.Assets {
			for _, d := range byID[id] {
				if !slices.ContainsFunc(d.Packages, func(v triad.Vulnerability) bool { return slices.Contains(image.IDs, v.Asset) }) {
					continue // of another container of the same workload
				}
				decisions = append(decisions, d)
				if name := d.Asset.Kind + " " + d.Asset.Name; !slices.Contains(g.Workloads, name) {
					g.Workloads = append(g.Workloads, name)
				}
			}
		}
		live.Images = append(live.Images, g)
	}
	compare(live, decisions, s, len(images) > 0 && len(unscanned) == 0)
	if len(unscanned) > 0 {
		return live, fmt.Sprintf("%s runs and was never scanned: triad scan image %s --keep", unscanned[0], unscanned[0])
	}
	return live, ""
}

// running lists what runs of a repository, and the decisions on its vulnerabilities by asset.
func (a *app) running(ctx context.Context, e estate, repository string) ([]api.RunningImage, map[string][]triad.Decision, error) {
	images, err := e.RunningImages(ctx, repository)
	if err != nil {
		return nil, nil, err
	}
	byID := map[string][]triad.Decision{}
	for _, image := range images {
		for _, id := range image.Assets {
			if _, asked := byID[id]; asked {
				continue
			}
			if byID[id], err = e.Risks(ctx, triad.DecisionFilter{Kind: triad.FindingVulnerability, Asset: id}); err != nil {
				return nil, nil, err
			}
		}
	}
	return images, byID, nil
}

// compare gives each vulnerability the most urgent decision that it has where the repository's
// images run. One that none of them has, all being scanned, is added: its decision is what the
// SSVC table says at the widest exposure and highest impact among their decisions.
func compare(live *gatedLive, decisions []triad.Decision, s *policy.Subject, whole bool) {
	decision.Rank(decisions)
	still := map[string]bool{}
	for i := range s.Vulnerabilities {
		v := &s.Vulnerabilities[i]
		found := false
		for _, d := range decisions { // the most urgent first
			if !sameFinding(&d, v) {
				continue
			}
			still[d.Finding.ID] = true
			if !found {
				found = true
				v.Decision, v.Exposure, v.RunsAs = string(d.Outcome), string(d.Exposure), d.Asset.Kind+" "+d.Asset.Name
				v.InUse = map[bool]string{true: "yes", false: "no"}[d.InUse != nil && *d.InUse]
				if d.InUse == nil {
					v.InUse = "unknown"
				}
			}
		}
		if !found && whole {
			v.Added = true
			foresee(v, decisions)
			if !slices.Contains(live.Added, v.ID) {
				live.Added = append(live.Added, v.ID)
			}
		}
	}
	for _, d := range decisions {
		if !still[d.Finding.ID] && !slices.Contains(live.Removed, d.Finding.ID) {
			live.Removed = append(live.Removed, d.Finding.ID)
		}
	}
	slices.Sort(live.Added)
	slices.Sort(live.Removed)
}

// sameFinding says whether a decision is on the same vulnerability of a package of the same name.
func sameFinding(d *triad.Decision, v *policy.Vulnerability) bool {
	names := append([]string{d.Finding.ID}, d.Finding.Aliases...)
	if !slices.Contains(names, v.ID) && !slices.ContainsFunc(v.Aliases, func(a string) bool { return slices.Contains(names, a) }) {
		return false
	}
	return slices.ContainsFunc(d.Packages, func(p triad.Vulnerability) bool { return p.Package == v.Package })
}

// foresee decides on a vulnerability that does not run yet, as the most exposed of what runs
// would have it. Nothing is foreseen where nothing that runs has a decision.
func foresee(v *policy.Vulnerability, decisions []triad.Decision) {
	width := []triad.Exposure{triad.ExposureSmall, triad.ExposureControlled, triad.ExposureOpen}
	var widest *triad.Decision
	impact := "low"
	for i := range decisions {
		d := &decisions[i]
		exposure := d.Exposure
		if exposure == triad.ExposureUnknown { // counts as open, as everywhere
			exposure = triad.ExposureOpen
		}
		if widest == nil || slices.Index(width, exposure) > slices.Index(width, widest.Exposure) {
			widest = d
		}
		impact = decision.HigherImpact(impact, d.Impact)
	}
	if widest == nil {
		return
	}
	exploitation, automatable := v.Exploitation, v.Automatable
	if exploitation == "" { // a scan as JSON does not say
		exploitation = map[bool]string{true: "active", false: "none"}[v.KEV]
	}
	if automatable == "" {
		automatable = "no"
	}
	outcome, _, err := decision.Decide(exploitation, widest.Exposure, automatable, impact)
	if err != nil {
		return
	}
	v.Decision, v.Exposure, v.RunsAs = string(outcome), string(widest.Exposure), widest.Asset.Kind+" "+widest.Asset.Name
}
