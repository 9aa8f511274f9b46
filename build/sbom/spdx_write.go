package sbom

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
	"unicode"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"
	"github.com/spdx/tools-golang/tagvalue"

	"github.com/triad-security/triad"
)

// WriteSPDX writes a document with the vulnerabilities found in it as SPDX 2.3 JSON. SPDX 2.3
// has no place for what VEX says: what was set aside is left out. tool is the version of Triad.
func WriteSPDX(w io.Writer, d *Document, found []triad.Vulnerability, tool string, at time.Time) error {
	return spdxjson.Write(spdxDocument(d, found, tool, at), w, spdxjson.Indent("  "), spdxjson.EscapeHTML(false))
}

// WriteSPDXTagValue writes the same in SPDX's tag-value format.
func WriteSPDXTagValue(w io.Writer, d *Document, found []triad.Vulnerability, tool string, at time.Time) error {
	return tagvalue.Write(spdxDocument(d, found, tool, at), w)
}

// spdxTool is who annotates.
const spdxTool = "triad"

func spdxDocument(d *Document, found []triad.Vulnerability, tool string, at time.Time) *v2_3.Document {
	stamp := at.UTC().Format("2006-01-02T15:04:05Z")
	name := spdxText(d.Subject.Name)
	if name == "" {
		name = "unnamed"
	}
	doc := &v2_3.Document{
		SPDXVersion: v2_3.Version, DataLicense: v2_3.DataLicense, SPDXIdentifier: "DOCUMENT", DocumentName: name,
		DocumentNamespace: "https://triad.invalid/spdx/" + strings.TrimPrefix(serial(), "urn:uuid:"), // RFC 2606: nobody's name
		CreationInfo:      &v2_3.CreationInfo{Creators: []common.Creator{{CreatorType: "Tool", Creator: spdxTool + "-" + spdxText(tool)}}, Created: stamp},
	}
	for _, u := range d.Unread {
		doc.DocumentComment += fmt.Sprintf("Not read: %s: %s\n", spdxText(u.Section), spdxText(u.Reason))
	}
	root := spdxRoot(d.Subject, name)
	doc.Packages = append(doc.Packages, root)
	relate := func(a common.ElementID, kind string, b common.ElementID) {
		doc.Relationships = append(doc.Relationships, &v2_3.Relationship{RefA: common.DocElementID{ElementRefID: a}, RefB: common.DocElementID{ElementRefID: b}, Relationship: kind})
	}
	relate("DOCUMENT", common.TypeRelationshipDescribe, root.PackageSPDXIdentifier)
	if o := d.Subject.Distro; o.ID != "" {
		os := spdxPackage("OperatingSystem-"+spdxID(o.ID+"-"+o.Version), o.ID, o.Version)
		os.PrimaryPackagePurpose, os.PackageSummary = "OPERATING-SYSTEM", spdxText(o.PrettyName)
		doc.Packages = append(doc.Packages, os)
		relate(root.PackageSPDXIdentifier, common.TypeRelationshipContains, os.PackageSPDXIdentifier)
	}
	at2 := map[string]*v2_3.Package{}
	used := map[string]bool{}
	for _, p := range d.Packages {
		one := spdxOf(p, used, stamp)
		at2[key(p.PURL, p.Path, p.Name, p.Version)] = one
		doc.Packages = append(doc.Packages, one)
		relate(root.PackageSPDXIdentifier, common.TypeRelationshipContains, one.PackageSPDXIdentifier)
	}
	for _, v := range found {
		if p := at2[key(v.PURL, v.Path, v.Package, v.Version)]; p != nil {
			comment := "severity " + spdxText(v.Severity)
			if v.Fixed != "" {
				comment += "; fixed in " + spdxText(v.Fixed)
			}
			p.PackageExternalReferences = append(p.PackageExternalReferences, &v2_3.PackageExternalReference{
				Category: common.CategorySecurity, RefType: common.TypeSecurityAdvisory, Locator: "https://osv.dev/vulnerability/" + spdxLocator(v.ID), ExternalRefComment: comment,
			})
		}
	}
	return doc
}

