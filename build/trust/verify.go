package trust

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/triad-security/triad/build/registry"
)

// Verdict is whether an image is trusted, and why.
type Verdict struct {
	Reference string `json:"reference"`
	Digest    string `json:"digest"`
	Trusted   bool   `json:"trusted"`
	// Reasons are those of a refusal, in words.
	Reasons      []string    `json:"reasons"`
	Signatures   []Statement `json:"signatures"`
	Attestations []Statement `json:"attestations"`
	// Rejected are the signatures and attestations that do not count, each with its reason.
	Rejected []Rejection `json:"rejected"`
	// Policy is the hash of the policy and its trust material.
	Policy    string    `json:"policy"`
	CheckedAt time.Time `json:"checked_at"`
	// ValidUntil is when a verdict of trust must be asked for again.
	ValidUntil time.Time `json:"valid_until,omitzero"`
	Cached     bool      `json:"cached"`
}

// Statement is a signature or attestation that counts.
type Statement struct {
	Form   string `json:"form"` // bundle or tag
	Source string `json:"source"`
	// PredicateType is what is stated; of a signature under a tag empty.
	PredicateType string `json:"predicate_type,omitempty"`
	// Key is the ID of the key that signed, or
	Key string `json:"key,omitempty"`
	// Identity is who signed without a key, and Issuer by whose word.
	Identity string `json:"identity,omitempty"`
	Issuer   string `json:"issuer,omitempty"`
	// SignedAt is witnessed by a log or a timestamp authority; zero where none was asked for.
	SignedAt time.Time `json:"signed_at,omitzero"`
	// MadeAt is when the signer says that it was made, of an attestation.
	MadeAt      time.Time      `json:"made_at,omitzero"`
	Annotations map[string]any `json:"annotations,omitempty"`

	builder string // of a provenance
}

// Rejection is a signature or attestation that does not count.
type Rejection struct {
	Form   string `json:"form"`
	Source string `json:"source"`
	Reason string `json:"reason"`
}

// verifier holds a policy against candidates.
type verifier struct {
	policy     *Policy
	identities []verify.CertificateIdentity
	now        time.Time
}

// Verify holds an image against a policy. A tag is resolved first: what is trusted is the
// digest that it means now. An error says that it could not be found out.
func (c *Client) Verify(ctx context.Context, reference string, policy *Policy) (*Verdict, error) {
	if err := policy.check(); err != nil {
		return nil, err
	}
	image, err := c.Resolve(ctx, reference)
	if err != nil {
		return nil, err
	}
	return c.verify(ctx, reference, image, policy)
}

func (c *Client) verify(ctx context.Context, reference string, image name.Digest, policy *Policy) (*Verdict, error) {
	identities, err := policy.identities()
	if err != nil {
		return nil, err
	}
	v := &verifier{policy: policy, identities: identities, now: time.Now()}
	verdict := &Verdict{
		Reference: reference, Digest: image.DigestStr(), Policy: policy.Hash(), CheckedAt: v.now.UTC(),
		Reasons: []string{}, Signatures: []Statement{}, Attestations: []Statement{}, Rejected: []Rejection{},
	}
	// The image itself must be there, and be what its digest says.
	d, err := remote.Get(image, c.options(ctx)...)
	if err != nil {
		if strings.Contains(err.Error(), "does not match") {
			verdict.Reasons = append(verdict.Reasons, clip("the manifest that the registry holds is not what the digest says: "+err.Error()))
			return verdict, nil
		}
		return nil, registry.Explain("reading "+image.Name(), err)
	}
	if err := v.collect(ctx, c, image, verdict); err != nil {
		return nil, err
	}
	of := []attested{{image.DigestStr(), verdict.Attestations}}
	if d.MediaType.IsIndex() && len(policy.Attestations) > 0 {
		images, err := c.platforms(ctx, image)
		if err != nil {
			return nil, err
		}
		for _, one := range images {
			if one.Index {
				continue
			}
			alone := &Verdict{}
			if err := v.collect(ctx, c, one.Digest, alone); err != nil {
				return nil, err
			}
			of = append(of, attested{one.Digest.DigestStr(), alone.Attestations})
		}
	}
	v.decide(verdict, of)
	return verdict, nil
}

