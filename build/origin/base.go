package origin

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/triad-security/triad/policy/registry"
)

// Annotations and labels by which an image names its base
// (https://specs.opencontainers.org/image-spec/annotations/).
const (
	AnnotationName   = "org.opencontainers.image.base.name"
	AnnotationDigest = "org.opencontainers.image.base.digest"
)

// Basis says how a base is known.
type Basis string

// The bases of knowledge, best first.
const (
	BasisNamed      Basis = "named"      // by the user; its layers were held against the image's
	BasisLayers     Basis = "layers"     // an image that was scanned has the layers that this one begins with
	BasisDockerfile Basis = "dockerfile" // the history after it is that of the Dockerfile
	BasisAnnotation Basis = "annotation" // only the image says so: its layers are not known
)

// Base is the image that another was built from.
type Base struct {
	Name   string `json:"name"`
	Digest string `json:"digest,omitempty"`
	// Layers is how many of the image's layers are the base's; zero where that is not known.
	Layers int   `json:"layers"`
	Basis  Basis `json:"basis"`
	// Also are other names of an image with the same layers.
	Also []string `json:"also,omitempty"`
}

// Image is an image that was scanned.
type Image struct {
	Name         string `json:"name"` // a reference
	Digest       string `json:"digest"`
	ConfigDigest string `json:"config_digest,omitempty"`
	// Pin is the digest that FROM can name: its registry's, of the index where it has one.
	Pin          string    `json:"pin,omitempty"`
	OS           string    `json:"os,omitempty"`
	Architecture string    `json:"architecture,omitempty"`
	Created      time.Time `json:"created"`
	Scanned      time.Time `json:"scanned"`
	Layers       []string  `json:"layers"` // diff IDs, base first
}

// Repository is an image's name without tag and digest, with Docker's defaults filled in;
// empty for what is no reference.
func Repository(reference string) string {
	repository, err := registry.Repository(reference)
	if err != nil {
		return ""
	}
	return repository
}

// chains are the ChainIDs of the first n layers, for n from 1
// (https://specs.opencontainers.org/image-spec/config/#layer-chainid).
func chains(layers []string) []string {
	all := make([]string, len(layers))
	for n, l := range layers {
		if n == 0 {
			all[n] = l
			continue
		}
		sum := sha256.Sum256([]byte(all[n-1] + " " + l))
		all[n] = "sha256:" + hex.EncodeToString(sum[:])
	}
	return all
}

// Begins reports whether an image's layers begin with those of another, and go on.
func Begins(layers, base []string) bool {
	return len(base) > 0 && len(base) < len(layers) && slices.Equal(layers[:len(base)], base)
}

func isDigest(s string) bool {
	h, ok := strings.CutPrefix(s, "sha256:")
	_, err := hex.DecodeString(h)
	return ok && err == nil && len(h) == 64
}
