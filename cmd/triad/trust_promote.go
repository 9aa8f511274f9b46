package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/trust"
	"github.com/triad-security/triad/policy"
)

func newTrustPromoteCommand(a *app) *cobra.Command {
	s := &signFlags{}
	g := &gateFlags{phase: string(policy.Build)}
	var kinds, from []string
	var provenance string
	var build trust.Build
	var accept trust.PolicyFile
	var identity trust.Identity
	var replace bool
	cmd := &cobra.Command{
		Use:   "promote SOURCE DESTINATION",
		Short: "Scan, gate, copy, attest and sign an image into the official registry, all or nothing",
		Long: `Takes an image to a tag of the official registry: scans it (of one for several platforms,
each), asks the guardrails as "triad gate" does, copies it by digest, attests and signs it
there, reads that back, and only then puts the tag. A refusal leaves nothing at the
destination (status 2). A failure takes back what was put by digest, as far as the registry
permits to delete, and says what remains (status 1); the tag stays what it was.

A tag that is another image already is not moved without --replace.`,
		Example: `  triad trust promote registry.example.com/build/web:42 registry.example.com/official/web:1.0 --key release.key
  triad trust promote registry.example.com/build/web:42 registry.example.com/official/web:1.0 \
    --key release.key --source-key ci.pub --attest sbom,vuln,provenance --require malware,secrets`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), g.timeout)
			defer cancel()
			forms, err := s.forms()
			if err != nil {
				return err
			}
			p := &trust.Promotion{Client: &s.client, Forms: forms, Replace: replace}
			if p.Signer, err = s.signer(); err != nil {
				return err
			}
			if len(from) > 0 {
				if p.Policy, err = (&trust.PolicyFile{Keys: from}).Policy(""); err != nil {
					return err
				}
			}
			if identity != (trust.Identity{}) {
				accept.Identities = []trust.Identity{identity}
				if p.Accept, err = accept.Policy(""); err != nil {
					return err
				}
			}
			g.insecure = s.client.Insecure
			if err := a.promotionGate(p, g, kinds, build.Invocation); err != nil {
				return err
			}
			if slices.Contains(kinds, trust.KindProvenance) {
				predicate, err := build.Predicate()
				if provenance != "" {
					predicate, err = predicateFile(trust.KindProvenance, provenance)
				}
				if err != nil {
					return err
				}
				p.Attest = append(p.Attest, predicate)
			}
			out, err := p.Run(ctx, args[0], args[1])
			if out == nil {
				return err
			}
			for _, left := range out.Remains {
				a.say("could not be taken back: %s", left)
			}
			if err != nil {
				return err
			}
			if err := a.result(out, func(w io.Writer) error { return writePromoted(w, out) }, nil); err != nil {
				return err
			}
			if !out.Promoted {
				return exitStatus(2)
			}
			return nil
		},
	}
	f := cmd.Flags()
	s.flags(f)
	a.gateScanFlags(f, g)
	buildFlags(f, &build)
	f.StringSliceVar(&kinds, "attest", []string{trust.KindSBOM, trust.KindVuln}, "what to attest: sbom, vuln, provenance")
	f.StringVar(&provenance, "provenance", "", "file with a SLSA provenance to attest instead of what the flags say")
	f.StringSliceVar(&from, "source-key", nil, "file with public keys, one of which must have signed the source (repeatable)")
	f.StringVar(&accept.TrustRoot, "trust-root", "", "signing without a key: trusted_root.json under which the signature is read back")
	f.StringVar(&identity.Subject, "identity", "", "signing without a key: who signs")
	f.StringVar(&identity.Issuer, "issuer", "", "signing without a key: whose word for --identity counts")
	f.BoolVar(&replace, "replace", false, "move the tag where it is another image already")
	return cmd
}

// promotionGate wires the scanner and the guardrails into a promotion. An image is scanned
// once: what the gate saw is what is attested.
func (a *app) promotionGate(p *trust.Promotion, g *gateFlags, kinds []string, invocation string) error {
	for _, kind := range kinds {
		if !slices.Contains([]string{trust.KindSBOM, trust.KindVuln, trust.KindProvenance}, kind) {
			return triad.Errorf(triad.CodeInvalid, "--attest %s is none of sbom, vuln, provenance", kind)
		}
	}
	if err := g.checkRequired(); err != nil {
		return err
	}
	set, err := a.policies(&g.policies)
	if err != nil {
		return err
	}
	p.Scan = func(ctx context.Context, image trust.Image) (*trust.Scanned, error) {
		a.say("scanning %s %s", image.Digest.Name(), image.Platform)
		e, err := a.examineImage(ctx, image.Digest, g.insecure, &g.scanFlags)
		if err != nil {
			return nil, err
		}
		out := &trust.Scanned{Result: e}
		for _, kind := range kinds {
			if kind == trust.KindProvenance {
				continue // of the image as a whole
			}
			predicate, err := e.predicate(kind, invocation)
			if err != nil {
				return nil, err
			}
			out.Predicates = append(out.Predicates, predicate)
		}
		return out, nil
	}
	p.Gate = func(ctx context.Context, all []*trust.Scanned) ([]string, error) {
		var refusals []string
		for _, one := range all {
			e := one.Result.(*examined)
			why, err := a.gateRefusals(ctx, g, set, &scanned{Result: e.result, made: e.finished, here: true, remote: true})
			if err != nil {
				return nil, err
			}
			for _, reason := range why {
				refusals = append(refusals, strings.TrimSpace(one.Image.Platform+" "+reason))
			}
		}
		return refusals, nil
	}
	return nil
}

// maxWhys bounds the reasons that one guardrail gives in a refusal.
const maxWhys = 10

// gateRefusals asks the guardrails about a scan. Each says itself whether what it does not
// know lets an image pass.
func (a *app) gateRefusals(ctx context.Context, g *gateFlags, set *policy.Set, s *scanned) ([]string, error) {
	_, e, _, err := a.judge(ctx, g, set, s)
	if err != nil {
		return nil, err
	}
	if e.Verdict != policy.Refused {
		return nil, nil
	}
	var refusals []string
	for _, r := range e.Guardrails {
		if r.Effect != policy.EffectRefuse {
			continue
		}
		text := r.Guardrail + ": " + r.Description
		var whys []string
		for _, why := range r.Reasons {
			whys = append(whys, why.Message)
		}
		for _, u := range r.Unread {
			whys = append(whys, "not read: "+u.Section+": "+u.Reason)
		}
		if more := len(whys) - maxWhys; more > 0 {
			whys = append(whys[:maxWhys], fmt.Sprintf("and %d more; `triad gate` lists them", more))
		}
		if len(whys) > 0 {
			text = r.Guardrail + ": " + strings.Join(whys, "; ")
		}
		refusals = append(refusals, text)
	}
	if len(refusals) == 0 {
		refusals = []string{"the gate refuses it"}
	}
	return refusals, nil
}

func writePromoted(w io.Writer, out *trust.Promoted) error {
	var b strings.Builder
	if !out.Promoted {
		fmt.Fprintf(&b, "REFUSED  %s\n         %s\n", out.Source, out.Digest)
		for _, reason := range out.Reasons {
			fmt.Fprintf(&b, "  because %s\n", reason)
		}
	} else {
		fmt.Fprintf(&b, "promoted  %s\n          %s\n", out.Destination, out.Digest)
		for _, i := range out.Images {
			fmt.Fprintf(&b, "  signed %s %s\n", i.Digest, i.Platform)
			for _, t := range i.Attested {
				fmt.Fprintf(&b, "    attested %s\n", t)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
