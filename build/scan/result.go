package scan

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/image"
	"github.com/triad-security/triad/build/origin"
	"github.com/triad-security/triad/build/sbom"
)

// Package is a package of an artifact.
type Package struct{ triad.Package }

// MarshalJSON writes the keys that programs build on, and no others.
func (p Package) MarshalJSON() ([]byte, error) { return plain(p.json()) }

func (p *Package) json() packageJSON {
	return packageJSON{p.Name, p.Version, p.Ecosystem, p.PURL, p.Layer, p.Path, p.Step, p.Owner, p.Dev, p.Origin, p.Dockerfile}
}

type packageJSON struct {
	Name       string       `json:"name"`
	Version    string       `json:"version"`
	Ecosystem  string       `json:"ecosystem"`
	PURL       string       `json:"purl"`
	Layer      string       `json:"layer"`
	Path       string       `json:"path"`
	Step       string       `json:"step,omitempty"`
	Owner      string       `json:"owner,omitempty"`
	Dev        bool         `json:"dev,omitempty"`
	Origin     triad.Origin `json:"origin,omitempty"`
	Dockerfile string       `json:"dockerfile,omitempty"`
}

// Vulnerability is one advisory that applies to one package.
type Vulnerability struct{ triad.Vulnerability }

// MarshalJSON writes the keys that programs build on, and no others.
func (v Vulnerability) MarshalJSON() ([]byte, error) { return plain(v.json()) }

func (v *Vulnerability) json() vulnerabilityJSON {
	aliases := v.Aliases
	if aliases == nil {
		aliases = []string{}
	}
	return vulnerabilityJSON{
		v.ID, aliases, v.Package, v.Version, v.Fixed, v.Severity, v.CVSS, v.EPSS, v.KEV, v.Layer,
		v.PURL, v.Path, v.Step, v.Origin, v.Dockerfile, v.Linked, v.Symbols, v.Advisory, v.Rule, v.VEX,
	}
}

type vulnerabilityJSON struct {
	ID         string              `json:"id"`
	Aliases    []string            `json:"aliases"`
	Package    string              `json:"package"`
	Version    string              `json:"version"`
	Fixed      string              `json:"fixed"`
	Severity   string              `json:"severity"`
	CVSS       float64             `json:"cvss"`
	EPSS       float64             `json:"epss"`
	KEV        bool                `json:"kev"`
	Layer      string              `json:"layer"`
	PURL       string              `json:"purl,omitempty"`
	Path       string              `json:"path,omitempty"`
	Step       string              `json:"step,omitempty"`
	Origin     triad.Origin        `json:"origin,omitempty"`
	Dockerfile string              `json:"dockerfile,omitempty"`
	Linked     *bool               `json:"linked,omitempty"`
	Symbols    []string            `json:"symbols,omitempty"`
	Advisory   string              `json:"advisory,omitempty"`
	Rule       string              `json:"rule,omitempty"`
	VEX        *triad.VEXStatement `json:"vex,omitempty"`
}

// JSON is the result as encoding/json writes it fastest: thousands of rows that each marshal
// themselves are written three times over.
func (r *Result) JSON() any {
	type rows Result // without its fields of rows, which the outer ones hide
	out := struct {
		*rows
		Packages        []packageJSON       `json:"packages"`
		Vulnerabilities []vulnerabilityJSON `json:"vulnerabilities"`
	}{(*rows)(r), make([]packageJSON, len(r.Packages)), make([]vulnerabilityJSON, len(r.Vulnerabilities))}
	for i := range r.Packages {
		out.Packages[i] = r.Packages[i].json()
	}
	for i := range r.Vulnerabilities {
		out.Vulnerabilities[i] = r.Vulnerabilities[i].json()
	}
	return out
}

