package image

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/registry"
)

// OpenRegistry opens an image in a registry. Credentials are those of `docker login`:
// the config file and its credential helpers; none for a registry that is not in it.
func OpenRegistry(ctx context.Context, reference string, o Options) (*Image, error) {
	var options []name.Option
	if o.Insecure {
		options = append(options, name.Insecure)
	}
	ref, err := name.ParseReference(reference, options...)
	if err != nil {
		return nil, triad.Errorf(triad.CodeInvalid, "%s is not an image reference: %w", reference, err)
	}
	opts := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithUserAgent("triad")}
	d, err := remote.Get(ref, opts...)
	if err != nil {
		return nil, registry.Explain("reading "+reference+" from its registry", err)
	}
	var indexDigest string
	for depth := 0; d.MediaType.IsIndex(); depth++ {
		if depth >= maxIndexDepth {
			return nil, limitf("indexes nested deeper than %d", maxIndexDepth)
		}
		var index v1.IndexManifest
		if err := json.Unmarshal(d.Manifest, &index); err != nil {
			return nil, fmt.Errorf("index of %s: %w", reference, err)
		}
		child, err := choose(&index, o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", reference, err)
		}
		if indexDigest == "" {
			indexDigest = d.Digest.String()
		}
		if d, err = remote.Get(ref.Context().Digest(child.Digest.String()), opts...); err != nil {
			return nil, registry.Explain("reading "+reference+" from its registry", err)
		}
	}
	remoteImage, err := d.Image()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", reference, err)
	}
	img, err := fromRegistry(remoteImage)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", reference, err)
	}
	img.Ref, img.Refs = reference, []string{reference}
	img.ManifestDigest, img.IndexDigest = d.Digest.String(), indexDigest
	return img, nil
}

func fromRegistry(remoteImage v1.Image) (*Image, error) {
	manifest, err := remoteImage.Manifest()
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if manifest.Config.Size > maxMetadata {
		return nil, limitf("the config is larger than %d bytes", maxMetadata)
	}
	config, err := remoteImage.RawConfigFile()
	if err != nil {
		return nil, fmt.Errorf("image config: %w", err)
	}
	layers := make([]Layerer, len(manifest.Layers))
	for i, l := range manifest.Layers {
		layers[i].Digest = l.Digest.String()
		layers[i].Open = func(context.Context) (io.ReadCloser, error) {
			layer, err := remoteImage.LayerByDigest(l.Digest)
			if err != nil {
				return nil, err
			}
			return layer.Compressed()
		}
	}
	img, err := newImage(config, layers)
	if err == nil {
		img.Annotations = manifest.Annotations
	}
	return img, err
}
