package sbom

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	packageurl "github.com/package-url/packageurl-go"

	"github.com/triad-security/triad"
)

// spdxJSON has the parts of an SPDX 2.2 or 2.3 document that say which packages there are.
type spdxJSON struct {
	Version       string        `json:"spdxVersion"`
	Name          string        `json:"name"`
	Describes     []string      `json:"documentDescribes"`
	Packages      []spdxJSONOne `json:"packages"`
	Relationships []struct {
		From string `json:"spdxElementId"`
		Type string `json:"relationshipType"`
		To   string `json:"relatedSpdxElement"`
	} `json:"relationships"`
}

type spdxJSONOne struct {
	ID         string   `json:"SPDXID"`
	Name       string   `json:"name"`
	Version    string   `json:"versionInfo"`
	Purpose    string   `json:"primaryPackagePurpose"`
	SourceInfo string   `json:"sourceInfo"`
	Texts      []string `json:"attributionTexts"`
	References []struct {
		Type    string `json:"referenceType"`
		Locator string `json:"referenceLocator"`
	} `json:"externalRefs"`
	Checksums []struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	} `json:"checksums"`
	Annotations []struct {
		Comment string `json:"comment"`
	} `json:"annotations"`
}

// readSPDX reads SPDX 2.2 and 2.3 in JSON.
func readSPDX(r io.Reader) (*Document, error) {
	var s spdxJSON
	if err := json.NewDecoder(r).Decode(&s); err != nil {
		return nil, triad.Errorf(triad.CodeInvalid, "not an SPDX document: %w", err)
	}
	switch s.Version {
	case "SPDX-2.2", "SPDX-2.3":
	default:
		return nil, triad.Errorf(triad.CodeInvalid, "%q cannot be read; write SPDX 2.2 or 2.3 in JSON", s.Version)
	}
	if len(s.Packages) > maxComponents {
		return nil, triad.Errorf(triad.CodeInvalid, "%w: more than %d", errTooMany, maxComponents)
	}
	d := &Document{Subject: Subject{Type: SubjectOther, Name: s.Name}}
	described := map[string]bool{}
	for _, id := range s.Describes {
		described[id] = true
	}
	for _, r := range s.Relationships {
		switch r.Type {
		case "DESCRIBES":
			described[r.To] = described[r.To] || strings.HasSuffix(r.From, "SPDXRef-DOCUMENT")
		case "DESCRIBED_BY":
			described[r.From] = described[r.From] || strings.HasSuffix(r.To, "SPDXRef-DOCUMENT")
		}
	}
	for _, p := range s.Packages { // the distribution first: package URLs may not name it
		if p.Purpose == "OPERATING-SYSTEM" || p.Purpose == "OPERATING_SYSTEM" {
			d.Subject.Distro = Distro{ID: strings.ToLower(p.Name), Version: p.Version}
			break
		}
	}
	w := &components{doc: d, seen: map[string]bool{}}
	root := false
	for i := range s.Packages {
		p := &s.Packages[i]
		switch {
		case p.Purpose == "OPERATING-SYSTEM" || p.Purpose == "OPERATING_SYSTEM":
		case described[p.ID] && !root && (len(described) == 1 || p.isImage()):
			root = true
			d.Subject = p.subject(d.Subject.Distro)
			if u := p.purl(); u != "" && !p.isImage() {
				w.spdx(p) // the package that the document is of may be vulnerable itself
			}
		default:
			w.spdx(p)
		}
	}
	if w.unnamed > 0 {
		d.Unread = append(d.Unread, triad.Unread{Section: "packages", Reason: fmt.Sprintf("%d packages have no valid package URL, so that no advisory can be found for them (the first is %s)", w.unnamed, w.first)})
	}
	return d, nil
}

func (p *spdxJSONOne) purl() string {
	for _, r := range p.References {
		if r.Type == "purl" || strings.HasSuffix(r.Type, "#purl") {
			return r.Locator
		}
	}
	return ""
}

