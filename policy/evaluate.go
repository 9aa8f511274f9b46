package policy

import (
	"context"
	"fmt"
	"slices"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/triad-security/triad"
)

// deadline bounds one evaluation of all guardrails, beside the cost of each expression.
const deadline = 10 * time.Second

// Evaluate asks every enabled guardrail of a phase. An error is one of evaluation itself: an
// expression that costs too much, or fails.
func (s *Set) Evaluate(ctx context.Context, phase Phase, subject *Subject) (*Evaluation, error) {
	env, err := environment()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	if subject.Now.IsZero() {
		copied := *subject
		copied.Now = time.Now()
		subject = &copied
	}
	e := &evaluation{ctx: ctx, vars: newActivation(env.CELTypeAdapter(), subject), subject: subject, unread: map[string][]Unread{}}
	for _, u := range subject.Unread {
		for _, section := range Affected(u.Section) {
			e.unread[section] = append(e.unread[section], u)
		}
	}
	out := &Evaluation{Verdict: Allowed, Guardrails: []Result{}, Exceptions: []ExceptionOutcome{}, At: subject.Now}
	passed := map[*Exception]int{}
	evaluated := map[string]bool{}
	for _, g := range s.Guardrails {
		if !g.IsEnabled() {
			continue
		}
		r := Result{
			Guardrail: g.Name, Description: g.Description, Owner: g.Owner, Severity: g.Severity, Mode: g.Mode, Source: g.Source,
			Verdict: NotApplicable, Effect: EffectNone, Reasons: []Reason{}, Excepted: []Excepted{}, Unread: []Unread{},
		}
		if g.Applies.matches(phase, subject) {
			evaluated[g.Name] = true
			if err := e.guardrail(g, &r); err != nil {
				return nil, fmt.Errorf("guardrail %s (%s): %w", g.Name, g.Source, err)
			}
			s.except(g, &r, subject, passed)
		}
		out.Guardrails = append(out.Guardrails, r)
	}
	out.Verdict = overall(out.Guardrails)
	out.Exceptions = s.outcomes(subject, evaluated, passed)
	return out, nil
}

// overall is the verdict of all guardrails together.
func overall(results []Result) Verdict {
	worst := Allowed
	rank := []Verdict{Allowed, Warned, Refused}
	for _, r := range results {
		v := Allowed
		switch {
		case r.Effect == EffectRefuse:
			v = Refused
		case r.Effect == EffectWarn:
			v = Warned
		}
		if slices.Index(rank, v) > slices.Index(rank, worst) {
			worst = v
		}
	}
	return worst
}

// evaluation is the state of one Evaluate.
type evaluation struct {
	ctx     context.Context
	vars    *activation
	subject *Subject
	unread  map[string][]Unread // by section
}

func (e *evaluation) guardrail(g *Guardrail, r *Result) error {
	r.Verdict = Allowed
	for i := range g.Rules {
		rule := &g.Rules[i]
		verdict, reasons, unread, err := e.rule(rule)
		if err != nil {
			return fmt.Errorf("rule %s: %w", rule.Name, err)
		}
		r.rules = append(r.rules, ruleOutcome{rule.Name, verdict})
		r.Reasons = append(r.Reasons, reasons...)
		for _, u := range unread {
			if !slices.Contains(r.Unread, u) {
				r.Unread = append(r.Unread, u)
			}
		}
		if verdict == Refused || verdict == Unknown && r.Verdict == Allowed {
			r.Verdict = verdict
		}
	}
	return nil
}

// rule evaluates one rule. It refuses on what is known even where more is not; it passes only
// where everything that it reads is known.
func (e *evaluation) rule(r *Rule) (verdict Verdict, reasons []Reason, unread []Unread, err error) {
	missing := e.missing(r.refuse.reads)
	if r.For == "" {
		v, err := e.value(r.refuse, missing, "")
		switch {
		case err != nil:
			return "", nil, nil, err
		case v == nil:
			return Unknown, nil, e.why(missing), nil
		case v == types.True:
			return Refused, []Reason{e.reason(r, nil)}, nil, nil
		}
		return Allowed, nil, nil, nil
	}
	defer func() { e.vars.item, e.vars.value = "", nil }()
	refused, unsure, err := e.items(r, missing)
	if err != nil {
		return "", nil, nil, err
	}
	verdict = Allowed
	for _, row := range refused {
		verdict = Refused
		e.vars.item, e.vars.value = r.item, row
		reasons = append(reasons, e.reason(r, named(r.For, row.Value())))
	}
	if !unsure {
		missing = nil
	}
	for _, s := range e.missing(variables[r.For]) { // there may be more items
		if !slices.Contains(missing, s) {
			missing = append(missing, s)
		}
	}
	if verdict == Allowed && len(missing) > 0 {
		verdict = Unknown
	}
	return verdict, reasons, e.why(missing), nil
}

// items are those of the rule's list that are refused; unsure says that it is not known of some.
func (e *evaluation) items(r *Rule, missing []string) (refused []ref.Val, unsure bool, err error) {
	if len(missing) == 0 {
		v, err := e.run(r.filter, e.vars)
		if err != nil {
			return nil, false, err
		}
		for i, all := int64(0), v.(traits.Lister); i < int64(all.Size().(types.Int)); i++ {
			refused = append(refused, all.Get(types.Int(i)))
		}
		return refused, false, nil
	}
	vars, err := e.partial(missing, r.item)
	if err != nil {
		return nil, false, err
	}
	for _, row := range e.vars.rows(r.For) {
		e.vars.item, e.vars.value = r.item, row
		switch v, err := e.run(r.refuse.partial, vars); {
		case err != nil:
			return nil, false, fmt.Errorf("%s: %w", named(r.For, row.Value()).says(), err)
		case v == types.True:
			refused = append(refused, row)
		case v != types.False:
			unsure = true
		}
	}
	return refused, unsure, nil
}

