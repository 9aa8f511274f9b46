package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/scan"
	"github.com/triad-security/triad/policy"
)

// gateFlags are those of one gate.
type gateFlags struct {
	scanFlags
	policies  policyFlags
	signature signatureFlags
	require   []string
	write     []string
	phase     string
	platform  string
	insecure  bool
}

func newGateCommand(a *app) *cobra.Command {
	g := &gateFlags{}
	cmd := &cobra.Command{
		Use:   "gate TARGET...",
		Short: "Let an artifact pass or refuse it, by guardrails",
		Long: `Scans each target, or reads what "triad scan --format json" wrote of it, and asks the
guardrails: those that come with Triad, those in the data directory's policy folder, and those
given by --policy. Says what refuses it, why, and the smallest change that would let it pass.

A target is an image reference, docker:REFERENCE, oci:DIR, an archive or OCI layout, a folder, a
CycloneDX bill of materials, a scan as JSON, or - for one of the last three on standard input.

What was not read is never taken for clean: a guardrail that stands on it is unknown, and says
itself what follows. --require makes a class of finding required: unread is then refused.

With --server, or with --data of a directory that holds an estate, each finding carries the
decision that it has where the image, or an older one of its repository, runs today.

The status is 0 when all pass, 2 when one is refused, 1 when it could not be found out.`,
		Example: `  triad gate registry.example.com/shop/web:1.0
  triad gate web.tar --policy guardrails --format json
  triad scan image web:1.0 --format json | triad gate -
  triad gate web.tar --require malware --server https://triad.example.com`,
		Args:        cobra.MinimumNArgs(1),
		Annotations: formatsOf("table", "json", "sarif", "gitlab", "markdown"),
		RunE:        func(cmd *cobra.Command, args []string) error { return a.gate(cmd, g, args) },
	}
	f := cmd.Flags()
	a.gateScanFlags(f, g)
	f.StringVar(&g.phase, "phase", string(policy.Build), "which guardrails are asked: build, deploy")
	g.signature.flags(f)
	g.origin.add(f)
	f.StringArrayVar(&g.write, "write", nil, "FORMAT=FILE: write the result there too, as json, table, sarif, gitlab, markdown or verdict (repeatable)")
	f.StringVar(&g.platform, "platform", "", "platform of an image for several, such as linux/arm64")
	f.BoolVar(&g.insecure, "insecure", false, "speak plain HTTP to the registry")
	return cmd
}

// gateScanFlags are those of a scan that guardrails decide on.
func (a *app) gateScanFlags(f *pflag.FlagSet, g *gateFlags) {
	a.examineFlags(f, &g.scanFlags)
	g.policies.flags(f)
	f.StringSliceVar(&g.require, "require", nil, "refuse when this was not read: vulnerabilities, secrets, malware, code, misconfigurations, signature, registry, decisions (repeatable)")
}

// gated is the result of triad gate.
type gated struct {
	Verdict policy.Verdict `json:"verdict"`
	Targets []gatedTarget  `json:"targets"`
}

// gatedTarget is what the gate says of one target.
type gatedTarget struct {
	Target string `json:"target"`
	// Error says why nothing could be found out of it; the verdict is then unknown.
	Error      string                    `json:"error,omitempty"`
	Artifact   gatedArtifact             `json:"artifact"`
	Verdict    policy.Verdict            `json:"verdict"`
	Guardrails []policy.Result           `json:"guardrails"`
	Exceptions []policy.ExceptionOutcome `json:"exceptions"`
	// Fixes are the changes that would remove what refuses, those that remove most first.
	Fixes []gateFix `json:"fixes"`
	// Live is what runs of its repository now; null where no estate was asked.
	Live   *gatedLive     `json:"live"`
	Unread []triad.Unread `json:"unread"`
	At     time.Time      `json:"at"`

	scan *scan.Result
}

// gatedArtifact names what was scanned.
type gatedArtifact struct {
	Type   string `json:"type"`
	Name   string `json:"name"`
	Digest string `json:"digest,omitempty"`
}

func (a *app) gate(cmd *cobra.Command, g *gateFlags, targets []string) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), g.timeout)
	defer cancel()
	if g.phase != string(policy.Build) && g.phase != string(policy.Deploy) {
		return triad.Errorf(triad.CodeInvalid, "--phase %s is none of build, deploy", g.phase)
	}
	if err := g.checkRequired(); err != nil {
		return err
	}
	files, err := gateWrites(g.write)
	if err != nil {
		return err
	}
	set, err := a.policies(&g.policies)
	if err != nil {
		return err
	}
	out := &gated{Verdict: policy.Allowed, Targets: []gatedTarget{}}
	failed := 0
	for _, target := range targets {
		t, err := a.gateTarget(ctx, g, set, target)
		if err != nil {
			failed++
			a.say("%s: %s", target, err)
			t = &gatedTarget{
				Target: target, Error: err.Error(), Verdict: policy.Unknown, Guardrails: []policy.Result{},
				Exceptions: []policy.ExceptionOutcome{}, Fixes: []gateFix{}, Unread: []triad.Unread{}, At: time.Now(),
			}
		}
		out.Targets = append(out.Targets, *t)
	}
	out.Verdict = worst(out.Targets)
	if err := writeGate(files, out); err != nil {
		return err
	}
	if err := a.result(out, nil, gateFormats(out)); err != nil {
		return err
	}
	switch {
	case out.Verdict == policy.Refused:
		return exitStatus(2)
	case failed > 0:
		return fmt.Errorf("%d of %d targets could not be judged", failed, len(targets))
	}
	return nil
}

