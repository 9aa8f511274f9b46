package scan

import (
	"bytes"
	"encoding/json"

	"github.com/triad-security/triad/build/image"
)

// The cache also keeps an image's config under its digest: a Docker engine is then not
// asked for an image all of whose layers are known.

func (s *Scanner) keepMetadata(id string, img *image.Image) error {
	data, err := json.Marshal(img.Metadata())
	if err != nil {
		return err
	}
	if img.ManifestDigest != "" { // what an engine with containerd's store calls the image
		if err := s.put(img.ManifestDigest, data); err != nil {
			return err
		}
	}
	return s.put(id, data)
}

// put keeps what the cache does not hold already.
func (s *Scanner) put(key string, data []byte) error {
	if kept, ok := s.Cache.Get(key); ok && bytes.Equal(kept, data) {
		return nil
	}
	return s.Cache.Put(key, data)
}

func (s *Scanner) metadata(id string) (image.Metadata, bool) {
	var m image.Metadata
	data, ok := s.Cache.Get(id)
	if !ok || json.Unmarshal(data, &m) != nil || len(m.Config) == 0 {
		return m, false
	}
	return m, true
}
