package trust

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/triad-security/triad"
)

// Bounds of an image for several platforms.
const (
	maxPlatforms  = 200
	maxIndexDepth = 4 // an index in an index is allowed and rare
)

// Image is one of the images that a digest stands for.
type Image struct {
	Digest name.Digest
	// Platform such as linux/arm64; empty where the digest is not in an index.
	Platform string
	// Index is true of the index itself: nothing runs it, its images are what runs.
	Index bool
}

// Images returns what a digest stands for: itself alone, or with all also what it is an
// index of. BuildKit's attestations, which an index lists beside its images, are none.
func (c *Client) Images(ctx context.Context, image name.Digest, all bool) ([]name.Digest, error) {
	if !all {
		return []name.Digest{image}, nil
	}
	list, err := c.platforms(ctx, image)
	if err != nil {
		return nil, err
	}
	digests := make([]name.Digest, len(list))
	for i, one := range list {
		digests[i] = one.Digest
	}
	return digests, nil
}

// platforms walks an index. The first is the digest itself.
func (c *Client) platforms(ctx context.Context, image name.Digest) ([]Image, error) {
	seen := map[string]bool{}
	var all []Image
	var walk func(one Image, depth int) error
	walk = func(one Image, depth int) error {
		if seen[one.Digest.DigestStr()] {
			return nil
		}
		seen[one.Digest.DigestStr()] = true
		switch {
		case len(all) >= maxPlatforms:
			return triad.Errorf(triad.CodeInvalid, "%s is for more than %d platforms", image.Name(), maxPlatforms)
		case depth > maxIndexDepth:
			return triad.Errorf(triad.CodeInvalid, "%s: indexes nested deeper than %d", image.Name(), maxIndexDepth)
		}
		d, err := c.manifest(ctx, one.Digest)
		if err != nil {
			return err
		}
		if d == nil {
			return triad.Errorf(triad.CodeNotFound, "%s is not in its registry", one.Digest.Name())
		}
		one.Index = d.MediaType.IsIndex()
		all = append(all, one)
		if !one.Index {
			if !d.MediaType.IsImage() {
				return triad.Errorf(triad.CodeInvalid, "%s is %s, which is no image", one.Digest.Name(), clip(string(d.MediaType)))
			}
			return nil
		}
		index, err := v1.ParseIndexManifest(strings.NewReader(string(d.Manifest)))
		if err != nil {
			return fmt.Errorf("index %s: %w", one.Digest.Name(), err)
		}
		for _, m := range index.Manifests {
			if isBuildAttestation(m) {
				continue
			}
			child := Image{Digest: image.Context().Digest(m.Digest.String())}
			if m.Platform != nil {
				child.Platform = m.Platform.String()
			}
			if err := walk(child, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(Image{Digest: image}, 0); err != nil {
		return nil, err
	}
	return all, nil
}

// isBuildAttestation reports an entry that BuildKit lists for its attestations. It must be
// for no platform, or an image could pass for one and go unseen.
func isBuildAttestation(m v1.Descriptor) bool {
	return m.Annotations["vnd.docker.reference.type"] == "attestation-manifest" &&
		m.Platform != nil && m.Platform.OS == "unknown" && m.Platform.Architecture == "unknown"
}
