package scan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/triad-security/triad"
)

// Sections that the scanner itself fills. A report has one of the packages, with the artifact,
// and one of each class of finding that was looked for.
const (
	sectionPackages        = "packages"
	sectionVulnerabilities = "vulnerabilities"
)

// Report returns what a store keeps of the result: the artifact as an asset, its packages and
// what inspectors found. Vulnerabilities are not in it: they are matched against the
// advisories of the moment.
func (r *Result) Report() *triad.Report {
	now := time.Now()
	report := &triad.Report{Collector: "scan", Taken: now, Revision: now.UnixMicro()}
	asset := triad.Asset{Section: sectionPackages, Name: r.Artifact.Name}
	switch r.Artifact.Type {
	case ArtifactFunction:
		asset.ID, asset.Type, asset.Kind = r.Artifact.Name, triad.TypeFunction, "Function"
		if arn := strings.SplitN(r.Artifact.Name, ":", 8); len(arn) >= 7 && arn[0] == "arn" {
			asset.Kind = "LambdaFunction"
			asset.Name = arn[4] + "/" + arn[3] + "/" + arn[6] // account/region/function
		}
		report.Scope = "function/" + asset.ID
		asset.Schema, asset.Props = "function/1", props(triad.FunctionProps{CodeDigest: r.Artifact.CodeDigest})
	case ArtifactImage:
		r.imageAsset(&asset)
		report.Scope = "image/" + asset.ID
	default:
		asset.ID, asset.Type, asset.Kind = r.assetID(), triad.TypeRepository, "Directory"
		if r.Artifact.Type == ArtifactSBOM {
			asset.Kind = "Application"
		}
		report.Scope = strings.Replace(asset.ID, ":", "/", 1)
	}
	report.Assets = []triad.Asset{asset}
	report.Relations = r.builtFrom(asset.ID)
	report.Sections = r.sections()
	r.reportFindings(report)
	seen := map[string]bool{}
	for _, p := range r.Packages {
		p.Asset, p.Section = asset.ID, sectionPackages
		if key := p.Key(); !seen[key] {
			seen[key] = true
			report.Packages = append(report.Packages, p.Package)
		}
	}
	return report
}

// assetID is the ID by which the artifact is an asset.
func (r *Result) assetID() string {
	a := r.Artifact
	switch a.Type {
	case ArtifactFunction:
		return a.Name
	case ArtifactImage:
		if a.Digest == "" {
			return "imageref:" + a.Name
		}
		return a.Digest
	}
	sum := sha256.Sum256([]byte(r.root + "\x00" + a.Name))
	return a.Type + ":" + hex.EncodeToString(sum[:16])
}

// sections says of each section that was asked for whether all of it was read.
func (r *Result) sections() []triad.Section {
	var sections []triad.Section
	add := func(name string) {
		section := triad.Section{Name: name, Status: triad.SectionComplete}
		for _, u := range r.Unread {
			if u.Section == name {
				section.Status, section.Reason = triad.SectionUnread, u.Reason
				break
			}
		}
		if !slices.ContainsFunc(sections, func(s triad.Section) bool { return s.Name == name }) {
			sections = append(sections, section)
		}
	}
	add(sectionPackages)
	for _, name := range r.Scanned {
		if name != sectionVulnerabilities {
			add(name)
		}
	}
	for _, u := range r.Unread { // asked for, and could not be looked at
		if u.Section != sectionVulnerabilities {
			add(u.Section)
		}
	}
	return sections
}

// reportFindings puts the findings into the report, each key once: of two secrets in one
// place the one that shows first stands for both.
func (r *Result) reportFindings(report *triad.Report) {
	seen := map[string]bool{}
	for _, f := range r.Findings() {
		if key := f.Key(); !seen[key] {
			seen[key] = true
			report.Findings = append(report.Findings, f)
		}
	}
}

func (r *Result) imageAsset(asset *triad.Asset) {
	a := r.Artifact
	asset.Type, asset.Kind, asset.ID = triad.TypeImage, "Image", r.assetID()
	refs := a.Refs
	if a.Name != "" && len(refs) == 0 {
		refs = []string{a.Name}
	}
	aliases := []string{a.ConfigDigest, a.ManifestDigest, a.IndexDigest}
	aliases = append(aliases, a.RepoDigests...)
	for _, ref := range refs {
		aliases = append(aliases, "imageref:"+ref)
	}
	seen := map[string]bool{"": true, asset.ID: true}
	for _, alias := range aliases {
		if !seen[alias] {
			seen[alias] = true
			asset.Aliases = append(asset.Aliases, alias)
		}
	}
	p := r.image
	p.Refs = refs
	p.Layers = a.Layers
	if p.OS == "" {
		p.OS = a.OS
	}
	asset.Schema, asset.Props = "image/1", props(p)
}

func props(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain structures
	}
	return b
}