func spdxPackage(id, name, version string) *v2_3.Package {
	if name = spdxText(name); name == "" {
		name = "unnamed"
	}
	return &v2_3.Package{
		PackageSPDXIdentifier: common.ElementID(id), PackageName: name, PackageVersion: spdxText(version), PackageDownloadLocation: "NOASSERTION",
		IsFilesAnalyzedTagPresent: true, PackageLicenseConcluded: "NOASSERTION", PackageLicenseDeclared: "NOASSERTION", PackageCopyrightText: "NOASSERTION",
		PackageSupplier: &common.Supplier{Supplier: "NOASSERTION"},
	}
}

func spdxRoot(s Subject, name string) *v2_3.Package {
	version := s.Version
	if s.Digest != "" {
		version = s.Digest
	}
	if s.Type == SubjectFunction && s.CodeDigest != "" {
		version = "CodeSha256:" + s.CodeDigest
	}
	root := spdxPackage("Root", name, version)
	root.PrimaryPackagePurpose = "APPLICATION"
	if s.Type == SubjectImage {
		root.PrimaryPackagePurpose = "CONTAINER"
		for _, pair := range [][2]string{{"ImageID", s.ConfigDigest}, {"ManifestDigest", s.ManifestDigest}} {
			if pair[1] != "" {
				root.PackageAttributionTexts = append(root.PackageAttributionTexts, pair[0]+": "+spdxText(pair[1]))
			}
		}
		if hash, ok := strings.CutPrefix(s.Digest, "sha256:"); ok {
			root.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: hash}}
		}
	}
	return root
}

// spdxOf makes a package of one, with what SPDX has no field for as annotations.
func spdxOf(p triad.Package, used map[string]bool, stamp string) *v2_3.Package {
	sum := sha256.Sum256([]byte(p.PURL + "\x00" + p.Name + "\x00" + p.Version + "\x00" + p.Path))
	id := "Package-" + spdxID(p.Name) + "-" + hex.EncodeToString(sum[:8])
	for used[id] {
		id += "-again"
	}
	used[id] = true
	one := spdxPackage(id, p.Name, p.Version)
	one.PrimaryPackagePurpose = "LIBRARY"
	if p.PURL != "" {
		one.PackageExternalReferences = []*v2_3.PackageExternalReference{{Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: spdxLocator(p.PURL)}}
	}
	if p.Path != "" {
		one.PackageSourceInfo = "found in " + spdxText(p.Path)
	}
	add := func(name, value string) {
		if value != "" {
			one.Annotations = append(one.Annotations, v2_3.Annotation{
				Annotator: common.Annotator{AnnotatorType: "Tool", Annotator: spdxTool}, AnnotationDate: stamp, AnnotationType: "OTHER", AnnotationComment: name + ": " + spdxText(value),
			})
		}
	}
	add("LayerDiffID", p.Layer)
	add("Step", p.Step)
	add("FilePath", p.Path)
	add("Source", p.Source)
	add("SourceVersion", p.SourceVersion)
	for _, f := range p.Files {
		add("File", f)
	}
	return one
}

var notInID = regexp.MustCompile(`[^a-zA-Z0-9.-]+`)

// spdxID is text as identifiers may have it: letters, digits, "." and "-" (SPDX 2.3, 3.2).
func spdxID(text string) string {
	id := strings.Trim(notInID.ReplaceAllString(text, "-"), "-")
	return id[:min(len(id), 64)]
}

// spdxText is text without control characters, and without the end of a <text> block, so that
// no name can end its line in the tag-value format.
func spdxText(text string) string {
	return strings.ReplaceAll(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, text), "</text>", "")
}

// spdxLocator is a reference without blanks, which may not stand in one.
func spdxLocator(text string) string { return strings.ReplaceAll(spdxText(text), " ", "%20") }
