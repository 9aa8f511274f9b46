package trust

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/registry"
)

// found counts what stands beside an image, and hands on one at a time: together they may
// be more than fits into memory.
type found struct {
	each func(*candidate)
	// unread says of each that could not be read why.
	unread []Rejection
	count  int
	bytes  int64
}

func (f *found) reject(source, form string, err error) {
	f.unread = append(f.unread, Rejection{Source: source, Form: form, Reason: clip(err.Error())})
}

// add counts a candidate before it is read.
func (f *found) add(size int64) error {
	if f.bytes += size; f.bytes > maxTotalBytes {
		return triad.Errorf(triad.CodeInvalid, "the signatures and attestations of the image have more than %d bytes", maxTotalBytes)
	}
	if f.count++; f.count > maxSignatures {
		return tooMany()
	}
	return nil
}

func tooMany() error {
	return triad.Errorf(triad.CodeInvalid, "the image has more than %d signatures and attestations", maxSignatures)
}

// find reads what stands beside an image in both forms and hands each to a function. What is damaged is rejected one by
// one; too much of it, and a registry that does not answer, is an error: the image is not
// trusted then either.
func (c *Client) find(ctx context.Context, image name.Digest, each func(*candidate)) (*found, error) {
	f := &found{each: each}
	if err := c.findBundles(ctx, image, f); err != nil {
		return nil, err
	}
	for _, suffix := range []string{suffixSignature, suffixAttestation} {
		if err := c.findTagged(ctx, image, suffix, f); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (c *Client) findBundles(ctx context.Context, image name.Digest, f *found) error {
	index, err := remote.Referrers(image, c.options(ctx)...)
	if err != nil {
		return registry.Explain("asking for the referrers of "+image.Name(), err)
	}
	list, err := index.IndexManifest()
	if err != nil {
		return fmt.Errorf("referrers of %s: %w", image.Name(), err)
	}
	if len(list.Manifests) > maxReferrers {
		return triad.Errorf(triad.CodeInvalid, "%s has %d referrers; at most %d are looked through", image.Name(), len(list.Manifests), maxReferrers)
	}
	for _, d := range list.Manifests {
		// Some registries list no artifact type; the manifest has it.
		if d.ArtifactType != "" && !strings.HasPrefix(d.ArtifactType, typeBundlePrefix) && d.ArtifactType != string(typeEmpty) {
			continue
		}
		if err := c.findBundle(ctx, image, d, f); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) findBundle(ctx context.Context, image name.Digest, d v1.Descriptor, f *found) error {
	source := d.Digest.String()
	if d.Size > maxManifest {
		f.reject(source, formBundle, fmt.Errorf("its manifest has %d bytes", d.Size))
		return f.add(0)
	}
	got, err := c.manifest(ctx, image.Context().Digest(source))
	if err != nil {
		return err
	}
	if got == nil {
		f.reject(source, formBundle, fmt.Errorf("it is listed as a referrer and is not there"))
		return f.add(0)
	}
	m, err := v1.ParseManifest(strings.NewReader(string(got.Manifest)))
	if err != nil {
		f.reject(source, formBundle, fmt.Errorf("manifest: %w", err))
		return f.add(0)
	}
	if len(m.Layers) != 1 || !strings.HasPrefix(string(m.Layers[0].MediaType), typeBundlePrefix) {
		return nil // a referrer of another kind
	}
	if err := f.add(m.Layers[0].Size); err != nil {
		return err
	}
	data, err := c.blob(ctx, image.Context(), m.Layers[0], maxBundle)
	if unanswered(err) {
		return err
	}
	if err != nil {
		f.reject(source, formBundle, err)
		return nil
	}
	candidate, err := readBundle(data)
	if err != nil {
		f.reject(source, formBundle, err)
		return nil
	}
	candidate.source = source
	f.each(candidate)
	return nil
}

func (c *Client) findTagged(ctx context.Context, image name.Digest, suffix string, f *found) error {
	tag := tagOf(image, suffix)
	d, err := c.manifest(ctx, tag)
	if err != nil || d == nil {
		return err
	}
	m, err := v1.ParseManifest(strings.NewReader(string(d.Manifest)))
	if err != nil {
		f.reject(tag.TagStr(), formTag, fmt.Errorf("manifest: %w", err))
		return nil
	}
	if len(m.Layers) > maxSignatures {
		return tooMany()
	}
	want, limit, read := typeSimpleSigning, int64(maxPayload), readTagSignature
	if suffix == suffixAttestation {
		want, limit, read = typeEnvelope, maxBundle, readTagAttestation
	}
	for _, layer := range m.Layers {
		source := tag.TagStr() + "@" + layer.Digest.String()
		if err := f.add(layer.Size); err != nil {
			return err
		}
		if layer.MediaType != want {
			f.reject(source, formTag, fmt.Errorf("media type %q is not %s", clip(string(layer.MediaType)), want))
			continue
		}
		data, err := c.blob(ctx, image.Context(), layer, limit)
		if unanswered(err) {
			return err
		}
		if err != nil {
			f.reject(source, formTag, err)
			continue
		}
		candidate, err := read(data, layer.Annotations)
		if err != nil {
			f.reject(source, formTag, err)
			continue
		}
		candidate.source = source
		f.each(candidate)
	}
	return nil
}

// unanswered reports that a registry could not be asked: another try may tell more.
func unanswered(err error) bool {
	code := triad.ErrorCode(err)
	return err != nil && (code == triad.CodeUnavailable || code == triad.CodeDenied)
}
