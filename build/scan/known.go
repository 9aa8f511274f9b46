package scan

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/triad-security/triad/build/image"
)

// Known scans an image of which the cache has everything, by the digest of its manifest,
// config, or index, without asking where it lies. It is nil where anything is missing.
func (s *Scanner) Known(ctx context.Context, digest string) (*Result, error) {
	if s.Fresh {
		return nil, nil
	}
	meta, ok := s.metadata(digest)
	if !ok {
		if meta, ok = s.metadata(s.indexKey(digest)); !ok {
			return nil, nil
		}
	}
	img, err := meta.Image()
	if err != nil {
		return nil, nil //nolint:nilerr // a cache's fault is no fault: read the image
	}
	j := s.begin(ctx)
	for _, l := range img.Layers {
		if !s.Cache.Has(l.DiffID) {
			return nil, nil
		}
		for _, in := range j.able {
			if !s.Cache.Has(contentKey(l.DiffID, in)) {
				return nil, nil
			}
		}
	}
	return s.image(ctx, img, j, map[string]*layerRead{}, nil)
}

// Remember keeps of an image what Known needs beside its layers.
func (s *Scanner) Remember(img *image.Image) error {
	if err := s.keepMetadata(img.ConfigDigest, img); err != nil || img.IndexDigest == "" {
		return err
	}
	return s.keepMetadata(s.indexKey(img.IndexDigest), img)
}

// indexKey names in the cache the image that an index has for the scanner's platform.
func (s *Scanner) indexKey(digest string) string {
	sum := sha256.Sum256([]byte("index\n" + digest + "\n" + s.Options.Platform))
	return "sha256:" + hex.EncodeToString(sum[:])
}