// missing are those of the sections that are unread.
func (e *evaluation) missing(sections []string) (missing []string) {
	for _, s := range sections {
		if len(e.unread[s]) > 0 {
			missing = append(missing, s)
		}
	}
	return missing
}

// why is what makes sections unread.
func (e *evaluation) why(sections []string) (out []Unread) {
	for _, s := range sections {
		for _, u := range e.unread[s] {
			if !slices.Contains(out, u) {
				out = append(out, u)
			}
		}
	}
	return out
}

// value evaluates an expression; nil is unknown. missing are the sections among those it reads
// that are unread.
func (e *evaluation) value(c *compiled, missing []string, item string) (ref.Val, error) {
	program, vars := c.whole, cel.Activation(e.vars)
	if len(missing) > 0 {
		partial, err := e.partial(missing, item)
		if err != nil {
			return nil, err
		}
		program, vars = c.partial, partial
	}
	v, err := e.run(program, vars)
	if err != nil || types.IsUnknown(v) {
		return nil, err
	}
	return v, nil
}

// partial are the variables where sections are unread.
func (e *evaluation) partial(missing []string, item string) (cel.PartialActivation, error) {
	var patterns []*cel.AttributePatternType
	for _, s := range missing {
		patterns = append(patterns, unknowns(s, item)...)
	}
	return cel.PartialVars(e.vars, patterns...)
}

// run evaluates a program within the bounds of time and cost.
func (e *evaluation) run(p cel.Program, vars cel.Activation) (ref.Val, error) {
	v, _, err := p.ContextEval(e.ctx, vars)
	switch {
	case err != nil && e.ctx.Err() != nil:
		return nil, triad.Errorf(triad.CodeUnavailable, "not evaluated within %s; make the expression simpler", deadline)
	case err != nil:
		return nil, fmt.Errorf("evaluating: %w", err)
	}
	return v, nil
}

// reason says why a rule refuses, in its own words where it has some and they can be said.
func (e *evaluation) reason(r *Rule, f *FindingRef) Reason {
	reason := Reason{Rule: r.Name, Finding: f, Message: e.text(r.message, r.item), Fix: e.text(r.fix, r.item)}
	if reason.Message == "" {
		reason.Message = r.Name
		if f != nil {
			reason.Message = f.says()
		}
	}
	return reason
}

// maxText bounds a message, in bytes: it may quote what an image holds.
const maxText = 1000

func (e *evaluation) text(c *compiled, item string) string {
	if c == nil {
		return ""
	}
	v, err := e.value(c, e.missing(c.reads), item)
	if err != nil || v == nil {
		return ""
	}
	s, _ := v.Value().(string)
	if len(s) > maxText {
		s = s[:maxText] + "…"
	}
	return s
}

// except lets reasons pass that an exception covers, and says what the verdict leads to.
func (s *Set) except(g *Guardrail, r *Result, subject *Subject, passed map[*Exception]int) {
	kept := r.Reasons[:0]
	var whole *Exception
	for _, reason := range r.Reasons {
		if x := s.exception(g.Name, subject, &reason, passed); x != nil {
			r.Excepted = append(r.Excepted, Excepted{reason, x.ID})
			continue
		}
		kept = append(kept, reason)
	}
	r.Reasons = kept
	if r.Verdict == Refused && len(kept) == 0 {
		r.Verdict = Allowed
		if len(r.Unread) > 0 {
			r.Verdict = Unknown
		}
	}
	if r.Verdict == Unknown { // an exception from the guardrail as a whole covers what it does not know too
		whole = s.exception(g.Name, subject, &Reason{}, passed)
		if whole != nil {
			for _, u := range r.Unread {
				r.Excepted = append(r.Excepted, Excepted{Reason{Message: "not read: " + u.Section + ": " + u.Reason}, whole.ID})
			}
		}
	}
	r.Effect = effect(g, r.Verdict, whole != nil)
}

func effect(g *Guardrail, v Verdict, excepted bool) Effect {
	strongest := map[Mode]Effect{Audit: EffectAudit, Warn: EffectWarn, Enforce: EffectRefuse}[g.Mode]
	switch {
	case v == Refused:
		return strongest
	case v != Unknown || excepted || g.OnUnknown == "allow":
		return EffectNone
	case g.OnUnknown == "warn" && strongest == EffectRefuse:
		return EffectWarn
	}
	return strongest
}

// exception finds the one that covers a reason; the expired only count what they would have let pass.
func (s *Set) exception(guardrail string, subject *Subject, r *Reason, passed map[*Exception]int) *Exception {
	var found *Exception
	for _, x := range s.Exceptions {
		if !x.concerns(guardrail, subject) || !x.covers(r) {
			continue
		}
		if x.Expired(subject.Now) {
			passed[x]++
			continue
		}
		if found == nil {
			found = x
			passed[x]++
		}
	}
	return found
}

// outcomes says what became of each exception that is about the subject.
func (s *Set) outcomes(subject *Subject, evaluated map[string]bool, passed map[*Exception]int) []ExceptionOutcome {
	out := []ExceptionOutcome{}
	for _, x := range s.Exceptions {
		if x.Guardrail != "*" && !evaluated[x.Guardrail] || !x.concerns(x.Guardrail, subject) {
			continue
		}
		o := ExceptionOutcome{ID: x.ID, Owner: x.Owner, Reason: x.Reason, Expires: x.Expires, Source: x.Source, State: "applied", Passed: passed[x]}
		switch {
		case x.Expired(subject.Now):
			o.State = "expired"
		case o.Passed == 0:
			o.State = "unused"
		}
		out = append(out, o)
	}
	return out
}
