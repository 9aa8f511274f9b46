package scan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/triad-security/triad"
)

// sectionPackages is the one section of a scan's report.
const sectionPackages = "packages"

// Report returns what a store keeps of the result: the artifact as an asset and its
// packages. Vulnerabilities are not in it: they are matched against the advisories of the
// moment.
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
		sum := sha256.Sum256([]byte(r.root + "\x00" + r.Artifact.Name))
		id := hex.EncodeToString(sum[:16])
		asset.ID, asset.Type, asset.Kind = r.Artifact.Type+":"+id, triad.TypeRepository, "Directory"
		if r.Artifact.Type == ArtifactSBOM {
			asset.Kind = "Application"
		}
		report.Scope = r.Artifact.Type + "/" + id
	}
	report.Assets = []triad.Asset{asset}
	section := triad.Section{Name: sectionPackages, Status: triad.SectionComplete}
	for _, u := range r.Unread {
		if u.Section != "vulnerabilities" {
			section.Status = triad.SectionUnread
			if section.Reason == "" {
				section.Reason = u.Reason
			}
		}
	}
	report.Sections = []triad.Section{section}
	owned := 0
	seen := map[string]bool{}
	for _, p := range r.Packages {
		if p.Owner != "" && r.distro.Ecosystem() != "" {
			owned++
			continue
		}
		p.Asset, p.Section = asset.ID, sectionPackages
		if key := p.Key(); !seen[key] {
			seen[key] = true
			report.Packages = append(report.Packages, p.Package)
		}
	}
	if owned > 0 {
		report.Notes = append(report.Notes, plural(owned, "package of a language belongs", "packages of languages belong")+" to packages of the distribution, which stand for them")
	}
	return report
}

func (r *Result) imageAsset(asset *triad.Asset) {
	a := r.Artifact
	asset.Type, asset.Kind, asset.ID = triad.TypeImage, "Image", a.Digest
	refs := a.Refs
	if a.Name != "" && len(refs) == 0 {
		refs = []string{a.Name}
	}
	aliases := []string{a.ConfigDigest, a.ManifestDigest, a.IndexDigest}
	aliases = append(aliases, a.RepoDigests...)
	for _, ref := range refs {
		aliases = append(aliases, "imageref:"+ref)
	}
	if asset.ID == "" {
		asset.ID = "imageref:" + a.Name
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
