package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Test is an example of a subject and what guardrails are to say of it.
type Test struct {
	Name  string `yaml:"name"`
	Phase Phase  `yaml:"phase"` // build unless given
	// Subject is written in place; Scan is a file of "triad scan --format json", beside the
	// test. With both, what the subject says takes the place of what the scan does.
	Subject fixture `yaml:"subject"`
	Scan    string  `yaml:"scan"`
	// Now is the time of the test; that of running it unless given.
	Now string `yaml:"now"`
	// Expect is by guardrail.
	Expect map[string]expectation `yaml:"expect"`

	Source string `yaml:"-"`
}

// fixture is a subject as JSON.
type fixture []byte

// UnmarshalYAML turns the value into the JSON of a Subject.
func (f *fixture) UnmarshalYAML(n *yaml.Node) error {
	var v any
	if err := n.Decode(&v); err != nil {
		return err
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("line %d: the subject: %w", n.Line, err)
	}
	*f = data
	if _, err := f.subject(); err != nil {
		return fmt.Errorf("line %d: the subject: %w", n.Line, err)
	}
	return nil
}

func (f fixture) subject() (*Subject, error) {
	s := &Subject{}
	return s, f.into(s)
}

func (f fixture) into(s *Subject) error {
	if len(f) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(f))
	dec.DisallowUnknownFields()
	if err := dec.Decode(s); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// expectation is a verdict, alone or with the findings and words of its reasons.
type expectation struct {
	Verdict  Verdict  `yaml:"verdict"`
	Findings []string `yaml:"findings"` // IDs of all that refuse; not compared when absent
	Message  string   `yaml:"message"`  // part of one of the reasons
}

// UnmarshalYAML takes a verdict alone too.
func (e *expectation) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return n.Decode(&e.Verdict)
	}
	type plain expectation // without this method
	if err := known(n, reflect.TypeFor[plain]()); err != nil {
		return err
	}
	return n.Decode((*plain)(e))
}

func (t *Test) valid() error {
	switch {
	case strings.TrimSpace(t.Name) == "":
		return errors.New("the test has no name: say what is to hold")
	case len(t.Subject) == 0 && t.Scan == "":
		return fmt.Errorf("test %.80q has neither subject nor scan", t.Name)
	case len(t.Expect) == 0:
		return fmt.Errorf("test %.80q expects nothing: give the verdict by guardrail", t.Name)
	}
	if t.Phase == "" {
		t.Phase = Build
	}
	for name, e := range t.Expect {
		if !slices.Contains([]Verdict{Allowed, Refused, Unknown, NotApplicable}, e.Verdict) {
			return fmt.Errorf("test %.80q: verdict %.40q of %s is none of allowed, refused, unknown, not-applicable", t.Name, e.Verdict, name)
		}
	}
	if t.Now != "" {
		if _, err := time.Parse(time.RFC3339, t.Now); err != nil {
			return fmt.Errorf("test %.80q: now %.40q is no time such as 2026-11-24T12:00:00Z", t.Name, t.Now)
		}
	}
	return nil
}

// Outcome is how a test went.
type Outcome struct {
	Test     string   `json:"test"`
	Source   string   `json:"source"`
	Passed   bool     `json:"passed"`
	Failures []string `json:"failures"`
}

// Coverage says which verdicts tests saw a rule give.
type Coverage struct {
	Guardrail string `json:"guardrail"`
	Rule      string `json:"rule"`
	Refused   int    `json:"refused"`
	Allowed   int    `json:"allowed"`
	Unknown   int    `json:"unknown"`
}

// Covered says whether tests saw the rule both refuse and let pass.
func (c *Coverage) Covered() bool { return c.Refused > 0 && c.Allowed > 0 }