func (g *gateFlags) checkRequired() error {
	for _, r := range g.require {
		if !slices.Contains(requirable, r) {
			return triad.Errorf(triad.CodeInvalid, "--require %s is none of %s", r, strings.Join(requirable, ", "))
		}
	}
	return nil
}

// worst is the verdict over all targets: one that is refused refuses all.
func worst(targets []gatedTarget) policy.Verdict {
	v := policy.Allowed
	rank := []policy.Verdict{policy.Allowed, policy.Warned, policy.Unknown, policy.Refused}
	for _, t := range targets {
		if slices.Index(rank, t.Verdict) > slices.Index(rank, v) {
			v = t.Verdict
		}
	}
	return v
}

func (a *app) gateTarget(ctx context.Context, g *gateFlags, set *policy.Set, target string) (*gatedTarget, error) {
	result, err := a.gateScan(ctx, g, target)
	if err != nil {
		return nil, err
	}
	subject, e, live, err := a.judge(ctx, g, set, result)
	if err != nil {
		return nil, err
	}
	t := &gatedTarget{
		Target: target, Artifact: gatedArtifact{result.Artifact.Type, result.Artifact.Name, result.Artifact.Digest},
		Verdict: e.Verdict, Guardrails: e.Guardrails, Exceptions: e.Exceptions, Fixes: a.gateFixes(ctx, result, e), Live: live, Unread: unreadOf(subject), At: e.At,
		scan: result.Result,
	}
	return t, nil
}

// judge asks the guardrails, and what --require demands, about a scan and all that is known
// of its artifact.
func (a *app) judge(ctx context.Context, g *gateFlags, set *policy.Set, r *scanned) (*policy.Subject, *policy.Evaluation, *gatedLive, error) {
	s, err := a.gateSubject(ctx, g, r)
	if err != nil {
		return nil, nil, nil, err
	}
	unread := func(section, reason string) {
		s.Unread = append(s.Unread, policy.Unread{Section: section, Reason: reason})
	}
	live, reason := a.live(ctx, r, s)
	switch {
	case reason != "":
		unread(policy.SectionDecisions, reason)
	case live == nil && g.requires(policy.SectionDecisions):
		unread(policy.SectionDecisions, "no estate was asked: give --server, or --data with an estate")
	}
	if g.requires(policy.SectionMalware) && !(r.here && g.content.malware.Clamd != "") {
		// Lists and heuristics fill the section too, but who requires it means an engine.
		unread(policy.SectionMalware, "no engine is known to have looked: name ClamAV's daemon with --clamd")
	}
	e, err := set.Evaluate(ctx, policy.Phase(g.phase), s)
	if err != nil {
		return nil, nil, nil, err
	}
	required(g.require, s, e)
	return s, e, live, nil
}

// requires says whether --require names a section.
func (g *gateFlags) requires(section string) bool { return slices.Contains(g.require, section) }

// requirable are the sections that --require can name.
var requirable = []string{
	policy.SectionVulnerabilities, policy.SectionSecrets, policy.SectionMalware, policy.SectionCode, policy.SectionMisconfigurations,
	policy.SectionSignature, policy.SectionRegistry, policy.SectionDecisions,
}

// required adds what --require demands, as a guardrail of its own.
func required(sections []string, s *policy.Subject, e *policy.Evaluation) {
	for _, section := range sections {
		r := policy.Result{
			Guardrail: "require-" + section, Description: section + " must have been read", Owner: "--require", Severity: "high",
			Mode: policy.Enforce, Source: "--require", Verdict: policy.Allowed, Effect: policy.EffectNone,
			Reasons: []policy.Reason{}, Excepted: []policy.Excepted{}, Unread: []policy.Unread{},
		}
		for _, u := range s.Unread {
			if slices.Contains(policy.Affected(u.Section), section) {
				r.Verdict, r.Effect = policy.Unknown, policy.EffectRefuse
				r.Unread = append(r.Unread, u)
			}
		}
		if r.Effect == policy.EffectRefuse {
			e.Verdict = policy.Refused
		}
		e.Guardrails = append(e.Guardrails, r)
	}
}

func unreadOf(s *policy.Subject) []triad.Unread {
	out := []triad.Unread{}
	for _, u := range s.Unread {
		out = append(out, triad.Unread(u))
	}
	return out
}