// plain is json.Marshal without the escapes for HTML: package URLs are full of "&".
func plain(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// Artifact types.
const (
	ArtifactImage    = "image"
	ArtifactFunction = "function"
	ArtifactDir      = "dir"
	ArtifactSBOM     = "sbom" // of neither an image nor a function
)

// Artifact is what was scanned.
type Artifact struct {
	Type string `json:"type"`
	Name string `json:"name"`
	// Digest is the one it is known by: of the manifest, else of the config.
	Digest         string        `json:"digest,omitempty"`
	ConfigDigest   string        `json:"config_digest,omitempty"`
	ManifestDigest string        `json:"manifest_digest,omitempty"`
	IndexDigest    string        `json:"index_digest,omitempty"`
	RepoDigests    []string      `json:"repo_digests,omitempty"`
	Refs           []string      `json:"refs,omitempty"`
	CodeDigest     string        `json:"code_digest,omitempty"`
	OS             string        `json:"os,omitempty"`
	Architecture   string        `json:"architecture,omitempty"`
	Layers         []triad.Layer `json:"layers,omitempty"`
	// Cached is how many of the layers were not read because the cache knew them.
	Cached int `json:"cached,omitempty"`
	// Base is the image that it was built from; nil where none is known.
	Base *origin.Base `json:"base,omitempty"`
}

// Suppressed is a finding that was set aside, and why. Exactly one of Vulnerability and
// Finding is set.
type Suppressed struct {
	Suppression   triad.Suppression `json:"suppression"`
	Vulnerability *Vulnerability    `json:"vulnerability,omitempty"`
	Finding       *triad.Finding    `json:"finding,omitempty"`
}

// Result is what a scan found, and what it could not look at.
type Result struct {
	Artifact Artifact `json:"artifact"`
	// Scanned are the sections that were looked at; what of them could not be is in Unread.
	Scanned         []string        `json:"scanned"`
	Packages        []Package       `json:"packages"`
	Vulnerabilities []Vulnerability `json:"vulnerabilities"`
	// The other classes of finding are filled by the scanner's inspectors.
	Secrets           []triad.Finding `json:"secrets"`
	Malware           []triad.Finding `json:"malware"`
	Code              []triad.Finding `json:"code"`
	Misconfigurations []triad.Finding `json:"misconfigurations"`
	// Suppressed holds what was set aside: by an ignore file, a VEX document, or a filter.
	Suppressed []Suppressed   `json:"suppressed"`
	Unread     []triad.Unread `json:"unread"`

	image  triad.ImageProps
	distro sbom.Distro
	code   map[string]*goCode
	root   string       // dir: its absolute path
	about  *image.Image // image: its config and annotations
}

func newResult(a Artifact) *Result {
	return &Result{
		Artifact: a, Scanned: []string{sectionPackages}, Packages: []Package{}, Vulnerabilities: []Vulnerability{},
		Secrets: []triad.Finding{}, Malware: []triad.Finding{}, Code: []triad.Finding{}, Misconfigurations: []triad.Finding{},
		Suppressed: []Suppressed{}, Unread: []triad.Unread{},
	}
}

// Document returns the result as a bill of materials.
func (r *Result) Document() *sbom.Document {
	a := r.Artifact
	d := &sbom.Document{Unread: r.Unread, Suppressed: r.SetAside(), Subject: sbom.Subject{
		Type: sbom.SubjectOther, Name: a.Name, Digest: a.Digest, ConfigDigest: a.ConfigDigest, ManifestDigest: a.ManifestDigest,
		CodeDigest: a.CodeDigest, Distro: r.distro,
	}}
	switch a.Type {
	case ArtifactImage:
		d.Subject.Type = sbom.SubjectImage
	case ArtifactFunction:
		d.Subject.Type = sbom.SubjectFunction
	}
	for _, p := range r.Packages {
		d.Packages = append(d.Packages, p.Package)
	}
	return d
}

// Found returns the vulnerabilities with everything known of them.
func (r *Result) Found() []triad.Vulnerability {
	all := make([]triad.Vulnerability, len(r.Vulnerabilities))
	for i, v := range r.Vulnerabilities {
		all[i] = v.Vulnerability
	}
	return all
}

// SetAside returns what was suppressed, with everything known of it.
func (r *Result) SetAside() []triad.Suppressed {
	all := make([]triad.Suppressed, len(r.Suppressed))
	for i, s := range r.Suppressed {
		all[i] = triad.Suppressed{Suppression: s.Suppression, Finding: s.Finding}
		if s.Vulnerability != nil {
			all[i].Vulnerability = &s.Vulnerability.Vulnerability
		}
	}
	return all
}

// OS is the distribution as os-release names it: its ID, version and full name.
func (r *Result) OS() (id, version, name string) {
	return r.distro.ID, r.distro.Version, r.distro.PrettyName
}

// Findings returns those of every kind but vulnerabilities.
func (r *Result) Findings() []triad.Finding {
	return slices.Concat(r.Secrets, r.Malware, r.Code, r.Misconfigurations)
}
