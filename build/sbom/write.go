package sbom

import (
	"crypto/rand"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"github.com/triad-security/triad"
)

// Write writes a document with the vulnerabilities found in it as CycloneDX 1.6 JSON.
// tool is the version of Triad.
func Write(w io.Writer, d *Document, found []triad.Vulnerability, tool string, at time.Time) error {
	bom := cdx.NewBOM()
	bom.SerialNumber = serial()
	root := rootComponent(d.Subject)
	bom.Metadata = &cdx.Metadata{
		Timestamp: at.UTC().Format(time.RFC3339),
		Tools:     &cdx.ToolsChoice{Components: &[]cdx.Component{{Type: cdx.ComponentTypeApplication, Name: "triad", Version: tool}}},
		Component: &root,
	}
	all := make([]cdx.Component, 0, len(d.Packages)+1)
	refs := map[string]string{} // package key → bom-ref
	used := map[string]bool{"root": true}
	depends := []string{}
	for _, p := range d.Packages {
		ref := unique(used, p)
		refs[key(p.PURL, p.Path, p.Name, p.Version)] = ref
		depends = append(depends, ref)
		all = append(all, component(p, ref))
	}
	if distro := d.Subject.Distro; distro.ID != "" {
		all = append(all, cdx.Component{BOMRef: "os:" + distro.ID, Type: cdx.ComponentTypeOS, Name: distro.ID, Version: distro.Version, Description: distro.PrettyName})
	}
	bom.Components = &all
	bom.Dependencies = &[]cdx.Dependency{{Ref: root.BOMRef, Dependencies: &depends}}
	vulnerabilities := vulnerabilities(found, refs)
	vulnerabilities = append(vulnerabilities, setAside(d.Suppressed, refs, at)...)
	bom.Vulnerabilities = &vulnerabilities
	properties := []cdx.Property{}
	for _, u := range d.Unread {
		properties = append(properties, cdx.Property{Name: "triad:unread:" + u.Section, Value: u.Reason})
	}
	if len(properties) > 0 {
		bom.Metadata.Properties = &properties
	}
	enc := cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON)
	enc.SetPretty(true)
	enc.SetEscapeHTML(false)
	return enc.EncodeVersion(bom, cdx.SpecVersion1_6)
}

func rootComponent(s Subject) cdx.Component {
	c := cdx.Component{BOMRef: "root", Type: cdx.ComponentTypeApplication, Name: s.Name, Version: s.Version}
	if c.Name == "" {
		c.Name = "unnamed"
	}
	if s.Type == SubjectFunction && s.CodeDigest != "" {
		c.Version = "CodeSha256:" + s.CodeDigest
	}
	if s.Type == SubjectImage {
		c.Type = cdx.ComponentTypeContainer
		if s.Digest != "" {
			c.Version = s.Digest
			c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: strings.TrimPrefix(s.Digest, "sha256:")}}
		}
		var properties []cdx.Property
		for _, p := range []cdx.Property{{Name: "triad:config_digest", Value: s.ConfigDigest}, {Name: "triad:manifest_digest", Value: s.ManifestDigest}} {
			if p.Value != "" {
				properties = append(properties, p)
			}
		}
		if len(properties) > 0 {
			c.Properties = &properties
		}
	}
	return c
}

func key(purl, path, name, version string) string {
	if purl != "" {
		return purl + "|" + path
	}
	return name + "@" + version + "|" + path
}

// unique makes a bom-ref: the package URL, and where it was found if that repeats.
func unique(used map[string]bool, p triad.Package) string {
	base := p.PURL
	if base == "" {
		base = p.Name + "@" + p.Version
	}
	ref := base
	for i := 1; used[ref]; i++ {
		ref = base + "#" + p.Path
		if i > 1 {
			ref += "#" + strconv.Itoa(i)
		}
	}
	used[ref] = true
	return ref
}

