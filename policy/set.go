package policy

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/triad-security/triad"
)

//go:embed defaults/*.yaml
var defaults embed.FS

// maxFiles bounds the files of one folder of guardrails.
const maxFiles = 2000

// Set is the guardrails and exceptions in force, and the tests beside them.
type Set struct {
	Guardrails []*Guardrail
	Exceptions []*Exception
	Tests      []*Test
	// Unmatched are exceptions whose guardrail is none of the set.
	Unmatched []*Exception
}

// Defaults returns the guardrails that Triad brings.
func Defaults() (*Set, error) {
	s := &Set{}
	files, err := fs.Glob(defaults, "defaults/*.yaml")
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		data, err := defaults.ReadFile(name)
		if err != nil {
			return nil, err
		}
		f, err := parse(filepath.Base(name), data)
		if err != nil {
			return nil, fmt.Errorf("built in: %w", err)
		}
		for _, g := range f.guardrails {
			g.Source = "built in"
		}
		if err := s.add(f); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Load reads files, and folders with all below them that end in .yaml or .yml. A guardrail
// takes the place of one of the same name that the set has had before.
func (s *Set) Load(paths ...string) error {
	own := &Set{}
	for _, path := range paths {
		files, err := yamlFiles(path)
		if err != nil {
			return err
		}
		for _, name := range files {
			f, err := readFile(name)
			if err != nil {
				return err
			}
			if err := own.add(f); err != nil {
				return err
			}
		}
	}
	for _, g := range own.Guardrails {
		if i := slices.IndexFunc(s.Guardrails, func(have *Guardrail) bool { return have.Name == g.Name }); i >= 0 {
			s.Guardrails[i] = g
		} else {
			s.Guardrails = append(s.Guardrails, g)
		}
	}
	s.Exceptions = append(s.Exceptions, own.Exceptions...)
	s.Tests = append(s.Tests, own.Tests...)
	s.Unmatched = nil
	for _, x := range s.Exceptions {
		if x.Guardrail != "*" && s.Guardrail(x.Guardrail) == nil {
			s.Unmatched = append(s.Unmatched, x)
		}
	}
	return nil
}

// add joins a file's content; two of one name within what was loaded together are an error.
func (s *Set) add(f *file) error {
	for _, g := range f.guardrails {
		if have := s.Guardrail(g.Name); have != nil {
			return triad.Errorf(triad.CodeInvalid, "%s: guardrail %s is there already (%s); give it another name", g.Source, g.Name, have.Source)
		}
		s.Guardrails = append(s.Guardrails, g)
	}
	for _, x := range f.exceptions {
		for _, have := range s.Exceptions {
			if have.ID == x.ID {
				return triad.Errorf(triad.CodeInvalid, "%s: exception %s is there already (%s); give it another name", x.Source, x.ID, have.Source)
			}
		}
		s.Exceptions = append(s.Exceptions, x)
	}
	s.Tests = append(s.Tests, f.tests...)
	return nil
}

// Guardrail finds one by name, nil when there is none.
func (s *Set) Guardrail(name string) *Guardrail {
	for _, g := range s.Guardrails {
		if g.Name == name {
			return g
		}
	}
	return nil
}

// yamlFiles lists the files below a path in order. Links are not followed.
func yamlFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading guardrails: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var files []string
	err = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != path && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		case d.Type().IsRegular() && (strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")):
			files = append(files, name)
		}
		if len(files) > maxFiles {
			return triad.Errorf(triad.CodeInvalid, "%s holds more than %d YAML files; name the folder of guardrails", path, maxFiles)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading guardrails: %w", err)
	}
	return files, nil
}
