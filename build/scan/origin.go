package scan

import (
	"fmt"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/origin"
)

// Config is the image's config; nil for what is no image.
func (r *Result) Config() *v1.ConfigFile {
	if r.about == nil {
		return nil
	}
	return r.about.Config
}

// Annotation is one of the manifest's annotations, else of the config's labels.
func (r *Result) Annotation(name string) string {
	if r.about == nil {
		return ""
	}
	if v := r.about.Annotations[name]; v != "" {
		return v
	}
	return r.about.Config.Config.Labels[name]
}

// DiffIDs are the image's layers, base first.
func (r *Result) DiffIDs() []string {
	ids := make([]string, len(r.Artifact.Layers))
	for i, l := range r.Artifact.Layers {
		ids[i] = l.DiffID
	}
	return ids
}

// Known describes the image for the index of bases; false for what is no image, or has no
// name by which it could be a base.
func (r *Result) Known() (img origin.Image, ok bool) {
	if r.about == nil || r.Artifact.Type != ArtifactImage {
		return img, false
	}
	name := r.Artifact.Name
	if len(r.Artifact.Refs) > 0 {
		name = r.Artifact.Refs[0]
	}
	c := r.about.Config
	pin := r.Artifact.IndexDigest
	if pin == "" && len(r.Artifact.Layers) > 0 && r.Artifact.Layers[0].Digest != "" { // read from a registry or layout
		pin = r.Artifact.ManifestDigest
	}
	if len(r.Artifact.RepoDigests) > 0 {
		_, pin, _ = strings.Cut(r.Artifact.RepoDigests[0], "@")
	}
	return origin.Image{
		Name: name, Pin: pin, Digest: r.Artifact.Digest, ConfigDigest: r.Artifact.ConfigDigest, OS: r.Artifact.OS, Architecture: c.Architecture,
		Created: c.Created.Time, Scanned: time.Now().UTC().Truncate(time.Second), Layers: r.DiffIDs(),
	}, origin.Repository(name) != "" && len(r.Artifact.Layers) > 0
}

// RememberResult keeps of a scanned image what Known needs: a base is compared with newer
// ones from the cache alone.
func (s *Scanner) RememberResult(r *Result) error {
	if r.about == nil {
		return nil
	}
	return s.keepMetadata(r.about.ConfigDigest, r.about)
}

// Mark says of each layer, and of each package, vulnerability and finding by its layer,
// whether the base image brought it and which line of a Dockerfile did. lines is by layer and
// may be empty. A base whose layers are not known marks nothing.
func (r *Result) Mark(base *origin.Base, lines []string) {
	r.Artifact.Base = base
	type mark struct {
		origin triad.Origin
		line   string
	}
	marks := map[string]mark{}
	for i := range r.Artifact.Layers {
		l := &r.Artifact.Layers[i]
		switch {
		case base == nil || base.Layers == 0 && base.Name != "scratch":
			l.Origin = ""
		case i < base.Layers:
			l.Origin = triad.OriginBase
		default:
			l.Origin = triad.OriginYours
		}
		l.Dockerfile = ""
		if i < len(lines) {
			l.Dockerfile = lines[i]
		}
		if _, ok := marks[l.DiffID]; !ok { // the same layer twice: the first brought it
			marks[l.DiffID] = mark{l.Origin, l.Dockerfile}
		}
	}
	type place struct{ purl, path string }
	packages := map[place]mark{}
	for i := range r.Packages {
		p := &r.Packages[i]
		m := marks[p.Layer]
		p.Origin, p.Dockerfile = m.origin, m.line
		packages[place{p.PURL, p.Path}] = m
	}
	for i := range r.Vulnerabilities {
		v := &r.Vulnerabilities[i]
		m, ok := marks[v.Layer]
		if !ok {
			m = packages[place{v.PURL, v.Path}]
		}
		v.Origin, v.Dockerfile = m.origin, m.line
	}
	for _, list := range [][]triad.Finding{r.Secrets, r.Malware, r.Code, r.Misconfigurations} {
		for i := range list {
			m := marks[list[i].Layer]
			list[i].Origin, list[i].Dockerfile = m.origin, m.line
		}
	}
}

// builtFrom relates the image to its base.
func (r *Result) builtFrom(id string) []triad.Relation {
	b := r.Artifact.Base
	if b == nil || b.Name == "scratch" {
		return nil
	}
	to := b.Digest
	if to == "" {
		to = "imageref:" + b.Name
	}
	detail := "the image says so"
	switch {
	case b.Layers == 1:
		detail = "its layer is the image's first"
	case b.Layers > 1:
		detail = fmt.Sprintf("its %d layers are the image's first", b.Layers)
	}
	return []triad.Relation{{From: id, Type: triad.RelBuiltFrom, To: to, Section: sectionPackages, Evidence: []triad.Evidence{{Source: string(b.Basis), Detail: b.Name + ": " + detail}}}}
}