func component(p triad.Package, ref string) cdx.Component {
	c := cdx.Component{BOMRef: ref, Type: cdx.ComponentTypeLibrary, Name: p.Name, Version: p.Version, PackageURL: p.PURL}
	if strings.HasPrefix(p.PURL, "pkg:maven/") {
		if group, artifact, ok := strings.Cut(p.Name, ":"); ok {
			c.Group, c.Name = group, artifact
		}
	}
	if p.Path != "" {
		c.Evidence = &cdx.Evidence{Occurrences: &[]cdx.EvidenceOccurrence{{Location: p.Path}}}
	}
	var properties []cdx.Property
	for _, pair := range [][2]string{{"layer", p.Layer}, {"step", p.Step}, {"source", p.Source}, {"source_version", p.SourceVersion}} {
		if pair[1] != "" {
			properties = append(properties, cdx.Property{Name: "triad:" + pair[0], Value: pair[1]})
		}
	}
	for _, f := range p.Files {
		properties = append(properties, cdx.Property{Name: "triad:file", Value: f})
	}
	if len(properties) > 0 {
		c.Properties = &properties
	}
	return c
}

// vulnerabilities folds the findings of one advisory on several packages into one entry.
func vulnerabilities(found []triad.Vulnerability, refs map[string]string) []cdx.Vulnerability {
	byID := map[string]*cdx.Vulnerability{}
	var order []string
	for _, v := range found {
		ref := refs[key(v.PURL, v.Path, v.Package, v.Version)]
		if ref == "" {
			continue
		}
		id := v.ID
		if v.VEX != nil { // packages of which suppliers say different things are different entries
			id += "\x00" + v.VEX.Status + v.VEX.Detail + v.VEX.Source
		}
		e := byID[id]
		if e == nil {
			if e = vulnerability(v); v.VEX != nil {
				e.Analysis = stated(v)
				e.BOMRef += "#" + ref
			}
			byID[id] = e
			order = append(order, id)
		}
		*e.Affects = append(*e.Affects, cdx.Affects{Ref: ref, Range: &[]cdx.AffectedVersions{{Version: v.Version, Status: cdx.VulnerabilityStatusAffected}}})
		if v.Fixed != "" {
			fix := fmt.Sprintf("Upgrade %s to %s.", v.Package, v.Fixed)
			if !strings.Contains(e.Recommendation, fix) {
				e.Recommendation = strings.TrimSpace(e.Recommendation + " " + fix)
			}
		}
	}
	sort.Strings(order)
	out := make([]cdx.Vulnerability, 0, len(order))
	for _, id := range order {
		out = append(out, *byID[id])
	}
	return out
}

func vulnerability(v triad.Vulnerability) *cdx.Vulnerability {
	e := &cdx.Vulnerability{BOMRef: "vulnerability:" + v.ID, ID: v.ID, Description: v.Summary, Affects: &[]cdx.Affects{}}
	rating := cdx.VulnerabilityRating{Severity: severity(v.Severity), Vector: v.Vector, Method: method(v.Vector)}
	if v.CVSS > 0 {
		rating.Score = &v.CVSS
	}
	e.Ratings = &[]cdx.VulnerabilityRating{rating}
	references := []cdx.VulnerabilityReference{}
	for _, a := range v.Aliases {
		references = append(references, cdx.VulnerabilityReference{ID: a, Source: &cdx.Source{Name: "OSV", URL: "https://osv.dev/vulnerability/" + a}})
	}
	if len(references) > 0 {
		e.References = &references
	}
	properties := []cdx.Property{{Name: "triad:epss", Value: strconv.FormatFloat(v.EPSS, 'f', -1, 64)}, {Name: "triad:kev", Value: strconv.FormatBool(v.KEV)}}
	if v.Exploitation != "" {
		properties = append(properties, cdx.Property{Name: "triad:exploitation", Value: v.Exploitation})
	}
	e.Properties = &properties
	return e
}

func severity(s string) cdx.Severity {
	switch s {
	case "critical", "high", "medium", "low", "none":
		return cdx.Severity(s)
	}
	return cdx.SeverityUnknown
}

func method(vector string) cdx.ScoringMethod {
	switch {
	case strings.HasPrefix(vector, "CVSS:4"):
		return cdx.ScoringMethodCVSSv4
	case strings.HasPrefix(vector, "CVSS:3.1"):
		return cdx.ScoringMethodCVSSv31
	case strings.HasPrefix(vector, "CVSS:3.0"):
		return cdx.ScoringMethodCVSSv3
	case strings.HasPrefix(vector, "AV:"):
		return cdx.ScoringMethodCVSSv2
	}
	return ""
}

// serial makes a random UUID, RFC 9562 version 4.
func serial() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand since Go 1.24
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