// attested is what is attested of one image.
type attested struct {
	digest       string
	attestations []Statement
}

// collect sorts what stands beside an image into what counts and what does not.
func (v *verifier) collect(ctx context.Context, c *Client, image name.Digest, verdict *Verdict) error {
	f, err := c.find(ctx, image, func(candidate *candidate) {
		s, err := v.check(candidate, hexOf(image))
		switch {
		case err != nil:
			verdict.Rejected = append(verdict.Rejected, Rejection{candidate.form, candidate.source, clip(err.Error())})
		case s.PredicateType == "" || s.PredicateType == PredicateSign:
			verdict.Signatures = append(verdict.Signatures, *s)
		default:
			verdict.Attestations = append(verdict.Attestations, *s)
		}
	})
	if err != nil {
		return err
	}
	verdict.Rejected = append(verdict.Rejected, f.unread...)
	return nil
}

// check verifies a candidate and returns what it states of the image. An error is why it
// does not count.
func (v *verifier) check(c *candidate, imageHex string) (*Statement, error) {
	out := &Statement{Form: c.form, Source: c.source}
	if c.payload != nil {
		p, err := readPayload(c.payload)
		if err != nil {
			return nil, err
		}
		if d := p.Critical.Image.DockerManifestDigest; d != "sha256:"+imageHex {
			return nil, fmt.Errorf("it is the signature of another image, %s", clip(d))
		}
		out.Annotations = p.Optional
		if err := v.crypto(c, out, func() verify.ArtifactPolicyOption { return verify.WithArtifact(bytes.NewReader(c.payload)) }); err != nil {
			return nil, err
		}
		return out, v.annotated(out)
	}
	envelope := c.bundle.GetDsseEnvelope()
	if envelope.GetPayloadType() != payloadType {
		return nil, fmt.Errorf("the envelope holds %q, not %s", clip(envelope.GetPayloadType()), payloadType)
	}
	s, err := readStatement(envelope.GetPayload())
	if err != nil {
		return nil, err
	}
	if !s.about(imageHex) {
		return nil, fmt.Errorf("it is about another image, %s", clip("sha256:"+s.Subject[0].Digest["sha256"]))
	}
	digest, err := hex.DecodeString(imageHex)
	if err != nil {
		return nil, err
	}
	if err := v.crypto(c, out, func() verify.ArtifactPolicyOption { return verify.WithArtifactDigest("sha256", digest) }); err != nil {
		return nil, err
	}
	out.PredicateType = s.PredicateType
	for _, subject := range s.Subject {
		if subject.Digest["sha256"] == imageHex && len(subject.Annotations) > 0 {
			out.Annotations = subject.Annotations
		}
	}
	if s.PredicateType == PredicateSign {
		return out, v.annotated(out)
	}
	out.MadeAt = madeAt(s.PredicateType, s.Predicate)
	if isKind(s.PredicateType, KindProvenance) {
		out.builder = builderOf(s.Predicate)
	}
	return out, nil
}

func (v *verifier) annotated(s *Statement) error {
	for key, want := range v.policy.Annotations {
		if have, ok := s.Annotations[key].(string); !ok || have != want {
			return fmt.Errorf("it is not annotated %s=%s", clip(key), clip(want))
		}
	}
	return nil
}