// Run runs the set's tests. read opens what "triad scan" wrote as a Subject.
func (s *Set) Run(ctx context.Context, read func(path string) (*Subject, error)) ([]Outcome, []Coverage, error) {
	var coverage []Coverage
	index := map[[2]string]int{}
	for _, g := range s.Guardrails {
		for i := range g.Rules {
			if g.IsEnabled() {
				index[[2]string{g.Name, g.Rules[i].Name}] = len(coverage)
				coverage = append(coverage, Coverage{Guardrail: g.Name, Rule: g.Rules[i].Name})
			}
		}
	}
	var outcomes []Outcome
	for _, t := range s.Tests {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		o := Outcome{Test: t.Name, Source: t.Source, Failures: []string{}}
		e, err := s.evaluateTest(ctx, t, read)
		if err != nil {
			o.Failures = append(o.Failures, err.Error())
		} else {
			o.Failures = append(o.Failures, t.compare(e)...)
			for _, r := range e.Guardrails {
				for _, rule := range r.rules {
					c := &coverage[index[[2]string{r.Guardrail, rule.rule}]]
					switch rule.verdict {
					case Refused:
						c.Refused++
					case Allowed:
						c.Allowed++
					case Unknown:
						c.Unknown++
					}
				}
			}
		}
		o.Passed = len(o.Failures) == 0
		outcomes = append(outcomes, o)
	}
	return outcomes, coverage, nil
}

func (s *Set) evaluateTest(ctx context.Context, t *Test, read func(string) (*Subject, error)) (*Evaluation, error) {
	subject := &Subject{}
	if t.Scan != "" {
		dir := filepath.Dir(t.file())
		if !filepath.IsLocal(t.Scan) {
			return nil, fmt.Errorf("scan %.200q is not beside or below the test", t.Scan)
		}
		var err error
		if subject, err = read(filepath.Join(dir, t.Scan)); err != nil {
			return nil, err
		}
	}
	if err := t.Subject.into(subject); err != nil {
		return nil, err
	}
	if subject.Artifact.Type == "" {
		subject.Artifact.Type = "image"
	}
	if t.Now != "" {
		subject.Now, _ = time.Parse(time.RFC3339, t.Now) // valid, see there
	}
	if !subject.Image.Created.IsZero() && subject.Image.AgeDays == 0 && !subject.Now.IsZero() {
		subject.Image.AgeDays = subject.Now.Sub(subject.Image.Created).Hours() / 24
	}
	return s.Evaluate(ctx, t.Phase, subject)
}

// file is the test's own, without the line.
func (t *Test) file() string {
	if i := strings.LastIndexByte(t.Source, ':'); i >= 0 {
		return t.Source[:i]
	}
	return t.Source
}

// compare says where an evaluation is not what the test expects.
func (t *Test) compare(e *Evaluation) (failures []string) {
	for _, name := range slices.Sorted(maps.Keys(t.Expect)) {
		want := t.Expect[name]
		i := slices.IndexFunc(e.Guardrails, func(r Result) bool { return r.Guardrail == name })
		if i < 0 {
			failures = append(failures, fmt.Sprintf("%s: there is no such guardrail, or it is not enabled", name))
			continue
		}
		got := &e.Guardrails[i]
		if got.Verdict != want.Verdict {
			failures = append(failures, fmt.Sprintf("%s: %s%s, expected %s", name, got.Verdict, got.because(), want.Verdict))
			continue
		}
		if want.Findings != nil {
			have := got.findings()
			expected := slices.Clone(want.Findings)
			slices.Sort(expected)
			if !slices.Equal(have, expected) {
				failures = append(failures, fmt.Sprintf("%s: refuses [%s], expected [%s]", name, strings.Join(have, ", "), strings.Join(expected, ", ")))
			}
		}
		if want.Message != "" && !strings.Contains(got.because(), want.Message) {
			failures = append(failures, fmt.Sprintf("%s: no reason says %q%s", name, want.Message, got.because()))
		}
	}
	return failures
}

func (r *Result) findings() []string {
	ids := []string{}
	for _, reason := range r.Reasons {
		if reason.Finding != nil {
			ids = append(ids, reason.Finding.ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// because lists the reasons and what was not read, for a failure's line.
func (r *Result) because() string {
	var all []string
	for _, reason := range r.Reasons {
		all = append(all, reason.Message)
	}
	for _, u := range r.Unread {
		all = append(all, u.Section+" not read: "+u.Reason)
	}
	if len(all) == 0 {
		return ""
	}
	return " (" + strings.Join(all, "; ") + ")"
}
