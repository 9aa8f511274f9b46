package sbom

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	packageurl "github.com/package-url/packageurl-go"

	"github.com/triad-security/triad"
)

// Bounds on a document from outside. A component is some 500 bytes, so that the bytes bind first.
const (
	maxBytes      = 256 << 20
	maxComponents = 500_000
	maxDepth      = 64 // components inside components
	maxFiles      = 256
)

// Document is a bill of materials: what it is of, and the packages in it.
type Document struct {
	Subject  Subject
	Packages []triad.Package
	// Suppressed are the vulnerabilities that were set aside; Write says of each why.
	Suppressed []triad.Suppressed
	// Unread says what of the document could not be used.
	Unread []triad.Unread
}

// SubjectType is what a bill of materials is of.
type SubjectType string

// The subject types.
const (
	SubjectImage    SubjectType = "image"
	SubjectFunction SubjectType = "function"
	SubjectOther    SubjectType = "application"
)

// Subject is the component in the document's metadata.
type Subject struct {
	Type SubjectType
	// Name is the image reference, the function's ARN, or as the document calls it.
	Name    string
	Version string
	// Digest is the image's as the document states it, of its manifest unless it says
	// otherwise. ConfigDigest and ManifestDigest are set where it says which they are.
	Digest, ConfigDigest, ManifestDigest string
	// CodeDigest is a function's CodeSha256, base64.
	CodeDigest string
	Distro     Distro
}

var digestPattern = regexp.MustCompile(`sha256:[0-9a-f]{64}`)

// headBytes is how much of a document is looked at to tell its format.
const headBytes = 64 << 10

// Read reads a CycloneDX document, JSON or XML, or one of SPDX 2.2 or 2.3 in JSON.
func Read(r io.Reader) (*Document, error) {
	b := bufio.NewReaderSize(io.LimitReader(r, maxBytes+1), headBytes)
	format := cdx.BOMFileFormatJSON
	head, _ := b.Peek(64)
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	if bytes.HasPrefix(head, []byte("<")) {
		format = cdx.BOMFileFormatXML
	} else if !bytes.HasPrefix(head, []byte("{")) {
		if bytes.HasPrefix(head, []byte("SPDXVersion:")) {
			return nil, triad.Errorf(triad.CodeInvalid, "SPDX's tag-value format cannot be read; write its JSON")
		}
		return nil, triad.Errorf(triad.CodeInvalid, "not a bill of materials: neither JSON nor XML")
	}
	if bom, _ := b.Peek(3); bytes.Equal(bom, []byte("\xef\xbb\xbf")) {
		_, _ = b.Discard(3)
	}
	count := &counter{r: b}
	if format == cdx.BOMFileFormatJSON && isSPDX(b) {
		d, err := readSPDX(count)
		if count.n > maxBytes {
			return nil, triad.Errorf(triad.CodeInvalid, "the document is larger than %d bytes", maxBytes)
		}
		return d, err
	}
	bom := new(cdx.BOM)
	err := cdx.NewBOMDecoder(count, format).Decode(bom)
	if count.n > maxBytes {
		return nil, triad.Errorf(triad.CodeInvalid, "the document is larger than %d bytes", maxBytes)
	}
	if err != nil {
		return nil, triad.Errorf(triad.CodeInvalid, "not a CycloneDX document: %w", err)
	}
	if format == cdx.BOMFileFormatJSON && bom.BOMFormat != "CycloneDX" {
		return nil, triad.Errorf(triad.CodeInvalid, "bomFormat is %q, not CycloneDX, and there is no spdxVersion in the first %d bytes; other formats cannot be read", bom.BOMFormat, headBytes)
	}
	if bom.SpecVersion < cdx.SpecVersion1_2 {
		return nil, triad.Errorf(triad.CodeInvalid, "this version of CycloneDX cannot be read; write 1.4, 1.5 or 1.6")
	}
	return newDocument(bom)
}

