package dockerfile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/inspect"
)

// Is reports whether a file is a Dockerfile by its name: Dockerfile, Dockerfile.dev,
// web.Dockerfile, Containerfile.
func Is(name string) bool {
	base := path.Base(name)
	lower := strings.ToLower(base)
	switch ext := path.Ext(lower); ext {
	case ".dockerfile", ".containerfile":
		return true
	case ".md", ".go", ".py", ".js", ".ts", ".json", ".yaml", ".yml", ".html", ".j2", ".tmpl", ".tpl", ".template", ".in", ".erb", ".dockerignore", ".swp", ".orig", ".rst", ".sh", ".rb", ".lua", ".vim":
		return false
	}
	return lower == "dockerfile" || lower == "containerfile" || strings.HasPrefix(base, "Dockerfile.") || strings.HasPrefix(base, "Containerfile.") || strings.HasPrefix(lower, "dockerfile.")
}

// Inspector checks the Dockerfiles among the files of a folder or image, and the image's
// config.
type Inspector struct{ key string }

var (
	_ inspect.Inspector  = (*Inspector)(nil)
	_ inspect.Configurer = (*Inspector)(nil)
)

// NewInspector returns the inspector of Dockerfiles.
func NewInspector() *Inspector {
	h := sha256.New()
	for _, r := range Rules() {
		fmt.Fprintf(h, "%q\n", r)
	}
	return &Inspector{key: "dockerfile-1 " + hex.EncodeToString(h.Sum(nil)[:8])}
}

// Section is misconfigurations.
func (*Inspector) Section() string { return inspect.SectionMisconfigurations }

// Key changes with the checks.
func (n *Inspector) Key() string { return n.key }

// Ready is always so: nothing is needed.
func (*Inspector) Ready(context.Context) error { return nil }

// Open takes the files that are Dockerfiles by name.
func (*Inspector) Open(_ context.Context, f inspect.File) inspect.Sink {
	if !Is(f.Name) || f.Size > MaxBytes {
		return nil
	}
	return &sink{name: f.Name, data: make([]byte, 0, max(f.Size, 0))}
}

// Config judges an image's config.
func (*Inspector) Config(_ context.Context, c *v1.ConfigFile) ([]triad.Finding, error) {
	return CheckConfig(c), nil
}

// sink gathers one file: Dockerfiles are small, and bounded by MaxBytes.
type sink struct {
	name string
	data []byte
}

func (s *sink) Write(p []byte) (int, error) {
	if len(s.data)+len(p) > MaxBytes {
		return 0, fmt.Errorf("%s: larger than a Dockerfile can be", s.name)
	}
	s.data = append(s.data, p...)
	return len(p), nil
}

// Close checks the file. What has the name and is no Dockerfile is nothing.
func (s *sink) Close() ([]inspect.Found, error) {
	f, err := Parse(s.name, s.data)
	if err != nil {
		return nil, nil //nolint:nilerr // a name is a guess: the file is no Dockerfile
	}
	if len(f.Stages) == 0 {
		return nil, nil
	}
	var found []inspect.Found
	for _, finding := range Check(f) {
		found = append(found, inspect.Found{Finding: finding})
	}
	return found, nil
}
