package triad_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/triad-security/triad"

// layers lists the top folders and what each may import of this module, besides the root.
// cmd → server → {build, deploy, run, cloud} and risk → reach → triad: phases never import
// each other, and risk knows no collector.
var layers = map[string][]string{
	"":             {},
	"reach":        {"reach"},
	"risk":         {"risk", "reach"},
	"policy":       {"policy"},
	"build":        {"build", "reach", "policy"},
	"deploy":       {"deploy", "reach", "policy"},
	"run":          {"run", "reach", "policy"},
	"cloud":        {"cloud", "reach", "policy"},
	"report":       {"report"},
	"store":        {"store"},
	"bus":          {"bus"},
	"console":      {"console"},
	"demo":         {"demo"},
	"integrations": {"integrations"},
	"server":       {"server", "risk", "reach", "policy", "build", "deploy", "run", "cloud", "report", "store", "bus", "console"},
	"cmd":          nil, // everything
	"e2e":          nil,
	"bench":        nil,
}

// heavy names what only some folders may drag in, directly or not, by import path prefix.
var heavy = map[string][]string{
	"github.com/aws/aws-sdk-go-v2/service/": {"cloud", "cmd/triad", "server", "e2e", "bench"},
	"modernc.org/sqlite":                    {"store", "build", "server", "cmd/triad", "e2e", "bench"},
	"github.com/nats-io/nats-server":        {"bus", "server", "cmd/triad", "e2e", "bench"},
}

type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func TestImportsGoOneWay(t *testing.T) {
	for _, p := range list(t) {
		folder := top(p.ImportPath)
		allowed, known := layers[folder]
		if !known {
			t.Errorf("%s: folder %s has no place in the layers; see docs/architecture.md", p.ImportPath, folder)
			continue
		}
		if allowed == nil {
			continue
		}
		for _, imported := range p.Imports {
			if !strings.HasPrefix(imported, module) || imported == module {
				continue
			}
			if to := top(imported); !contains(allowed, to) {
				t.Errorf("%s imports %s: %s may not import %s", p.ImportPath, imported, folder, to)
			}
		}
	}
}

func TestTheVocabularyImportsTheStandardLibraryAlone(t *testing.T) {
	for _, p := range list(t) {
		if p.ImportPath != module {
			continue
		}
		for _, imported := range p.Imports {
			if strings.Contains(strings.SplitN(imported, "/", 2)[0], ".") {
				t.Errorf("the root package imports %s", imported)
			}
		}
	}
}

func TestHeavyLibrariesStayWhereTheyBelong(t *testing.T) {
	for _, p := range list(t) {
		own := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		for prefix, homes := range heavy {
			atHome := false
			for _, home := range homes {
				atHome = atHome || own == home || strings.HasPrefix(own, home+"/")
			}
			if atHome {
				continue
			}
			for _, dep := range p.Deps {
				if strings.HasPrefix(dep, prefix) {
					t.Errorf("%s drags in %s", p.ImportPath, dep)
					break
				}
			}
		}
	}
}

func list(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var packages []listed
	decoder := json.NewDecoder(bufio.NewReader(bytes.NewReader(out)))
	for {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func top(importPath string) string {
	return strings.SplitN(strings.TrimPrefix(strings.TrimPrefix(importPath, module), "/"), "/", 2)[0]
}

func contains(list []string, s string) bool {
	for _, have := range list {
		if have == s {
			return true
		}
	}
	return false
}
