package manifest

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/policy/registry"
)

// Registries are the registries from which images may come. The zero value trusts nobody in
// particular, and then nothing is reported.
type Registries struct {
	standard *registry.Standard
	inferred []string // those that nobody named; see InferRegistries
	auto     bool     // infer them from what runs
}

// Auto are the registries still to be inferred from the images that are found.
func Auto() Registries { return Registries{auto: true} }

// Resolve infers the registries from the images of each workload where that was asked for.
func (r Registries) Resolve(images map[string][]string) Registries {
	if !r.auto {
		return r
	}
	return InferRegistries(images)
}

// Standard takes the registries that a registry standard makes official.
func Standard(s *registry.Standard) Registries { return Registries{standard: s} }

// TrustRegistries reads names such as registry.example.com, ghcr.io/acme, docker.io/library or
// *.dkr.ecr.us-east-1.amazonaws.com (a star stands for one label of the host). The one word
// auto stands for those inferred from what runs; see InferRegistries.
func TrustRegistries(names []string) (Registries, error) {
	var r Registries
	s := &registry.Standard{}
	for _, n := range names {
		switch strings.ToLower(strings.TrimSpace(n)) {
		case "":
			continue
		case "auto":
			r.auto = true
			continue
		}
		parsed, err := registry.ParseName(n)
		if err != nil {
			return Registries{}, fmt.Errorf("trusted registry: %w", err)
		}
		s.Entries = append(s.Entries, registry.Entry{Name: parsed, Official: true, Access: registry.Open})
	}
	if r.auto && len(s.Entries) > 0 {
		return Registries{}, triad.Errorf(triad.CodeInvalid, "trusted registry auto stands alone: name the registries, or have them inferred")
	}
	if len(s.Entries) > 0 {
		r.standard = s
	}
	return r, nil
}

// Configured reports whether anybody named a trusted registry.
func (r Registries) Configured() bool { return r.standard != nil && len(r.standard.Entries) > 0 }

// Trusts says why an image's reference is in no trusted registry or repository; "" when it is in one.
func (r Registries) Trusts(reference string) (refusal string, err error) {
	if r.standard == nil {
		return reference + " is in no registry that was named", nil
	}
	e, listed, err := r.standard.Of(reference)
	switch {
	case err != nil:
		return "", err
	case !listed:
		return "image " + reference, nil
	}
	if why := e.Refuses(time.Now()); why != "" {
		return "image " + reference + ": " + why, nil
	}
	return "", nil
}

// MutableTag reports whether a reference moves by custom: no digest, and no tag or one of
// those that always mean the newest.
func MutableTag(reference string) bool {
	ref, err := name.ParseReference(reference, name.WeakValidation)
	if err != nil {
		return false
	}
	tag, ok := ref.(name.Tag)
	return ok && tag.TagStr() == name.DefaultTag
}

func (r Registries) rule() []rule {
	if !r.Configured() {
		return nil
	}
	severity, title, names := "high", "The image comes from a registry that is not among the trusted ones", r.standard.Trusted(time.Now())
	if len(r.inferred) > 0 {
		severity, names = "medium", r.inferred
		title = "The image does not come from where most images here do; nobody has named the trusted registries"
	}
	return []rule{{
		ID: "untrusted-registry", Severity: severity, Title: title,
		Fix: "take the image from a trusted registry (" + strings.Join(names, ", ") + "), or have its registry approved",
		container: func(_ *Workload, c *Container) []violation {
			if c.Image == "" || strings.HasPrefix(c.Image, "sha256:") {
				return nil
			}
			refusal, err := r.Trusts(c.Image)
			switch {
			case err != nil:
				return []violation{{err.Error()}}
			case refusal == "":
				return nil
			}
			return []violation{{refusal}}
		},
	}}
}
