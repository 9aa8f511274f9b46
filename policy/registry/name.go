package registry

import (
	"fmt"
	"path"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/triad-security/triad"
)

// Name is a registry or a repository of one, such as registry.example.com:5000, ghcr.io/acme
// or *.dkr.ecr.us-east-1.amazonaws.com: a star stands for one label of the host.
type Name struct{ host, repository string }

// ParseName reads a name. A scheme before it and letter case do not matter; the names of
// Docker Hub are one.
func ParseName(text string) (Name, error) {
	n := strings.TrimSuffix(strings.ToLower(strings.TrimSpace(text)), "/")
	n = strings.TrimPrefix(strings.TrimPrefix(n, "https://"), "http://")
	host, repository, _ := strings.Cut(n, "/")
	plain := strings.ReplaceAll(host, "*", "x")
	if !strings.ContainsAny(host, ".:") && host != "localhost" {
		return Name{}, triad.Errorf(triad.CodeInvalid, "%q is not HOST[:PORT][/REPOSITORY]: a host has a dot or a port", text)
	}
	if _, err := name.NewRegistry(plain); err != nil {
		return Name{}, triad.Errorf(triad.CodeInvalid, "%q is not HOST[:PORT][/REPOSITORY]: %w", text, err)
	}
	if repository != "" {
		if _, err := name.NewRepository(plain + "/" + repository); err != nil {
			return Name{}, triad.Errorf(triad.CodeInvalid, "%q is not HOST[:PORT][/REPOSITORY]: %w", text, err)
		}
	}
	return Name{canonicalHost(host), repository}, nil
}

func (n Name) String() string {
	if n.repository == "" {
		return n.host
	}
	return n.host + "/" + n.repository
}

// Covers reports whether a repository in full, as Repository writes it, is the name's or below it.
func (n Name) Covers(repository string) bool {
	host, rest, _ := strings.Cut(repository, "/")
	if !matchHost(n.host, host) {
		return false
	}
	return n.repository == "" || rest == n.repository || strings.HasPrefix(rest, n.repository+"/")
}

// closer reports whether n says more exactly than m what it covers.
func (n Name) closer(m Name) bool {
	a, b := strings.Count(n.host, "*"), strings.Count(m.host, "*")
	if a != b {
		return a < b
	}
	return len(n.repository) > len(m.repository)
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

// Repository returns registry and repository of an image reference in full: nginx is
// docker.io/library/nginx.
func Repository(reference string) (string, error) {
	ref, err := name.ParseReference(reference, name.WeakValidation)
	if err != nil {
		return "", fmt.Errorf("image reference %.300q: %w", reference, err)
	}
	repository := ref.Context()
	return canonicalHost(strings.ToLower(repository.RegistryStr())) + "/" + repository.RepositoryStr(), nil
}
