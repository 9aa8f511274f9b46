package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/secret"
)

// Image is an opened image: what its manifest and config say, and its layers to read.
type Image struct {
	// Ref is the name by which it was asked for, Refs every name that its source gives it.
	Ref  string
	Refs []string
	// The digests, as far as the source knows them. Config is always known.
	ConfigDigest, ManifestDigest, IndexDigest string
	// RepoDigests are the digests under which registries know it.
	RepoDigests []string
	Config      *v1.ConfigFile
	// Annotations of the manifest, where the source has it.
	Annotations map[string]string
	Layers      []Layerer
	rawConfig   []byte
	close       func() error
}

// Layerer is one layer of an image: what is known of it, and how to read it.
type Layerer struct {
	triad.Layer
	// Open returns the layer's tar, compressed or not. Nil when its source lacks it.
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// Options say which image of a source is meant, and how far to go.
type Options struct {
	// Platform such as linux/arm64, of an image for several; empty is Linux on this machine's
	// architecture.
	Platform string
	Limits   Limits
	// Insecure lets registries be spoken to over plain HTTP.
	Insecure bool
}

// Close releases the source.
func (i *Image) Close() error {
	if i.close == nil {
		return nil
	}
	return i.close()
}

// ID is the digest by which the image is known best: its manifest's, else its config's.
func (i *Image) ID() string {
	if i.ManifestDigest != "" {
		return i.ManifestDigest
	}
	return i.ConfigDigest
}

// newImage reads a config and pairs its layers with the steps that made them.
func newImage(config []byte, layers []Layerer) (*Image, error) {
	img := &Image{ConfigDigest: digestOf(config), rawConfig: config, Config: &v1.ConfigFile{}}
	if err := json.Unmarshal(config, img.Config); err != nil {
		return nil, fmt.Errorf("image config: %w", err)
	}
	diffIDs := img.Config.RootFS.DiffIDs
	switch {
	case len(layers) > maxLayers:
		return nil, limitf("%d layers; an image has at most %d", len(layers), maxLayers)
	case len(diffIDs) != len(layers):
		return nil, fmt.Errorf("the manifest lists %d layers, the config %d: the image is damaged, or is no container image", len(layers), len(diffIDs))
	}
	steps := Steps(img.Config.History, len(layers))
	for i := range layers {
		layers[i].DiffID = diffIDs[i].String()
		layers[i].Step = steps[i]
	}
	img.Layers = layers
	return img, nil
}

// Steps returns the build step of each of n layers. History entries marked empty made no
// layer. Where the counts differ nothing can be said.
func Steps(history []v1.History, n int) []string {
	steps := make([]string, 0, n)
	for _, h := range history {
		if !h.EmptyLayer {
			steps = append(steps, step(h))
		}
	}
	if len(steps) != n {
		return make([]string, n)
	}
	return steps
}

// step writes a history entry as the Dockerfile line that it was. BuildKit appends
// "# buildkit"; the classic builder writes everything as a shell command, and "#(nop)"
// before what was none.
func step(h v1.History) string {
	by := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(h.CreatedBy), "# buildkit"))
	if nop, ok := strings.CutPrefix(by, "/bin/sh -c #(nop)"); ok {
		by = strings.TrimSpace(nop)
	} else if run, ok := strings.CutPrefix(by, "/bin/sh -c "); ok {
		by = "RUN " + strings.TrimSpace(run)
	} else if run, ok := strings.CutPrefix(by, "RUN /bin/sh -c "); ok {
		by = "RUN " + strings.TrimSpace(run)
	}
	if by == "" {
		by = h.Comment
	}
	by = secret.Mask(by) // the step is shown and kept everywhere
	if len(by) > maxStep {
		by = strings.ToValidUTF8(by[:maxStep], "") + "…"
	}
	return by
}

// maxStep bytes of a build step are kept; generated ones run to many kilobytes.
const maxStep = 1024

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// platform parses --platform.
func (o Options) platform() (v1.Platform, error) {
	if o.Platform == "" {
		return v1.Platform{OS: "linux", Architecture: runtime.GOARCH}, nil
	}
	p, err := v1.ParsePlatform(o.Platform)
	if err != nil {
		return v1.Platform{}, triad.Errorf(triad.CodeInvalid, "--platform %s: %w; write it like linux/arm64", o.Platform, err)
	}
	return *p, nil
}

// choose picks the image for a platform from an index. Attestations and signatures stand
// beside images with the platform unknown/unknown. A lone image is taken whatever it is for.
func choose(index *v1.IndexManifest, o Options) (v1.Descriptor, error) {
	want, err := o.platform()
	if err != nil {
		return v1.Descriptor{}, err
	}
	var images []v1.Descriptor
	var have []string
	for _, d := range index.Manifests {
		if !d.MediaType.IsImage() && !d.MediaType.IsIndex() || d.Platform != nil && d.Platform.OS == "unknown" {
			continue
		}
		if d.Platform != nil && d.Platform.Satisfies(want) {
			return d, nil
		}
		images = append(images, d)
		if d.Platform != nil {
			have = append(have, d.Platform.String())
		}
	}
	switch {
	case len(images) == 0:
		return v1.Descriptor{}, fmt.Errorf("the index lists no container image")
	case len(images) == 1 && (o.Platform == "" || images[0].MediaType.IsIndex()):
		return images[0], nil
	}
	return v1.Descriptor{}, triad.Errorf(triad.CodeInvalid, "no image for %s; give --platform, one of: %s", want.String(), strings.Join(have, ", "))
}
