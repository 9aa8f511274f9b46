package policy

import (
	"slices"

	"cel.dev/cel-go/cel"

	"github.com/triad-security/triad"
)

// Mode says what a refusal of a guardrail does.
type Mode string

// The modes.
const (
	Audit   Mode = "audit" // it is noted
	Warn    Mode = "warn"  // people are told
	Enforce Mode = "enforce"
)

// Phase is where a guardrail is asked.
type Phase string

// The phases.
const (
	Build  Phase = "build"
	Deploy Phase = "deploy"
	Run    Phase = "run"
	Cloud  Phase = "cloud"
)

// Guardrail is a named set of rules with an owner.
type Guardrail struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
	Owner       string `yaml:"owner"`
	// Enabled is true unless said otherwise. A disabled guardrail takes the place of one of
	// the same name that came before it, and is not asked.
	Enabled  *bool  `yaml:"enabled"`
	Applies  Match  `yaml:"appliesTo"`
	Mode     Mode   `yaml:"mode"`
	Severity string `yaml:"severity"`
	// OnUnknown says what follows when something that a rule reads was not read: refuse
	// (default), warn or allow.
	OnUnknown string `yaml:"onUnknown"`
	Rules     []Rule `yaml:"rules"`

	// Source is where it was read: a file and line, or "built in".
	Source string `yaml:"-"`
}

// IsEnabled says whether the guardrail is asked.
func (g *Guardrail) IsEnabled() bool { return g.Enabled == nil || *g.Enabled }

// Match says to what a guardrail applies. Empty lists match everything; patterns have * (any
// run of characters) and ? (any one).
type Match struct {
	Phases     []Phase  `yaml:"phases"`
	Artifacts  []string `yaml:"artifacts"` // image, dir, sbom, function
	Images     []string `yaml:"images"`    // against the full reference: docker.io/library/nginx:1.25
	Namespaces []string `yaml:"namespaces"`
	// Labels must all be there; values are patterns.
	Labels map[string]string `yaml:"labels"`
}

// Rule refuses when its expression is true: of the subject, or of each item of a list.
type Rule struct {
	Name string `yaml:"name"`
	// For is the list whose items are asked one by one: vulnerabilities (as v), packages (p),
	// malware, secrets, code, misconfigurations (f), unread (u).
	For     string     `yaml:"for"`
	Refuse  Expression `yaml:"refuse"`
	Message Expression `yaml:"message"`
	Fix     Expression `yaml:"fix"`

	item                 string
	refuse, message, fix *compiled
	// filter keeps a list's items that are refused: the rule's expression in one evaluation,
	// for where all that it reads is known.
	filter cel.Program
}

// Expression is a CEL expression and where it stands.
type Expression struct {
	Text   string
	Line   int
	Column int
	block  bool // its text begins on the next line
}

// compiled is an expression that can be evaluated.
type compiled struct {
	whole, partial cel.Program
	reads          []string
}

// matches says whether the guardrail applies to a subject in a phase.
func (m *Match) matches(phase Phase, s *Subject) bool {
	return (len(m.Phases) == 0 || slices.Contains(m.Phases, phase)) &&
		(len(m.Artifacts) == 0 || slices.Contains(m.Artifacts, s.Artifact.Type)) &&
		matchesAny(m.Images, s.Image.name()) && matchesAny(m.Namespaces, s.Workload.Namespace) && m.matchesLabels(s)
}

func (m *Match) matchesLabels(s *Subject) bool {
	for key, pattern := range m.Labels {
		value, ok := s.Workload.Labels[key]
		if !ok {
			value, ok = s.Image.Labels[key]
		}
		if !ok || !triad.MatchPattern(pattern, value) {
			return false
		}
	}
	return true
}

// matchesAny says whether one of the patterns covers s; no patterns cover everything.
func matchesAny(patterns []string, s string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return triad.MatchPattern(p, s) })
}

// name is the image's full name with its tag, else with its digest, as patterns compare it.
func (i *Image) name() string {
	switch {
	case i.Repository == "":
		return i.Ref
	case i.Tag != "":
		return i.Repository + ":" + i.Tag
	case i.Digest != "":
		return i.Repository + "@" + i.Digest
	}
	return i.Repository
}

// Reads lists the sections that a rule's decision stands on.
func (r *Rule) Reads() []string {
	found := map[string]bool{}
	for _, s := range r.refuse.reads {
		found[s] = true
	}
	for _, s := range variables[r.For] {
		found[s] = true
	}
	return sorted(found)
}

// Reads lists the sections that any of the guardrail's rules stands on.
func (g *Guardrail) Reads() []string {
	found := map[string]bool{}
	for i := range g.Rules {
		for _, s := range g.Rules[i].Reads() {
			found[s] = true
		}
	}
	return sorted(found)
}

func sorted(set map[string]bool) []string {
	out := make([]string, 0, len(set))
	for s := range set {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}
