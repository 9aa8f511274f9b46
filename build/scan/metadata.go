package scan

import (
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
		if err := s.Cache.Put(img.ManifestDigest, data); err != nil {
			return err
		}
	}
	return s.Cache.Put(id, data)
}

func (s *Scanner) metadata(id string) (image.Metadata, bool) {
	var m image.Metadata
	data, ok := s.Cache.Get(id)
	if !ok || json.Unmarshal(data, &m) != nil || len(m.Config) == 0 {
		return m, false
	}
	return m, true
}
