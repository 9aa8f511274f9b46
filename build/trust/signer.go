package trust

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/sign"

	"github.com/triad-security/triad"
)

// Signer signs statements and payloads, by a key or without one (keyless).
type Signer struct {
	key      *Key // nil: a new one for each signature, certified by Fulcio
	token    string
	services Services
}

// Services are the sigstore services that a signature is brought to; empty leaves one out.
type Services struct {
	FulcioURL    string // certifies a key for the bearer of an OpenID Connect token
	RekorURL     string // transparency log
	TimestampURL string // RFC 3161 authority
}

// serviceTimeout is for one request to one service.
const serviceTimeout = 60 * time.Second

// NewSigner signs with a key. Of the services it uses the log and the timestamp authority.
func NewSigner(key *Key, services Services) *Signer {
	services.FulcioURL = ""
	return &Signer{key: key, services: services}
}

// NewKeylessSigner signs with new keys that Fulcio certifies for the bearer of an OpenID
// Connect token. A certificate lives ten minutes, so the time of the signature must be
// witnessed by a log or a timestamp authority.
func NewKeylessSigner(token string, services Services) (*Signer, error) {
	switch {
	case services.FulcioURL == "":
		return nil, triad.Errorf(triad.CodeInvalid, "signing without a key needs the address of a Fulcio")
	case services.RekorURL == "" && services.TimestampURL == "":
		return nil, triad.Errorf(triad.CodeInvalid, "signing without a key needs a Rekor or a timestamp authority: its certificate expires in minutes")
	case token == "":
		return nil, triad.Errorf(triad.CodeInvalid, "signing without a key needs an OpenID Connect token")
	}
	return &Signer{token: token, services: services}, nil
}

// Public returns the key whose signatures these are, nil when keyless.
func (s *Signer) Public() *PublicKey {
	if s.key == nil {
		return nil
	}
	return s.key.Public()
}

// statement signs an in-toto statement into a bundle with a DSSE envelope.
func (s *Signer) statement(ctx context.Context, st *statement) (*protobundle.Bundle, error) {
	payload, err := json.Marshal(st)
	if err != nil {
		return nil, fmt.Errorf("in-toto statement: %w", err)
	}
	if len(payload) > maxAttestation {
		return nil, triad.Errorf(triad.CodeInvalid, "the attestation has %d bytes, more than the %d that are read of one", len(payload), maxAttestation)
	}
	return s.sign(ctx, &sign.DSSEData{Data: payload, PayloadType: payloadType})
}

// message signs bytes into a bundle with a message signature.
func (s *Signer) message(ctx context.Context, data []byte) (*protobundle.Bundle, error) {
	return s.sign(ctx, &sign.PlainData{Data: data})
}

func (s *Signer) sign(ctx context.Context, content sign.Content) (*protobundle.Bundle, error) {
	options := sign.BundleOptions{Context: ctx}
	key := s.key
	if key == nil {
		var err error
		if key, err = GenerateKey(AlgorithmECDSA); err != nil {
			return nil, err
		}
		options.CertificateProvider = sign.NewFulcio(&sign.FulcioOptions{BaseURL: s.services.FulcioURL, Timeout: serviceTimeout, Retries: 2})
		options.CertificateProviderOptions = &sign.CertificateProviderOptions{IDToken: s.token}
	}
	if url := s.services.TimestampURL; url != "" {
		options.TimestampAuthorities = []*sign.TimestampAuthority{
			sign.NewTimestampAuthority(&sign.TimestampAuthorityOptions{URL: url, Timeout: serviceTimeout, Retries: 2}),
		}
	}
	if url := s.services.RekorURL; url != "" {
		options.TransparencyLogs = []sign.Transparency{
			sign.NewRekor(&sign.RekorOptions{BaseURL: url, Timeout: serviceTimeout, Retries: 2}),
		}
	}
	bundle, err := sign.Bundle(content, keypair{key, key.Public()}, options)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return bundle, nil
}

// Forms in which signatures and attestations are kept beside an image.
type Forms int

// The forms. Bundles are what cosign 3 writes; tags are what it wrote before and still
// reads, and what many admission controllers read.
const (
	FormBundle Forms = 1 << iota
	FormTag
	FormBoth = FormBundle | FormTag
)

// Sign signs an image and keeps the signature beside it. One that is there already is left.
func (c *Client) Sign(ctx context.Context, image name.Digest, signer *Signer, forms Forms, annotations map[string]any) error {
	there, err := c.signed(ctx, image, signer, annotations)
	if err != nil {
		return err
	}
	forms &^= there
	if forms&FormBundle != 0 {
		bundle, err := signer.statement(ctx, newStatement(image, PredicateSign, json.RawMessage("{}"), annotations))
		if err != nil {
			return err
		}
		if err := c.attachBundle(ctx, image, bundle, PredicateSign); err != nil {
			return err
		}
	}
	if forms&FormTag != 0 {
		payload, err := newPayload(image, annotations)
		if err != nil {
			return err
		}
		bundle, err := signer.message(ctx, payload)
		if err != nil {
			return err
		}
		if err := c.attachTag(ctx, image, suffixSignature, payload, bundle, ""); err != nil {
			return err
		}
	}
	return nil
}

// Attest signs a predicate about an image and keeps the attestation beside it.
func (c *Client) Attest(ctx context.Context, image name.Digest, signer *Signer, forms Forms, p Predicate) error {
	bundle, err := signer.statement(ctx, newStatement(image, p.Type, p.Body, nil))
	if err != nil {
		return err
	}
	if forms&FormBundle != 0 {
		if err := c.attachBundle(ctx, image, bundle, p.Type); err != nil {
			return err
		}
	}
	if forms&FormTag != 0 {
		envelope, err := json.Marshal(envelopeOf(bundle.GetDsseEnvelope()))
		if err != nil {
			return err
		}
		return c.attachTag(ctx, image, suffixAttestation, envelope, bundle, p.Type)
	}
	return nil
}

// Predicate is what is attested of an image.
type Predicate struct {
	Type string          // URI
	Body json.RawMessage // a JSON object
}
