package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/dockerfile"
	"github.com/triad-security/triad/build/image"
	"github.com/triad-security/triad/build/origin"
	"github.com/triad-security/triad/build/scan"
)

// originFlags say where an image came from.
type originFlags struct {
	base       string
	dockerfile string
	target     string

	// file and mapping are what tracing found, for the fix.
	file    *dockerfile.File
	mapping *dockerfile.Mapping
}

func (o *originFlags) add(f *pflag.FlagSet) {
	f.StringVar(&o.base, "base", "", "the image that it was built from: a reference, docker:REFERENCE, or an archive or layout; found by its layers where it was scanned")
	f.StringVar(&o.dockerfile, "dockerfile", "", "Dockerfile that it was built of: names the line that brought each layer and package")
	f.StringVar(&o.target, "target", "", "stage of that Dockerfile that was built; default the one that fits")
}

// bases is the index of scanned images in a cache.
func bases(cacheDir string) *origin.Index { return origin.Open(filepath.Join(cacheDir, "bases")) }

// trace finds an image's base and the Dockerfile's lines, marks what was found with them, and
// notes the image as a base of others.
func (a *app) trace(ctx context.Context, s *scanFlags, scanner *scan.Scanner, r *scan.Result) error {
	o := &s.origin
	if r.Artifact.Type != scan.ArtifactImage || r.Config() == nil {
		if o.base != "" {
			return triad.Errorf(triad.CodeInvalid, "--base %s: only images have a base", o.base)
		}
		return nil
	}
	index := bases(s.cacheDir)
	lines, err := o.lines(r)
	if err != nil {
		return err
	}
	base, err := o.find(ctx, index, scanner, r)
	if err != nil && o.base != "" {
		return err
	}
	if err != nil { // the scan itself is none the worse
		a.say("base image not looked up: %v", err)
	}
	r.Mark(base, lines)
	switch {
	case o.mapping != nil && o.mapping.Reason != "":
		a.say("%s: %s", o.dockerfile, o.mapping.Reason)
	case base == nil && err == nil && len(r.Artifact.Layers) > 0 && !s.many:
		a.say("base image not known: scan it once, or name it with --base or --dockerfile, and findings say whose they are")
	}
	if base != nil && base.Layers == 0 && base.Basis == origin.BasisAnnotation {
		a.say("the image says that it was built from %s, whose layers are not known: scan that once, or name it with --base", base.Name)
	}
	if img, ok := r.Known(); ok {
		if err := errors.Join(scanner.RememberResult(r), index.Record(img)); err != nil {
			a.say("not kept as a base of other images: %v", err) // only less is known later
		}
	}
	return nil
}

// lines lays the image's history beside the Dockerfile.
func (o *originFlags) lines(r *scan.Result) ([]string, error) {
	if o.dockerfile == "" {
		return nil, nil
	}
	f, err := readDockerfile(o.dockerfile)
	if err != nil {
		return nil, err
	}
	layers := len(r.Artifact.Layers)
	o.file, o.mapping = f, f.Map(r.Config().History, layers, o.target)
	lines := make([]string, layers)
	for n := range lines {
		lines[n] = o.mapping.Lines(f, n)
	}
	return lines, nil
}

func readDockerfile(path string) (*dockerfile.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading the Dockerfile: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > dockerfile.MaxBytes {
		return nil, triad.Errorf(triad.CodeInvalid, "%s: not a regular file of at most %d bytes", path, dockerfile.MaxBytes)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the Dockerfile: %w", err)
	}
	return dockerfile.Parse(path, data)
}

// find names the base: as the user says, as the Dockerfile does, as scanned images show, as
// the image itself says; nil where nobody knows.
func (o *originFlags) find(ctx context.Context, index *origin.Index, scanner *scan.Scanner, r *scan.Result) (*origin.Base, error) {
	layers := r.DiffIDs()
	if o.base != "" {
		return namedBase(ctx, o.base, scanner, layers)
	}
	if m := o.mapping; m != nil && m.Stage != nil && m.BaseLayers >= 0 {
		from := m.Stage.Base()
		b := &origin.Base{Name: from.Resolved, Layers: m.BaseLayers, Basis: origin.BasisDockerfile}
		if m.BaseLayers > 0 && m.BaseLayers < len(layers) {
			if img, also, ok, err := index.Longest(layers[:m.BaseLayers+1]); err == nil && ok && len(img.Layers) == m.BaseLayers {
				b.Digest, b.Also = img.Digest, without(append(also, img.Name), b.Name)
			}
		}
		return b, nil
	}
	img, also, ok, err := index.Longest(layers)
	if err != nil {
		return nil, err
	}
	if ok {
		return &origin.Base{Name: img.Name, Digest: img.Digest, Layers: len(img.Layers), Basis: origin.BasisLayers, Also: also}, nil
	}
	if name := r.Annotation(origin.AnnotationName); name != "" && len(name) < 512 {
		return &origin.Base{Name: name, Digest: r.Annotation(origin.AnnotationDigest), Basis: origin.BasisAnnotation}, nil
	}
	return nil, nil
}

func without(all []string, name string) (out []string) {
	for _, s := range all {
		if s != name {
			out = append(out, s)
		}
	}
	return out
}

// namedBase reads the config of the image that the user calls the base and holds its layers
// against the image's. Nothing of it is downloaded but that.
func namedBase(ctx context.Context, ref string, scanner *scan.Scanner, layers []string) (*origin.Base, error) {
	if name, ok := strings.CutPrefix(ref, "docker:"); ok {
		r, err := scanImage(ctx, scanner, "", name, true) // an engine has no smaller answer
		if err != nil {
			return nil, fmt.Errorf("--base: %w", err)
		}
		return heldAgainst(ref, r.Artifact.Name, r.Artifact.Digest, r.DiffIDs(), layers)
	}
	var img *image.Image
	var err error
	path := strings.TrimPrefix(ref, "oci:")
	if _, statErr := os.Stat(path); statErr == nil || path != ref {
		img, err = image.OpenFile(ctx, path, "", scanner.Options)
		if errors.Is(err, image.ErrStream) {
			err = triad.Errorf(triad.CodeInvalid, "%s is compressed; give it uncompressed", ref)
		}
	} else {
		img, err = image.OpenRegistry(ctx, ref, scanner.Options)
	}
	if err != nil {
		return nil, fmt.Errorf("--base: %w", err)
	}
	defer func() { _ = img.Close() }()
	own := make([]string, len(img.Layers))
	for n, l := range img.Layers {
		own[n] = l.DiffID
	}
	name := img.Ref
	if len(img.Refs) > 0 {
		name = img.Refs[0]
	}
	return heldAgainst(ref, name, img.ID(), own, layers)
}

func heldAgainst(ref, name, digest string, own, layers []string) (*origin.Base, error) {
	if !origin.Begins(layers, own) {
		same := 0
		for same < min(len(own), len(layers)) && own[same] == layers[same] {
			same++
		}
		return nil, triad.Errorf(triad.CodeInvalid, "--base %s: the image was not built from it: of its %d layers the first %d are the image's too", ref, len(own), same)
	}
	return &origin.Base{Name: name, Digest: digest, Layers: len(own), Basis: origin.BasisNamed}, nil
}