// crypto verifies who signed, when, and that it is logged, with sigstore-go. Of a message
// signature the artifact is the payload; of an envelope its digest must be among the subjects.
func (v *verifier) crypto(c *candidate, out *Statement, artifact func() verify.ArtifactPolicyOption) error {
	content, err := c.bundle.VerificationContent()
	if err != nil {
		return err
	}
	if content.Certificate() != nil {
		return v.byCertificate(c, out, artifact)
	}
	if len(v.policy.Keys) == 0 {
		return errors.New("it was made with a key; the policy names identities only")
	}
	for _, key := range v.policy.Keys {
		err = v.byKey(c, out, key, artifact)
		if err == nil {
			return nil
		}
	}
	return err
}

func (v *verifier) byKey(c *candidate, out *Statement, key *PublicKey, artifact func() verify.ArtifactPolicyOption) error {
	material := keyMaterial{&root.BaseTrustedMaterial{}, keyVerifier{key.key}}
	options := []verify.VerifierOption{verify.WithoutStatementPredicate()}
	if v.policy.Root != nil {
		material.TrustedMaterial = v.policy.Root.material
	}
	if v.policy.RequireLog {
		options = append(options, verify.WithTransparencyLog(1))
	}
	options = append(options, verify.WithNoObserverTimestamps())
	verifier, err := verify.NewVerifier(material, options...)
	if err != nil {
		return err
	}
	if _, err := verifier.Verify(c.bundle, verify.NewPolicy(artifact(), verify.WithKey())); err != nil {
		return explain(err)
	}
	out.Key = key.ID()
	return nil
}

func (v *verifier) byCertificate(c *candidate, out *Statement, artifact func() verify.ArtifactPolicyOption) error {
	if len(v.identities) == 0 {
		return errors.New("it was made with a certificate; the policy names keys only")
	}
	material := v.policy.Root.material
	options := []verify.VerifierOption{verify.WithoutStatementPredicate(), verify.WithObserverTimestamps(1)}
	if !v.policy.IgnoreLog {
		options = append(options, verify.WithTransparencyLog(1))
	}
	if len(material.CTLogs()) > 0 && !v.policy.IgnoreSCT {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	verifier, err := verify.NewVerifier(material, options...)
	if err != nil {
		return err
	}
	var policies []verify.PolicyOption
	for _, id := range v.identities {
		policies = append(policies, verify.WithCertificateIdentity(id))
	}
	result, err := verifier.Verify(c.bundle, verify.NewPolicy(artifact(), policies...))
	if err != nil {
		return explain(err)
	}
	out.Identity, out.Issuer = result.Signature.Certificate.SubjectAlternativeName, result.Signature.Certificate.Issuer
	for _, t := range result.VerifiedTimestamps {
		if out.SignedAt.IsZero() || t.Timestamp.Before(out.SignedAt) {
			out.SignedAt = t.Timestamp.UTC()
		}
	}
	return nil
}

// explain says in words what sigstore-go refused.
func explain(err error) error {
	text := err.Error()
	for _, e := range []struct{ part, words string }{
		{"expected SAN value", "it was made by another identity"},
		{"expected issuer value", "its certificate is by the word of another issuer"},
		{"outside certificate validity", "it was logged outside the life of its certificate"},
		{"has expired or is not yet valid", "its certificate was not valid when it was made"},
		{"failed to verify leaf certificate", "its certificate is not of an authority that the trust root names"},
		{"not enough verified log entries", "it is in no transparency log that the trust root names"},
		{"no valid observer timestamps", "nobody witnessed when it was made"},
		{"threshold not met for verified signed & log entry", "nobody whom the trust root names witnessed when it was made"},
		{"unable to verify SET", "its log entry is not signed by the log"},
		{"transparency log signature does not match", "its log entry is of another signature"},
		{"signed certificate timestamp", "its certificate is in no certificate transparency log that the trust root names"},
		{"could not verify envelope", "it was made with another key, or altered since"},
		{"could not verify message", "it was made with another key, or altered since"},
	} {
		if strings.Contains(text, e.part) {
			return fmt.Errorf("%s (%w)", e.words, err)
		}
	}
	return err
}
