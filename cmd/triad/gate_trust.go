package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"github.com/triad-security/triad/build/trust"
	"github.com/triad-security/triad/policy"
	"github.com/triad-security/triad/policy/registry"
)

// signatureFlags say whose signature counts.
type signatureFlags struct {
	file     trust.PolicyFile
	identity trust.Identity
	policy   string
	standard string
}

func (s *signatureFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&s.standard, "registry-standard", "", "file with the registry standard; default registry.yaml in the data directory")
	f.StringVar(&s.policy, "trust-policy", "", "file that says whose signature counts (docs/trust.md), instead of the flags below")
	f.StringSliceVar(&s.file.Keys, "key", nil, "file with public keys whose signature counts (repeatable)")
	f.StringVar(&s.file.TrustRoot, "trust-root", "", "trusted_root.json with the authorities that count for --identity")
	f.StringVar(&s.identity.Subject, "identity", "", "who must have signed without a key: the certificate's e-mail address or URI")
	f.StringVar(&s.identity.SubjectRegexp, "identity-regexp", "", "regular expression for the whole of --identity")
	f.StringVar(&s.identity.Issuer, "issuer", "", "whose word for the identity counts: URL of the OpenID Connect issuer")
}

// named says whether flags name somebody whose signature counts.
func (s *signatureFlags) named() bool {
	return s.policy != "" || len(s.file.Keys) > 0 || s.identity != (trust.Identity{})
}

// standing is what the registry standard says of the image; reason says why nothing is known.
func (g *gateFlags) standing(a *app, s *policy.Subject) (entry *registry.Entry, reason string, err error) {
	standard, err := a.registryStandard(g.signature.standard)
	switch {
	case err != nil:
		return nil, "", err
	case standard == nil:
		return nil, "no registry standard is given: write registry.yaml (docs/registry.md)", nil
	case s.Image.Repository == "":
		return nil, "the image has no name that says of which registry it is", nil
	}
	e, listed, err := standard.Of(s.Image.Ref)
	if err != nil {
		return nil, err.Error(), nil
	}
	if !listed {
		s.Registry.Name = s.Image.Registry
		return nil, "", nil
	}
	s.Registry = policy.Registry{
		Name: e.Name.String(), Listed: true, Official: e.Official, State: string(e.Access), Owner: e.Owner, Refusal: e.Refuses(s.Now),
		Agreed: e.Agreed, MaxAgeDays: e.MaxAge.Hours() / 24, BasesLimited: len(e.Bases) > 0,
	}
	if s.Image.Base != "" {
		if s.Registry.BaseAllowed, err = e.AllowsBase(s.Image.Base); err != nil {
			return nil, "", err
		}
	}
	return &e, "", nil
}

// signature verifies the image's signature where somebody is named whose counts, by flags or by
// the registry standard. The reason says why nothing is known of it.
func (a *app) signature(ctx context.Context, g *gateFlags, entry *registry.Entry, s *policy.Subject) (reason string, err error) {
	by, err := g.verifiedBy(a, entry)
	if err != nil {
		return "", err
	}
	s.Signature.Required = by != nil || entry != nil && entry.Signature.Required
	if by == nil {
		return "nobody is named whose signature counts: give --key, or --identity with --issuer and --trust-root", nil
	}
	if s.Image.Repository == "" {
		return "the image has no name under which a registry could hold its signature", nil
	}
	reference := s.Image.Ref
	if s.Image.Digest != "" {
		reference = s.Image.Repository + "@" + s.Image.Digest
	}
	verifier := &trust.Verifier{Client: &trust.Client{Insecure: g.insecure}, Policy: by}
	if verifier.Cache, err = trust.OpenCache(filepath.Join(a.data, "verdicts")); err != nil {
		a.say("verdicts are not kept: %v", err)
	}
	v, err := verifier.Verify(ctx, reference)
	if v == nil {
		return errors.Join(errors.New("looking for the signature"), err).Error(), nil
	}
	s.Signature.Present = len(v.Signatures)+len(v.Rejected) > 0
	s.Signature.Verified = v.Trusted
	for _, r := range v.Reasons {
		if s.Signature.Refusal != "" {
			s.Signature.Refusal += "; "
		}
		s.Signature.Refusal += r
	}
	if len(v.Signatures) > 0 {
		first := v.Signatures[0]
		s.Signature.Key, s.Signature.Identity, s.Signature.Issuer = first.Key, first.Identity, first.Issuer
	}
	for _, st := range v.Attestations {
		at := policy.Attestation{Type: st.PredicateType, Identity: st.Identity, Key: st.Key}
		if !st.MadeAt.IsZero() {
			at.AgeDays = time.Since(st.MadeAt).Hours() / 24
		}
		s.Signature.Attestations = append(s.Signature.Attestations, at)
	}
	return "", nil
}

// verifiedBy is whose signature counts: by flags, else as the registry standard says; nil where
// neither names anybody.
func (g *gateFlags) verifiedBy(a *app, entry *registry.Entry) (*trust.Policy, error) {
	sig := &g.signature
	if sig.named() {
		return trustPolicy(sig.policy, sig.file, sig.identity, nil, 0, "")
	}
	if entry == nil || len(entry.Signature.Keys)+len(entry.Signature.Identities) == 0 {
		return nil, nil
	}
	f := trust.PolicyFile{Keys: entry.Signature.Keys, TrustRoot: sig.file.TrustRoot}
	for _, i := range entry.Signature.Identities {
		f.Identities = append(f.Identities, trust.Identity{Subject: i.Subject, Issuer: i.Issuer})
	}
	for _, kind := range entry.Signature.Attestations {
		f.Attestations = append(f.Attestations, trust.RequirementFile{Kind: kind})
	}
	dir := a.data
	if sig.standard != "" {
		dir = filepath.Dir(sig.standard)
	}
	return f.Policy(dir)
}