func (p *spdxJSONOne) isImage() bool {
	u := p.purl()
	return p.Purpose == "CONTAINER" || strings.HasPrefix(u, "pkg:oci/") || strings.HasPrefix(u, "pkg:docker/")
}

// notes calls do for each "name: value" that tools put where SPDX has no field: ours and
// Trivy's.
func (p *spdxJSONOne) notes(do func(name, value string)) {
	for _, a := range p.Annotations {
		if name, value, ok := strings.Cut(a.Comment, ": "); ok {
			do(name, value)
		}
	}
	for _, text := range p.Texts {
		if name, value, ok := strings.Cut(text, ": "); ok {
			do(name, value)
		}
	}
}

func (p *spdxJSONOne) subject(distro Distro) Subject {
	s := Subject{Type: SubjectOther, Name: p.Name, Version: p.Version, Distro: distro}
	if strings.HasPrefix(p.Name, "arn:") && strings.Contains(p.Name, ":function:") {
		s.Type = SubjectFunction
		s.CodeDigest, _ = strings.CutPrefix(p.Version, "CodeSha256:")
		if s.CodeDigest == p.Version {
			s.CodeDigest = ""
		}
		return s
	}
	if !p.isImage() {
		return s
	}
	s.Type = SubjectImage
	if name, digest, ok := strings.Cut(p.Name, "@"); ok && digestPattern.FindString(digest) == digest && digest != "" {
		s.Name, s.ManifestDigest = name, digest
	}
	if digest := digestPattern.FindString(p.Version); digest == p.Version {
		s.Digest = digest
	}
	for _, c := range p.Checksums {
		if digest := "sha256:" + strings.ToLower(c.Value); c.Algorithm == "SHA256" && s.Digest == "" && digestPattern.FindString(digest) == digest {
			s.Digest = digest
		}
	}
	if u, err := packageurl.FromString(p.purl()); err == nil {
		if digest := digestPattern.FindString(u.Version); digest != "" && digest == u.Version {
			s.ManifestDigest = digest
		}
	}
	p.notes(func(name, value string) {
		switch digest := digestPattern.FindString(value); {
		case digest == "":
		case name == "ImageID":
			s.ConfigDigest = digest
		case name == "RepoDigest", name == "ManifestDigest":
			s.ManifestDigest = digest
		}
	})
	for _, digest := range []string{s.ManifestDigest, s.ConfigDigest} {
		if s.Digest == "" {
			s.Digest = digest
		}
	}
	return s
}

func (w *components) spdx(one *spdxJSONOne) {
	u := one.purl()
	p, err := FromPURL(u, w.doc.Subject.Distro)
	if err != nil {
		if one.Purpose != "" && one.Purpose != "LIBRARY" && one.Purpose != "APPLICATION" && one.Purpose != "FRAMEWORK" {
			return // files, sources, archives: no packages
		}
		if w.unnamed++; w.first == "" {
			w.first = one.Name
		}
		p = triad.Package{Name: one.Name}
	}
	if p.Version == "" {
		p.Version = one.Version
	}
	one.notes(func(name, value string) {
		switch name {
		case "LayerDiffID":
			p.Layer = value
		case "Step":
			p.Step = value
		case "FilePath":
			p.Path = value
		case "Source", "SrcName":
			p.Source = value
		case "SourceVersion", "SrcVersion":
			p.SourceVersion = value
		case "File":
			if len(p.Files) < maxFiles {
				p.Files = append(p.Files, value)
			}
		}
	})
	if p.Path == "" { // syft's: "acquired package info from DPKG DB: /var/lib/dpkg/status"
		if _, path, ok := strings.Cut(one.SourceInfo, ": "); ok && strings.HasPrefix(path, "/") {
			p.Path, _, _ = strings.Cut(path, ", ")
		}
	}
	key := p.PURL + "|" + p.Name + "|" + p.Version + "|" + p.Path
	if !w.seen[key] {
		w.seen[key] = true
		w.doc.Packages = append(w.doc.Packages, p)
	}
}
