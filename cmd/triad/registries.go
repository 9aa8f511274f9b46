package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	"github.com/triad-security/triad/deploy/manifest"
)

// trustedRegistries are the registries that the user named: by --trusted-registry, by its
// environment variable, or in registry.yaml of the data directory.
type trustedRegistries struct{ names []string }

func (t *trustedRegistries) flag(f *pflag.FlagSet) {
	f.StringSliceVar(&t.names, "trusted-registry", nil,
		"registry or repository from which images may come, such as registry.example.com or ghcr.io/acme (repeatable); default auto: those that serve most workloads; none names no image untrusted")
}

func (t *trustedRegistries) read(a *app) (manifest.Registries, error) {
	names := t.names
	if len(names) == 0 {
		path := filepath.Join(a.data, "registry.yaml")
		data, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			names = []string{"auto"}
		case err != nil:
			return manifest.Registries{}, fmt.Errorf("reading the trusted registries: %w", err)
		default:
			var file struct {
				Trusted []string `json:"trusted"`
			}
			if err := yaml.UnmarshalStrict(data, &file); err != nil {
				return manifest.Registries{}, fmt.Errorf("%s is not a list of names under trusted: %w", path, err)
			}
			names = file.Trusted
		}
	}
	if len(names) == 1 && names[0] == "none" {
		names = nil
	}
	return manifest.TrustRegistries(names)
}
