package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/triad-security/triad"
)

// Annotations that name an image in an OCI layout's index.
const (
	annotationRef  = "org.opencontainers.image.ref.name" // image-spec, annotations.md: often the tag only
	annotationName = "io.containerd.image.name"          // the whole name, from containerd and Docker
)

// saved is one element of manifest.json in a docker save archive.
type saved struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// openFiles finds an image in an archive or layout: by manifest.json where there is one,
// as docker save writes it, else by index.json.
func openFiles(f files, ref string, o Options) (*Image, error) {
	data, err := readAll(f, "manifest.json")
	if err == nil {
		return openSaved(f, data, ref, o)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	data, err = readAll(f, "index.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, triad.Errorf(triad.CodeInvalid, "neither manifest.json nor index.json is there: not a docker save archive or OCI layout, or one cut short")
	}
	if err != nil {
		return nil, err
	}
	return openIndex(f, data, ref, o)
}

func openSaved(f files, data []byte, ref string, o Options) (*Image, error) {
	var all []saved
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("manifest.json: %w", err)
	}
	one, err := chooseSaved(all, ref)
	if err != nil {
		return nil, err
	}
	name, ok := Clean(one.Config)
	if !ok {
		return nil, fmt.Errorf("manifest.json: config %q is not inside the archive", one.Config)
	}
	config, err := readAll(f, name)
	if err != nil {
		return nil, fmt.Errorf("image config: %w", err)
	}
	layers := make([]Layerer, len(one.Layers))
	for i, name := range one.Layers {
		name, ok := Clean(name)
		if !ok {
			return nil, fmt.Errorf("manifest.json: layer %q is not inside the archive", one.Layers[i])
		}
		layers[i].Open = opener(f, name)
	}
	img, err := newImage(config, layers)
	if err != nil {
		return nil, err
	}
	img.Refs = one.RepoTags
	if ref != "" {
		img.Ref = ref
	} else if len(one.RepoTags) > 0 {
		img.Ref = one.RepoTags[0]
	}
	img.fromIndex(f, o)
	return img, nil
}

func chooseSaved(all []saved, ref string) (saved, error) {
	if len(all) == 1 && ref == "" {
		return all[0], nil
	}
	var tags []string
	for _, s := range all {
		for _, tag := range s.RepoTags {
			if ref != "" && sameRef(tag, ref) {
				return s, nil
			}
			tags = append(tags, tag)
		}
		if ref != "" && strings.Contains(s.Config, strings.TrimPrefix(ref, "sha256:")) && len(ref) >= 12 {
			return s, nil
		}
	}
	switch {
	case len(all) == 0:
		return saved{}, errors.New("manifest.json lists no image")
	case ref == "":
		return saved{}, triad.Errorf(triad.CodeInvalid, "the archive holds %d images; name one: %s", len(all), strings.Join(tags, ", "))
	}
	return saved{}, triad.Errorf(triad.CodeNotFound, "the archive has no image %s; it has: %s", ref, strings.Join(tags, ", "))
}

// fromIndex adds what the index.json of newer docker save archives says beside
// manifest.json: the manifest's digest. It is a bonus; failures mean only not knowing it.
func (i *Image) fromIndex(f files, o Options) {
	data, err := readAll(f, "index.json")
	if err != nil {
		return
	}
	var index v1.IndexManifest
	if json.Unmarshal(data, &index) != nil {
		return
	}
	for _, d := range index.Manifests {
		other, err := openDescriptor(f, d, o, 0)
		if err == nil && other.ConfigDigest == i.ConfigDigest {
			i.ManifestDigest, i.IndexDigest, i.Annotations = other.ManifestDigest, other.IndexDigest, other.Annotations
			for n := range i.Layers {
				i.Layers[n].Digest = other.Layers[n].Digest
			}
			return
		}
	}
}

func openIndex(f files, data []byte, ref string, o Options) (*Image, error) {
	var index v1.IndexManifest
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("index.json: %w", err)
	}
	candidates := index.Manifests
	if ref != "" {
		candidates = nil
		for _, d := range index.Manifests {
			for _, name := range []string{d.Annotations[annotationName], d.Annotations[annotationRef]} {
				if name != "" && (sameRef(name, ref) || strings.HasSuffix(ref, ":"+name)) || d.Digest.String() == ref {
					candidates = append(candidates, d)
					break
				}
			}
		}
		if len(candidates) == 0 {
			return nil, triad.Errorf(triad.CodeNotFound, "the layout has no image %s; it has: %s", ref, strings.Join(names(index.Manifests), ", "))
		}
	}
	d, err := choose(&v1.IndexManifest{Manifests: candidates}, o)
	if err != nil {
		return nil, err
	}
	img, err := openDescriptor(f, d, o, 0)
	if err != nil {
		return nil, err
	}
	img.Ref = ref
	for _, name := range []string{d.Annotations[annotationName], d.Annotations[annotationRef]} {
		if name != "" {
			img.Refs = append(img.Refs, name)
		}
	}
	if img.Ref == "" && len(img.Refs) > 0 {
		img.Ref = img.Refs[0]
	}
	return img, nil
}

func names(all []v1.Descriptor) []string {
	var names []string
	for _, d := range all {
		name := d.Annotations[annotationName]
		if name == "" {
			name = d.Annotations[annotationRef]
		}
		if name == "" {
			name = d.Digest.String()
		}
		names = append(names, name)
	}
	return names
}

// maxIndexDepth of indexes inside indexes; buildx writes two levels.
const maxIndexDepth = 4

func openDescriptor(f files, d v1.Descriptor, o Options, depth int) (*Image, error) {
	data, err := blob(f, d.Digest)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if d.MediaType.IsIndex() {
		if depth >= maxIndexDepth {
			return nil, limitf("indexes nested deeper than %d", maxIndexDepth)
		}
		var index v1.IndexManifest
		if err := json.Unmarshal(data, &index); err != nil {
			return nil, fmt.Errorf("index %s: %w", d.Digest, err)
		}
		child, err := choose(&index, o)
		if err != nil {
			return nil, err
		}
		img, err := openDescriptor(f, child, o, depth+1)
		if err == nil {
			img.IndexDigest = d.Digest.String()
		}
		return img, err
	}
	var manifest v1.Manifest
	if err := json.Unmarshal(data, &manifest); err != nil {
		return nil, fmt.Errorf("manifest %s: %w", d.Digest, err)
	}
	config, err := blob(f, manifest.Config.Digest)
	if err != nil {
		return nil, fmt.Errorf("image config: %w", err)
	}
	layers := make([]Layerer, len(manifest.Layers))
	for i, l := range manifest.Layers {
		layers[i].Digest = l.Digest.String()
		layers[i].Open = opener(f, blobName(l.Digest))
	}
	img, err := newImage(config, layers)
	if err != nil {
		return nil, err
	}
	img.ManifestDigest, img.Annotations = d.Digest.String(), manifest.Annotations
	return img, nil
}

func blobName(h v1.Hash) string { return "blobs/" + h.Algorithm + "/" + h.Hex }

// blob reads a metadata blob and holds it against its digest.
func blob(f files, h v1.Hash) ([]byte, error) {
	data, err := readAll(f, blobName(h))
	if err != nil {
		return nil, err
	}
	if h.Algorithm == "sha256" && digestOf(data) != h.String() {
		return nil, fmt.Errorf("blob %s: its content has the digest %s", h, digestOf(data))
	}
	return data, nil
}

func opener(f files, name string) func(context.Context) (io.ReadCloser, error) {
	return func(context.Context) (io.ReadCloser, error) {
		r, _, err := f.open(name)
		return r, err
	}
}