// isSPDX looks for the key that every SPDX document has, near its beginning, where all tools
// write it.
func isSPDX(b *bufio.Reader) bool {
	head, _ := b.Peek(headBytes)
	ours := bytes.Index(head, []byte(`"bomFormat"`))
	theirs := bytes.Index(head, []byte(`"spdxVersion"`))
	return theirs >= 0 && (ours < 0 || theirs < ours)
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func newDocument(bom *cdx.BOM) (*Document, error) {
	d := &Document{}
	if bom.Metadata != nil && bom.Metadata.Component != nil {
		d.Subject = subject(bom.Metadata.Component)
	}
	w := &components{doc: d}
	if bom.Components != nil {
		w.distro(*bom.Components)
		if err := w.walk(*bom.Components, 0); err != nil {
			return nil, err
		}
	}
	if bom.Metadata != nil && bom.Metadata.Component != nil && bom.Metadata.Component.Components != nil {
		if err := w.walk(*bom.Metadata.Component.Components, 0); err != nil {
			return nil, err
		}
	}
	if w.unnamed > 0 {
		d.Unread = append(d.Unread, triad.Unread{Section: "packages", Reason: fmt.Sprintf("%d components have no valid package URL, so that no advisory can be found for them (the first is %s)", w.unnamed, w.first)})
	}
	return d, nil
}

func subject(c *cdx.Component) Subject {
	s := Subject{Type: SubjectOther, Name: c.Name, Version: c.Version}
	if strings.HasPrefix(c.Name, "arn:") && strings.Contains(c.Name, ":function:") {
		s.Type = SubjectFunction
		s.CodeDigest, _ = strings.CutPrefix(c.Version, "CodeSha256:")
		if s.CodeDigest == c.Version {
			s.CodeDigest = ""
		}
		return s
	}
	if name, digest, ok := strings.Cut(c.Name, "@"); ok && digestPattern.MatchString(digest) {
		s.Name, s.ManifestDigest = name, digest
	}
	switch {
	case digestPattern.FindString(c.Version) == c.Version && c.Version != "":
		s.Digest = c.Version
	case c.Hashes != nil:
		for _, h := range *c.Hashes {
			if digest := "sha256:" + strings.ToLower(h.Value); h.Algorithm == cdx.HashAlgoSHA256 && digestPattern.MatchString(digest) && c.Type == cdx.ComponentTypeContainer {
				s.Digest = digest
			}
		}
	}
	if u, err := packageurl.FromString(c.PackageURL); err == nil && (u.Type == "oci" || u.Type == "docker") {
		s.Type = SubjectImage
		if digestPattern.FindString(u.Version) == u.Version && u.Version != "" {
			s.ManifestDigest = u.Version
		}
	}
	if c.Properties != nil {
		for _, p := range *c.Properties {
			// ImageID and RepoDigest are Trivy's, the others our own.
			digest := digestPattern.FindString(p.Value)
			switch name := p.Name[strings.LastIndexByte(p.Name, ':')+1:]; {
			case digest == "":
			case name == "ImageID", name == "config_digest":
				s.ConfigDigest = digest
			case name == "RepoDigest", name == "manifest_digest":
				s.ManifestDigest = digest
			}
		}
	}
	if c.Type == cdx.ComponentTypeContainer || s.Digest != "" || s.ManifestDigest != "" {
		s.Type = SubjectImage
	}
	if s.Digest == "" {
		s.Digest = s.ManifestDigest
	}
	if s.Digest == "" {
		s.Digest = s.ConfigDigest
	}
	return s
}

type components struct {
	doc     *Document
	n       int
	unnamed int
	first   string
	seen    map[string]bool
}

// distro finds the component that tools write for the distribution itself.
func (w *components) distro(all []cdx.Component) {
	for _, c := range all {
		if c.Type == cdx.ComponentTypeOS {
			w.doc.Subject.Distro = Distro{ID: strings.ToLower(c.Name), Version: c.Version, CPE: c.CPE}
			return
		}
	}
}

var errTooMany = errors.New("too many components")

func (w *components) walk(all []cdx.Component, depth int) error {
	if depth > maxDepth {
		return triad.Errorf(triad.CodeInvalid, "components are nested deeper than %d", maxDepth)
	}
	for i := range all {
		c := &all[i]
		if w.n++; w.n > maxComponents {
			return triad.Errorf(triad.CodeInvalid, "%w: more than %d", errTooMany, maxComponents)
		}
		w.add(c)
		if c.Components != nil {
			if err := w.walk(*c.Components, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *components) add(c *cdx.Component) {
	if c.PackageURL == "" && c.Type != cdx.ComponentTypeLibrary && c.Type != cdx.ComponentTypeFramework {
		return // the distribution, files, devices: no packages
	}
	p, err := FromPURL(c.PackageURL, w.doc.Subject.Distro)
	if err != nil {
		if w.unnamed++; w.first == "" {
			w.first = c.Name
		}
		p = triad.Package{Name: c.Name, Version: c.Version}
		if c.Group != "" {
			p.Name = c.Group + "/" + c.Name
		}
	}
	if p.Version == "" {
		p.Version = c.Version
	}
	if c.Evidence != nil && c.Evidence.Occurrences != nil {
		for _, o := range *c.Evidence.Occurrences {
			if p.Path == "" {
				p.Path = o.Location
			}
		}
	}
	if c.Properties != nil {
		for _, property := range *c.Properties {
			readProperty(&p, property)
		}
	}
	key := p.PURL + "|" + p.Name + "|" + p.Version + "|" + p.Path
	if w.seen == nil {
		w.seen = map[string]bool{}
	}
	if !w.seen[key] {
		w.seen[key] = true
		w.doc.Packages = append(w.doc.Packages, p)
	}
}

// readProperty takes what tools know beyond the standard's fields: ours, Trivy's, syft's.
func readProperty(p *triad.Package, property cdx.Property) {
	switch v := property.Value; property.Name {
	case "triad:layer", "aquasecurity:trivy:LayerDiffID", "syft:location:0:layerID":
		p.Layer = v
	case "triad:step":
		p.Step = v
	case "triad:source", "aquasecurity:trivy:SrcName":
		p.Source = v
	case "triad:source_version":
		p.SourceVersion = v
	case "aquasecurity:trivy:SrcVersion":
		if !strings.Contains(p.SourceVersion, v) {
			p.SourceVersion = v
		}
	case "triad:file":
		if len(p.Files) < maxFiles {
			p.Files = append(p.Files, v)
		}
	case "aquasecurity:trivy:FilePath", "syft:location:0:path":
		if p.Path == "" {
			p.Path = v
		}
	}
}
