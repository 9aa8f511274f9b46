package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/triad-security/triad"
)

// Subject is what guardrails decide on. The JSON names are those of expressions and of the
// fixtures of tests.
type Subject struct {
	Artifact  Artifact  `json:"artifact"`
	Image     Image     `json:"image"`
	Registry  Registry  `json:"registry"`
	Signature Signature `json:"signature"`
	Freshness Freshness `json:"freshness"`

	Packages          []Package       `json:"packages"`
	Vulnerabilities   []Vulnerability `json:"vulnerabilities"`
	Malware           []Finding       `json:"malware"`
	Secrets           []Finding       `json:"secrets"`
	Code              []Finding       `json:"code"`
	Misconfigurations []Finding       `json:"misconfigurations"`

	// Workload is what is to run the image; empty at build time.
	Workload Workload `json:"workload"`
	// Object is the Kubernetes object under admission; nil outside of it.
	Object any `json:"object"`

	// Unread names the sections (see Sections) that were not, or not wholly, read. What
	// an expression reads of them is unknown.
	Unread []Unread `json:"unread"`

	// Now is the time that ages and expiries are measured against.
	Now time.Time `json:"now"`
}

// Workload is a container of a workload.
type Workload struct {
	Kind      string            `json:"kind"`
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	Container string            `json:"container"`
	Labels    map[string]string `json:"labels"`
}

// Artifact is what was scanned.
type Artifact struct {
	Type string `json:"type"` // image, dir, sbom, function
	Name string `json:"name"`
}

// Image is the image under decision; its zero value for other artifacts.
type Image struct {
	Ref        string `json:"ref"`        // as given
	Registry   string `json:"registry"`   // host, docker.io for short names
	Repository string `json:"repository"` // registry/path
	Tag        string `json:"tag"`
	Digest     string `json:"digest"`
	// Base is the reference or name of the base image; empty where none was recognised.
	Base         string            `json:"base"`
	Created      time.Time         `json:"created"`
	AgeDays      float64           `json:"age_days"`
	User         string            `json:"user"` // empty is root
	Labels       map[string]string `json:"labels"`
	Env          []string          `json:"env"` // the variables' names, never their values
	Exposed      []string          `json:"exposed"`
	Layers       []string          `json:"layers"` // diff IDs, base first
	OS           string            `json:"os"`
	Architecture string            `json:"architecture"`
}

// Registry is what the registry standard says of the registry or repository that an image
// comes from. Without a standard nothing is listed, and the rest is unread.
type Registry struct {
	Name     string `json:"name"`
	Listed   bool   `json:"listed"`   // the standard has it
	Official bool   `json:"official"` // one of those that may serve what runs
	State    string `json:"state"`    // of its access: open, read-only, closed
	Owner    string `json:"owner"`
	// Refusal is why images of it may not run now; empty when they may.
	Refusal string    `json:"refusal"`
	Agreed  time.Time `json:"agreed"` // when its standard was agreed on
	// MaxAgeDays is how old an image of it may be; 0 is any.
	MaxAgeDays float64 `json:"max_age_days"`
	// BasesLimited: only some base images may be built on; BaseAllowed: the image's is one.
	BasesLimited bool `json:"bases_limited"`
	BaseAllowed  bool `json:"base_allowed"`
}

// Signature is what verifying the image found.
type Signature struct {
	// Required: the registry standard wants one, or somebody was named whose counts.
	Required bool   `json:"required"`
	Present  bool   `json:"present"`
	Verified bool   `json:"verified"`
	Identity string `json:"identity"` // of the certificate, keyless
	Issuer   string `json:"issuer"`
	Key      string `json:"key"`     // ID of the key that verified
	Refusal  string `json:"refusal"` // why it is not verified
	// Attestations are the verified ones.
	Attestations []Attestation `json:"attestations"`
}

// Attestation is a verified statement about the image.
type Attestation struct {
	Type     string `json:"type"` // predicate type URI
	Identity string `json:"identity"`
	Key      string `json:"key"`
	// AgeDays is how long ago the signer says that it was made.
	AgeDays float64 `json:"age_days"`
}

// Freshness says how old what is known is.
type Freshness struct {
	ScanAge       time.Duration `json:"scan_age"`
	AdvisoriesAge time.Duration `json:"advisories_age"`
}

// UnmarshalJSON takes durations as people write them: "36h", "15m".
func (f *Freshness) UnmarshalJSON(data []byte) error {
	var text map[string]string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("freshness: give durations such as \"36h\": %w", err)
	}
	for key, value := range text {
		d, err := time.ParseDuration(value)
		if err != nil {
			return fmt.Errorf("freshness.%s: %w", key, err)
		}
		switch key {
		case "scan_age":
			f.ScanAge = d
		case "advisories_age":
			f.AdvisoriesAge = d
		default:
			return fmt.Errorf("unknown field %q of freshness", key)
		}
	}
	return nil
}

