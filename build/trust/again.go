package trust

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/triad-security/triad/build/registry"
)

// signed returns the forms in which the image carries this signer's signature with these
// annotations already: a pipeline that runs again must not fill the image with more. A
// signer without a key, or one whose signatures are logged, signs anew.
func (c *Client) signed(ctx context.Context, image name.Digest, signer *Signer, annotations map[string]any) (Forms, error) {
	if signer.Public() == nil || signer.services != (Services{}) {
		return 0, nil
	}
	statements, err := c.own(ctx, image, signer)
	if err != nil {
		return 0, err
	}
	var forms Forms
	for _, s := range statements {
		if s.PredicateType != "" && s.PredicateType != PredicateSign || !sameAnnotations(s.Annotations, annotations) {
			continue
		}
		if s.Form == formBundle {
			forms |= FormBundle
		} else {
			forms |= FormTag
		}
	}
	return forms, nil
}

func sameAnnotations(have, want map[string]any) bool {
	return maps.EqualFunc(have, want, func(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) })
}

// own returns what this signer's key states of an image.
func (c *Client) own(ctx context.Context, image name.Digest, signer *Signer) ([]Statement, error) {
	v := &verifier{policy: &Policy{Keys: []*PublicKey{signer.Public()}}}
	var verdict Verdict
	if err := v.collect(ctx, c, image, &verdict); err != nil {
		return nil, err
	}
	return append(verdict.Signatures, verdict.Attestations...), nil
}

// Withdraw takes attestations of an image away, those that Attested returned before newer
// ones were made, and returns what the registry does not let be deleted.
func (c *Client) Withdraw(ctx context.Context, image name.Digest, statements []Statement) ([]string, error) {
	var remains []string
	drop := map[string]bool{}
	for _, s := range statements {
		if s.Form == formTag {
			drop[s.Source[strings.IndexByte(s.Source, '@')+1:]] = true
			continue
		}
		if err := c.unlist(ctx, image, s.Source); err != nil {
			return nil, err
		}
		remains = append(remains, remove(image.Context().Digest(s.Source), c.options(ctx))...)
	}
	if len(drop) == 0 {
		return remains, nil
	}
	return remains, c.drop(ctx, tagOf(image, suffixAttestation), drop)
}

// Attested returns the attestations of a type that this signer's key made of an image.
func (c *Client) Attested(ctx context.Context, image name.Digest, signer *Signer, predicateType string) ([]Statement, error) {
	if signer.Public() == nil {
		return nil, nil
	}
	statements, err := c.own(ctx, image, signer)
	var of []Statement
	for _, s := range statements {
		if s.PredicateType == predicateType {
			of = append(of, s)
		}
	}
	return of, err
}

// drop rewrites an image of attestations without some of its layers.
func (c *Client) drop(ctx context.Context, tag name.Tag, digests map[string]bool) error {
	img, err := c.tagged(ctx, tag)
	if err != nil {
		return err
	}
	m, err := img.Manifest()
	if err != nil {
		return fmt.Errorf("%s: %w", tag.Name(), err)
	}
	var left []mutate.Addendum
	for _, d := range m.Layers {
		if digests[d.Digest.String()] {
			continue
		}
		layer, err := img.LayerByDigest(d.Digest)
		if err != nil {
			return fmt.Errorf("%s: %w", tag.Name(), err)
		}
		left = append(left, mutate.Addendum{Layer: layer, Annotations: d.Annotations, MediaType: d.MediaType})
	}
	out, err := mutate.Append(emptyTagged(), left...)
	if err != nil {
		return fmt.Errorf("%s: %w", tag.Name(), err)
	}
	if err := remote.Write(tag, out, c.options(ctx)...); err != nil {
		return registry.Explain("writing "+tag.Name(), err)
	}
	return nil
}

// unlist takes a referrer out of the referrers tag, where the registry needs one.
func (c *Client) unlist(ctx context.Context, image name.Digest, digest string) error {
	tag := referrersTag(image)
	d, err := c.manifest(ctx, tag)
	if err != nil || d == nil {
		return err
	}
	index, err := d.ImageIndex()
	if err != nil {
		return fmt.Errorf("%s: %w", tag.Name(), err)
	}
	out := mutate.RemoveManifests(index, func(d v1.Descriptor) bool { return d.Digest.String() == digest })
	if err := remote.Put(tag, out, c.options(ctx)...); err != nil {
		return registry.Explain("writing "+tag.Name(), err)
	}
	return nil
}
