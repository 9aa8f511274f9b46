package policy

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"go.yaml.in/yaml/v3"

	"github.com/triad-security/triad"
)

// maxRules bounds the rules of one guardrail.
const maxRules = 50

var (
	severities = triad.Severities()[:4] // of a guardrail: somebody knows
	names      = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$`)
)

// UnmarshalYAML keeps where the expression stands, for errors.
func (e *Expression) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: an expression is text", n.Line)
	}
	e.Text, e.Line, e.Column = n.Value, n.Line, n.Column
	e.block = n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		e.Column++
	}
	return nil
}

// compile checks a guardrail and compiles its rules. lines are the file's, for positions.
func (g *Guardrail) compile(path string, lines [][]byte) error {
	at := func(line int, format string, args ...any) error {
		return triad.Errorf(triad.CodeInvalid, "%s:%d: %s", path, line, fmt.Sprintf(format, args...))
	}
	var line int
	_, _ = fmt.Sscanf(strings.TrimPrefix(g.Source, path+":"), "%d", &line)
	if g.Mode == "" {
		g.Mode = Enforce
	}
	if g.OnUnknown == "" {
		g.OnUnknown = "refuse"
	}
	switch {
	case !names.MatchString(g.Name):
		return at(line, "name %.80q: give one of small letters, digits, - and . (at most 63)", g.Name)
	case !g.IsEnabled() && len(g.Rules) == 0: // takes another's place, no more
		return nil
	case strings.TrimSpace(g.Description) == "":
		return at(line, "guardrail %s has no description: say what it is for", g.Name)
	case strings.TrimSpace(g.Owner) == "":
		return at(line, "guardrail %s has no owner: say whom to ask", g.Name)
	case g.Mode != Audit && g.Mode != Warn && g.Mode != Enforce:
		return at(line, "guardrail %s: mode %.40q is none of audit, warn, enforce", g.Name, g.Mode)
	case !slices.Contains(severities, g.Severity):
		return at(line, "guardrail %s: severity %.40q is none of %s", g.Name, g.Severity, strings.Join(severities, ", "))
	case !slices.Contains([]string{"refuse", "warn", "allow"}, g.OnUnknown):
		return at(line, "guardrail %s: onUnknown %.40q is none of refuse, warn, allow", g.Name, g.OnUnknown)
	case len(g.Rules) == 0 || len(g.Rules) > maxRules:
		return at(line, "guardrail %s has %d rules: give 1 to %d", g.Name, len(g.Rules), maxRules)
	}
	for _, p := range g.Applies.Phases {
		if p != Build && p != Deploy && p != Run && p != Cloud {
			return at(line, "guardrail %s: phase %.40q is none of build, deploy, run, cloud", g.Name, p)
		}
	}
	for _, a := range g.Applies.Artifacts {
		if !slices.Contains([]string{"image", "dir", "sbom", "function"}, a) {
			return at(line, "guardrail %s: artifact %.40q is none of image, dir, sbom, function", g.Name, a)
		}
	}
	seen := map[string]bool{}
	for i := range g.Rules {
		r := &g.Rules[i]
		if r.Name == "" && len(g.Rules) == 1 {
			r.Name = g.Name
		}
		if !names.MatchString(r.Name) || seen[r.Name] {
			return at(max(r.Refuse.Line, line), "rule %d of guardrail %s: name %.80q is taken or not of small letters, digits, - and .", i+1, g.Name, r.Name)
		}
		seen[r.Name] = true
		if err := r.compile(path, lines); err != nil {
			return err
		}
	}
	return nil
}

func (r *Rule) compile(path string, lines [][]byte) error {
	environments, err := itemEnvironments()
	if err != nil {
		return err
	}
	env := environments[r.For]
	if env == nil {
		return triad.Errorf(triad.CodeInvalid, "%s:%d: rule %s is for %.40q, which is none of %s", path, r.Refuse.Line, r.Name, r.For,
			strings.Join(slices.Sorted(maps.Keys(lists)), ", "))
	}
	r.item = lists[r.For].item
	if strings.TrimSpace(r.Refuse.Text) == "" {
		return triad.Errorf(triad.CodeInvalid, "%s: rule %s has no refuse: give an expression that is true of what is to be refused", path, r.Name)
	}
	for _, x := range []struct {
		key string
		e   *Expression
		typ *cel.Type
		to  **compiled
	}{
		{"refuse", &r.Refuse, cel.BoolType, &r.refuse},
		{"message", &r.Message, cel.StringType, &r.message},
		{"fix", &r.Fix, cel.StringType, &r.fix},
	} {
		if strings.TrimSpace(x.e.Text) == "" {
			continue
		}
		if *x.to, err = x.e.compile(env, x.typ); err != nil {
			return x.e.located(path, lines, x.key, r, err)
		}
	}
	if r.For == "" {
		return nil
	}
	text := r.For + ".filter(" + r.item + ", " + r.Refuse.Text + "\n)" // the line ends a comment
	checked, issues := environments[""].Compile(text)
	if issues.Err() != nil { // nested too deep with one comprehension more
		return r.Refuse.located(path, lines, "refuse", r, errors.New(issues.Errors()[0].Message))
	}
	if r.filter, _, err = program(environments[""], checked); err != nil {
		return r.Refuse.located(path, lines, "refuse", r, err)
	}
	return nil
}

func (e *Expression) compile(env *cel.Env, want *cel.Type) (*compiled, error) {
	checked, issues := env.Compile(e.Text)
	if issues.Err() != nil {
		return nil, &issuesError{issues.Errors()}
	}
	if typ := checked.OutputType(); !typ.IsExactType(want) {
		return nil, fmt.Errorf("the expression is of type %s, not %s", cel.FormatCELType(typ), cel.FormatCELType(want))
	}
	whole, partial, err := program(env, checked)
	if err != nil {
		return nil, err
	}
	return &compiled{whole: whole, partial: partial, reads: reads(checked)}, nil
}

// issuesError is what CEL's compiler said, with positions inside the expression.
type issuesError struct{ issues []*cel.Error }

func (e *issuesError) Error() string { return e.issues[0].Message }

// located says where in the file an expression's error is, and the next step.
func (e *Expression) located(path string, lines [][]byte, key string, r *Rule, err error) error {
	line, column, next := e.Line, e.Column, ""
	var issues *issuesError
	if errors.As(err, &issues) {
		first := issues.issues[0]
		if l, c := first.Location.Line(), first.Location.Column(); l > 0 {
			line, column = e.position(lines, l, c)
		}
		next = hint(first.Message, r)
		if more := len(issues.issues) - 1; more > 0 {
			next += fmt.Sprintf(" (and %d more)", more)
		}
	}
	message := strings.Join(strings.Fields(err.Error()), " ")
	return triad.Errorf(triad.CodeInvalid, "%s:%d:%d: %s of rule %s: %s%s", path, line, column, key, r.Name, message, next)
}

// position turns a line (from 1) and column (from 0) of an expression into those of its file.
func (e *Expression) position(lines [][]byte, line, column int) (int, int) {
	switch {
	case e.block:
		if e.Line+line > len(lines) { // the text begins after the line of its | or >
			return e.Line, e.Column
		}
		first := lines[e.Line]
		indent := len(first) - len(bytes.TrimLeft(first, " "))
		return e.Line + line, indent + column + 1
	case line == 1:
		return e.Line, e.Column + column
	}
	return e.Line, e.Column
}

// hint is the next step for the errors that people make.
func hint(message string, r *Rule) string {
	switch {
	case strings.Contains(message, "undeclared reference"):
		known := slices.Sorted(maps.Keys(variables))
		if r.item != "" {
			known = append([]string{r.item}, known...)
		}
		return "; known are " + strings.Join(known, ", ")
	case strings.Contains(message, "undefined field"):
		return "; docs/policy.md lists the fields"
	case strings.Contains(message, "no matching overload"):
		return "; compare values of one type: 'text' with 'text', 1.0 with 1.0"
	case strings.Contains(message, "Syntax error"):
		return "; see docs/policy.md for the language"
	}
	return ""
}
