package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/triad-security/triad"
)

// Exception is a triad.Exception as a file holds it.
type Exception struct{ triad.Exception }

// exception are the keys of the file.
type exception struct {
	Name      string `yaml:"name"`
	Guardrail string `yaml:"guardrail"`
	Finding   string `yaml:"finding"`
	Scope     struct {
		Images    []string `yaml:"images"`
		Artifacts []string `yaml:"artifacts"`
		Packages  []string `yaml:"packages"`
		Paths     []string `yaml:"paths"`
		Workloads []string `yaml:"workloads"`
		Container string   `yaml:"container"`
	} `yaml:"scope"`
	Owner   string `yaml:"owner"`
	Reason  string `yaml:"reason"`
	Expires string `yaml:"expires"`
}

// convert checks that everything required is there.
func (e *exception) convert() (*Exception, error) {
	x := triad.Exception{
		ID: e.Name, Guardrail: e.Guardrail, Finding: e.Finding, Owner: strings.TrimSpace(e.Owner), Reason: strings.TrimSpace(e.Reason),
		Scope: triad.ExceptionScope(e.Scope),
	}
	for _, required := range []struct{ key, value, say string }{
		{"name", e.Name, "a name"},
		{"guardrail", e.Guardrail, "a guardrail's name, or \"*\""},
		{"finding", e.Finding, "a finding's ID, or \"*\" for the guardrail as a whole"},
		{"owner", x.Owner, "whom to ask"},
		{"reason", x.Reason, "why"},
		{"expires", e.Expires, "a date such as 2027-01-31"},
	} {
		if required.value == "" {
			return nil, fmt.Errorf("exception %.80q has no %s: give %s", e.Name, required.key, required.say)
		}
	}
	s := x.Scope
	if len(s.Images)+len(s.Artifacts)+len(s.Packages)+len(s.Paths)+len(s.Workloads) == 0 {
		return nil, fmt.Errorf("exception %.80q has no scope: give images, artifacts, packages, paths or workloads", e.Name)
	}
	if s.Container != "" && len(s.Workloads) == 0 {
		return nil, fmt.Errorf("exception %.80q names a container without its workloads", e.Name)
	}
	var err error
	if x.Expires, err = parseExpiry(e.Expires); err != nil {
		return nil, fmt.Errorf("exception %.80q: %w", e.Name, err)
	}
	return &Exception{x}, nil
}

// parseExpiry takes a date, which lasts through its day in UTC, or a time.
func parseExpiry(text string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t.AddDate(0, 0, 1), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("expires %.40q is no date such as 2027-01-31", text)
	}
	return t, nil
}

// concerns says whether the exception is about a guardrail and subject at all.
func (e *Exception) concerns(guardrail string, s *Subject) bool {
	if e.Guardrail != "*" && e.Guardrail != guardrail || !e.where(s) {
		return false
	}
	if len(e.Scope.Workloads) == 0 {
		return true
	}
	w := s.Workload
	return w.Name != "" && matchesAny(e.Scope.Workloads, w.Namespace+"/"+w.Name) && (e.Scope.Container == "" || e.Scope.Container == w.Container)
}

// where compares the artifact: an image by its names, anything else by its own.
func (e *Exception) where(s *Subject) bool {
	images, artifacts := e.Scope.Images, e.Scope.Artifacts
	switch {
	case len(images)+len(artifacts) == 0:
		return true
	case s.Artifact.Type != "image":
		return len(artifacts) > 0 && matchesAny(artifacts, s.Artifact.Name)
	case len(images) == 0:
		return false
	}
	return matchesAny(images, s.Image.name()) || s.Image.Digest != "" && matchesAny(images, s.Image.Repository+"@"+s.Image.Digest)
}

// covers says whether the exception is about one reason for a refusal.
func (e *Exception) covers(r *Reason) bool {
	f := r.Finding
	if len(e.Scope.Packages) > 0 && (f == nil || !matchesAny(e.Scope.Packages, f.Package)) {
		return false
	}
	if len(e.Scope.Paths) > 0 && (f == nil || !matchesAny(e.Scope.Paths, f.Path)) {
		return false
	}
	if e.Finding == "*" {
		return true
	}
	return f != nil && (e.Finding == f.ID || slices.Contains(f.Aliases, e.Finding))
}
