package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/triad-security/triad/deploy/manifest"
	"github.com/triad-security/triad/policy/registry"
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
		standard, err := a.registryStandard("")
		switch {
		case err != nil:
			return manifest.Registries{}, err
		case standard == nil:
			return manifest.Auto(), nil
		}
		return manifest.Standard(standard), nil
	}
	if len(names) == 1 && names[0] == "none" {
		names = nil
	}
	return manifest.TrustRegistries(names)
}

// registryStandard reads a registry standard, that of the data directory where none is
// named; nil when there is none.
func (a *app) registryStandard(path string) (*registry.Standard, error) {
	named := path != ""
	if !named {
		path = filepath.Join(a.data, "registry.yaml")
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the registry standard: %w", err)
	}
	standard, err := registry.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return standard, nil
}
