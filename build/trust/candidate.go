package trust

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"google.golang.org/protobuf/encoding/protojson"
)

// candidate is a signature or attestation as it was found: nothing of it is true yet.
type candidate struct {
	form   string // bundle or tag
	source string // where it stands: a digest, or a tag and a digest
	bundle *bundle.Bundle
	// payload is what a message signature is of; nil where the bundle has an envelope.
	payload []byte
}

// The forms as verdicts name them.
const (
	formBundle = "bundle"
	formTag    = "tag"
)

// typeBundleV1 is the type under which the material of a signature under a tag is verified:
// a version 0.1 bundle has a log's promise where later ones need its proof.
const typeBundleV1 = "application/vnd.dev.sigstore.bundle+json;version=0.1"

// readBundle reads a sigstore bundle of any version that sigstore-go knows.
func readBundle(data []byte) (*candidate, error) {
	if err := checkJSON(data); err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	var pb protobundle.Bundle
	// Unknown fields are refused: they could be ones that another reader heeds.
	if err := protojson.Unmarshal(data, &pb); err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	b, err := bundle.NewBundle(&pb)
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	if b.GetDsseEnvelope() == nil {
		return nil, errors.New("bundle: it holds no DSSE envelope, so it does not say what it is about")
	}
	if err := checkMaterial(&pb); err != nil {
		return nil, err
	}
	return &candidate{form: formBundle, bundle: b}, nil
}

// readTagSignature reads one layer of a .sig tag.
func readTagSignature(payload []byte, annotations map[string]string) (*candidate, error) {
	material, err := materialOf(annotations)
	if err != nil {
		return nil, err
	}
	signature, err := base64.StdEncoding.DecodeString(annotations[annotationSignature])
	if err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	if len(signature) == 0 {
		return nil, fmt.Errorf("the layer has no annotation %s", annotationSignature)
	}
	sum := sha256.Sum256(payload)
	pb := &protobundle.Bundle{
		MediaType:            typeBundleV1,
		VerificationMaterial: material,
		Content: &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
			MessageDigest: &protocommon.HashOutput{Algorithm: protocommon.HashAlgorithm_SHA2_256, Digest: sum[:]},
			Signature:     signature,
		}},
	}
	b, err := bundle.NewBundle(pb)
	if err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	return &candidate{form: formTag, bundle: b, payload: payload}, nil
}

// readTagAttestation reads one layer of an .att tag: a DSSE envelope.
func readTagAttestation(data []byte, annotations map[string]string) (*candidate, error) {
	if err := checkJSON(data); err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	material, err := materialOf(annotations)
	if err != nil {
		return nil, err
	}
	pb := &protobundle.Bundle{MediaType: typeBundleV1, VerificationMaterial: material}
	out := &protodsse.Envelope{PayloadType: e.PayloadType, Payload: e.Payload}
	for _, s := range e.Signatures {
		out.Signatures = append(out.Signatures, &protodsse.Signature{Keyid: s.KeyID, Sig: s.Sig})
	}
	pb.Content = &protobundle.Bundle_DsseEnvelope{DsseEnvelope: out}
	b, err := bundle.NewBundle(pb)
	if err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	return &candidate{form: formTag, bundle: b}, nil
}

// checkMaterial refuses log entries nested too deep for what parses them.
func checkMaterial(pb *protobundle.Bundle) error {
	for _, e := range pb.GetVerificationMaterial().GetTlogEntries() {
		if err := checkJSON(e.GetCanonicalizedBody()); err != nil {
			return fmt.Errorf("log entry: body: %w", err)
		}
	}
	return nil
}
