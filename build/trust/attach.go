package trust

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/registry"
)

// Media types and annotations of what stands beside an image: those of cosign's
// SIGNATURE_SPEC.md and BUNDLE_SPEC.md.
const (
	typeBundle        types.MediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"
	typeBundlePrefix                  = "application/vnd.dev.sigstore.bundle"
	typeSimpleSigning types.MediaType = "application/vnd.dev.cosign.simplesigning.v1+json"
	typeEnvelope      types.MediaType = "application/vnd.dsse.envelope.v1+json"
	typeEmpty         types.MediaType = "application/vnd.oci.empty.v1+json"

	annotationSignature   = "dev.cosignproject.cosign/signature"
	annotationCertificate = "dev.sigstore.cosign/certificate"
	annotationChain       = "dev.sigstore.cosign/chain"
	annotationRekor       = "dev.sigstore.cosign/bundle"
	annotationTimestamp   = "dev.sigstore.cosign/rfc3161timestamp"
	annotationPredicate   = "predicateType"
)

// referrer is an OCI 1.1 manifest about another: what go-containerregistry's manifest
// lacks is its artifact type.
type referrer struct {
	v1.Manifest
	ArtifactType string `json:"artifactType"`
}

func (r *referrer) RawManifest() ([]byte, error)        { return json.Marshal(r) }
func (r *referrer) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

// attachBundle keeps a bundle as a referrer of the image. Where the registry has no
// referrers API, remote.Put also lists it under the referrers tag (OCI distribution 1.1).
func (c *Client) attachBundle(ctx context.Context, image name.Digest, bundle *protobundle.Bundle, predicateType string) error {
	data, err := protojson.Marshal(bundle)
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	subject, err := remote.Head(image, c.options(ctx)...)
	if err != nil {
		return registry.Explain("reading "+image.Name(), err)
	}
	config, layer := static.NewLayer([]byte("{}"), typeEmpty), static.NewLayer(data, typeBundle)
	m := &referrer{ArtifactType: string(typeBundle), Manifest: v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		Config:        descriptorOf(config),
		Layers:        []v1.Descriptor{descriptorOf(layer)},
		Subject:       &v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size},
		Annotations: map[string]string{
			"org.opencontainers.image.created":  time.Now().UTC().Format(time.RFC3339),
			"dev.sigstore.bundle.content":       "dsse-envelope",
			"dev.sigstore.bundle.predicateType": predicateType,
		},
	}}
	for _, l := range []v1.Layer{config, layer} {
		if err := remote.WriteLayer(image.Context(), l, c.options(ctx)...); err != nil {
			return registry.Explain("writing to "+image.Context().Name(), err)
		}
	}
	raw, err := m.RawManifest()
	if err != nil {
		return err
	}
	digest, _, err := v1.SHA256(strings.NewReader(string(raw)))
	if err != nil {
		return err
	}
	at := image.Context().Digest(digest.String())
	if c.put != nil {
		c.put(at)
	}
	if err := remote.Put(at, m, c.options(ctx)...); err != nil {
		return registry.Explain("attaching a bundle to "+image.Name(), err)
	}
	return nil
}

func descriptorOf(layer v1.Layer) v1.Descriptor {
	digest, _ := layer.Digest() // static layers do not fail
	size, _ := layer.Size()
	kind, _ := layer.MediaType()
	return v1.Descriptor{MediaType: kind, Digest: digest, Size: size}
}

// attachTag appends a signature or attestation to those under the image's .sig or .att tag.
// Two writers at once can lose one: registries have no compare-and-swap of tags. The loser
// signs again.
func (c *Client) attachTag(ctx context.Context, image name.Digest, suffix string, content []byte, bundle *protobundle.Bundle, predicateType string) error {
	tag := tagOf(image, suffix)
	base, err := c.tagged(ctx, tag)
	if err != nil {
		return err
	}
	annotations, err := annotationsOf(bundle)
	if err != nil {
		return err
	}
	kind := typeSimpleSigning
	if suffix == suffixAttestation {
		kind = typeEnvelope
		annotations[annotationSignature] = "" // the envelope has it; cosign writes the key empty
		annotations[annotationPredicate] = predicateType
	}
	img, err := mutate.Append(base, mutate.Addendum{Layer: static.NewLayer(content, kind), Annotations: annotations, MediaType: kind})
	if err != nil {
		return fmt.Errorf("%s: %w", tag.Name(), err)
	}
	if err := remote.Write(tag, img, c.options(ctx)...); err != nil {
		return registry.Explain("writing "+tag.Name(), err)
	}
	return nil
}

// tagged returns the image of signatures under a tag, an empty one where there is none.
func (c *Client) tagged(ctx context.Context, tag name.Tag) (v1.Image, error) {
	d, err := c.manifest(ctx, tag)
	if err != nil {
		return nil, err
	}
	if d == nil {
		return emptyTagged(), nil
	}
	img, err := d.Image()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tag.Name(), err)
	}
	m, err := img.Manifest()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tag.Name(), err)
	}
	if len(m.Layers) >= maxSignatures {
		return nil, triad.Errorf(triad.CodeConflict, "%s holds %d signatures; no more than %d are read of one image, so no other is added", tag.Name(), len(m.Layers), maxSignatures)
	}
	return img, nil
}

func emptyTagged() v1.Image {
	return mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
}

// annotationsOf writes what a bundle holds as the annotations of a layer.
func annotationsOf(b *protobundle.Bundle) (map[string]string, error) {
	annotations := map[string]string{}
	if m := b.GetMessageSignature(); m != nil {
		annotations[annotationSignature] = base64.StdEncoding.EncodeToString(m.Signature)
	}
	if cert := b.GetVerificationMaterial().GetCertificate(); cert != nil {
		annotations[annotationCertificate] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.RawBytes}))
		annotations[annotationChain] = ""
	}
	if entries := b.GetVerificationMaterial().GetTlogEntries(); len(entries) > 0 {
		entry, err := json.Marshal(rekorOf(entries[0]))
		if err != nil {
			return nil, err
		}
		annotations[annotationRekor] = string(entry)
	}
	if stamps := b.GetVerificationMaterial().GetTimestampVerificationData().GetRfc3161Timestamps(); len(stamps) > 0 {
		stamp, err := json.Marshal(timestamp{stamps[0].SignedTimestamp})
		if err != nil {
			return nil, err
		}
		annotations[annotationTimestamp] = string(stamp)
	}
	return annotations, nil
}

// envelope is a DSSE envelope in JSON (github.com/secure-systems-lab/dsse).
type envelope struct {
	PayloadType string              `json:"payloadType"`
	Payload     []byte              `json:"payload"`
	Signatures  []envelopeSignature `json:"signatures"`
}

type envelopeSignature struct {
	KeyID string `json:"keyid,omitempty"`
	Sig   []byte `json:"sig"`
}

func envelopeOf(e *protodsse.Envelope) envelope {
	out := envelope{PayloadType: e.GetPayloadType(), Payload: e.GetPayload()}
	for _, s := range e.GetSignatures() {
		out.Signatures = append(out.Signatures, envelopeSignature{s.GetKeyid(), s.GetSig()})
	}
	return out
}
