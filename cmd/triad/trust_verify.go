package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/trust"
)

func newTrustVerifyCommand(a *app) *cobra.Command {
	var client trust.Client
	var f trust.PolicyFile
	var identity trust.Identity
	var policyFile, builder string
	var attestations, pairs []string
	var maxAge, timeout time.Duration
	var noCache bool
	cmd := &cobra.Command{
		Use:   "verify REFERENCE…",
		Short: "Say whether images are trusted; exit 2 when one is refused",
		Long: `Holds images against a policy: whose signature counts (a key, or an identity with its issuer
under a trust root) and what must be attested of them by the same. One signature that counts
is enough. What cosign signed counts like what Triad signed.

A verdict of trust is kept in the data directory by digest and policy, for a day at most and
never longer than the attestations are young enough; --no-cache asks the registry again. The
status is 2 when an image is refused, 1 when it could not be found out.`,
		Example: `  triad trust verify registry.example.com/shop/web:1.0 --key release.pub
  triad trust verify registry.example.com/shop/web:1.0 --trust-root trusted_root.json \
    --identity-regexp 'https://github.com/acme/.*' --issuer https://token.actions.githubusercontent.com
  triad trust verify registry.example.com/shop/web:1.0 --key release.pub --attestation sbom,vuln --max-age 24h`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			notes, err := annotations(pairs)
			if err != nil {
				return err
			}
			f.Annotations = notes
			policy, err := trustPolicy(policyFile, f, identity, attestations, maxAge, builder)
			if err != nil {
				return err
			}
			verifier := &trust.Verifier{Client: &client, Policy: policy}
			if !noCache {
				if verifier.Cache, err = trust.OpenCache(filepath.Join(a.data, "verdicts")); err != nil {
					a.say("verdicts are not kept: %v", err)
				}
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			verdicts, refused := []*trust.Verdict{}, false
			for _, reference := range args {
				v, err := verifier.Verify(ctx, reference)
				if errors.Is(err, context.DeadlineExceeded) {
					return triad.Errorf(triad.CodeUnavailable, "not done after %s; give more with --timeout", timeout)
				}
				if v == nil {
					return err
				}
				if err != nil {
					a.say("the verdict is not kept: %v", err)
				}
				verdicts = append(verdicts, v)
				refused = refused || !v.Trusted
			}
			if err := a.result(verdicts, func(w io.Writer) error { return writeVerdicts(w, verdicts) }, nil); err != nil {
				return err
			}
			if refused {
				return exitStatus(2)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&client.Insecure, "insecure", false, "speak plain HTTP to the registry")
	flags.StringVar(&policyFile, "trust-policy", "", "file with the policy (docs/trust.md) instead of the flags below")
	flags.StringSliceVar(&f.Keys, "key", nil, "file with public keys whose signature counts (repeatable)")
	flags.StringVar(&f.TrustRoot, "trust-root", "", "trusted_root.json with the certificate authorities, logs and timestamp authorities that count")
	flags.StringVar(&identity.Subject, "identity", "", "who must have signed without a key: the certificate's e-mail address or URI")
	flags.StringVar(&identity.SubjectRegexp, "identity-regexp", "", "regular expression for the whole of --identity")
	flags.StringVar(&identity.Issuer, "issuer", "", "whose word for the identity counts: URL of the OpenID Connect issuer")
	flags.StringVar(&identity.IssuerRegexp, "issuer-regexp", "", "regular expression for the whole of --issuer")
	flags.StringSliceVar(&attestations, "attestation", nil, "what must be attested: sbom, vuln, provenance, vex or the URI of a predicate type (repeatable)")
	flags.DurationVar(&maxAge, "max-age", 0, "how long ago the attestations may have been made, such as 24h")
	flags.StringVar(&builder, "builder", "", "who must have built the image, by its provenance")
	flags.StringArrayVarP(&pairs, "annotation", "a", nil, "KEY=VALUE that the signature must carry (repeatable)")
	flags.BoolVar(&f.RequireLog, "require-log", false, "want an entry in a transparency log of --trust-root for signatures with a key too")
	flags.BoolVar(&f.IgnoreLog, "ignore-log", false, "accept certificates without a log entry where a timestamp authority witnessed the time")
	flags.BoolVar(&f.IgnoreSCT, "ignore-sct", false, "accept certificates that are in no certificate transparency log")
	flags.DurationVar(&timeout, "timeout", 5*time.Minute, "give up after this time")
	flags.BoolVar(&noCache, "no-cache", false, "neither use nor keep verdicts")
	return cmd
}

// trustPolicy makes a policy of a file, or of flags.
func trustPolicy(path string, f trust.PolicyFile, identity trust.Identity, attestations []string, maxAge time.Duration, builder string) (*trust.Policy, error) {
	if identity != (trust.Identity{}) {
		f.Identities = []trust.Identity{identity}
	}
	for _, kind := range attestations {
		r := trust.RequirementFile{Kind: kind}
		if maxAge != 0 {
			r.MaxAge = maxAge.String()
		}
		if kind == trust.KindProvenance {
			r.Builder = builder
		}
		f.Attestations = append(f.Attestations, r)
	}
	if path != "" {
		if len(f.Keys)+len(f.Identities)+len(f.Attestations) > 0 || f.TrustRoot != "" {
			return nil, triad.Errorf(triad.CodeInvalid, "--trust-policy says who is trusted and what must be attested; leave the flags for it away")
		}
		return trust.ReadPolicy(path)
	}
	if (maxAge != 0 || builder != "") && len(attestations) == 0 {
		return nil, triad.Errorf(triad.CodeInvalid, "--max-age and --builder are of attestations: name them with --attestation")
	}
	return f.Policy("")
}

func writeVerdicts(w io.Writer, verdicts []*trust.Verdict) error {
	var b strings.Builder
	for _, v := range verdicts {
		word, note := "trusted", ""
		if !v.Trusted {
			word = "REFUSED"
		}
		if v.Cached {
			note = ", kept from " + v.CheckedAt.Format(time.RFC3339)
		}
		fmt.Fprintf(&b, "%s  %s\n         %s%s\n", word, v.Reference, v.Digest, note)
		for _, reason := range v.Reasons {
			fmt.Fprintf(&b, "  because %s\n", reason)
		}
		for _, s := range v.Signatures {
			fmt.Fprintf(&b, "  signed by %s\n", signedBy(s))
		}
		for _, s := range v.Attestations {
			made := ""
			if !s.MadeAt.IsZero() {
				made = ", made " + s.MadeAt.Format(time.RFC3339)
			}
			fmt.Fprintf(&b, "  attested %s by %s%s\n", s.PredicateType, signedBy(s), made)
		}
		for _, r := range v.Rejected {
			fmt.Fprintf(&b, "  not counted: %s: %s\n", r.Source, r.Reason)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func signedBy(s trust.Statement) string {
	who := "key " + s.Key
	if s.Key == "" {
		who = s.Identity + " (" + s.Issuer + ")"
	}
	if !s.SignedAt.IsZero() {
		who += " at " + s.SignedAt.Format(time.RFC3339)
	}
	return who
}
