package triad

import (
	"encoding/json"
	"time"
)

// Outcome is the decision of CERT/CC's SSVC deployer table.
type Outcome string

// The outcomes, most urgent first.
const (
	Immediate  Outcome = "immediate"
	OutOfCycle Outcome = "out-of-cycle"
	Scheduled  Outcome = "scheduled"
	Defer      Outcome = "defer"
)

// Exposure is SSVC's System Exposure, from the reachability proof.
type Exposure string

// The exposures. Unknown counts as open and says so.
const (
	ExposureOpen       Exposure = "open"
	ExposureControlled Exposure = "controlled"
	ExposureSmall      Exposure = "small"
	ExposureUnknown    Exposure = "unknown"
)

// Decision ranks one finding on one asset, with every input it stands on.
type Decision struct {
	ID      string     `json:"id"`
	Finding FindingRef `json:"finding"`
	Asset   AssetRef   `json:"asset"`
	Outcome Outcome    `json:"decision"`
	// Exploitation: none, public-poc, active.
	Exploitation string   `json:"exploitation"`
	Exposure     Exposure `json:"exposure"`
	Automatable  string   `json:"automatable"` // yes, no
	Impact       string   `json:"impact"`      // low, medium, high, very-high
	// InUse: is the package loaded or executed; nil when nobody looked.
	InUse *bool `json:"in_use"`
	// Port the vulnerable process listens on; zero when it has none.
	Port      int    `json:"port,omitempty"`
	Protocol  string `json:"protocol,omitempty"`
	Proof     []Hop  `json:"proof"`
	BlockedBy *Hop   `json:"blocked_by"`
	// AlsoBlockedBy are further hops that block just as truly.
	AlsoBlockedBy []Hop    `json:"also_blocked_by,omitempty"`
	Sources       []string `json:"sources,omitempty"` // controlled: the addresses that get through
	Fix           *Fix     `json:"fix"`
	// Sentence is the reason in one sentence.
	Sentence string `json:"sentence"`
	// Inputs are the SSVC inputs one by one, each with where it comes from and what would change it.
	Inputs   []Input         `json:"inputs"`
	Packages []Vulnerability `json:"packages,omitempty"`
	Unread   []Unread        `json:"unread,omitempty"`
	EPSS     float64         `json:"epss"`
	CVSS     float64         `json:"cvss"`
	Severity string          `json:"severity,omitempty"`
	Title    string          `json:"title,omitempty"`
	Changed  time.Time       `json:"changed"` // when the outcome last changed
}

// FindingRef names a finding.
type FindingRef struct {
	Kind    FindingKind `json:"kind"`
	ID      string      `json:"id"`
	Aliases []string    `json:"aliases"`
}

// AssetRef names an asset for people.
type AssetRef struct {
	ID   string    `json:"id"`
	Type AssetType `json:"type"`
	// Kind: Deployment, DaemonSet, Pod, DockerContainer, LambdaFunction, Host, …
	Kind string `json:"kind"`
	// Name: cluster/namespace/name, host/container, account/region/function.
	Name string `json:"name"`
}

// Input is one SSVC input of a decision.
type Input struct {
	Name   string `json:"name"` // exploitation, exposure, automatable, impact, in_use
	Value  string `json:"value"`
	Reason string `json:"reason"`
	// Change says what would change the value.
	Change string `json:"change,omitempty"`
}

// Fix is what removes the finding or closes its way.
type Fix struct {
	Type   string `json:"type"` // upgrade, configure, close
	Detail string `json:"detail"`
	// Target version for an upgrade.
	Version string `json:"version,omitempty"`
}

// VulnerableCode is a vulnerable package of a Go module.
type VulnerableCode struct {
	Path string // import path
	// Symbols are functions, methods as Type.Method; none means all of the package.
	Symbols []string
	// GOOS and GOARCH restrict it to platforms; empty means all.
	GOOS, GOARCH []string
}

// Vulnerability is one advisory matched to one package.
type Vulnerability struct {
	ID      string   `json:"id"` // the CVE where there is one
	Aliases []string `json:"aliases"`
	Package string   `json:"package"` // its name
	Version string   `json:"version"`
	PURL    string   `json:"purl,omitempty"`
	Path    string   `json:"path,omitempty"`
	Layer   string   `json:"layer,omitempty"`
	Step    string   `json:"step,omitempty"`
	Origin  Origin   `json:"origin,omitempty"`
	// Dockerfile is where the step stands: "Dockerfile:12-15".
	Dockerfile string `json:"dockerfile,omitempty"`
	Asset      string `json:"asset,omitempty"`
	// Linked says whether one of the functions that the advisory names is part of the program:
	// nil where the advisory names none, or the program does not say.
	Linked *bool `json:"linked,omitempty"`
	// Symbols are the vulnerable functions that were found linked in.
	Symbols []string `json:"symbols,omitempty"`
	// Code is what the advisory names of vulnerable code, for who can look into the program. It is
	// neither stored nor printed.
	Code []VulnerableCode `json:"-"`
	// Fixed is the lowest version above Version that is not affected; empty when none is known.
	Fixed    string  `json:"fixed"`
	Severity string  `json:"severity"` // critical, high, medium, low, unknown
	Vector   string  `json:"cvss_vector,omitempty"`
	CVSS     float64 `json:"cvss"`
	EPSS     float64 `json:"epss"`
	KEV      bool    `json:"kev"`
	// Exploitation: active, public-poc, none; ExploitationBasis says after which source.
	Exploitation      string `json:"exploitation"`
	ExploitationBasis string `json:"exploitation_basis,omitempty"`
	// Automatable: yes, no; unknown inputs count as no and the basis says so.
	Automatable      string `json:"automatable"`
	AutomatableBasis string `json:"automatable_basis,omitempty"`
	Summary          string `json:"summary,omitempty"`
	// Advisory is the record that matched, Rule the range or version list by which it did.
	Advisory string `json:"advisory,omitempty"`
	Rule     string `json:"rule,omitempty"`
	// VEX is what a VEX document says of it where that does not set it aside: affected, or
	// under investigation.
	VEX   *VEXStatement   `json:"vex,omitempty"`
	Extra json.RawMessage `json:"extra,omitempty"`
}
