package manifest

import (
	"fmt"
	"path"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/triad-security/triad"
)

// Registries are the registries from which images may come. The zero value trusts nobody in
// particular, and then nothing is reported.
type Registries struct {
	patterns []string
	inferred []string // those of patterns that nobody named; see InferRegistries
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

// TrustRegistries reads names such as registry.example.com, ghcr.io/acme, docker.io/library or
// *.dkr.ecr.us-east-1.amazonaws.com (a star stands for one label of the host). The one word
// auto stands for those inferred from what runs; see InferRegistries.
func TrustRegistries(names []string) (Registries, error) {
	var r Registries
	for _, n := range names {
		n = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(n)), "/")
		n = strings.TrimPrefix(strings.TrimPrefix(n, "https://"), "http://")
		if n == "" {
			continue
		}
		if n == "auto" {
			r.auto = true
			continue
		}
		host, repository, _ := strings.Cut(n, "/")
		if _, err := name.NewRegistry(strings.ReplaceAll(host, "*", "x")); err != nil {
			return Registries{}, triad.Errorf(triad.CodeInvalid, "trusted registry %q is not HOST[:PORT][/REPOSITORY]: %w", n, err)
		}
		n = canonicalHost(host)
		if repository != "" {
			n += "/" + repository
		}
		r.patterns = append(r.patterns, n)
	}
	if r.auto && len(r.patterns) > 0 {
		return Registries{}, triad.Errorf(triad.CodeInvalid, "trusted registry auto stands alone: name the registries, or have them inferred")
	}
	return r, nil
}

// Configured reports whether anybody named a trusted registry.
func (r Registries) Configured() bool { return len(r.patterns) > 0 }

// Trusts reports whether an image's reference is in a trusted registry or repository.
func (r Registries) Trusts(reference string) (bool, error) {
	full, err := Repository(reference)
	if err != nil {
		return false, err
	}
	host, repository, _ := strings.Cut(full, "/")
	for _, p := range r.patterns {
		pHost, pRepository, _ := strings.Cut(p, "/")
		if !matchHost(pHost, host) {
			continue
		}
		if pRepository == "" || repository == pRepository || strings.HasPrefix(repository, pRepository+"/") {
			return true, nil
		}
	}
	return false, nil
}

func matchHost(pattern, host string) bool {
	p, h := strings.Split(pattern, "."), strings.Split(host, ".")
	if len(p) != len(h) {
		return false
	}
	for i := range p {
		if ok, err := path.Match(p[i], h[i]); err != nil || !ok {
			return false
		}
	}
	return true
}

// canonicalHost maps the names of Docker Hub to docker.io.
func canonicalHost(host string) string {
	switch host {
	case "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com":
		return "docker.io"
	}
	return host
}

// Repository returns registry and repository of a reference in full: nginx is docker.io/library/nginx.
func Repository(reference string) (string, error) {
	ref, err := name.ParseReference(reference, name.WeakValidation)
	if err != nil {
		return "", fmt.Errorf("image reference %q: %w", reference, err)
	}
	repository := ref.Context()
	return canonicalHost(strings.ToLower(repository.RegistryStr())) + "/" + repository.RepositoryStr(), nil
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
	severity, title, names := "high", "The image comes from a registry that is not among the trusted ones", r.patterns
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
			ok, err := r.Trusts(c.Image)
			switch {
			case err != nil:
				return []violation{{err.Error()}}
			case ok:
				return nil
			}
			return []violation{{"image " + c.Image}}
		},
	}}
}