// Package is one installed package.
type Package struct {
	Name      string `json:"name"`
	Version   string `json:"version"`
	Ecosystem string `json:"ecosystem"`
	PURL      string `json:"purl"`
	Path      string `json:"path"`
	Layer     string `json:"layer"`
	Step      string `json:"step"`
	Owner     string `json:"owner"`
}

// Vulnerability is one advisory that applies to one package.
type Vulnerability struct {
	ID       string   `json:"id"`
	Aliases  []string `json:"aliases"`
	Package  string   `json:"package"`
	Version  string   `json:"version"`
	Fixed    string   `json:"fixed"`    // empty when no fix is known
	Severity string   `json:"severity"` // critical, high, medium, low, unknown
	CVSS     float64  `json:"cvss"`
	EPSS     float64  `json:"epss"`
	KEV      bool     `json:"kev"`
	// Exploitation: active, public-poc, none.
	Exploitation string `json:"exploitation"`
	Automatable  string `json:"automatable"` // yes, no
	PURL         string `json:"purl"`
	Path         string `json:"path"`
	Layer        string `json:"layer"`
	Step         string `json:"step"`
	Origin       string `json:"origin"` // base, yours, or empty when the base is not known
	// Linked says whether a vulnerable function is part of the program: yes, no, unknown.
	Linked  string   `json:"linked"`
	Symbols []string `json:"symbols"`
	Rule    string   `json:"rule"`

	// What the live estate says of it where this image, or an older one of its repository,
	// runs: the most urgent decision. Empty where no estate was asked or it does not run.
	Decision string `json:"decision"` // immediate, out-of-cycle, scheduled, defer
	Exposure string `json:"exposure"` // open, controlled, small, unknown
	InUse    string `json:"in_use"`   // yes, no, unknown
	RunsAs   string `json:"runs_as"`  // the asset that the decision is on: "Deployment prod/shop/web"
	// Added says that what runs of this repository now does not have it: this image would bring it.
	Added bool `json:"added"`
}

// Finding is malware, a secret, a code weakness or a misconfiguration.
type Finding struct {
	Kind     string   `json:"kind"`
	ID       string   `json:"id"`
	Aliases  []string `json:"aliases"`
	Title    string   `json:"title"`
	Severity string   `json:"severity"`
	Path     string   `json:"path"`
	Line     int      `json:"line"`
	Detail   string   `json:"detail"`
	Layer    string   `json:"layer"`
	Step     string   `json:"step"`
	Origin   string   `json:"origin"`
	Fix      string   `json:"fix"`
}

// Unread is a section that was not read, and why.
type Unread struct {
	Scope   string `json:"scope,omitempty"`
	Section string `json:"section"`
	Reason  string `json:"reason"`
}

// IsUnread says whether a section was not, or not wholly, read.
func (s *Subject) IsUnread(section string) bool {
	return slices.ContainsFunc(s.Unread, func(u Unread) bool { return slices.Contains(Affected(u.Section), section) })
}

// NewVulnerability makes a Subject's row of a matched advisory.
func NewVulnerability(v triad.Vulnerability) Vulnerability {
	return Vulnerability{
		ID: v.ID, Aliases: v.Aliases, Package: v.Package, Version: v.Version, Fixed: v.Fixed, Severity: v.Severity,
		CVSS: v.CVSS, EPSS: v.EPSS, KEV: v.KEV, Exploitation: v.Exploitation, Automatable: v.Automatable,
		PURL: v.PURL, Path: v.Path, Layer: v.Layer, Step: v.Step, Origin: string(v.Origin),
		Linked: yesNo(v.Linked), Symbols: v.Symbols, Rule: v.Rule, InUse: yesNo(nil),
	}
}

// NewFinding makes a Subject's row of a finding.
func NewFinding(f triad.Finding) Finding {
	return Finding{
		Kind: string(f.Kind), ID: f.ID, Aliases: f.Aliases, Title: f.Title, Severity: f.Severity, Path: f.Path, Line: f.Line,
		Detail: f.Detail, Layer: f.Layer, Step: f.Step, Origin: string(f.Origin), Fix: f.Fix,
	}
}

// NewPackage makes a Subject's row of a package.
func NewPackage(p triad.Package) Package {
	return Package{Name: p.Name, Version: p.Version, Ecosystem: p.Ecosystem, PURL: p.PURL, Path: p.Path, Layer: p.Layer, Step: p.Step, Owner: p.Owner}
}

func yesNo(b *bool) string {
	switch {
	case b == nil:
		return "unknown"
	case *b:
		return "yes"
	}
	return "no"
}
