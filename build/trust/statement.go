package trust

import (
	"encoding/json"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
)

// Types of in-toto statements (github.com/in-toto/attestation/spec).
const (
	statementV1  = "https://in-toto.io/Statement/v1"
	statementV01 = "https://in-toto.io/Statement/v0.1"
	payloadType  = "application/vnd.in-toto+json"
)

// Predicate types of what is attested.
const (
	// PredicateSign is the signature of an image in a bundle, as cosign 3 writes it.
	PredicateSign       = "https://sigstore.dev/cosign/sign/v1"
	PredicateCycloneDX  = "https://cyclonedx.org/bom"
	PredicateSPDX       = "https://spdx.dev/Document"
	PredicateVuln       = "https://cosign.sigstore.dev/attestation/vuln/v1"
	PredicateProvenance = "https://slsa.dev/provenance/v1"
	PredicateOpenVEX    = "https://openvex.dev/ns"
)

// statement is an in-toto statement: a predicate about subjects.
type statement struct {
	Type          string          `json:"_type"`
	Subject       []subject       `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate"`
}

type subject struct {
	Name        string            `json:"name,omitempty"`
	Digest      map[string]string `json:"digest"`
	Annotations map[string]any    `json:"annotations,omitempty"`
}

// newStatement says predicate about the image. Its name is the repository's, as cosign's.
func newStatement(image name.Digest, predicateType string, predicate json.RawMessage, annotations map[string]any) *statement {
	return &statement{
		Type:          statementV1,
		Subject:       []subject{{Name: image.Repository.Name(), Digest: map[string]string{"sha256": hexOf(image)}, Annotations: annotations}},
		PredicateType: predicateType,
		Predicate:     predicate,
	}
}

// hexOf is an image's digest without its algorithm, which is sha256 wherever name.NewDigest
// accepts one.
func hexOf(image name.Digest) string { return image.DigestStr()[len("sha256:"):] }

// readStatement reads the payload of an envelope.
func readStatement(payload []byte) (*statement, error) {
	if err := checkJSON(payload); err != nil {
		return nil, fmt.Errorf("in-toto statement: %w", err)
	}
	var s statement
	if err := json.Unmarshal(payload, &s); err != nil {
		return nil, fmt.Errorf("in-toto statement: %w", err)
	}
	switch {
	case s.Type != statementV1 && s.Type != statementV01:
		return nil, fmt.Errorf("in-toto statement of type %q; known are %s and v0.1", clip(s.Type), statementV1)
	case s.PredicateType == "":
		return nil, fmt.Errorf("in-toto statement without predicateType")
	case len(s.Subject) == 0:
		return nil, fmt.Errorf("in-toto statement about nothing: it has no subject")
	}
	return &s, nil
}

// about reports whether the statement is about an image with this digest.
func (s *statement) about(hex string) bool {
	for _, subject := range s.Subject {
		if subject.Digest["sha256"] == hex {
			return true
		}
	}
	return false
}
