package policy

import "time"

// Verdict is what guardrails say.
type Verdict string

// The verdicts. Of one guardrail: allowed, refused, unknown, not-applicable. Of an evaluation:
// allowed, warned, refused.
const (
	Allowed       Verdict = "allowed"
	Warned        Verdict = "warned"
	Refused       Verdict = "refused"
	Unknown       Verdict = "unknown"
	NotApplicable Verdict = "not-applicable"
)

// Effect is what a verdict leads to, after the guardrail's mode and exceptions.
type Effect string

// The effects, weakest first.
const (
	EffectNone   Effect = "none"
	EffectAudit  Effect = "audit"
	EffectWarn   Effect = "warn"
	EffectRefuse Effect = "refuse"
)

// Evaluation is what all guardrails say of one subject.
type Evaluation struct {
	// Verdict is refused when a guardrail refuses, else warned when one warns, else allowed.
	// What is unknown leads to one of these as its guardrail says.
	Verdict    Verdict            `json:"verdict"`
	Guardrails []Result           `json:"guardrails"`
	Exceptions []ExceptionOutcome `json:"exceptions"`
	At         time.Time          `json:"at"`
}

// Result is what one guardrail says.
type Result struct {
	Guardrail   string  `json:"guardrail"`
	Description string  `json:"description"`
	Owner       string  `json:"owner"`
	Severity    string  `json:"severity"`
	Mode        Mode    `json:"mode"`
	Source      string  `json:"source"`
	Verdict     Verdict `json:"verdict"`
	Effect      Effect  `json:"effect"`
	// Reasons say why it is refused, one for each finding.
	Reasons []Reason `json:"reasons"`
	// Excepted are reasons that an exception lets pass.
	Excepted []Excepted `json:"excepted"`
	// Unread is what makes it unknown.
	Unread []Unread `json:"unread"`

	rules []ruleOutcome
}

// Reason is why a rule refuses.
type Reason struct {
	Rule    string `json:"rule"`
	Message string `json:"message"`
	// Finding is nil where the rule is not for a list.
	Finding *FindingRef `json:"finding,omitempty"`
	Fix     string      `json:"fix,omitempty"`
}

// FindingRef names a finding of the subject.
type FindingRef struct {
	Kind     string   `json:"kind"`
	ID       string   `json:"id"`
	Aliases  []string `json:"aliases,omitempty"`
	Severity string   `json:"severity,omitempty"`
	Package  string   `json:"package,omitempty"`
	Version  string   `json:"version,omitempty"`
	Fixed    string   `json:"fixed,omitempty"`
	PURL     string   `json:"purl,omitempty"`
	Path     string   `json:"path,omitempty"`
	Line     int      `json:"line,omitempty"`
	Origin   string   `json:"origin,omitempty"`
	Decision string   `json:"decision,omitempty"`
	Exposure string   `json:"exposure,omitempty"`
	RunsAs   string   `json:"runs_as,omitempty"`
	Added    bool     `json:"added,omitempty"`
}

// Excepted is a reason that an exception lets pass.
type Excepted struct {
	Reason
	Exception string `json:"exception"`
}

// ExceptionOutcome says what became of an exception that is about this subject.
type ExceptionOutcome struct {
	ID      string    `json:"id"`
	Owner   string    `json:"owner"`
	Reason  string    `json:"reason"`
	Expires time.Time `json:"expires"`
	Source  string    `json:"source"`
	// State: applied, unused (nothing that it is about was refused), expired (not applied).
	State string `json:"state"`
	// Passed is how many reasons it let pass; of an expired one, how many it would have.
	Passed int `json:"passed"`
}

// ruleOutcome is how a rule came out, for coverage.
type ruleOutcome struct {
	rule    string
	verdict Verdict
}

// named names the row behind an item of a list.
func named(list string, row any) *FindingRef {
	switch f := row.(type) {
	case *Vulnerability:
		return &FindingRef{
			Kind: "vulnerability", ID: f.ID, Aliases: f.Aliases, Severity: f.Severity, Package: f.Package, Version: f.Version, Fixed: f.Fixed,
			PURL: f.PURL, Path: f.Path, Origin: f.Origin, Decision: f.Decision, Exposure: f.Exposure, RunsAs: f.RunsAs, Added: f.Added,
		}
	case *Package:
		return &FindingRef{Kind: "package", ID: f.PURL, Package: f.Name, Version: f.Version, PURL: f.PURL, Path: f.Path}
	case *Unread:
		return &FindingRef{Kind: "unread", ID: f.Section}
	case *Finding:
		kind := f.Kind
		if kind == "" {
			kind = map[string]string{"malware": "malware", "secrets": "secret", "code": "code", "misconfigurations": "misconfiguration"}[list]
		}
		return &FindingRef{Kind: kind, ID: f.ID, Aliases: f.Aliases, Severity: f.Severity, Path: f.Path, Line: f.Line, Origin: f.Origin}
	}
	return nil
}

// says is the message of a reason whose rule has none.
func (f *FindingRef) says() string {
	text := f.ID
	if f.Package != "" {
		text += " in " + f.Package + " " + f.Version
	} else if f.Path != "" {
		text += " in " + f.Path
	}
	if f.Severity != "" {
		text += " (" + f.Severity + ")"
	}
	return text
}
